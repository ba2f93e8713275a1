//! Does `nodetap install` write what differs and nothing else? Against small fakes that answer as the public API documents of
//! Grafana, Kibana, Elasticsearch and OpenSearch say; none of the first two can be had from a package registry.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::json;

mod install {
    pub(crate) mod fake;
}

use install::fake::{self, Fake};

const TOKEN: &str = "glsa_of_test";

/// Directories and a secret.
struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn token(&self, text: &str) -> PathBuf {
        let path = self.directory.path().join(format!("token-{text}"));
        std::fs::write(&path, format!("{text}\n")).unwrap();
        path
    }

    /// A configuration that names a cluster, so that requests are readable.
    fn plain(&self, url: &str) -> String {
        let path = self.directory.path().join("nodetap.yaml");
        std::fs::write(&path, format!("elasticsearch:\n  urls: {url}\n  gzip: 0\n")).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_nodetap"))
            .arg("install")
            .args(arguments)
            .arg("--state")
            .arg(self.directory.path().join("state"))
            .env("NO_COLOR", "1")
            .output()
            .unwrap()
    }

    /// Runs what must succeed and gives its stdout.
    fn text(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        let errors = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(0), "{arguments:?}\n{errors}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// Runs what must fail and gives its stderr.
    fn failure(&self, code: i32, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}\n{done:?}");
        String::from_utf8(done.stderr).unwrap()
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or("")
}

#[test]
fn dashboards_are_put_once_and_again_where_they_were_changed() {
    let desk = Desk::new();
    let grafana = Fake::start(fake::grafana);
    let token = desk.token(TOKEN);
    let to = [
        "grafana",
        "--url",
        &grafana.url,
        "--token-file",
        token.to_str().unwrap(),
    ];
    let with = |more: &[&str]| desk.text(&[&to[..], more].concat());

    let would = with(&["--dry-run"]);
    assert!(
        would.contains("create     folder nodetap (nodetap)"),
        "{would}"
    );
    assert!(
        would.contains("create     dashboard nodetap-conntrack (nodetap / Conntrack)"),
        "{would}"
    );
    assert_eq!(grafana.writes(), 0, "a dry run wrote");

    let did = with(&["--kibana", "https://logs.example/kibana/"]);
    assert!(
        last_line(&did).ends_with(" created, 0 updated, 0 unchanged"),
        "{did}"
    );
    let count = did.lines().count() - 1;
    assert_eq!(grafana.writes(), count);
    let kept = grafana.state();
    assert_eq!(kept["dashboards"]["nodetap-logs"]["folderUid"], "nodetap");
    let text = kept["dashboards"]["nodetap-logs"].to_string();
    assert!(text.contains("https://logs.example/kibana\""), "{text}");

    // Neither Grafana's own fields nor an address that somebody set are a difference.
    let again = with(&[]);
    assert_eq!(
        last_line(&again),
        format!("0 created, 0 updated, {count} unchanged")
    );
    assert_eq!(grafana.writes(), count, "a second run wrote");

    grafana.change(|state| {
        state["dashboards"]["nodetap-lvs"]["dashboard"]["panels"][2]["title"] = json!("mine");
    });
    grafana.change(|state| state["dashboards"]["nodetap-self"]["folderUid"] = json!("elsewhere"));
    let differs = with(&["--dry-run"]);
    assert!(
        differs.contains(
            "update     dashboard nodetap-lvs (nodetap / LVS services): differs at /panels/2/title"
        ),
        "{differs}"
    );
    assert!(
        differs.contains(
            "update     dashboard nodetap-self (nodetap / nodetap itself): is in another folder"
        ),
        "{differs}"
    );
    assert!(
        last_line(&differs).starts_with("0 would be created, 2 would be updated, "),
        "{differs}"
    );
    with(&[]);
    assert_eq!(grafana.writes(), count + 2);
    assert_eq!(
        last_line(&with(&[])),
        format!("0 created, 0 updated, {count} unchanged")
    );
    let renamed = with(&["--folder", "Node plumbing"]);
    assert!(
        renamed.contains("update     folder nodetap (Node plumbing): differs at /title"),
        "{renamed}"
    );
}

#[test]
fn whoever_is_not_known_is_told_so() {
    let desk = Desk::new();
    let grafana = Fake::start(fake::grafana);
    let token = desk.token("wrong");
    let said = desk.failure(
        1,
        &[
            "grafana",
            "--url",
            &grafana.url,
            "--token-file",
            token.to_str().unwrap(),
        ],
    );
    assert!(
        said.contains("HTTP 401: Invalid API key") && said.contains("--token-file"),
        "{said}"
    );
    let said = desk.failure(1, &["grafana", "--url", &grafana.url]);
    assert!(said.contains("HTTP 401"), "{said}");
    assert_eq!(grafana.writes(), 0);
    let said = desk.failure(2, &["grafana", "--url", "http://admin:secret@grafana"]);
    assert!(said.contains("does not belong into a URL"), "{said}");
    let said = desk.failure(2, &["elasticsearch"]);
    assert!(said.contains("no cluster is named"), "{said}");
    let said = desk.failure(2, &["kibana", "--url", "http://kibana", "--space", "a/b"]);
    assert!(said.contains("lower-case letters"), "{said}");
}

