//! The format's every key, and what is wrong with each line.

use proptest::prelude::*;

use super::*;

const HASH: &str = "$2y$04$2ruCmLYB5Mx6fCWtKEQEnu6cM9QBCXyUXKSMjZWAXMCGd.WbUSWXi";

fn read(text: &str) -> Result<WebConfig, String> {
    parse(text, Path::new("/etc/nodetap")).map_err(|problems| problems.to_string())
}

#[test]
fn every_key() {
    let text = format!(
        r#"
tls_server_config:
  cert_file: server.crt
  key_file: /run/secrets/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca: |
    -----BEGIN CERTIFICATE-----
    -----END CERTIFICATE-----
  client_allowed_sans: [prometheus.example, 10.0.0.7]
  min_version: TLS13
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519]
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
    X-XSS-Protection:
basic_auth_users:
  "": {HASH}
  prometheus: "{HASH}"
rate_limit:
  interval: 1s
  burst: 20
"#
    );
    let config = read(&text).unwrap();
    let tls = config.tls.unwrap();
    let file = |path: &str| Pem::File(PathBuf::from(path));
    assert_eq!(tls.certificate, file("/etc/nodetap/server.crt"));
    assert_eq!(tls.key, file("/run/secrets/server.key"));
    assert!(matches!(tls.client_authority, Some(Pem::Inline(text)) if text.ends_with("-----\n")));
    assert_eq!(tls.client, ClientAuth::RequireAndVerify);
    assert_eq!(tls.client_names, ["prometheus.example", "10.0.0.7"]);
    assert_eq!(tls.versions, (Version::Tls13, Version::Tls13));
    assert!(!tls.own_order);
    assert_eq!(config.headers, [("X-Frame-Options", "deny".to_owned())]);
    assert_eq!(config.users["prometheus"].as_str(), HASH);
    let rate = Rate {
        interval: Duration::from_secs(1),
        burst: 20,
    };
    assert_eq!(config.rate, Some(rate));
}

#[test]
fn nothing_is_plain_http_for_everybody() {
    for text in [
        "",
        "tls_server_config:\n",
        "tls_server_config: {}\nbasic_auth_users: {}\n",
    ] {
        assert_eq!(read(text), Ok(WebConfig::default()), "{text}");
    }
}

#[test]
fn each_mistake_is_said_with_its_line() {
    for (text, wanted) in [
        (
            "basic_auth_user: {}",
            "line 1: unknown key `basic_auth_user`",
        ),
        (
            "basic_auth_users:\n  a: secret",
            "line 2: the password of `a` is not a bcrypt hash",
        ),
        ("basic_auth_users: [a]", "line 1: expected keys"),
        (
            "tls_server_config:\n  cert_file: a",
            "`key_file` is missing",
        ),
        (
            "tls_server_config:\n  cert_file: a\n  key_file: b\n  min_version: TLS10",
            "line 4: TLS10 is not spoken",
        ),
        (
            "tls_server_config:\n  cert_file: a\n  key_file: b\n  client_auth_type: RequireAndVerifyClientCert",
            "needs `client_ca_file`",
        ),
        (
            "tls_server_config:\n  cert_file: a\n  key_file: b\n  client_ca_file: c",
            "means nothing without",
        ),
        (
            "tls_server_config:\n  cert_file: a\n  cert: b\n  key_file: b",
            "exclude each other",
        ),
        (
            "tls_server_config:\n  cert_fil: a",
            "line 2: unknown key `cert_fil`",
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: all",
            "`deny` or `sameorigin`",
        ),
        ("rate_limit:\n  interval: 1s", "lets nobody in"),
    ] {
        let found = read(text).unwrap_err();
        assert!(found.contains(wanted), "{text}\n{found}");
        assert!(!found.contains("secret"), "{found}");
    }
}

proptest! {
    #[test]
    fn any_text_ends_without_a_panic(text in "(tls_server_config:|basic_auth_users:|  cert_file: |rate_limit:|  burst: |\\$2y\\$04\\$|[a-z0-9:\\[{ \n-]){0,40}") {
        drop(read(&text));
    }
}
