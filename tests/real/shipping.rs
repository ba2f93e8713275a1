//! What becomes of lines on their way to a real server? The situations that only a real one can be brought to.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tests::cluster::{Access, Cluster, Copies, Engine, must_hold, will_hold};
use tests::fleet::{Fleet, Plan};
use tests::scenario::{shipper, troubled};
use tests::{Node, Nodetap, Writer};

use crate::server::Server;
use crate::stopwatch::within;

/// Documents appear within seconds; a busy machine takes longer.
const PATIENCE: Duration = Duration::from_mins(2);
/// More fields than an index may have by default (`index.mapping.total_fields.limit`).
const KEYS: usize = 1100;

/// Into what lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One index a day.
    Index,
    /// A data stream for each namespace.
    DataStream,
}

// === impl Mode ===

impl Mode {
    fn key(self) -> &'static str {
        match self {
            Self::Index => "mode: index",
            Self::DataStream => "mode: data_stream",
        }
    }
}

/// The fields have the types that keep nanoseconds, offsets and foreign JSON, and foreign JSON makes no field.
pub(crate) fn template_is_used(server: &mut Server, mode: Mode) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app").short();
    web.say(r#"{"level":"warn","msg":"low","order":{"id":7},"z":[1,{"y":null}]}"#);
    web.say(r#"{"level":{"not":"a text"},"msg":["nor","this"],"order":"neither"}"#);
    let many: Vec<String> = (0..KEYS).map(|key| format!(r#""k{key}":1"#)).collect();
    web.say(&format!("{{{}}}", many.join(",")));
    web.lines(200);
    let tap =
        Nodetap::on(node).ships_to(&server.access(), &[mode.key()], "collect:\n  app: true\n");
    let running = tap.start();
    running.settle().must_have_lost_nothing();
    running.stop();
    must_hold(server, &[&web], Copies::One);
    let pattern = match mode {
        Mode::Index => "nodetap-*",
        Mode::DataStream => "logs-nodetap.container-shop",
    };
    let mappings = server.must("GET", &format!("/{pattern}/_mapping"), None);
    let (_, mapping) = mappings
        .as_object()
        .and_then(|indices| indices.iter().next())
        .expect("an index has a mapping");
    let flattened = match server.engine() {
        Engine::Elasticsearch => "flattened",
        Engine::OpenSearch => "flat_object",
    };
    for (path, kind) in [
        ("@timestamp", "date_nanos"),
        ("message", "text"),
        ("app", flattened),
        ("log.offset", "long"),
        ("log.file.started", "date_nanos"),
        ("log.stream", "keyword"),
        ("kubernetes.labels", flattened),
    ] {
        let pointer = format!(
            "/mappings/properties/{}/type",
            path.replace('.', "/properties/")
        );
        assert_eq!(
            mapping.pointer(&pointer),
            Some(&json!(kind)),
            "{path}: {mapping}"
        );
    }
    assert!(
        !mapping.to_string().contains("\"k1\""),
        "a body made fields: {mapping}"
    );
    nanoseconds_are_kept(server, pattern, &web);
}

/// Sorted by the server, lines that are nanoseconds apart come in their order.
fn nanoseconds_are_kept(server: &mut Server, pattern: &str, web: &Writer) {
    let query = json!({
        "size": 1000, "_source": false, "fields": [{"field": "log.offset"}],
        "sort": [{"@timestamp": "asc"}],
    });
    let found = server.must("POST", &format!("/{pattern}/_search"), Some(&query));
    let hits = found["hits"]["hits"].as_array().expect("hits");
    let offsets: Vec<u64> = hits
        .iter()
        .map(|hit| hit["fields"]["log.offset"][0].as_u64().expect("an offset"))
        .collect();
    assert_eq!(offsets.len(), web.count());
    // A line in pieces bears the time of its first piece, and both outputs have one clock.
    assert!(offsets.is_sorted(), "{offsets:?}");
}

/// The server is killed while much is on its way.
pub(crate) fn killed_under_load(server: &mut Server, mode: Mode) {
    let mut node = Node::new();
    let mut writers: Vec<Writer> = (0..20)
        .map(|number| node.pod("shop", &format!("web-{number}"), "app"))
        .collect();
    let tap = shipper(&node, server, &[mode.key()]);
    let running = tap.start();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let plan = Plan::of(20_000_000, 2);
        let fleet = Fleet::start(scope, &stop, &mut writers, plan);
        let before = running.status().total.acknowledged;
        within(PATIENCE, "a megabyte more is received", || {
            let received = running.status().total.acknowledged - before;
            if received > 1_000_000 {
                Ok(())
            } else {
                Err(running.status().summary())
            }
        });
        server.kill();
        server.run(&[]);
        running.status().must_balance();
        fleet.join();
    });
    for writer in &writers {
        running.settle_read(writer);
    }
    running.settle().must_have_lost_nothing();
    running.stop();
    must_hold(server, &writers.iter().collect::<Vec<_>>(), Copies::One);
}

/// With the least rights, over TLS; and with a password that is wrong at first.
pub(crate) fn let_in_by_password(server: &mut Server) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(100);
    let tap = shipper(node, server, &[]);
    let password = tap.secret("password");
    let right = fs::read_to_string(&password).expect("read a secret");
    fs::write(&password, "not the password\n").expect("write a secret");
    let running = tap.start();
    troubled(&running, "401");
    assert_eq!(server.documents(), []);
    fs::write(&password, format!("{right}\n")).expect("write a secret");
    running.settle().must_have_lost_nothing();
    will_hold(server, &[&web], Copies::One);
    assert!(!running.log().contains(&right), "a secret was logged");
    let (status, _) = server.ask("GET", "/_index_template/nodetap", None);
    assert_eq!(status, 200, "the least rights include the template");
    web.lines(100);
    running.settle_read(&web);
    running.settle().must_have_lost_nothing();
    running.stop();
    must_hold(server, &[&web], Copies::One);
}

