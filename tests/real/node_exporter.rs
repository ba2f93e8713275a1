//! Beside Debian's `node_exporter`, promtool and Prometheus: what both show is the same, what is ours is named well, and
//! a scrape of everything is taken without a complaint.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tests::until;

use crate::component::{folder, prepare};
use crate::exporting::Exporting;
use crate::scraping::Prometheus;

/// Families of the text format: the type, and every sample with its value as it is written.
#[derive(Debug, Default)]
struct Exposition {
    types: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

impl Exposition {
    fn read(path: &Path) -> Self {
        let mut found = Self::default();
        for line in fs::read_to_string(path).expect("a scrape").lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                found.types.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').expect("a sample");
                let value = value.parse().expect("a number");
                found.samples.insert(name.to_owned(), value);
            }
        }
        found
    }
}

/// Of `node_exporter`'s families, those that are ours too.
fn is_shared(name: &str) -> bool {
    name.starts_with("node_nf_conntrack_") || name.starts_with("node_timex_")
}

/// How many there are at least.
const SHARED_MIN: usize = 27;

#[test]
fn what_node_exporter_shows_too_has_its_names_types_and_values() {
    let directory = tempfile::tempdir().expect("a directory");
    let done = Command::new("unshare")
        .arg("--net")
        .arg(folder().join("node-exporter/room.sh"))
        .arg(tests::process::program())
        .arg(prepare("node-exporter").join("usr/bin/prometheus-node-exporter"))
        .arg(directory.path())
        .env("NODETAP_LOG", "error")
        .output()
        .expect("run unshare");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let read = |name: &str| Exposition::read(&directory.path().join(name));
    let (before, theirs, after) = (read("before"), read("theirs"), read("after"));
    assert_eq!(
        theirs.samples["node_nf_conntrack_entries"].to_string(),
        "23"
    );
    let mut compared = 0;
    for (name, kind) in theirs.types.iter().filter(|(name, _)| is_shared(name)) {
        assert_eq!(before.types.get(name), Some(kind), "{name}");
        let value = theirs.samples[name];
        let (low, high) = (before.samples[name], after.samples[name]);
        let (low, high) = (low.min(high), low.max(high));
        // The clock is steered all the time: what moves is as near to our two looks as they are to each other.
        let slack = if name.starts_with("node_timex_") {
            (high - low).max(1e-3)
        } else {
            0.0
        };
        assert!(
            low - slack <= value && value <= high + slack,
            "{name}: {value}, ours {low} and {high}"
        );
        compared += 1;
    }
    assert!(SHARED_MIN <= compared, "{compared} families");
}

/// What promtool has against a text.
fn promtool(text: &str) -> String {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run promtool");
    let mut input = child.stdin.take().expect("its input");
    input
        .write_all(text.as_bytes())
        .expect("hand the text over");
    drop(input);
    let done = child.wait_with_output().expect("wait for promtool");
    let said = String::from_utf8_lossy(&[&done.stdout[..], &done.stderr].concat()).into_owned();
    assert!(done.status.success() || !said.is_empty());
    said
}

/// The fixture node: something for every probe that reads files.
fn fixture() -> PathBuf {
    folder().join("../fixtures")
}

#[test]
fn promtool_has_nothing_against_our_families() {
    let exporting = Exporting::start(["--root".as_ref(), fixture().join("node").as_os_str()]);
    let done = Command::new("curl")
        .args(["--silent", "--show-error", "--fail"])
        .arg(format!("{}/metrics", exporting.url))
        .output()
        .expect("run curl");
    assert!(done.status.success(), "{done:?}");
    let text = String::from_utf8(done.stdout).expect("UTF-8");
    let golden = fs::read_to_string(fixture().join("metrics.golden")).expect("the golden");
    for (what, text) in [("a scrape", text), ("the golden", golden)] {
        assert!(text.contains("\nnodetap_probe_success{"), "{what}: {text}");
        let complaints: Vec<String> = promtool(&text)
            .lines()
            .filter(|line| !has_a_name_of_others(line))
            .map(str::to_owned)
            .collect();
        assert!(complaints.is_empty(), "{what}: {complaints:#?}");
    }
    assert!(
        promtool("no_help 1\n").contains("no_help"),
        "promtool says nothing at all"
    );
}

/// `node_exporter` and `bird_exporter` gave them their names and types; queries count on both.
fn has_a_name_of_others(complaint: &str) -> bool {
    complaint.starts_with("node_") || complaint.starts_with("bird_")
}

#[test]
fn prometheus_scrapes_everything_without_a_complaint() {
    let exporting = Exporting::start(["--root".as_ref(), fixture().join("node").as_os_str()]);
    let scratch = tempfile::tempdir().expect("a directory");
    let address = exporting.url.trim_start_matches("http://");
    let configuration = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n  - job_name: nodetap\n    honor_labels: true\n    static_configs: [{{targets: [\"{address}\"]}}]\n"
    );
    fs::write(scratch.path().join("prometheus.yml"), configuration).expect("write");
    let prometheus = Prometheus::start(scratch.path());
    let value = |query: &str| {
        let answer = prometheus.query(query);
        let value = &answer["data"]["result"][0]["value"][1];
        value.as_str().and_then(|text| text.parse::<f64>().ok())
    };
    until("three scrapes", || match value("count_over_time(up[1h])") {
        Some(count) if 3.0 <= count => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(value("min_over_time(up[1h])"), Some(1.0));
    let scraped = value("scrape_samples_scraped").expect("a count");
    assert!(200.0 < scraped, "{scraped}");
    assert_eq!(
        value("scrape_samples_post_metric_relabeling"),
        Some(scraped)
    );
    let targets = prometheus.answer("/api/v1/targets");
    let target = &targets["data"]["activeTargets"][0];
    assert_eq!(
        (&target["health"], &target["lastError"]),
        (&Value::from("up"), &Value::from(""))
    );
    let log = fs::read_to_string(scratch.path().join("log")).expect("its log");
    let complaints: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("level=warn") || line.contains("level=error"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}
