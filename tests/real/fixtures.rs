//! Do files that real components once wrote still give the same documents? `UPDATE_GOLDEN=1` writes what they give now.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tests::Nodetap;

/// Documents of a stream that stand in the golden file as a whole, from its beginning and from its end.
const SHOWN_EACH: usize = 2;
/// Longer messages are shortened in the golden file; the checksum is over all of them.
const MESSAGE_BYTES: usize = 160;
/// What would differ from machine to machine.
const CONFIG: &str = "host: fixture-host\nnode: fixture-node\n";

#[test]
fn captured_files_give_the_golden_documents() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let home = tempfile::tempdir().expect("make a home");
    let root = copy(&folder.join("node"), home.path());
    let nodetap = Nodetap::at(&root, home.path()).config(CONFIG);
    nodetap.drain_all();
    let done = nodetap.run("logs", &["-o", "json", "--limit", "100000"]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let found = summary(std::str::from_utf8(&done.stdout).expect("JSON is UTF-8"));
    let path = folder.join("documents.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &found).expect("write the golden file");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (expected, got)) in golden.lines().zip(found.lines()).enumerate() {
        assert_eq!(expected, got, "line {} of {}", number + 1, path.display());
    }
    assert_eq!(
        golden.lines().count(),
        found.lines().count(),
        "UPDATE_GOLDEN=1 shows what changed"
    );
}

/// A copy, for nothing may write into the source tree.
fn copy(from: &Path, home: &Path) -> PathBuf {
    let root = home.join("root");
    let done = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(&root)
        .status()
        .expect("run cp");
    assert!(done.success(), "could not copy {}", from.display());
    root
}

/// For each stream how many documents, their checksum, and the first and the last ones.
fn summary(documents: &str) -> String {
    let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in documents.lines() {
        let document: Value = serde_json::from_str(line).expect("a document is JSON");
        let stream = document["log"]["stream"]
            .as_str()
            .expect("a document has a stream");
        streams
            .entry(stream.to_owned())
            .or_default()
            .push(repeatable(line, &document));
    }
    let mut out = String::new();
    for (stream, lines) in streams {
        let mut sum = flate2::Crc::new();
        for line in &lines {
            sum.update(line.as_bytes());
        }
        writeln!(
            out,
            "{stream}: {} documents, CRC-32 {:08x}",
            lines.len(),
            sum.sum()
        )
        .expect("write to a string");
        let last = lines.len().saturating_sub(SHOWN_EACH).max(SHOWN_EACH);
        for line in lines.iter().take(SHOWN_EACH).chain(lines.iter().skip(last)) {
            writeln!(out, "  {}", shortened(line)).expect("write to a string");
        }
    }
    out
}

/// The document without what another run would give otherwise: untimed text has times of its first sight.
fn repeatable(line: &str, document: &Value) -> String {
    if !document["stream"].is_null() {
        return line.to_owned();
    }
    let file = &document["log"]["file"];
    let fresh = [
        &document["@timestamp"],
        &file["started"],
        &file["fingerprint"],
    ];
    let fresh = fresh.map(|value| value.as_str().expect("every document has them"));
    fresh
        .iter()
        .fold(line.to_owned(), |line, value| line.replace(value, "-"))
}

/// The document with its message shortened; the rest is as nodetap wrote it.
fn shortened(line: &str) -> String {
    let mut document: BTreeMap<&str, Box<RawValue>> =
        serde_json::from_str(line).expect("a document is JSON");
    let message: String = serde_json::from_str(document["message"].get()).expect("a text");
    if message.len() > MESSAGE_BYTES {
        let cut: String = message.chars().take(MESSAGE_BYTES).collect();
        let shown = to_raw_value(&format!("{cut}… ({} bytes)", message.len()));
        document.insert("message", shown.expect("a text is JSON"));
    }
    serde_json::to_string(&document).expect("a document is JSON")
}
