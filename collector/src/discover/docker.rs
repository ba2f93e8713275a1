//! What do Docker's own files tell about a container? Pure: bytes in, facts out.
//!
//! Sources: moby `container/container.go` (`config.v2.json`; `config.json` before 1.10), dockershim and cri-dockerd
//! for the `io.kubernetes.*` labels.

use std::collections::BTreeMap;

use record::origin::Kind;
use record::{Container, Origin, Pod};
use serde::Deserialize;

/// How much of a container's configuration is read, in bytes; environments make it large.
pub(super) const CONFIG_BYTES_MAX: u64 = 4 << 20;

/// The names of a container's configuration, newest first.
pub(super) const CONFIG_NAMES: [&str; 2] = ["config.v2.json", "config.json"];

/// What is known of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    name: String,
    image: String,
    labels: BTreeMap<String, String>,
    pod: Option<PodFacts>,
}

/// What kubelet wrote into the labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PodFacts {
    namespace: String,
    name: String,
    uid: String,
    container: String,
    restart: Option<u32>,
    is_sandbox: bool,
}

#[derive(Deserialize)]
struct RawContainer {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Config")]
    config: Option<RawConfig>,
}

#[derive(Deserialize)]
struct RawConfig {
    #[serde(rename = "Image", default)]
    image: String,
    #[serde(rename = "Labels", default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct RawHost {
    #[serde(rename = "LogConfig")]
    log: Option<RawLog>,
}

#[derive(Deserialize)]
struct RawLog {
    #[serde(rename = "Type", default)]
    driver: String,
}

#[derive(Deserialize)]
struct RawDaemon {
    #[serde(rename = "data-root")]
    data_root: Option<String>,
    graph: Option<String>,
}

// === impl Facts ===

impl Facts {
    /// Reads `config.v2.json` or `config.json`; `None` for a torn or foreign file.
    pub(super) fn parse(config: &[u8]) -> Option<Self> {
        let raw: RawContainer = serde_json::from_slice(config).ok()?;
        let config = raw.config?;
        let mut labels = config.labels.unwrap_or_default();
        let pod = pod_facts(&labels);
        labels.retain(|name, _| {
            !name.starts_with("io.kubernetes.") && !name.starts_with("annotation.")
        });
        let name = raw.name.trim_start_matches('/').to_owned();
        Some(Self {
            name,
            image: config.image,
            labels,
            pod,
        })
    }

    /// Whether this is the container that only holds a pod's namespaces. It says nothing, as a rule.
    pub(super) fn is_sandbox(&self) -> bool {
        self.pod.as_ref().is_some_and(|pod| pod.is_sandbox)
    }

    /// The restart that kubelet counted for this container.
    pub(super) fn restart(&self) -> Option<u32> {
        self.pod.as_ref().and_then(|pod| pod.restart)
    }

    /// The pod's uid, namespace and name.
    pub(super) fn pod(&self) -> Option<(&str, &str, &str)> {
        self.pod
            .as_ref()
            .map(|pod| (&*pod.uid, &*pod.namespace, &*pod.name))
    }

    /// `log.stream` of the container.
    pub(super) fn stream(&self, id: &str) -> String {
        match &self.pod {
            Some(pod) => format!("{}/{}", pod.uid, pod.container),
            None => id.to_owned(),
        }
    }

    /// Whose log it is.
    pub(super) fn origin(&self, id: &str) -> Origin {
        let name = self.pod.as_ref().map_or(&self.name, |pod| &pod.container);
        Origin {
            stream: self.stream(id),
            pod: self.pod.as_ref().map(|pod| Pod {
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                uid: pod.uid.clone(),
                labels: BTreeMap::new(),
            }),
            container: Some(Container {
                name: name.clone(),
                id: id.to_owned(),
                runtime: "docker".to_owned(),
                image: self.image.clone(),
                labels: self.labels.clone(),
            }),
            kind: Kind::Container,
        }
    }
}

/// The log driver that `hostconfig.json` names.
pub(super) fn driver(host: &[u8]) -> Option<String> {
    let raw: RawHost = serde_json::from_slice(host).ok()?;
    raw.log
        .map(|log| log.driver)
        .filter(|driver| !driver.is_empty())
}

