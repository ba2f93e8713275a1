//! What `nodetap export` pushes is what it shows: a real Prometheus takes it by remote write, comes late, and goes away
//! for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{SocketAddr, TcpListener};

use serde_json::Value;
use tests::until;

use crate::component;
use crate::curl::Curl;
use crate::exporting::Exporting;
use crate::scraping::Prometheus;
use crate::stopwatch::Stopwatch;

/// Families of the fixture node that never change.
const STEADY: [&str; 3] = ["lvs_", "conntrack_", "node_nf_conntrack_"];
const RECEIVES: &[&str] = &["--web.enable-remote-write-receiver"];

#[test]
fn prometheus_has_what_is_pushed_also_after_it_was_away() {
    let mut watch = Stopwatch::start("pushing");
    let scratch = tempfile::tempdir().expect("a directory");
    let directory = scratch.path();
    fs::write(directory.join("prometheus.yml"), "").expect("write a configuration");
    let address = free_address();
    let config = directory.join("nodetap.yaml");
    fs::write(
        &config,
        format!(
            "cluster: lab\nnode: node-1\nexport:\n  push_url: http://{address}/api/v1/write\n  push_interval: 1s\n  ping_gateways: false\n"
        ),
    )
    .expect("write a configuration");
    let flags = [
        "--config".to_owned(),
        config.display().to_string(),
        "--state".to_owned(),
        directory.join("state").display().to_string(),
        "--root".to_owned(),
        component::folder()
            .join("../fixtures/node")
            .display()
            .to_string(),
    ];
    let nodetap = Exporting::start(flags);
    let shown = || metrics(&nodetap.url);
    until("nobody takes what is pushed", || {
        let failures = shown()["nodetap_push_failures_total"];
        (failures > 0.0)
            .then_some(())
            .ok_or("no failure yet".to_owned())
    });
    let receiver = Prometheus::at(directory, address, RECEIVES);
    watch.did("was refused, and started a Prometheus");
    let wanted: BTreeMap<String, f64> = shown()
        .into_iter()
        .filter(|(name, _)| STEADY.iter().any(|family| name.starts_with(family)))
        .map(|(name, value)| (normal(&name), value))
        .collect();
    assert!(wanted.len() > 100, "{wanted:?}");
    until("the same samples are in Prometheus", || {
        let found = stored(&receiver);
        let different: Vec<_> = wanted
            .iter()
            .filter(|(name, value)| found.get(*name) != Some(value))
            .collect();
        match different.first() {
            None => Ok(()),
            Some(first) => Err(format!("{} differ, as {first:?}", different.len())),
        }
    });
    watch.did(&format!(
        "found {} series with the same values",
        wanted.len()
    ));

    let before = shown()["nodetap_push_samples_total{result=\"sent\"}"];
    drop(receiver);
    until("requests wait", || {
        let pending = shown()["nodetap_push_pending_bytes"];
        (pending > 5_000.0)
            .then_some(())
            .ok_or(format!("{pending} bytes"))
    });
    let receiver = Prometheus::at(directory, address, RECEIVES);
    until("nothing waits any more", || {
        let (shown, found) = (shown(), stored(&receiver));
        let pending = shown["nodetap_push_pending_bytes"];
        let sent = shown["nodetap_push_samples_total{result=\"sent\"}"];
        if pending < 5_000.0 && before < sent && wanted.keys().all(|name| found.contains_key(name))
        {
            Ok(())
        } else {
            Err(format!("{pending} bytes wait, {sent} samples are sent"))
        }
    });
    for result in ["refused", "dropped"] {
        let sample = format!("nodetap_push_samples_total{{result=\"{result}\"}}");
        assert_eq!(shown()[&sample].to_string(), "0", "{result}");
    }
    watch.did("lost nothing while it was away");
}

fn free_address() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").expect("find a port");
    free.local_addr().expect("an address")
}

/// All samples of a scrape.
fn metrics(url: &str) -> BTreeMap<String, f64> {
    let curl = Curl {
        url: url.to_owned(),
        ca_file: None,
        user: None,
    };
    let (status, text) = curl
        .send("GET", "/metrics", None, "text/plain")
        .expect("scrape");
    assert_eq!(status, 200, "{text}");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}

/// A sample's name and labels, sorted, without those that are empty and with those that pushing adds.
fn normal(sample: &str) -> String {
    let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
    let mut labels: BTreeSet<String> = labels
        .strip_suffix("\"}")
        .unwrap_or_default()
        .split("\",")
        .map(ToOwned::to_owned)
        .filter(|label| !label.ends_with("=\"") && !label.is_empty())
        .collect();
    for added in [
        "cluster=\"lab",
        "instance=\"node-1",
        "job=\"nodetap",
        "node=\"node-1",
    ] {
        labels.insert(added.to_owned());
    }
    format!("{name}{labels:?}")
}

/// What Prometheus has now, in the same form.
fn stored(receiver: &Prometheus) -> BTreeMap<String, f64> {
    let answer = receiver.answer("/api/v1/query?query=%7Bjob%3D%22nodetap%22%7D");
    let result = answer["data"]["result"].as_array().expect("a vector");
    result
        .iter()
        .filter_map(|series| {
            let metric = series["metric"].as_object()?;
            let labels: BTreeSet<String> = metric
                .iter()
                .filter(|(name, _)| *name != "__name__")
                .filter_map(|(name, value)| Some(format!("{name}=\"{}", value.as_str()?)))
                .collect();
            let name = metric.get("__name__").and_then(Value::as_str)?;
            let value = series["value"][1].as_str()?.parse().ok()?;
            Some((format!("{name}{labels:?}"), value))
        })
        .collect()
}
