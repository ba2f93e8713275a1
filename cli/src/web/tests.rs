//! Who comes in, what the answers look like, and what becomes of a file that changes, over real connections.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use axum::http::header;
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;

use super::*;

/// How long a change may take to be taken over.
const PATIENCE: Duration = Duration::from_secs(20);

/// A web-config file, and a server that obeys it until the process ends.
struct Served {
    address: SocketAddr,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

/// One answer.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Served {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.yml");
        fs::write(&file, text).unwrap();
        let web = Web::load(Some(&file)).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let long = || async { ([(header::CONTENT_TYPE, "text/plain")], large()) };
        let raw = || async { ([(header::CONTENT_TYPE, "image/png")], large()) };
        let router = Router::new()
            .route("/", get(async || "small\n"))
            .route("/large", get(long))
            .route("/image", get(raw));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                web.serve(listener, router).await.unwrap();
            });
        });
        Self {
            address,
            file,
            _folder: folder,
        }
    }

    fn get(&self, path: &str, headers: &str) -> Answer {
        let mut connection = TcpStream::connect(self.address).unwrap();
        write!(connection, "GET {path} HTTP/1.0\r\n{headers}\r\n").unwrap();
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let body = bytes.split_off(end.unwrap() + 4);
        let head = String::from_utf8(bytes).unwrap();
        Answer { head, body }
    }

    fn status(&self, headers: &str) -> String {
        self.get("/", headers).status()
    }

    /// Writes the file anew and waits until what is asked with these headers has another status.
    fn change(&self, text: &str, headers: &str, wanted: &str) {
        fs::write(&self.file, text).unwrap();
        let since = Instant::now();
        while self.status(headers) != wanted {
            assert!(since.elapsed() < PATIENCE, "{wanted} never came");
            std::thread::yield_now();
        }
    }
}

impl Answer {
    fn status(&self) -> String {
        self.head.split(' ').nth(1).unwrap().to_owned()
    }
}

fn large() -> String {
    "one line as the other\n".repeat(20_000)
}

fn user(name: &str, password: &str) -> String {
    let hash = bcrypt::hash(password, 4).unwrap();
    format!("basic_auth_users:\n  {name}: {hash}\n")
}

fn basic(name: &str, password: &str) -> String {
    let encoded = BASE64_STANDARD.encode(format!("{name}:{password}"));
    format!("Authorization: Basic {encoded}\r\n")
}

#[test]
fn only_users_come_in() {
    let served = Served::new(&user("prometheus", "right"));
    let refused = served.get("/", "");
    assert_eq!(refused.status(), "401");
    assert!(
        refused.head.contains("www-authenticate: Basic\r\n"),
        "{}",
        refused.head
    );
    for (name, password, wanted) in [
        ("prometheus", "wrong", "401"),
        ("prometheus", "right", "200"),
        ("prometheus", "right", "200"),
        ("prometheus", "wrong", "401"),
        ("somebody", "right", "401"),
        ("", "", "401"),
    ] {
        assert_eq!(
            served.status(&basic(name, password)),
            wanted,
            "{name} {password}"
        );
    }
}

#[test]
fn a_changed_file_is_taken_over() {
    let served = Served::new(&user("one", "first"));
    assert_eq!(served.status(&basic("one", "first")), "200");
    served.change(&user("one", "second"), &basic("one", "second"), "200");
    assert_eq!(served.status(&basic("one", "first")), "401");
    assert_eq!(served.status(""), "401");
}

#[test]
fn a_wrong_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yml");
    let load = |text: &str| {
        fs::write(&file, text).unwrap();
        match Web::load(Some(&file)) {
            Ok(_) => String::new(),
            Err(error) => format!("{:#}", anyhow::Error::new(error)),
        }
    };
    assert_eq!(load(""), "");
    assert!(load("basic_auth_users:\n  a: b\n").contains("line 2: the password of `a`"));
    let tls = "tls_server_config:\n  cert_file: absent.crt\n  key_file: absent.key\n";
    assert!(load(tls).contains("absent.key"), "{}", load(tls));
    let inline = "tls_server_config:\n  cert: nonsense\n  key: nonsense\n";
    assert!(load(inline).contains("find a private key in the web-config file"));
    fs::remove_file(&file).unwrap();
    assert!(Web::load(Some(&file)).is_err());
}

#[test]
fn too_many_requests_are_told_so() {
    let served = Served::new("rate_limit:\n  interval: 1h\n  burst: 2\n");
    assert_eq!(
        [served.status(""), served.status(""), served.status("")],
        ["200", "200", "429"]
    );
}

#[test]
fn every_answer_has_the_headers() {
    let text = "http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=60\n";
    let served = Served::new(&format!("{text}{}", user("a", "b")));
    for headers in ["", &basic("a", "b")] {
        let head = served.get("/", headers).head;
        assert!(
            head.contains("strict-transport-security: max-age=60\r\n"),
            "{head}"
        );
    }
}

#[test]
fn large_texts_are_compressed_for_whoever_takes_it() {
    let served = Served::new("");
    let packed = served.get("/large", "Accept-Encoding: gzip\r\n");
    assert!(
        packed.head.contains("content-encoding: gzip\r\n"),
        "{}",
        packed.head
    );
    assert!(
        packed.head.contains("vary: accept-encoding\r\n"),
        "{}",
        packed.head
    );
    assert!(packed.body.len() < large().len() / 10);
    let mut text = String::new();
    GzDecoder::new(&*packed.body)
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, large());
    for (path, headers) in [
        ("/large", ""),
        ("/large", "Accept-Encoding: gzip;q=0\r\n"),
        ("/", "Accept-Encoding: gzip\r\n"),
        ("/image", "Accept-Encoding: gzip\r\n"),
    ] {
        let plain = served.get(path, headers);
        assert!(
            !plain.head.contains("content-encoding"),
            "{path}: {}",
            plain.head
        );
        assert!(
            plain.body == large().as_bytes() || plain.body == b"small\n",
            "{path}"
        );
    }
}
