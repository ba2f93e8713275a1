//! Who is the API server, and what may we ask it? A kubeconfig, or what every pod is given.
//!
//! Certificates and tokens that stand in files stay files: they are renewed there. What needs a program to be run
//! (`exec`, `auth-provider`) is refused: nodetap runs none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exporter::http::{Content, Server};
use yaml::document::{self, Node, Value};
use yaml::problem::Problems;

/// Where a pod finds its token and the authority's certificate.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// There is no way to the API server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KubeconfigError {
    /// The file can't be read.
    #[error("read the kubeconfig {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is no YAML.
    #[error("the kubeconfig {}: {problems}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problems: Problems,
    },
    /// The file does not say what it should.
    #[error("the kubeconfig {}: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// We are in no pod.
    #[error(
        "export.lvs_configmap needs export.kubeconfig: this is no pod with a service account ({ACCOUNT}/token and KUBERNETES_SERVICE_HOST)"
    )]
    NoPod,
}

/// Finds the API server: by a kubeconfig, else as a pod does.
pub(crate) fn server(kubeconfig: Option<&Path>) -> Result<Server, KubeconfigError> {
    if let Some(path) = kubeconfig {
        return of_file(path);
    }
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    let host = variable("KUBERNETES_SERVICE_HOST");
    let port = variable("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
    let account = Path::new(ACCOUNT);
    host.filter(|_| account.join("token").is_file())
        .map(|host| of_pod(&host, &port, account))
        .ok_or(KubeconfigError::NoPod)
}

fn of_pod(host: &str, port: &str, account: &Path) -> Server {
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    Server {
        url: format!("https://{host}:{port}"),
        authorities: Some(Content::File(account.join("ca.crt"))),
        token: Some(Content::File(account.join("token"))),
        ..Server::default()
    }
}

fn of_file(path: &Path) -> Result<Server, KubeconfigError> {
    let text = fs::read_to_string(path).map_err(|source| KubeconfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let node = document::read(&text).map_err(|problems| KubeconfigError::Yaml {
        path: path.to_owned(),
        problems,
    })?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    of_document(&node, folder).map_err(|why| KubeconfigError::Content {
        path: path.to_owned(),
        why,
    })
}

/// Takes the current context; pure. Paths are relative to the file's folder.
fn of_document(node: &Node, folder: &Path) -> Result<Server, String> {
    let current = text(node, "current-context").ok_or("it has no current-context")?;
    let context = named(node, "contexts", "context", current)?;
    let name = |key| text(context, key).ok_or(format!("context `{current}` has no {key}"));
    let cluster = named(node, "clusters", "cluster", name("cluster")?)?;
    let user = named(node, "users", "user", name("user")?)?;
    for key in ["exec", "auth-provider"] {
        if member(user, key).is_some() {
            return Err(format!(
                "`{key}` is not supported, for nodetap runs no programs; use a token or a certificate"
            ));
        }
    }
    let identity =
        content(user, "client-certificate", folder)?.zip(content(user, "client-key", folder)?);
    let token = match text(user, "tokenFile") {
        Some(file) => Some(Content::File(folder.join(file))),
        None => text(user, "token").map(|token| Content::Inline(token.to_owned())),
    };
    let basic = text(user, "username").zip(text(user, "password"));
    Ok(Server {
        url: text(cluster, "server")
            .ok_or("the cluster has no server")?
            .trim_end_matches('/')
            .to_owned(),
        authorities: content(cluster, "certificate-authority", folder)?,
        insecure: text(cluster, "insecure-skip-tls-verify") == Some("true"),
        token,
        basic: basic
            .map(|(user, password)| (user.to_owned(), Content::Inline(password.to_owned()))),
        identity,
    })
}

fn member<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    match &node.value {
        Value::Section(members) => members
            .iter()
            .find(|member| member.name == key)
            .map(|member| &member.node),
        Value::Nothing | Value::Text(_) | Value::List(_) => None,
    }
}

fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    match &member(node, key)?.value {
        Value::Text(text) => Some(text),
        Value::Nothing | Value::List(_) | Value::Section(_) => None,
    }
}

/// The item of a list that has a name.
fn named<'a>(node: &'a Node, list: &str, kind: &str, name: &str) -> Result<&'a Node, String> {
    let Some(Value::List(items)) = member(node, list).map(|node| &node.value) else {
        return Err(format!("it has no list `{list}`"));
    };
    items
        .iter()
        .find(|item| text(item, "name") == Some(name))
        .and_then(|item| member(item, kind))
        .ok_or(format!("`{list}` has no `{name}`"))
}

/// What stands in a file, or behind `-data` in base64.
fn content(node: &Node, key: &str, folder: &Path) -> Result<Option<Content>, String> {
    if let Some(data) = text(node, &format!("{key}-data")) {
        let bytes = STANDARD.decode(data.trim()).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or(format!("{key}-data is not a text in base64"))?;
        return Ok(Some(Content::Inline(text)));
    }
    Ok(text(node, key).map(|file| Content::File(folder.join(file))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: admin@lab
clusters:
- name: other
  cluster: {server: 'https://10.0.0.2:6443'}
- name: lab
  cluster:
    certificate-authority-data: LS0tCg==
    server: https://10.0.0.1:6443/
contexts: [{name: admin@lab, context: {cluster: lab, user: admin}}]
users:
- name: admin
  user:
    client-certificate: pki/admin.crt
    client-key: /keys/admin.key
";

    fn read(text: &str) -> Result<Server, String> {
        of_document(&document::read(text).unwrap(), Path::new("/etc/kubernetes"))
    }

    #[test]
    fn certificates_in_files_and_in_the_text() {
        let wanted = Server {
            url: "https://10.0.0.1:6443".to_owned(),
            authorities: Some(Content::Inline("---\n".to_owned())),
            identity: Some((
                Content::File("/etc/kubernetes/pki/admin.crt".into()),
                Content::File("/keys/admin.key".into()),
            )),
            ..Server::default()
        };
        assert_eq!(read(KUBECONFIG), Ok(wanted));
    }

    #[test]
    fn what_is_refused_and_why() {
        for (change, to, why) in [
            ("admin@lab\nc", "gone\nc", "`contexts` has no `gone`"),
            ("cluster: lab,", "", "context `admin@lab` has no cluster"),
            (
                "client-key: /keys/admin.key",
                "exec: {command: sh}",
                "`exec` is not supported, for nodetap runs no programs; use a token or a certificate",
            ),
            (
                "LS0tCg==",
                "_",
                "certificate-authority-data is not a text in base64",
            ),
            (
                "    server: https://10.0.0.1:6443/\n",
                "",
                "the cluster has no server",
            ),
        ] {
            assert!(KUBECONFIG.contains(change), "{change}");
            assert_eq!(read(&KUBECONFIG.replace(change, to)), Err(why.to_owned()));
        }
    }

    #[test]
    fn a_pods_account_on_either_family() {
        let server = of_pod("fd00::1", "443", Path::new("/a"));
        assert_eq!(server.url, "https://[fd00::1]:443");
        assert_eq!(
            of_pod("10.96.0.1", "6443", Path::new("/a")).url,
            "https://10.96.0.1:6443"
        );
        assert_eq!(server.token, Some(Content::File("/a/token".into())));
    }

    proptest! {
        #[test]
        fn any_yaml_is_a_server_or_a_reason(text in "(current-context: a|clusters:|\n|- name: a|  user: |[a-z]{1,5}: ?|[{}\\[\\]]){0,30}") {
            if let Ok(node) = document::read(&text) {
                drop(of_document(&node, Path::new("/")));
            }
        }
    }
}