/// With an API key of the least rights, in data streams.
pub(crate) fn let_in_by_api_key(server: &mut Server) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(100);
    let request = json!({"name": "nodetap", "role_descriptors": {"nodetap": {
        "cluster": ["monitor", "manage_index_templates"],
        "indices": [{"names": ["nodetap-*", "logs-nodetap.*"], "privileges":
            ["auto_configure", "create_doc", "read", "view_index_metadata", "maintenance"]}],
    }}});
    let made = server.must("POST", "/_security/api_key", Some(&request));
    let access = Access {
        basic: None,
        api_key: made["encoded"].as_str().map(str::to_owned),
        ..server.access()
    };
    let tap = Nodetap::on(node).ships_to(&access, &[Mode::DataStream.key()], "");
    let running = tap.start();
    running.settle().must_have_lost_nothing();
    running.kill();
    // What is sent again is looked up first, which needs rights too.
    web.lines(100);
    let running = tap.start();
    running.settle().must_have_lost_nothing();
    running.stop();
    must_hold(server, &[&web], Copies::One);
}

/// A server whose certificate is signed by somebody unknown gets nothing.
pub(crate) fn strangers_get_nothing(server: &mut Server) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(10);
    let access = Access {
        ca_file: None,
        ..server.access()
    };
    let running = Nodetap::on(node).ships_to(&access, &[], "").start();
    troubled(&running, "certificate");
    // A stop in good order would wait for the server.
    running.kill();
    assert_eq!(server.documents(), []);
}

/// The disk is too full for the server's taste: it blocks the index by itself, and unblocks it by itself.
pub(crate) fn disk_watermark(server: &mut Server) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(100);
    let tap = shipper(node, server, &[]);
    let running = tap.start();
    running.settle().must_have_lost_nothing();
    let watermark = |level: &str| {
        json!({"persistent": {
            "cluster.routing.allocation.disk.threshold_enabled": true,
            "cluster.routing.allocation.disk.watermark.low": level,
            "cluster.routing.allocation.disk.watermark.high": level,
            "cluster.routing.allocation.disk.watermark.flood_stage": level,
        }})
    };
    // So much must be free.
    server.must("PUT", "/_cluster/settings", Some(&watermark("900tb")));
    within(PATIENCE, "lines wait for a blocked index", || {
        web.lines(1);
        match running.status().sink_trouble {
            Some(trouble) if trouble.contains("read-only-allow-delete") => Ok(()),
            trouble => Err(format!("{trouble:?}")),
        }
    });
    running.status().must_balance();
    server.must("PUT", "/_cluster/settings", Some(&watermark("1kb")));
    running.settle().must_have_lost_nothing();
    running.stop();
    must_hold(server, &[&web], Copies::One);
    let unset = json!({"persistent": {"cluster.*": null}});
    server.must("PUT", "/_cluster/settings", Some(&unset));
}
