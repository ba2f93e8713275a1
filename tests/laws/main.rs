//! The repository's laws: what a reviewer would otherwise say twice.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod dashboards;

/// No source file is longer; most are far shorter.
const LINES_MAX: usize = 600;
/// A root that fits one glance.
const ROOT_ENTRIES_MAX: usize = 30;
/// Nothing that a command can make again belongs here.
const FILE_BYTES_MAX: u64 = 1 << 20;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Every file that is or would be in the repository, relative to its root.
fn files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        listed.status.success(),
        "git ls-files failed: the laws need a checkout"
    );
    let text = String::from_utf8(listed.stdout).unwrap();
    let files: BTreeSet<PathBuf> = text
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .collect();
    files
        .into_iter()
        .filter(|path| root().join(path).is_file())
        .collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    let rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files()
        .into_iter()
        .filter(rust)
        .map(|path| (path.clone(), read(&path)))
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Fails with one line for each place.
fn check(law: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{law}:\n  {}", broken.join("\n  "));
}

#[test]
fn every_module_says_what_it_is_for() {
    let broken: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| !path.starts_with("fuzz"))
        .filter(|(_, text)| !text.trim_start().starts_with("//!"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    check("a module begins with //! and what it is for", &broken);
}

#[test]
fn files_stay_short() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            broken.push(format!("{}: {lines} lines", path.display()));
        }
    }
    for path in files() {
        let bytes = fs::metadata(root().join(&path)).unwrap().len();
        if bytes > FILE_BYTES_MAX {
            broken.push(format!("{}: {bytes} bytes", path.display()));
        }
    }
    check("a file has one question to answer", &broken);
}

#[test]
fn the_root_fits_one_glance() {
    let entries: BTreeSet<_> = files()
        .iter()
        .filter_map(|path| {
            path.components()
                .next()
                .map(|part| part.as_os_str().to_owned())
        })
        .collect();
    assert!(
        entries.len() <= ROOT_ENTRIES_MAX,
        "{} entries: {entries:?}",
        entries.len()
    );
}

#[test]
fn each_foreign_crate_has_one_door() {
    let doors: [(&str, &[&str]); 10] = [
        ("arrow::", &["store/"]),
        ("parquet::", &["store/"]),
        ("redb::", &["collector/src/checkpoint.rs"]),
        ("rustix::fs::inotify", &["collector/src/discover/watch.rs"]),
        (
            "flate2::",
            &[
                "collector/src/tail/archive.rs",
                "elastic/src/client.rs",
                "cli/src/web/gzip.rs",
            ],
        ),
        ("neli::", &["exporter/src/netlink.rs"]),
        ("reqwest::", &["exporter/src/http.rs"]),
        ("libc::", &["exporter/adjtimex/"]),
        ("rustls::", &["cli/src/web/"]),
        ("saphyr_parser::", &["cli/yaml/src/document.rs"]),
    ];
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let name = path.display().to_string();
        let is_test = name.starts_with("tests/")
            || name.contains("tests")
            || name.starts_with("bench/")
            || name.starts_with("fuzz/");
        if is_test {
            continue;
        }
        for (door, allowed) in doors {
            let used = text.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//") && line.contains(door)
            });
            if used && !allowed.iter().any(|place| name.starts_with(place)) {
                broken.push(format!("{name} uses {door} past its door {allowed:?}"));
            }
        }
    }
    check("a foreign crate has one door", &broken);
}

