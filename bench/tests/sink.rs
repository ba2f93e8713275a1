//! Is the null Elasticsearch honest? A client that sends, repeats, compresses, cuts its body into chunks, and meets
//! faults and an outage.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bench::http;
use bench::sink::{Faults, Sink, serve_admin, serve_sink};
use bench::token::Token;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

struct Served {
    address: String,
    admin: String,
}

fn serve() -> Served {
    // Held together, so that they differ.
    let free = [0, 0].map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    let [port, admin_port] = free.map(|listener| listener.local_addr().unwrap().port());
    let sink = Arc::new(Sink::new(Faults::new(7), 1000, "8.19.0".to_owned()));
    let serving = Arc::clone(&sink);
    thread::spawn(move || serve_sink(&serving, port));
    thread::spawn(move || serve_admin(&sink, admin_port));
    let served = Served {
        address: format!("127.0.0.1:{port}"),
        admin: format!("127.0.0.1:{admin_port}"),
    };
    until(|| TcpStream::connect(&served.address).is_ok());
    until(|| TcpStream::connect(&served.admin).is_ok());
    served
}

fn until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "still not so");
        thread::yield_now();
    }
}

impl Served {
    fn send(&self, headers: &str, body: &[u8]) -> String {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let head = format!("POST /_bulk HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        connection
            .write_all(&[head.as_bytes(), body].concat())
            .unwrap();
        let mut answer = Vec::new();
        // A reset is an answer as well: an empty one.
        drop(connection.read_to_end(&mut answer));
        String::from_utf8(answer).unwrap()
    }

    fn send_plain(&self, body: &str) -> String {
        self.send(
            &format!("Content-Length: {}\r\n", body.len()),
            body.as_bytes(),
        )
    }

    fn stats(&self) -> Value {
        serde_json::from_str(&http::get(&self.admin, "/__stats").unwrap()).unwrap()
    }
}

fn item(sequence: u64) -> String {
    let token = Token {
        sequence,
        written_micros: 1,
        split: false,
    };
    format!("{{\"create\":{{\"_id\":\"{sequence}\"}}}}\n{{\"message\":\"{token}\"}}\n")
}

#[test]
fn plain_compressed_and_chunked_bodies_count_alike_and_repeats_are_conflicts() {
    let served = serve();
    assert!(served.send_plain(&item(1)).contains("\"errors\":false"));

    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(item(2).as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let headers = format!(
        "Content-Encoding: gzip\r\nContent-Length: {}\r\n",
        packed.len()
    );
    assert!(served.send(&headers, &packed).contains("\"errors\":false"));

    let body = item(3);
    let (first, second) = body.split_at(20);
    let chunks = format!(
        "{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let answer = served.send("Transfer-Encoding: chunked\r\n", chunks.as_bytes());
    assert!(answer.contains("\"errors\":false"));

    assert!(served.send_plain(&item(3)).contains("\"status\":409"));
    let stats = served.stats();
    assert_eq!(stats["distinct"], 3);
    assert_eq!(stats["duplicates"], 0);
    assert_eq!(stats["conflicts_409"], 1);
    assert_eq!(http::get(&served.admin, "/__missing?n=5").unwrap(), "0\n4");
}

#[test]
fn a_body_that_is_not_what_it_says_is_refused() {
    let served = serve();
    let answer = served.send("Content-Encoding: gzip\r\nContent-Length: 3\r\n", b"abc");
    assert!(answer.starts_with("HTTP/1.1 400"));
    assert_eq!(served.stats()["bad_bulk"], 1);
}

#[test]
fn a_reset_after_storing_has_no_answer_but_the_records() {
    let served = serve();
    http::get(&served.admin, "/__set?reset-after=1").unwrap();
    assert_eq!(served.send_plain(&item(1)), "");
    http::get(&served.admin, "/__set?reset-after=0").unwrap();
    assert!(served.send_plain(&item(1)).contains("\"status\":409"));
    assert_eq!(served.stats()["distinct"], 1);
}

#[test]
fn during_an_outage_connections_are_refused_and_afterwards_taken() {
    let served = serve();
    let open = TcpStream::connect(&served.address).unwrap();
    http::get(&served.admin, "/__down?s=0.3").unwrap();
    until(|| TcpStream::connect(&served.address).is_err());
    // The open connection was cut: its end can be read.
    open.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!((&open).read(&mut [0; 16]), Ok(0) | Err(_)));
    until(|| TcpStream::connect(&served.address).is_ok());
    assert!(served.send_plain(&item(1)).contains("\"errors\":false"));
}
