//! An API server that answers well, refuses, and answers nonsense.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::http::Content;
use crate::probes::lvs::mapping::Port;

/// Answers one request after the other, each with the first answer whose path it asks for; gives what was asked.
fn serve(answers: Vec<(&'static str, u16, String)>) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        let mut asked = Vec::new();
        for (path, status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            assert!(first.contains(path), "{first} is not {path}");
            let head = lines.map_while(|line| line.ok().filter(|line| !line.is_empty()));
            asked.extend(head.filter(|line| line.starts_with("authorization")));
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
        asked
    });
    (url, thread)
}

fn source(url: &str, token: Content) -> ConfigMap {
    ConfigMap {
        server: Server {
            url: url.to_owned(),
            token: Some(token),
            ..Server::default()
        },
        namespace: "lb".to_owned(),
        name: "vips".to_owned(),
    }
}

#[test]
fn the_object_and_the_ports_of_its_services() {
    let object = json!({"data": {
        "10.99.0.1": "shop/web:metrics",
        "10.99.0.2-80": "10.1.0.11:80, 10.1.0.12:80",
        "mapping.yaml": "# both families\n\"fd00:99::1\": shop/web:metrics\n10.99.0.3: shop/gone:rpc\n",
    }});
    let service = json!({"spec": {"ports": [
        {"name": "metrics", "port": 9, "protocol": "UDP"},
        {"name": "metrics", "port": 9100, "targetPort": "m", "protocol": "TCP"},
    ]}});
    let (url, server) = serve(vec![
        (
            "/api/v1/namespaces/lb/configmaps/vips ",
            200,
            object.to_string(),
        ),
        (
            "/api/v1/namespaces/shop/services/web ",
            200,
            service.to_string(),
        ),
        (
            "/api/v1/namespaces/shop/services/gone ",
            404,
            "{}".to_owned(),
        ),
    ]);
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "first\n").unwrap();
    let source = source(&url, Content::File(token));
    let mapping = read(&mut None, &source).unwrap();
    assert_eq!(mapping.wrong, [""; 0]);
    let ports: Vec<_> = mapping
        .entries
        .iter()
        .map(|entry| (entry.ip.to_string(), entry.port.clone()))
        .collect();
    let port = |ip: &str, port| (ip.to_owned(), port);
    assert_eq!(
        ports,
        [
            port("10.99.0.1", Port::Number(9100)),
            port("10.99.0.2", Port::Number(80)),
            port("fd00:99::1", Port::Number(9100)),
            port("10.99.0.3", Port::Name("rpc".to_owned())),
        ]
    );
    let index = mapping.of("fd00:99::1".parse().unwrap(), 9100, Protocol::Tcp);
    assert_eq!(index, Some(2));
    assert_eq!(server.join().unwrap(), ["authorization: Bearer first"; 3]);
}

#[test]
fn what_was_read_stays_when_the_server_fails() {
    let object = json!({"data": {"10.99.0.1": "shop/web:80"}}).to_string();
    let (url, server) = serve(vec![
        ("vips", 200, object),
        ("vips", 403, "{}".to_owned()),
        ("vips", 200, "<html>".to_owned()),
    ]);
    let source = source(&url, Content::Inline("t".to_owned()));
    let (shared, mut client) = (Shared::default(), None);
    let mut well = Vec::new();
    for _ in 0..3 {
        shared.tell(read(&mut client, &source), SystemTime::UNIX_EPOCH);
        let latest = shared.latest.lock().unwrap();
        assert_eq!(latest.mapping.as_ref().unwrap().0.entries.len(), 1);
        well.push(latest.well);
    }
    server.join().unwrap();
    assert_eq!(well, [true, false, false]);
    let gone = read(&mut client, &source);
    assert!(
        matches!(gone, Err(ApiError::Http(HttpError::Ask(_)))),
        "{gone:?}"
    );
}

#[test]
fn a_silent_server_costs_the_first_scrape_a_little() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let watch = Watch::start(source(&url, Content::Inline("t".to_owned())));
    let latest = watch.latest(Instant::now() + Duration::from_millis(20));
    assert!(latest.mapping.is_none() && !latest.well);
}

proptest! {
    #[test]
    fn any_object_is_a_mapping_or_wrong_lines(key in "[-._a-zA-Z0-9]{1,20}", value in "\\PC{0,60}") {
        let mapping = of_object(&json!({"data": {key: value}}));
        prop_assert!(mapping.entries.len() + mapping.wrong.len() <= 70);
    }
}
