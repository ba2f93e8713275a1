//! Is the truth in the store? Every line once, in exact order, with its text; what is missing has a gap and a count.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use record::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::patience::until;
use crate::process::Nodetap;
use crate::truth::{digest, head};
use crate::writer::Writer;

/// How many differences a report names.
const REPORTED: usize = 12;

/// What may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing.
    None,
    /// Lines of files that were deleted.
    OfDeletedFiles,
}

/// One stored document, as far as the oracle reads it. Its message is kept as a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// `@timestamp`
    pub time: String,
    /// Digest of `message`.
    pub digest: u64,
    /// Head of `message`.
    pub head: String,
    /// `stream`
    pub output: String,
    /// `log.file.started` in nanoseconds.
    pub started: i64,
    /// `log.offset`
    pub offset: u64,
    /// `log.part`
    pub part: u32,
    /// `tags`
    pub tags: Vec<String>,
    /// `log.file.path`
    pub path: String,
}

/// All documents of a store by stream, in the order in which they were printed.
pub type Documents = HashMap<String, Vec<Document>>;

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "@timestamp")]
    time: String,
    message: String,
    #[serde(default)]
    stream: String,
    log: RawLog,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct RawLog {
    stream: String,
    offset: u64,
    #[serde(default)]
    part: u32,
    file: RawFile,
}

#[derive(Deserialize)]
struct RawFile {
    path: String,
    started: String,
}

// === impl Document ===

impl Document {
    /// Whether it has a tag.
    pub fn is(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }

    /// Where it stands in its stream.
    pub fn order(&self) -> (i64, u64, u32) {
        (self.started, self.offset, self.part)
    }
}

// === impl Nodetap ===

impl Nodetap {
    /// Everything that `nodetap logs` finds with further arguments, by stream.
    pub fn documents(&self, arguments: &[&str]) -> Documents {
        let mut command = self.command("logs");
        command
            .args(["-o", "json", "--limit", "100000000"])
            .args(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run nodetap logs");
        let mut documents = Documents::new();
        for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
            let line = line.expect("read nodetap's answer");
            let raw: Raw = serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("not a document: {error}: {line}"));
            let started = Timestamp::parse_rfc3339(raw.log.file.started.as_bytes())
                .unwrap_or_else(|| panic!("not a start: {line}"));
            documents.entry(raw.log.stream).or_default().push(Document {
                time: raw.time,
                digest: digest(&raw.message),
                head: head(&raw.message),
                output: raw.stream,
                started: started.0,
                offset: raw.log.offset,
                part: raw.log.part,
                tags: raw.tags,
                path: raw.log.file.path,
            });
        }
        let done = child.wait_with_output().expect("wait for nodetap logs");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success(),
            "nodetap logs ended with {}: {said}",
            done.status
        );
        documents
    }

    /// Whole documents that `nodetap logs` prints with these arguments, as JSON.
    pub fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let done = self.run("logs", &[&["-o", "json"], arguments].concat());
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success(),
            "nodetap logs ended with {}: {said}",
            done.status
        );
        String::from_utf8_lossy(&done.stdout)
            .lines()
            .map(|line| {
                serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("not a document: {error}: {line}"))
            })
            .collect()
    }

    /// The messages that `nodetap logs` prints with these arguments.
    pub fn messages(&self, arguments: &[&str]) -> Vec<String> {
        let message =
            |document: &Value| document["message"].as_str().unwrap_or_default().to_owned();
        self.json(arguments).iter().map(message).collect()
    }

    /// Gap records in the store, of all streams.
    pub fn gaps(&self) -> Vec<Document> {
        let documents = self.documents(&[]).into_values().flatten();
        documents.filter(|document| document.is("gap")).collect()
    }

    /// Insists that the store holds what the writers wrote.
    pub fn must_hold(&self, writers: &[&Writer], loss: Loss) {
        if let Err(report) = self.holds(writers, loss) {
            panic!("{report}\nnodetap's log ended so:\n{}", self.log());
        }
    }

    /// Waits until the store holds what the writers wrote.
    pub fn will_hold(&self, writers: &[&Writer], loss: Loss) {
        until("the store holds what was written", || {
            self.holds(writers, loss)
        });
    }

    /// Compares the store with what the writers wrote.
    pub fn holds(&self, writers: &[&Writer], loss: Loss) -> Result<(), String> {
        let documents = self.documents(&[]);
        let none = Vec::new();
        let mut report = String::new();
        for writer in writers {
            let found = documents.get(writer.stream()).unwrap_or(&none);
            if let Err(differences) = compare(writer, found, loss) {
                report.push_str(&differences);
            }
        }
        if report.is_empty() {
            Ok(())
        } else {
            Err(report)
        }
    }
}

