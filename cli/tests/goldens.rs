//! What do help, mistakes and the manual look like? Whole outputs; `UPDATE_GOLDEN=1` rewrites them, the diff is the review.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Compares with a file below the repository's root, or rewrites it.
fn check(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, found).unwrap();
        return;
    }
    let expect = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expect == found,
        "{file} differs; `UPDATE_GOLDEN=1 cargo test -p cli --test goldens` rewrites it\n--- {file}\n{expect}\n--- found\n{found}"
    );
}

fn nodetap(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nodetap"))
        .args(arguments)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("COLUMNS", "100")
        .output()
        .unwrap()
}

/// The command, its exit code, stdout and stderr as one text, without the places of the machine.
fn transcript(arguments: &[&str], hide: &[(&Path, &str)]) -> String {
    let output = nodetap(arguments);
    let text = format!(
        "$ nodetap {}\n{}{}exit {}\n",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        output.status.code().unwrap()
    );
    hide.iter().fold(text, |text, (path, name)| {
        text.replace(path.to_str().unwrap(), name)
    })
}

fn golden(name: &str) -> String {
    format!("cli/tests/golden/{name}.txt")
}

#[test]
fn golden_manual_of_the_configuration_is_the_table_of_keys() {
    check("docs/configuration.md", &cli::config::manual::markdown());
}

#[test]
fn golden_manual_of_the_metrics_is_the_table_of_families() {
    check("docs/metrics.md", &cli::manual::metrics());
}

#[test]
fn golden_help_is_complete_and_names_nothing_that_is_not_built() {
    let mut text = transcript(&["--help"], &[]);
    for command in [
        "up",
        "collect",
        "sources",
        "logs",
        "explain",
        "export",
        "metrics",
        "dead-letters",
        "check",
        "config",
        "install",
    ] {
        text.push('\n');
        text.push_str(&transcript(&[command, "--help"], &[]));
    }
    for what in ["grafana", "kibana", "elasticsearch"] {
        text.push('\n');
        text.push_str(&transcript(&["install", what, "--help"], &[]));
    }
    check(&golden("help"), &text);
}

#[test]
fn golden_wrong_use_exits_with_2_and_says_what_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("nodetap.yaml");
    fs::write(
        &config,
        "lisen: 127.0.0.1:9797\ncollect:\n  line_bytes_max: 64\n  multiline: ruby\n  exclude:\n    - namspace: kube-*\nstore:\n  retention_age: soon\n",
    )
    .unwrap();
    let none = directory.path().join("none.yaml");
    let state = directory.path().join("state");
    let config = config.to_str().unwrap().to_owned();
    let state_text = state.to_str().unwrap().to_owned();
    let hide: [(&Path, &str); 1] = [(directory.path(), "<dir>")];
    let commands: [&[&str]; 11] = [
        &[],
        &["upp"],
        &["up", "--lisen", "x"],
        &["up", "--listen", "localhost"],
        &["collect", "--elasticsearch", "es:9200"],
        &["collect", "--elasticsearch", "https://me:secret@es"],
        &["dead-letters", "--state", &state_text, "replay"],
        &["check", "--config", &config],
        &["check", "--config", none.to_str().unwrap()],
        &["logs", "--state", &state_text, "level:error AND (timeout"],
        &["logs", "--state", &state_text, "--since", "yesterday-ish"],
    ];
    let text = commands
        .map(|arguments| transcript(arguments, &hide))
        .join("\n");
    check(&golden("wrong-use"), &text);
}

#[test]
fn every_golden_is_checked_by_a_test() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["help.txt", "wrong-use.txt"]);
}