#[test]
fn saved_objects_are_imported_once_and_again_where_they_were_changed() {
    let desk = Desk::new();
    let kibana = Fake::start(fake::kibana);
    let to = ["kibana", "--url", &kibana.url, "--space", "ops"];
    let with = |more: &[&str]| desk.text(&[&to[..], more].concat());

    let would = with(&["--dry-run"]);
    assert!(
        would.contains("create     search nodetap-ingress-5xx (nodetap / ingress 5xx)"),
        "{would}"
    );
    assert_eq!(kibana.writes(), 0, "a dry run wrote");
    let did = with(&[]);
    let count = did.lines().count() - 1;
    assert_eq!(
        last_line(&did),
        format!("{count} created, 0 updated, 0 unchanged")
    );
    assert_eq!(kibana.writes(), 1, "all of them are one import");
    assert_eq!(
        last_line(&with(&[])),
        format!("0 created, 0 updated, {count} unchanged")
    );
    assert_eq!(kibana.writes(), 1);

    kibana.change(|state| {
        state["search/nodetap-ingress-5xx"]["attributes"]["columns"] = json!(["message"]);
    });
    let differs = with(&["--dry-run"]);
    assert!(
        differs.contains(
            "update     search nodetap-ingress-5xx (nodetap / ingress 5xx): differs at /columns"
        ),
        "{differs}"
    );
    with(&[]);
    assert_eq!(
        last_line(&with(&[])),
        format!("0 created, 0 updated, {count} unchanged")
    );

    kibana.change(|state| state["refuses"] = json!("nodetap-felix-errors"));
    kibana.change(|state| state["search/nodetap-felix-errors"] = json!(null));
    let said = desk.failure(1, &to);
    assert!(
        said.contains(
            "did not take all of the objects: search nodetap-felix-errors: unsupported_type"
        ),
        "{said}"
    );
}

#[test]
fn a_lifecycle_of_elasticsearch_is_put_with_the_template() {
    let desk = Desk::new();
    let cluster = Fake::start(fake::elasticsearch);
    let to = ["elasticsearch", "--config", &desk.plain(&cluster.url)];
    let with = |more: &[&str]| desk.text(&[&to[..], more].concat());

    assert_eq!(
        last_line(&with(&["--dry-run"])),
        "2 would be created, 0 would be updated, 0 unchanged"
    );
    assert_eq!(cluster.writes(), 0, "a dry run wrote");
    let did = with(&[]);
    assert!(
        did.contains("create     lifecycle policy nodetap (deletes after 30 days)"),
        "{did}"
    );
    let state = cluster.state();
    assert_eq!(
        state["/_ilm/policy/nodetap"]["policy"]["phases"]["delete"]["min_age"],
        "30d"
    );
    let settings = &state["/_index_template/nodetap"]["template"]["settings"]["index"];
    assert_eq!(settings["lifecycle"]["name"], "nodetap");
    assert_eq!(last_line(&with(&[])), "0 created, 0 updated, 2 unchanged");

    let shorter = with(&["--delete-after", "7"]);
    assert!(
        shorter.contains("update     lifecycle policy nodetap (deletes after 7 days)"),
        "{shorter}"
    );
    // What somebody chose is kept by whoever does not choose.
    let again = with(&[]);
    assert!(
        again.contains("unchanged  lifecycle policy nodetap (deletes after 7 days)"),
        "{again}"
    );
    let never = with(&["--delete-after", "never"]);
    assert!(
        never.contains("lifecycle policy nodetap becomes none"),
        "{never}"
    );
    let settings = &cluster.state()["/_index_template/nodetap"]["template"]["settings"]["index"];
    assert!(settings.get("lifecycle").is_none(), "{settings}");

    cluster.change(|state| {
        state["/_index_template/nodetap"]["template"]["settings"]["index"]["lifecycle"] =
            json!({"name": "ours"});
    });
    assert!(
        with(&[]).contains("unchanged  index template"),
        "another policy is somebody's choice"
    );
}

#[test]
fn a_lifecycle_of_opensearch_takes_hold_by_its_pattern() {
    let desk = Desk::new();
    let cluster = Fake::start(fake::opensearch);
    let to = ["elasticsearch", "--config", &desk.plain(&cluster.url)];
    let with = |more: &[&str]| desk.text(&[&to[..], more].concat());

    with(&["--delete-after", "14"]);
    let state = cluster.state();
    let policy = &state["/_plugins/_ism/policies/nodetap"]["policy"];
    assert_eq!(
        policy["ism_template"][0]["index_patterns"],
        json!(["nodetap-*"])
    );
    assert!(
        state["/_index_template/nodetap"]["template"]["settings"]["index"]
            .get("lifecycle")
            .is_none()
    );
    assert_eq!(
        last_line(&with(&["--delete-after", "14"])),
        "0 created, 0 updated, 2 unchanged"
    );
    // It says which one it changes: the fake refuses anything else, as OpenSearch does.
    let changed = with(&["--delete-after", "15"]);
    assert!(
        changed.contains("update     lifecycle policy nodetap (deletes after 15 days): differs at"),
        "{changed}"
    );
    let would = with(&["--delete-after", "never", "--dry-run"]);
    assert!(
        would.contains("remove     lifecycle policy nodetap"),
        "{would}"
    );
    assert!(last_line(&would).contains("1 would be removed"), "{would}");
    with(&["--delete-after", "never"]);
    assert!(
        cluster
            .state()
            .get("/_plugins/_ism/policies/nodetap")
            .is_none()
    );
}
