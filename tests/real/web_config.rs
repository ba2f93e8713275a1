//! A web-config file, with certificates that openssl made, asked by curl: who has what it takes comes in, over TLS, and
//! nobody else; a renewed certificate is shown without a restart.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tests::patience::until;

use crate::exporting::Exporting;

/// Of `open sesame`, by the C library (crypt(3)).
const HASH: &str = "$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW";

/// Two authorities and what they signed, in a folder of their own.
struct Office {
    folder: tempfile::TempDir,
}

impl Office {
    fn new() -> Self {
        let office = Self {
            folder: tempfile::tempdir().expect("make a folder"),
        };
        for authority in ["ours", "theirs"] {
            office.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={authority} -keyout {authority}.key -out {authority}.crt"
            ));
        }
        office.sign("ours", "server", "IP:127.0.0.1");
        office.sign("ours", "prometheus", "DNS:prometheus.example");
        office.sign("ours", "other", "DNS:other.example");
        office.sign("theirs", "stranger", "DNS:prometheus.example");
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new key and a certificate for it.
    fn sign(&self, authority: &str, name: &str, alternative: &str) {
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -addext subjectAltName={alternative} \
             -addext basicConstraints=critical,CA:FALSE -CA {authority}.crt -CAkey {authority}.key -keyout {name}.key.new -out {name}.crt.new"
        ));
        for kind in ["key", "crt"] {
            let new = self.path(&format!("{name}.{kind}.new"));
            fs::rename(new, self.path(&format!("{name}.{kind}"))).expect("put it in place");
        }
    }

    fn openssl(&self, arguments: &str) {
        let done = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .output()
            .expect("run openssl");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// Starts an exporter with a web-config file.
    fn export(&self, text: &str) -> Exporting {
        let file = self.path("web.yml");
        fs::write(&file, text).expect("write the web-config");
        let off = self.path("nodetap.yml");
        fs::write(&off, "export: {ping_gateways: false}\n").expect("write the configuration");
        let flags: [&Path; 4] = [
            Path::new("--web-config"),
            &file,
            Path::new("--config"),
            &off,
        ];
        Exporting::start(flags)
    }

    /// The status curl is given for a URL, or why it gets none.
    fn ask(&self, url: &str, flags: &[&str]) -> Result<String, String> {
        let done = self.curl(url, flags);
        if done.status.success() {
            Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&done.stderr).trim().to_owned())
        }
    }

    fn curl(&self, url: &str, flags: &[&str]) -> Output {
        Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "60"])
            .args(["--cacert", "ours.crt", "--output", "answer"])
            .args(["--write-out", "%{http_code}"])
            .args(flags)
            .arg(url)
            .current_dir(self.folder.path())
            .output()
            .expect("run curl")
    }
}

const TLS: &str =
    "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  min_version: TLS12\n";

#[test]
fn a_password_over_tls() {
    let office = Office::new();
    let exporting = office.export(&format!("{TLS}basic_auth_users:\n  prometheus: {HASH}\n"));
    let url = format!("{}/metrics", exporting.url);
    assert!(url.starts_with("https://"), "{url}");
    let ask = |flags: &[&str]| office.ask(&url, flags);
    assert_eq!(ask(&[]).as_deref(), Ok("401"));
    assert_eq!(ask(&["--user", "prometheus:sesame"]).as_deref(), Ok("401"));
    let right = ["--user", "prometheus:open sesame"];
    assert_eq!(ask(&right).as_deref(), Ok("200"));
    let answer = fs::read_to_string(office.path("answer")).expect("read the answer");
    assert!(answer.contains("\nnodetap_build_info{"), "{answer}");
    for version in ["1.2", "1.3"] {
        let only = [&right[..], &["--tls-max", version]].concat();
        assert_eq!(ask(&only).as_deref(), Ok("200"), "TLS {version}");
    }
    let packed = [&right[..], &["--compressed"]].concat();
    assert_eq!(ask(&packed).as_deref(), Ok("200"));
    let inflated = fs::read_to_string(office.path("answer")).expect("read the answer");
    assert!(inflated.contains("\nnodetap_build_info{"), "{inflated}");
    let plain = url.replace("https:", "http:");
    assert!(
        office.ask(&plain, &right).is_err(),
        "plain HTTP was answered"
    );
    // The address of its own has neither.
    let ready = format!("{}/ready", exporting.ready);
    assert!(ready.starts_with("http://"), "{ready}");
    let status = office.ask(&ready, &[]).expect("an answer");
    assert!(status == "200" || status == "503", "{status}");
    let metrics = format!("{}/metrics", exporting.ready);
    assert_eq!(office.ask(&metrics, &[]).as_deref(), Ok("404"));
}

#[test]
fn clients_with_the_right_certificate() {
    let office = Office::new();
    let named = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ours.crt\n  client_allowed_sans: [prometheus.example]\n";
    let exporting = office.export(&format!("{TLS}{named}"));
    let url = format!("{}/healthz", exporting.url);
    let with = |name: &str| {
        let (crt, key) = (format!("{name}.crt"), format!("{name}.key"));
        office.ask(&url, &["--cert", &crt, "--key", &key])
    };
    assert_eq!(with("prometheus").as_deref(), Ok("200"));
    assert!(with("other").is_err(), "of another name");
    assert!(with("stranger").is_err(), "of another authority");
    assert!(office.ask(&url, &[]).is_err(), "without one");
    for (kind, without, stranger) in [
        ("RequestClientCert", true, true),
        ("RequireAnyClientCert", false, true),
        ("VerifyClientCertIfGiven", true, false),
    ] {
        let authority = if kind.starts_with("Verify") {
            "  client_ca_file: ours.crt\n"
        } else {
            ""
        };
        let exporting = office.export(&format!("{TLS}  client_auth_type: {kind}\n{authority}"));
        let url = format!("{}/healthz", exporting.url);
        let flags = ["--cert", "stranger.crt", "--key", "stranger.key"];
        assert_eq!(office.ask(&url, &[]).is_ok(), without, "{kind}");
        assert_eq!(office.ask(&url, &flags).is_ok(), stranger, "{kind}");
    }
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart() {
    let office = Office::new();
    let exporting = office.export(TLS);
    let url = format!("{}/healthz", exporting.url);
    let pinned = |name: &str| {
        let key = office.path(name);
        office.openssl(&format!(
            "x509 -in {} -pubkey -noout -out pin.pem",
            key.display()
        ));
        office.ask(&url, &["--pinnedpubkey", "pin.pem"])
    };
    assert_eq!(pinned("server.crt").as_deref(), Ok("200"));
    fs::copy(office.path("server.crt"), office.path("old.crt")).expect("keep the old one");
    office.sign("ours", "server", "IP:127.0.0.1");
    until("the new certificate is shown", || pinned("server.crt"));
    assert!(pinned("old.crt").is_err());
    // A certificate without its key changes nothing.
    fs::write(office.path("server.key"), "nonsense").expect("break the key");
    assert_eq!(pinned("server.crt").as_deref(), Ok("200"));
}
