//! What does a server find in its `config` folder? The engine's files of this folder's neighbours, and the test's settings.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use tests::cluster::Engine;

use super::Doors;
use crate::component::folder;

/// Name and password of who may do everything.
pub(super) const ADMINISTRATOR: &str = "admin:password of admin";
/// The name of who may do what nodetap needs.
pub(super) const SHIPPER: &str = "shipper";
/// The password of [`SHIPPER`].
pub(super) const SHIPPER_PASSWORD: &str = "password of shipper";

/// The engine's name in paths.
pub(super) fn name(engine: Engine) -> &'static str {
    match engine {
        Engine::Elasticsearch => "elasticsearch",
        Engine::OpenSearch => "opensearch",
    }
}

/// Makes what stays the same through restarts.
pub(super) fn prepare(engine: Engine, doors: Doors, home: &Path) {
    for part in ["data", "logs", "tmp"] {
        fs::create_dir(home.join(part)).expect("make a server's folder");
    }
    copy(
        &folder().join(name(engine)).join("config"),
        &home.join("config"),
    );
    if doors == Doors::Guarded {
        certify(&home.join("config/certs"));
    }
}

/// Writes the settings of the next start. A port of 0 is any that is free.
pub(super) fn write(engine: Engine, doors: Doors, home: &Path, port: u16, more: &[(&str, &str)]) {
    let file = format!("{}.yml", name(engine));
    let common = folder().join(name(engine)).join("config").join(&file);
    let mut text = fs::read_to_string(common).expect("read a server's settings");
    let mut set = |key: &str, value: &str| {
        writeln!(text, "{key}: {value}").expect("write to memory");
    };
    set("http.port", &port.to_string());
    set("path.data", &home.join("data").to_string_lossy());
    set("path.logs", &home.join("logs").to_string_lossy());
    for (key, value) in guards(engine, doors).iter().chain(more) {
        set(key, value);
    }
    fs::write(home.join("config").join(file), text).expect("write a server's settings");
}

fn guards(engine: Engine, doors: Doors) -> &'static [(&'static str, &'static str)] {
    match (engine, doors) {
        (Engine::Elasticsearch, Doors::Open) => &[("xpack.security.enabled", "false")],
        (Engine::Elasticsearch, Doors::Guarded) => &[
            ("xpack.security.enabled", "true"),
            ("xpack.security.authc.api_key.enabled", "true"),
            ("xpack.security.http.ssl.enabled", "true"),
            ("xpack.security.http.ssl.certificate", "certs/node.crt"),
            ("xpack.security.http.ssl.key", "certs/node.key"),
        ],
        (Engine::OpenSearch, Doors::Open) => &[("plugins.security.disabled", "true")],
        (Engine::OpenSearch, Doors::Guarded) => &[
            ("plugins.security.allow_default_init_securityindex", "true"),
            ("plugins.security.nodes_dn", r#"["CN=node"]"#),
            ("plugins.security.ssl.http.enabled", "true"),
            (
                "plugins.security.ssl.http.pemcert_filepath",
                "certs/node.crt",
            ),
            (
                "plugins.security.ssl.http.pemkey_filepath",
                "certs/node.key",
            ),
            (
                "plugins.security.ssl.http.pemtrustedcas_filepath",
                "certs/ca.crt",
            ),
            (
                "plugins.security.ssl.transport.pemcert_filepath",
                "certs/node.crt",
            ),
            (
                "plugins.security.ssl.transport.pemkey_filepath",
                "certs/node.key",
            ),
            (
                "plugins.security.ssl.transport.pemtrustedcas_filepath",
                "certs/ca.crt",
            ),
            (
                "plugins.security.ssl.transport.enforce_hostname_verification",
                "false",
            ),
        ],
    }
}

/// An authority of our own, and a certificate of the node for its address.
fn certify(directory: &Path) {
    fs::create_dir(directory).expect("make a folder for certificates");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(
        directory,
        &format!(
            "req -x509 {key} -keyout ca.key -out ca.crt -subj /CN=authority -addext basicConstraints=critical,CA:true"
        ),
    );
    openssl(
        directory,
        &format!(
            "req -x509 {key} -CA ca.crt -CAkey ca.key -keyout node.key -out node.crt -subj /CN=node \
             -addext basicConstraints=critical,CA:false -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
             -addext extendedKeyUsage=serverAuth,clientAuth"
        ),
    );
}

fn openssl(directory: &Path, arguments: &str) {
    let done = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .output()
        .expect("run openssl");
    assert!(
        done.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("make a folder");
    for entry in fs::read_dir(from).expect("list a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy a file");
        }
    }
}
