//! What becomes of lines on their way to a real server? The situations that only a real one can be brought to.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tests::cluster::{Cluster, Copies, Engine, must_hold, will_hold};
use tests::fleet::{Fleet, Plan};
use tests::{Node, Nodetap, Writer};

use crate::server::{SHIPPER, SHIPPER_PASSWORD, Server};
use crate::stopwatch::within;

/// Documents appear within seconds; a busy machine takes longer.
const PATIENCE: Duration = Duration::from_mins(2);
/// Ten times what a server's parser of documents takes by default.
const KEYS: usize = 10_000;

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
            Self::Index => "index",
            Self::DataStream => "data_stream",
        }
    }

    fn copies(self) -> Copies {
        match self {
            Self::Index => Copies::One,
            Self::DataStream => Copies::PerBackingIndex,
        }
    }
}

/// `nodetap` on a node, with a cluster and further members of the `elasticsearch` section.
pub(crate) fn shipper(node: &Node, cluster: &impl Cluster, more: &Value) -> Nodetap {
    let access = cluster.access();
    let mut section = json!({"urls": access.urls});
    if let Some(file) = &access.ca_file {
        section["ca_file"] = json!(file);
    }
    for (key, value) in more.as_object().into_iter().flatten() {
        section[key] = value.clone();
    }
    // JSON is YAML.
    Nodetap::on(node).config(&json!({"elasticsearch": section}).to_string())
}

/// The fields have the types that keep nanoseconds, offsets and foreign JSON, and foreign JSON makes no field.
pub(crate) fn template_is_used(server: &mut Server, mode: Mode) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app").short();
    web.say(r#"{"level":"warn","msg":"low","order":{"id":7},"z":[1,{"y":null}]}"#);
    web.say(r#"{"level":{"not":"a text"},"msg":["nor","this"],"order":"neither"}"#);
    let many: Vec<String> = (0..KEYS / 100)
        .map(|key| format!(r#""key-{key}":{key}"#))
        .collect();
    web.say(&format!("{{{}}}", many.join(",")));
    web.say(r#"{"deep":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}}}}}}}}}}}}}}}"#);
    web.say(&format!(r#"{{"long":"{}"}}"#, "x".repeat(40_000)));
    web.lines(200);
    let tap = shipper(node, server, &json!({"mode": mode.key()}));
    let running = tap.start();
    running.settle().must_have_lost_nothing();
    running.stop();
    must_hold(server, &[&web], mode.copies());
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
        !mapping.to_string().contains("key-1"),
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

/// The server is killed again and again while much is on its way.
pub(crate) fn killed_under_load(server: &mut Server, mode: Mode) {
    let mut node = Node::new();
    let mut writers: Vec<Writer> = (0..20)
        .map(|number| node.pod("shop", &format!("web-{number}"), "app"))
        .collect();
    let tap = shipper(&node, server, &json!({"mode": mode.key()}));
    let running = tap.start();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let plan = Plan::of(30_000_000, 2);
        let fleet = Fleet::start(scope, &stop, &mut writers, plan);
        for _ in 0..2 {
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
        }
        fleet.join();
    });
    running.settle().must_have_lost_nothing();
    running.stop();
    must_hold(server, &writers.iter().collect::<Vec<_>>(), mode.copies());
}

/// With the least rights, over TLS; and with a password that is wrong at first.
pub(crate) fn let_in_by_password(server: &mut Server) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(100);
    let password = node.scratch("password");
    fs::write(&password, "not the password\n").expect("write a secret");
    let tap = shipper(
        node,
        server,
        &json!({"user": SHIPPER, "password_file": password}),
    );
    let running = tap.start();
    within(PATIENCE, "it is said that the password is refused", || {
        let status = running.status();
        status.must_balance();
        match &status.sink_trouble {
            Some(trouble) if trouble.contains("401") => Ok(()),
            trouble => Err(format!("{trouble:?}")),
        }
    });
    assert_eq!(server.documents(), []);
    fs::write(&password, format!("{SHIPPER_PASSWORD}\n")).expect("write a secret");
    running.settle().must_have_lost_nothing();
    will_hold(server, &[&web], Copies::One);
    assert!(
        !running.log().contains(SHIPPER_PASSWORD),
        "a secret was logged"
    );
    let (status, _) = server.ask("GET", "/_index_template/nodetap", None);
    assert_eq!(status, 200, "the least rights include the template");
    web.lines(100);
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
    let key = node.scratch("key");
    fs::write(&key, made["encoded"].as_str().expect("a key")).expect("write a secret");
    let more = json!({"api_key_file": key, "mode": "data_stream"});
    let tap = shipper(node, server, &more);
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
    let more = json!({"user": SHIPPER, "password": SHIPPER_PASSWORD, "ca_file": null});
    let tap = shipper(node, server, &more);
    let running = tap.start();
    within(
        PATIENCE,
        "it is said that the certificate is unknown",
        || match running.status().sink_trouble {
            Some(trouble) if trouble.contains("certificate") => Ok(()),
            trouble => Err(format!("{trouble:?}")),
        },
    );
    running.stop();
    assert_eq!(server.documents(), []);
}

/// The disk is too full for the server's taste: it blocks the index by itself, and unblocks it by itself.
pub(crate) fn disk_watermark(server: &mut Server) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(100);
    let tap = shipper(node, server, &json!({}));
    let running = tap.start();
    running.settle().must_have_lost_nothing();
    let watermark = |level: &str| {
        json!({"persistent": {
            "cluster.info.update.interval": "10s",
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
