//! Do Prometheus' own tools take the alert rules, in each form, and find every alert to do what its test says?

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn rules(words: &[&str]) -> Output {
    let mut nodetap = Command::new(tests::process::program());
    let output = nodetap.arg("rules").args(words).output();
    output.expect("start nodetap")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn render(format: &str, folder: &Path) -> Vec<String> {
    let folder = folder.to_str().expect("a path in UTF-8");
    let output = rules(&[
        "render",
        "--format",
        format,
        "--optional",
        "all",
        "-o",
        folder,
    ]);
    assert!(output.status.success(), "{}", said(&output));
    said(&output).lines().map(ToOwned::to_owned).collect()
}

fn accepts(tool: &str, words: &[&str], files: &[String]) {
    let output = Command::new(tool).args(words).args(files).output();
    let output = output.unwrap_or_else(|error| panic!("start {tool}: {error}"));
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn every_alert_passes_its_tests_in_promtool() {
    let output = rules(&["test"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = said(&output);
    assert!(
        text.lines().count() > 15 && text.lines().all(|line| line.starts_with("ok ")),
        "{text}"
    );
}

#[test]
fn without_promtool_it_says_where_to_get_it() {
    let output = rules(&["test", "--promtool", "/nonexistent/promtool"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("apt-get install prometheus"),
        "{}",
        said(&output)
    );
}

#[test]
fn each_form_is_accepted_by_whom_it_is_for() {
    let scratch = tempfile::tempdir().expect("a directory");
    let prometheus = render("prometheus", &scratch.path().join("prometheus"));
    accepts("promtool", &["check", "rules"], &prometheus);
    let json = render("json", &scratch.path().join("json"));
    accepts("promtool", &["check", "rules"], &json);
    let alertmanager = render("alertmanager", &scratch.path().join("alertmanager"));
    accepts("amtool", &["check-config"], &alertmanager);
    let operator = render("prometheusrule", &scratch.path().join("operator"));
    assert_eq!(operator.len(), prometheus.len());
    // Another reader of YAML finds the same groups in the operator's objects, and in JSON.
    let same = "import json, sys, yaml\n\
        a, b, c = (open(name) for name in sys.argv[1:])\n\
        a, b, c = yaml.safe_load(a), yaml.safe_load(b), json.load(c)\n\
        assert b['kind'] == 'PrometheusRule' and b['metadata']['name'], b\n\
        assert a == b['spec'] == c and a['groups'], sys.argv";
    for ((one, two), three) in prometheus.iter().zip(&operator).zip(&json) {
        let files = [one.clone(), two.clone(), three.clone()];
        accepts("/usr/bin/python3", &["-c", same], &files);
    }
}

#[test]
fn a_mistyped_value_is_refused_with_the_right_one() {
    let scratch = tempfile::tempdir().expect("a directory");
    let values = scratch.path().join("values.yml");
    fs::write(&values, "conntrack_near_ratoi: 0.5\n").expect("write values");
    let (values, folder) = (values.to_string_lossy(), scratch.path().to_string_lossy());
    let output = rules(&["render", "--values", &values, "-o", &folder]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let wanted =
        "line 1: unknown value `conntrack_near_ratoi`; did you mean `conntrack_near_ratio`?";
    assert!(said(&output).contains(wanted), "{}", said(&output));
}
