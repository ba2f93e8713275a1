//! Are the dashboards what their generator writes, do they fit Grafana's schema, and does Prometheus understand them?
//!
//! Grafana's own schema is in its Foundation SDK, from which the generator is made: a field that it does not know is an
//! error. Prometheus' parser is promtool's.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::component::folder;

fn dashboards() -> PathBuf {
    folder().join("../../dashboards")
}

/// The generator, built from its own lock file.
fn generator(within: &Path) -> PathBuf {
    let program = within.join("generator");
    let done = Command::new("go")
        .args(["build", "-trimpath", "-mod=readonly", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(dashboards().join("generator"))
        .env("CGO_ENABLED", "0")
        .output()
        .expect("run go");
    assert!(done.status.success(), "{}", said(&done));
    program
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, fs::read_to_string(&path).expect("text"))
        })
        .collect();
    found.sort();
    found
}

#[test]
fn the_dashboards_are_what_the_generator_writes() {
    let scratch = tempfile::tempdir().expect("a directory");
    let generator = generator(scratch.path());
    let fresh = scratch.path().join("fresh");
    let done = Command::new(generator)
        .arg(&fresh)
        .output()
        .expect("run the generator");
    assert!(done.status.success(), "{}", said(&done));
    for kind in ["grafana", "kibana"] {
        let (committed, made) = (files(&dashboards().join(kind)), files(&fresh.join(kind)));
        let names = |files: &[(String, String)]| -> Vec<String> {
            files.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(
            names(&committed),
            names(&made),
            "{kind}: run `make dashboards`"
        );
        for ((name, committed), (_, made)) in committed.iter().zip(&made) {
            assert!(
                committed == made,
                "{kind}/{name} is out of date: run `make dashboards`"
            );
        }
    }
}

#[test]
fn the_dashboards_fit_grafanas_schema_and_a_wrong_one_does_not() {
    let scratch = tempfile::tempdir().expect("a directory");
    let generator = generator(scratch.path());
    let check = |paths: &[PathBuf]| {
        Command::new(&generator)
            .arg("check")
            .args(paths)
            .output()
            .expect("run the generator")
    };
    let committed: Vec<PathBuf> = files(&dashboards().join("grafana"))
        .iter()
        .map(|(name, _)| dashboards().join("grafana").join(name))
        .collect();
    let done = check(&committed);
    assert!(done.status.success(), "{}", said(&done));

    let whole: Value =
        serde_json::from_str(&fs::read_to_string(&committed[0]).expect("text")).expect("JSON");
    for (place, value) in [
        ("/panels/0/options/colorMode", Value::from(7)),
        (
            "/panels/0/options",
            serde_json::json!({ "colourMode": "value" }),
        ),
        (
            "/panels/0/targets/0",
            serde_json::json!({ "expression": "up", "refId": "A", "datasource": { "type": "prometheus" } }),
        ),
        ("/panels/0/gridPos", Value::from("left")),
    ] {
        let mut spoiled = whole.clone();
        *spoiled.pointer_mut(place).expect("a place") = value;
        let path = scratch.path().join("spoiled.json");
        fs::write(&path, spoiled.to_string()).expect("write");
        let done = check(&[path]);
        assert!(!done.status.success(), "{place} was taken");
    }
}

/// An expression as Grafana sends it.
fn interpolated(expression: &str) -> String {
    let mut text = expression.to_owned();
    for (variable, value) in [("$__rate_interval", "5m"), ("$__range", "3h")] {
        text = text.replace(variable, value);
    }
    for variable in ["cluster", "node", "namespace", "service", "pod"] {
        text = text.replace(&format!("${variable}"), ".*");
    }
    assert!(!text.contains('$'), "a variable is left in {text}");
    text
}

#[test]
fn prometheus_understands_every_query() {
    let mut rules = "groups:\n- name: dashboards\n  rules:\n".to_owned();
    let mut count = 0;
    for (name, text) in files(&dashboards().join("grafana")) {
        let dashboard: Value = serde_json::from_str(&text).expect("JSON");
        for panel in dashboard["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expression = interpolated(target["expr"].as_str().expect("an expression"));
                let title = panel["title"].as_str().expect("a title");
                // What promtool complains about is the line, so the title stands on it.
                writeln!(
                    rules,
                    "  - {{record: 'a:b:c{count}', labels: {{panel: {}}}, expr: {}}}",
                    Value::from(format!("{name}: {title}")),
                    Value::from(expression)
                )
                .expect("text");
                count += 1;
            }
        }
    }
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("dashboards.rules.yml");
    fs::write(&path, rules).expect("write");
    let done = Command::new("promtool")
        .args(["check", "rules"])
        .arg(&path)
        .output()
        .expect("run promtool");
    assert!(done.status.success(), "{}", said(&done));
    assert!(
        said(&done).contains(&format!("{count} rules found")),
        "{}",
        said(&done)
    );
}