#[test]
fn crates_depend_in_one_direction() {
    let arrows: [(&str, &[&str]); 9] = [
        ("record", &[]),
        ("store", &["record"]),
        ("collector", &["record", "store"]),
        ("query", &["record", "store"]),
        (
            "page",
            &["record", "collector", "store", "query", "alertrules"],
        ),
        ("exporter", &["record"]),
        ("cli/yaml", &[]),
        ("alertrules", &["yaml"]),
        (
            "cli",
            &[
                "record",
                "collector",
                "store",
                "query",
                "page",
                "elastic",
                "exporter",
                "alertrules",
                "yaml",
            ],
        ),
    ];
    let ours: Vec<&str> = arrows
        .iter()
        .map(|(name, _)| *name)
        .chain(["tests", "bench", "yaml"])
        .collect();
    let mut broken = Vec::new();
    for (name, allowed) in arrows {
        let manifest = read(&Path::new(name).join("Cargo.toml"));
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or("");
        let dependencies = dependencies.split("\n[").next().unwrap_or("");
        for line in dependencies.lines() {
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or("");
            if ours.contains(&dependency) && !allowed.contains(&dependency) {
                broken.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    check("crates depend in one direction", &broken);
}

#[test]
fn tests_wait_for_conditions_and_none_is_switched_off() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let name = path.display().to_string();
        if name.starts_with("tests/laws") {
            continue;
        }
        let mut previous = "";
        for (number, line) in text.lines().enumerate() {
            let sleeps = name.starts_with("tests/it")
                && line.contains("thread::sleep")
                && !previous.contains("not a wait");
            previous = line;
            let off = [
                "#[ignore",
                "#[should_panic",
                "todo!(",
                "unimplemented!(",
                "FIXME",
                "XXX",
            ]
            .iter()
            .any(|word| line.contains(word));
            if sleeps || off {
                broken.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    check(
        "tests wait for conditions, and nothing is left undone",
        &broken,
    );
}

#[test]
fn lints_are_silenced_with_a_reason() {
    let broken: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| !path.starts_with("tests/laws"))
        .filter(|(_, text)| text.contains("#[allow(") || text.contains("#![allow("))
        .map(|(path, _)| path.display().to_string())
        .collect();
    check("expect, with a reason, instead of allow", &broken);
}

#[test]
fn documents_name_things_that_exist() {
    let all: String = sources().into_iter().map(|(_, text)| text).collect();
    let mut broken = Vec::new();
    for document in [
        "ARCHITECTURE.md",
        "SPECIFICATION.md",
        "README.md",
        "CONTRIBUTING.md",
    ] {
        let text = read(Path::new(document));
        for (index, name) in text
            .split('`')
            .enumerate()
            .filter(|(index, _)| index % 2 == 1)
        {
            let is_path = name.contains('/')
                && !name.contains([' ', '<', '*', '{', '$'])
                && [
                    "record/",
                    "collector/",
                    "store/",
                    "query/",
                    "page/",
                    "cli/",
                    "tests/",
                    "bench/",
                    "fuzz/",
                    "docs/",
                    "deploy/",
                    "dashboards/",
                    "alertrules/",
                ]
                .iter()
                .any(|folder| name.starts_with(folder));
            if is_path && !root().join(name).exists() {
                broken.push(format!("{document}: {name} (piece {index})"));
            }
        }
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let is_local = !link.contains("://") && !link.starts_with('#');
            let target = link.split('#').next().unwrap_or("");
            if is_local && !root().join(target).exists() {
                broken.push(format!("{document}: link to {link}"));
            }
        }
    }
    let specification = read(Path::new("SPECIFICATION.md"));
    for row in specification
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
    {
        let held_by = row.rsplit('|').nth(1).unwrap_or("");
        for name in held_by
            .split('`')
            .enumerate()
            .filter(|(index, _)| index % 2 == 1)
            .map(|(_, name)| name)
        {
            if !all.contains(&format!("fn {name}(")) {
                broken.push(format!("SPECIFICATION.md: no test {name}"));
            }
        }
    }
    check("documents name things that exist", &broken);
}

#[test]
fn nothing_belongs_to_one_machine() {
    let mut broken = Vec::new();
    for path in files() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            let parent = ["../", "shared"].concat();
            if line.contains(&parent) {
                broken.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    check("the project stands alone", &broken);
}