/// Compares one writer's truth with the documents of its stream.
pub fn compare(writer: &Writer, found: &[Document], loss: Loss) -> Result<(), String> {
    let mut sorted: Vec<&Document> = found
        .iter()
        .filter(|document| !document.is("gap"))
        .collect();
    sorted.sort_by_key(|document| document.order());
    let mut differences = Vec::new();
    for pair in sorted.windows(2) {
        if pair[0].order() == pair[1].order() {
            differences.push(format!("two documents at one place: {}", show(pair[0])));
        }
    }
    let printed: Vec<&Document> = found
        .iter()
        .filter(|document| !document.is("gap"))
        .collect();
    if !writer.clock_jumped() && printed != sorted {
        differences.push("documents were not printed in the exact order".to_owned());
    }
    differences.extend(match_lines(writer, &sorted, loss));
    if differences.is_empty() {
        return Ok(());
    }
    let more = differences.len().saturating_sub(REPORTED);
    differences.truncate(REPORTED);
    Err(format!(
        "stream {}: {} lines written, {} stored:\n  {}{}\n",
        writer.stream(),
        writer.count(),
        sorted.len(),
        differences.join("\n  "),
        if more > 0 {
            format!("\n  and {more} more")
        } else {
            String::new()
        }
    ))
}

/// Walks both in order. A document that is no next line is either a double, out of order, or never written.
fn match_lines(writer: &Writer, sorted: &[&Document], loss: Loss) -> Vec<String> {
    let lines = writer.truth().lines();
    // Equal texts are taken in their order.
    let mut places: HashMap<(u64, &str), VecDeque<usize>> = HashMap::new();
    for (place, line) in lines.iter().enumerate() {
        places
            .entry((line.digest, line.output))
            .or_default()
            .push_back(place);
    }
    let mut differences = Vec::new();
    let mut seen = vec![false; lines.len()];
    let mut next = 0;
    for document in sorted {
        let key = (document.digest, document.output.as_str());
        let Some(own) = places.get_mut(&key) else {
            differences.push(format!("never written so: {}", show(document)));
            continue;
        };
        let Some(place) = own.pop_front() else {
            differences.push(format!("doubled: {}", show(document)));
            continue;
        };
        seen[place] = true;
        if place < next {
            differences.push(format!("out of order: {}", show(document)));
        }
        next = next.max(place + 1);
    }
    let mut missing = 0;
    for (line, _) in lines.iter().zip(&seen).filter(|(_, seen)| !**seen) {
        if loss == Loss::OfDeletedFiles && writer.truth().was_deleted(line) {
            continue;
        }
        missing += 1;
        if missing <= 5 {
            differences.push(format!(
                "missing (file {}): {} {}",
                line.first, line.output, line.head
            ));
        }
    }
    if missing > 5 {
        differences.push(format!("missing in all: {missing}"));
    }
    differences
}

fn show(document: &Document) -> String {
    format!(
        "{} {} (started {}, offset {}, part {}, tags {:?}, time {})",
        document.output,
        document.head,
        document.started,
        document.offset,
        document.part,
        document.tags,
        document.time
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Node;

    fn document(text: &str, offset: u64) -> Document {
        Document {
            time: String::new(),
            digest: digest(text),
            head: head(text),
            output: "stdout".to_owned(),
            started: 1,
            offset,
            part: 0,
            tags: Vec::new(),
            path: String::new(),
        }
    }

    fn check(found: &[(&str, u64)], expect: &str) {
        let node = &mut Node::new();
        let mut web = node.pod("shop", "web-1", "app");
        for text in ["a", "b", "same", "same", "c"] {
            web.say(text);
        }
        let found: Vec<_> = found
            .iter()
            .map(|(text, offset)| document(text, *offset))
            .collect();
        let report = compare(&web, &found, Loss::None).err().unwrap_or_default();
        assert!(
            if expect.is_empty() {
                report.is_empty()
            } else {
                report.contains(expect)
            },
            "{report}"
        );
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let all = [("a", 0), ("b", 1), ("same", 2), ("same", 3), ("c", 4)];
        check(&all, "");
        check(&all[..4], "missing (file 0): stdout c");
        check(&[&all[..], &[("c", 5)]].concat(), "doubled: stdout c");
        check(
            &[&all[..], &[("c", 4)]].concat(),
            "two documents at one place",
        );
        check(
            &[&all[..], &[("other", 5)]].concat(),
            "never written so: stdout other",
        );
        check(
            &[all[4], all[0], all[1], all[2], all[3]],
            "not printed in the exact order",
        );
        check(
            &[("b", 0), ("a", 1), all[2], all[3], all[4]],
            "out of order: stdout a",
        );
    }
}