/// The data roots that `daemon.json` names.
pub(super) fn daemon_roots(daemon: &[u8]) -> Result<Vec<String>, serde_json::Error> {
    let raw: RawDaemon = serde_json::from_slice(daemon)?;
    Ok(raw.data_root.into_iter().chain(raw.graph).collect())
}

fn pod_facts(labels: &BTreeMap<String, String>) -> Option<PodFacts> {
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty());
    let container = label("io.kubernetes.container.name");
    let is_sandbox = label("io.kubernetes.docker.type").is_some_and(|kind| kind == "podsandbox")
        || container.is_some_and(|name| name == "POD");
    let container = if is_sandbox { "POD" } else { container? };
    Some(PodFacts {
        namespace: label("io.kubernetes.pod.namespace")?.clone(),
        name: label("io.kubernetes.pod.name")?.clone(),
        uid: label("io.kubernetes.pod.uid")?.clone(),
        container: container.to_owned(),
        restart: label("annotation.io.kubernetes.container.restartCount")
            .and_then(|count| count.parse().ok()),
        is_sandbox,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_container_of_docker_alone() {
        let config = br#"{"Name":"/web","RestartCount":3,"Config":{"Image":"localhost/lab/box:1","Labels":{"com.example.app":"web","tier":"front"}}}"#;
        let facts = Facts::parse(config).unwrap();
        let origin = facts.origin("8d66");
        let container = origin.container.unwrap();
        assert_eq!(origin.stream, "8d66");
        assert_eq!(origin.pod, None);
        assert_eq!(
            (&*container.name, &*container.image),
            ("web", "localhost/lab/box:1")
        );
        assert_eq!((&*container.id, &*container.runtime), ("8d66", "docker"));
        assert_eq!(container.labels["tier"], "front");
    }

    #[test]
    fn a_container_of_a_pod() {
        let config = br#"{"Name":"/k8s_app_web-1_shop_uid-1_2","Config":{"Image":"sha256:1","Labels":{"io.kubernetes.pod.name":"web-1","io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"uid-1","io.kubernetes.container.name":"app","annotation.io.kubernetes.container.restartCount":"2","team":"x"}}}"#;
        let facts = Facts::parse(config).unwrap();
        let origin = facts.origin("8d66");
        assert_eq!(origin.stream, "uid-1/app");
        assert_eq!(
            (
                origin.namespace(),
                origin.pod_name(),
                origin.container_name()
            ),
            ("shop", "web-1", "app")
        );
        assert_eq!(facts.restart(), Some(2));
        assert_eq!(
            origin
                .container
                .unwrap()
                .labels
                .into_keys()
                .collect::<Vec<_>>(),
            ["team"]
        );
        assert!(!facts.is_sandbox());
    }

    #[test]
    fn labels_of_a_pod_that_are_not_whole_are_no_pod() {
        let config = br#"{"Name":"/x","Config":{"Labels":{"io.kubernetes.container.name":"app"}}}"#;
        assert_eq!(Facts::parse(config).unwrap().origin("1").pod, None);
    }

    #[test]
    fn torn_and_foreign_files_tell_nothing() {
        for config in [&b""[..], b"{", b"null", b"{}", b"[1]", br#"{"Name":3}"#] {
            assert_eq!(Facts::parse(config), None);
        }
        assert!(Facts::parse(br#"{"Name":"/x","Config":{"Labels":null}}"#).is_some());
    }

    #[test]
    fn roots_and_drivers() {
        assert_eq!(
            daemon_roots(br#"{"data-root":"/data/docker"}"#).unwrap(),
            ["/data/docker"]
        );
        assert_eq!(
            daemon_roots(br#"{"graph":"/g","debug":true}"#).unwrap(),
            ["/g"]
        );
        assert!(daemon_roots(b"{").is_err());
        assert_eq!(
            driver(br#"{"LogConfig":{"Type":"local","Config":{}}}"#).as_deref(),
            Some("local")
        );
        assert_eq!(driver(b"{}"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_break_a_parser(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            Facts::parse(&bytes);
            driver(&bytes);
            prop_assert!(daemon_roots(&bytes).is_err() || serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }
}
