//! Who may connect, and what is said beside bulk answers? The sink's port and its admin port.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;

use super::Sink;
use super::connection::Connection;

/// How soon an outage that was asked for begins.
const DOWN_CHECK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};
/// How long to wait before the port is tried again after an outage.
const BIND_RETRY: Duration = Duration::from_millis(20);

/// Answers collectors on `port` of the loopback for ever; while the sink is down the port is closed.
pub fn serve_sink(sink: &Arc<Sink>, port: u16) -> io::Result<()> {
    loop {
        while sink.faults.is_down() {
            thread::sleep(BIND_RETRY);
        }
        let listener = match TcpListener::bind(("127.0.0.1", port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                thread::sleep(BIND_RETRY);
                continue;
            }
            other => other?,
        };
        let open = accept_until_down(sink, &listener)?;
        // The listener closes, so new connections are refused, and the open ones are cut.
        drop(listener);
        for connection in open {
            shut(&connection);
        }
    }
}

fn accept_until_down(sink: &Arc<Sink>, listener: &TcpListener) -> io::Result<Vec<TcpStream>> {
    let mut open: Vec<TcpStream> = Vec::new();
    listener.set_nonblocking(true)?;
    while !sink.faults.is_down() {
        poll(
            &mut [PollFd::new(listener, PollFlags::IN)],
            Some(&DOWN_CHECK),
        )?;
        let Ok((stream, _)) = listener.accept() else {
            continue;
        };
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        sink.counters.connections.fetch_add(1, Relaxed);
        open.retain(|stream| stream.peer_addr().is_ok());
        open.push(stream.try_clone()?);
        let sink = Arc::clone(sink);
        thread::spawn(move || {
            let closing = stream.try_clone();
            // A client that goes away in the middle of something is the client's affair.
            drop(Connection::new(stream).serve(&sink));
            if let Ok(stream) = closing {
                shut(&stream);
            }
        });
    }
    Ok(open)
}

/// The other side may have closed already, which is as good.
fn shut(stream: &TcpStream) {
    drop(stream.shutdown(Shutdown::Both));
}

/// Answers whoever measures, on `port` of the loopback, for ever.
///
/// `/__stats` (JSON), `/__reset`, `/__set?name=value` (see [`super::Faults::set`]), `/__down?s=20`, `/__sample` (one
/// stored document), `/__missing?n=N` (the first absent numbers below N).
pub fn serve_admin(sink: &Sink, port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    for stream in listener.incoming().flatten() {
        let mut connection = Connection::new(stream);
        let Ok(Some(request)) = connection.request(&mut Vec::new()) else {
            continue;
        };
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let (name, value) = query.split_once('=').unwrap_or((query, ""));
        let body = admin_answer(sink, path, name, value);
        // Whoever asked and left does not need the answer.
        drop(connection.answer("200 OK", body.as_bytes(), false));
    }
    Ok(())
}

fn admin_answer(sink: &Sink, path: &str, name: &str, value: &str) -> String {
    match path {
        "/__stats" => sink.stats().to_string(),
        "/__reset" => {
            sink.clear();
            json!({"ok": true}).to_string()
        }
        "/__set" => json!({"ok": sink.faults.set(name, value)}).to_string(),
        "/__down" => {
            let seconds = value.parse().unwrap_or(10.0);
            let duration = Duration::try_from_secs_f64(seconds);
            if let Ok(duration) = duration {
                sink.faults.go_down(duration);
            }
            json!({"ok": duration.is_ok()}).to_string()
        }
        "/__sample" => {
            let sample = sink.sample.lock().unwrap_or_else(PoisonError::into_inner);
            String::from_utf8_lossy(&sample).into_owned()
        }
        "/__missing" => {
            let missing = sink.missing(value.parse().unwrap_or(0));
            missing
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        }
        _ => json!({"error": "unknown"}).to_string(),
    }
}

/// An index template put or asked for; the status beside what is said.
pub(super) fn template_answer(
    sink: &Sink,
    method: &str,
    name: &str,
    body: &[u8],
) -> (&'static str, String) {
    let mut templates = sink
        .templates
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if matches!(method, "PUT" | "POST") {
        let Ok(template) = serde_json::from_slice(body) else {
            return ("400 Bad Request", json!({"status": 400}).to_string());
        };
        templates.insert(name.to_owned(), template);
        return ("200 OK", json!({"acknowledged": true}).to_string());
    }
    match templates.get(name) {
        Some(template) => {
            let found = json!([{"name": name, "index_template": template}]);
            ("200 OK", json!({"index_templates": found}).to_string())
        }
        None => ("404 Not Found", json!({"status": 404}).to_string()),
    }
}

/// Everything that is not a bulk request: enough of the API for a collector to start.
pub(super) fn other_answer(sink: &Sink, method: &str, path: &str) -> String {
    let answer = match (method, path) {
        (_, "/") => json!({
            "name": "sink", "cluster_name": "sink", "cluster_uuid": "c2lua3NpbmtzaW5rc2luaw",
            "version": {
                "number": sink.version, "build_flavor": "default", "build_type": "tar",
                "build_hash": "0", "build_date": "2024-08-05T10:05:34.233336849Z",
                "build_snapshot": false, "lucene_version": "9.11.1",
                "minimum_wire_compatibility_version": "7.17.0",
                "minimum_index_compatibility_version": "7.0.0",
            },
            "tagline": "You Know, for Search",
        }),
        (_, "/_license") => json!({
            "license": {"status": "active", "uid": "0", "type": "basic", "mode": "basic"},
        }),
        (_, "/_xpack") => json!({
            "license": {"uid": "0", "type": "basic", "mode": "basic", "status": "active"},
            "features": {"ilm": {"available": true, "enabled": true}},
        }),
        (_, "/_cluster/health") => json!({
            "cluster_name": "sink", "status": "green", "timed_out": false, "number_of_nodes": 1,
        }),
        ("PUT" | "POST", _) => json!({"acknowledged": true}),
        _ => json!({}),
    };
    answer.to_string()
}
