//! Agents that answer well, badly, much, and never.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;
use crate::probes::jvm::find::Facts;

/// Serves one answer, and the port where.
fn serve(answer: impl FnOnce(&mut dyn Write) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        assert!(stream.read(&mut head).unwrap() > 0);
        answer(&mut stream);
    });
    port
}

fn ask(port: u16, host: Option<&str>, patience: Duration) -> Result<String, Refusal> {
    let place = Place::new("/");
    let pid = std::process::id();
    let request = Request {
        start_ticks: crate::probes::jvm::find::start_ticks(&place, pid).unwrap(),
        place,
        pid,
        endpoint: Endpoint {
            host: host.map(str::to_owned),
            port,
        },
        deadline: Instant::now() + patience,
    };
    thread::spawn(move || fetch::fetch(&request).0)
        .join()
        .unwrap()
}

const PATIENCE: Duration = Duration::from_secs(30);

fn says(text: &'static str) -> Result<String, Refusal> {
    let port = serve(move |stream| stream.write_all(text.as_bytes()).unwrap());
    ask(port, None, PATIENCE)
}

#[test]
fn an_agents_answer() {
    assert_eq!(
        says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nx 1\n"),
        Ok("x 1\n".to_owned())
    );
    assert_eq!(says("HTTP/1.1 200 OK\r\n\r\n"), Ok(String::new()));
    assert_eq!(says("HTTP/1.1 404 No\r\n\r\n"), Err(Refusal::Status));
    assert_eq!(says("SSH-2.0-x\r\n\r\n"), Err(Refusal::Malformed));
    assert_eq!(
        says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx 1\n"),
        Err(Refusal::Malformed),
        "cut off"
    );
}

#[test]
fn a_hundred_megabytes_are_refused_before_they_are_read() {
    let port = serve(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let piece = vec![b'x'; 1 << 20];
        let sent = (0..100).take_while(|_| stream.write_all(&piece).is_ok());
        assert!(sent.count() < 100);
    });
    assert_eq!(ask(port, None, PATIENCE), Err(Refusal::TooLarge));
}

#[test]
fn an_agent_that_never_answers_is_late() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let refused = ask(port, None, Duration::from_millis(50));
    assert_eq!(refused, Err(Refusal::Late));
}

#[test]
fn an_address_that_is_not_the_pods_is_not_asked() {
    for host in ["169.254.169.254", "example.org", "2001:db8::1"] {
        assert_eq!(
            ask(80, Some(host), PATIENCE),
            Err(Refusal::NotLocal),
            "{host}"
        );
    }
}

#[test]
fn the_list_for_prometheus() {
    let shared = Shared::new(Use::Discover);
    assert_eq!(shared.discovery(), "[]");
    let jvm = Jvm {
        facts: Arc::new(Facts {
            pid: 1,
            ..Facts::default()
        }),
        name: "a\"b".to_owned(),
        perf: Err(crate::probes::jvm::reason::NoPerf::NoFile),
    };
    let agent = |host: &str| Agent {
        jvm: &jvm,
        endpoint: Endpoint {
            host: Some(host.to_owned()),
            port: 9404,
        },
    };
    let place = Place::new("/nonexistent");
    assert_eq!(agent("127.0.0.1").target(&place), None);
    assert_eq!(agent("0.0.0.0").target(&place), None, "no address is known");
    shared.set(vec![agent("10.0.0.7").target(&place).unwrap()]);
    assert_eq!(
        shared.discovery(),
        "[{\"targets\":[\"10.0.0.7:9404\"],\"labels\":{\"container\":\"\",\
         \"jvm\":\"a\\\"b\",\"namespace\":\"\",\"pod\":\"\",\"source\":\"agent\"}}]"
    );
}
