//! Each address answers what it promises, over a real connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::*;
use crate::snapshot::testing;

struct Still(Snapshot);

impl Source for Still {
    fn snapshot(&self) -> Snapshot {
        self.0.clone()
    }

    fn all_metrics(&self, own: String, patience: Duration) -> String {
        format!("{own}further_patience_seconds {}\n", patience.as_secs_f64())
    }

    fn why(&self) -> Result<why::Report, String> {
        match self.0.host.as_str() {
            "collect" => Err("nobody is named".to_owned()),
            _ => Ok(why::Report {
                asked: "http://am".to_owned(),
                ..why::Report::default()
            }),
        }
    }

    fn jvm_agents(&self) -> Option<String> {
        (self.0.host != "collect").then(|| "[]".to_owned())
    }
}

/// Serves one snapshot until the process ends.
fn serve(snapshot: Snapshot) -> SocketAddr {
    answer(router(Arc::new(Still(snapshot))))
}

fn answer(router: Router) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    address
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn each_address_answers_what_it_promises() {
    let address = serve(testing::snapshot(&[("shop", "order-1", "app")]));
    let page = get(address, "/");
    assert!(page.starts_with("HTTP/1.0 200 OK\r\n"), "{page}");
    assert!(
        page.contains("content-type: text/html; charset=utf-8\r\n"),
        "{page}"
    );
    assert!(
        page.contains("content-security-policy: default-src 'none';"),
        "{page}"
    );
    assert!(page.contains("order-1"), "{page}");
    let metrics = get(address, "/metrics");
    assert!(
        metrics.contains("content-type: text/plain; version=0.0.4"),
        "{metrics}"
    );
    assert!(
        metrics.contains(
            "log_read_lag_bytes{container=\"app\",namespace=\"shop\",pod=\"order-1\"} 1000\n"
        ),
        "{metrics}"
    );
    assert!(get(address, "/healthz").ends_with("\r\n\r\nok\n"));
    assert!(get(address, "/style.css").contains("color-scheme: light dark"));
    assert!(get(address, "/nothing").starts_with("HTTP/1.0 404 "));
}

#[test]
fn what_else_there_is_gets_as_long_as_the_scraper_waits() {
    let address = serve(testing::snapshot(&[]));
    assert!(get(address, "/metrics").contains("\nfurther_patience_seconds 9.5\n"));
    let mut connection = TcpStream::connect(address).unwrap();
    let header = "X-Prometheus-Scrape-Timeout-Seconds: 2";
    write!(connection, "GET /metrics HTTP/1.0\r\n{header}\r\n\r\n").unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    assert!(text.contains("\nfurther_patience_seconds 1.9\n"), "{text}");
}

#[test]
fn the_address_of_scrapers_shows_nothing_else() {
    let snapshot = testing::snapshot(&[("shop", "order-1", "app")]);
    let address = answer(metrics_router(Arc::new(Still(snapshot))));
    assert!(get(address, "/metrics").contains("nodetap_build_info"));
    assert!(get(address, "/healthz").ends_with("\r\n\r\nok\n"));
    for path in ["/", "/api/status", "/api/sources"] {
        assert!(get(address, path).starts_with("HTTP/1.0 404 "), "{path}");
    }
}

#[test]
fn agents_in_jvms_are_listed_where_jvms_are_looked_for() {
    let mut snapshot = testing::snapshot(&[]);
    let answered = get(serve(snapshot.clone()), "/sd/jvm");
    assert!(
        answered.contains("content-type: application/json\r\n"),
        "{answered}"
    );
    assert!(answered.ends_with("\r\n\r\n[]"), "{answered}");
    snapshot.host = "collect".to_owned();
    let answered = get(answer(metrics_router(Arc::new(Still(snapshot)))), "/sd/jvm");
    assert!(answered.starts_with("HTTP/1.0 404 "), "{answered}");
}

#[test]
fn the_api_gives_back_the_whole_status() {
    let snapshot = testing::snapshot(&[("shop", "order-1", "app")]);
    let address = serve(snapshot.clone());
    let (_, body) = get(address, "/api/status")
        .split_once("\r\n\r\n")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let read: Snapshot = serde_json::from_str(&body).unwrap();
    assert_eq!(format!("{read:?}"), format!("{snapshot:?}"));
    let sources = get(address, "/api/sources");
    assert!(sources.contains("\"streams\":[{"), "{sources}");
    assert!(sources.contains("\"found\":"), "{sources}");
}

#[test]
fn only_a_hanging_loop_is_a_reason_to_restart() {
    let well = testing::snapshot(&[]);
    let full = testing::changed(&well, |status| {
        status.sink_trouble = Some("disk full".to_owned());
    });
    assert!(get(serve(full), "/healthz").starts_with("HTTP/1.0 200 OK"));
    let hangs = testing::changed(&well, |status| status.turned_seconds_ago = 61.0);
    let answer = get(serve(hangs), "/healthz");
    assert!(answer.starts_with("HTTP/1.0 503 "), "{answer}");
    assert!(
        answer.ends_with("the collector's loop has not turned for 61 s\n"),
        "{answer}"
    );
}

#[test]
fn who_asks_why_gets_a_report_or_the_reason_that_there_is_none() {
    let address = serve(testing::snapshot(&[]));
    assert!(get(address, "/why").contains("Nothing fires, says http://am."));
    let json = get(address, "/api/why");
    assert!(
        json.starts_with("HTTP/1.0 200 OK\r\n") && json.contains("\"asked\":\"http://am\""),
        "{json}"
    );
    let snapshot = Snapshot {
        host: "collect".to_owned(),
        ..testing::snapshot(&[])
    };
    let address = serve(snapshot);
    assert!(get(address, "/why").contains("nobody is named"));
    assert!(get(address, "/api/why").starts_with("HTTP/1.0 502 "));
}
