//! What must be in the store? The lines of every stream, read from the witness's files by the plainest code possible.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use record::Timestamp;
use serde::Deserialize;
use tests::oracle::{Document, Documents};
use tests::truth::{digest, head};

use crate::witness::Exhibit;

/// How many differences a report names.
const REPORTED: usize = 10;

/// One whole line as the container wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// When, in nanoseconds; none in plain text.
    pub(crate) time: Option<Timestamp>,
    /// `stdout`, `stderr`, or empty.
    pub(crate) output: String,
    /// The text without its newline.
    pub(crate) text: String,
}

/// All lines by `log.stream`, each stream in its order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    streams: BTreeMap<String, Vec<Line>>,
}

/// What the comparison counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Streams compared.
    pub(crate) streams: usize,
    /// Lines that the files held.
    pub(crate) lines: usize,
    /// Lines that are not in the store, with a gap in their place.
    pub(crate) lost: usize,
}

#[derive(Deserialize)]
struct JsonLine {
    log: String,
    stream: String,
    time: String,
}

// === impl Truth ===

impl Truth {
    /// The lines that CRI files of the pods' directories hold; the stream is `uid/container`.
    pub(crate) fn of_pods(exhibits: &[Exhibit]) -> Self {
        let mut chains: BTreeMap<(String, u32), Vec<Vec<u8>>> = BTreeMap::new();
        for exhibit in exhibits {
            let path = exhibit.path.to_string_lossy();
            let Some((_, place)) = path.split_once("/pods/") else {
                continue;
            };
            let parts: Vec<&str> = place.split('/').collect();
            let [pod, container, name] = parts[..] else {
                continue;
            };
            let uid = pod
                .rsplit('_')
                .next()
                .expect("a pod's directory ends in its uid");
            let restart = name
                .split('.')
                .next()
                .and_then(|number| number.parse().ok());
            let restart = restart.expect("a log's name begins with a number");
            chains
                .entry((format!("{uid}/{container}"), restart))
                .or_default()
                .push(exhibit.read());
        }
        let mut truth = Self::default();
        for ((stream, _), mut files) in chains {
            files.sort_by_cached_key(|bytes| {
                let first = lines(bytes).next()?;
                Timestamp::parse_rfc3339(first.split(' ').next()?.as_bytes())
            });
            let mut joined = Joined::default();
            for line in files.iter().flat_map(|bytes| lines(bytes)) {
                let mut parts = line.splitn(4, ' ');
                let mut next = || parts.next().expect("a CRI line has four parts");
                let (time, output, tag, text) = (next(), next(), next(), next());
                joined.piece(time, output, text, tag == "F");
            }
            truth
                .streams
                .entry(stream)
                .or_default()
                .extend(joined.lines);
        }
        truth
    }

    /// The lines that json-file logs below a Docker root hold; the stream is the container's id.
    pub(crate) fn of_docker(exhibits: &[Exhibit]) -> Self {
        let mut chains: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for exhibit in exhibits {
            let name = exhibit
                .path
                .file_name()
                .expect("a file has a name")
                .to_string_lossy();
            let Some((id, _)) = name.split_once("-json.log") else {
                continue;
            };
            chains
                .entry(id.to_owned())
                .or_default()
                .push(exhibit.read());
        }
        let mut truth = Self::default();
        for (stream, mut files) in chains {
            files.sort_by_cached_key(|bytes| {
                let first = lines(bytes).next()?;
                Timestamp::parse_rfc3339(json(first).time.as_bytes())
            });
            let mut joined = Joined::default();
            for line in files.iter().flat_map(|bytes| lines(bytes)) {
                let line = json(line);
                let whole = line.log.strip_suffix('\n');
                joined.piece(
                    &line.time,
                    &line.stream,
                    whole.unwrap_or(&line.log),
                    whole.is_some(),
                );
            }
            truth.streams.insert(stream, joined.lines);
        }
        truth
    }

    /// The lines of plain text files; `stream` gives a file's stream from where it was seen.
    pub(crate) fn of_text(exhibits: &[Exhibit], stream: impl Fn(&str) -> Option<String>) -> Self {
        let mut truth = Self::default();
        for exhibit in exhibits {
            let Some(stream) = stream(&exhibit.path.to_string_lossy()) else {
                continue;
            };
            let bytes = exhibit.read();
            let own = lines(&bytes).map(|text| Line {
                time: None,
                output: String::new(),
                text: text.to_owned(),
            });
            truth.streams.entry(stream).or_default().extend(own);
        }
        truth
    }

    /// With the streams of another.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for (stream, lines) in other.streams {
            self.streams.entry(stream).or_default().extend(lines);
        }
        self
    }

    /// Gives a stream another name.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let lines = self
            .streams
            .remove(from)
            .unwrap_or_else(|| panic!("no stream {from}"));
        self.streams.insert(to.to_owned(), lines);
    }

    /// The lines of the streams whose name contains `part`.
    pub(crate) fn lines(&self, part: &str) -> Vec<&Line> {
        let own = self
            .streams
            .iter()
            .filter(|(stream, _)| stream.contains(part));
        own.flat_map(|(_, lines)| lines).collect()
    }

    /// Insists that the writers' own numbers have no holes: what the platform itself lost can't be asked of anyone.
    pub(crate) fn must_be_whole(&self) {
        for (stream, lines) in &self.streams {
            let mut next: HashMap<(&str, &str), u64> = HashMap::new();
            for line in lines {
                let Some((run, number)) = numbered(&line.text) else {
                    panic!("not a writer's line in {stream}: {}", head(&line.text))
                };
                // Two pipes are not read in the order in which they were written.
                let next = next.entry((run, &line.output)).or_default();
                assert!(number >= *next, "{stream}: {} comes late", head(&line.text));
                *next = number + 1;
            }
            let numbers: BTreeSet<_> = lines
                .iter()
                .filter_map(|line| numbered(&line.text))
                .collect();
            assert_eq!(
                numbers.len(),
                lines.len(),
                "{stream}: the platform doubled a line"
            );
            for run in numbers.iter().map(|(run, _)| run).collect::<BTreeSet<_>>() {
                let own: Vec<u64> = numbers
                    .iter()
                    .filter(|(own, _)| own == run)
                    .map(|(_, number)| *number)
                    .collect();
                let whole = own.iter().copied().eq(0..own.len() as u64);
                assert!(
                    whole,
                    "{stream}: the platform, or the witness, missed lines of run {run}"
                );
            }
        }
    }

    /// Compares with all documents of a store: each line once, in exact order, with its time and text.
    ///
    /// In the streams for which `may_lose` holds, lines may be missing where a gap stands in their place.
    pub(crate) fn compare(
        &self,
        documents: &Documents,
        may_lose: impl Fn(&str) -> bool,
    ) -> Result<Tally, String> {
        let mut tally = Tally {
            streams: self.streams.len(),
            ..Tally::default()
        };
        let mut report: Vec<String> = Vec::new();
        let is_unknown = |stream: &&String| !self.streams.contains_key(*stream);
        for stream in documents.keys().filter(is_unknown) {
            report.push(format!("stream {stream}: no such log"));
        }
        for (stream, lines) in &self.streams {
            tally.lines += lines.len();
            let none = Vec::new();
            let found = documents.get(stream).unwrap_or(&none);
            let mut differences = Vec::new();
            let seen = match_documents(lines, found, &mut differences);
            for hole in seen.holes() {
                if may_lose(stream) && seen.gaps.range(hole.clone()).next().is_some() {
                    tally.lost += hole.len();
                    continue;
                }
                let (first, last) = (&lines[hole.start], &lines[hole.end - 1]);
                let (first, last) = (head(&first.text), head(&last.text));
                differences.push(format!("missing: {} lines, {first} to {last}", hole.len()));
            }
            if differences.is_empty() {
                continue;
            }
            let (lines, stored, gaps) = (lines.len(), found.len(), seen.gaps.len());
            report.push(format!(
                "stream {stream}: {lines} lines, {stored} stored, {gaps} gaps"
            ));
            let shown = differences.into_iter().take(REPORTED);
            report.extend(shown.map(|difference| format!("  {difference}")));
        }
        if report.is_empty() {
            Ok(tally)
        } else {
            Err(report.join("\n"))
        }
    }
}

/// Which lines of a stream are stored, and in front of which ones a gap is.
struct Matched {
    lines: Vec<bool>,
    gaps: BTreeSet<usize>,
}

// === impl Matched ===

impl Matched {
    /// Each run of lines that are not stored.
    fn holes(&self) -> Vec<Range<usize>> {
        let mut holes: Vec<Range<usize>> = Vec::new();
        for (place, _) in self.lines.iter().enumerate().filter(|(_, seen)| !**seen) {
            match holes.last_mut().filter(|hole| hole.end == place) {
                Some(hole) => hole.end += 1,
                None => holes.push(place..place + 1),
            }
        }
        holes
    }
}

/// Walks both in order. Lines that a writer numbered are unique, so a document has at most one line.
fn match_documents(lines: &[Line], found: &[Document], differences: &mut Vec<String>) -> Matched {
    let mut places: HashMap<(u64, &str), usize> = HashMap::new();
    for (place, line) in lines.iter().enumerate() {
        places.insert((digest(&line.text), &line.output), place);
    }
    let mut seen = Matched {
        lines: vec![false; lines.len()],
        gaps: BTreeSet::new(),
    };
    let mut next = 0;
    for document in found {
        if document.is("gap") {
            seen.gaps.insert(next);
            continue;
        }
        let shown = format!("{} {} {}", document.time, document.output, document.head);
        let Some(&place) = places.get(&(document.digest, document.output.as_str())) else {
            differences.push(format!("never written so: {shown}"));
            continue;
        };
        if std::mem::replace(&mut seen.lines[place], true) {
            differences.push(format!("doubled: {shown}"));
        } else if place < next {
            differences.push(format!("out of order: {shown}"));
        }
        next = next.max(place + 1);
        let time = Timestamp::parse_rfc3339(document.time.as_bytes());
        if lines[place].time.is_some() && lines[place].time != time {
            let written = lines[place].time;
            differences.push(format!("another time than {written:?}: {shown}"));
        }
    }
    seen
}

/// Pieces on their way to lines, for each output stream on its own.
#[derive(Default)]
struct Joined {
    lines: Vec<Line>,
    open: HashMap<String, usize>,
}

// === impl Joined ===

impl Joined {
    /// A line stands where its first piece stands, and has its time.
    fn piece(&mut self, time: &str, output: &str, text: &str, last: bool) {
        let place = *self.open.entry(output.to_owned()).or_insert_with(|| {
            let time = Timestamp::parse_rfc3339(time.as_bytes());
            self.lines.push(Line {
                time,
                output: output.to_owned(),
                text: String::new(),
            });
            self.lines.len() - 1
        });
        self.lines[place].text.push_str(text);
        if last {
            self.open.remove(output);
        }
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(bytes).expect("the writers write ASCII");
    text.split_terminator('\n')
}

fn json(line: &str) -> JsonLine {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("no json-file line: {error}: {line}"))
}

/// The run and the number in a line of the writer.
fn numbered(text: &str) -> Option<(&str, u64)> {
    let mut words = text.split(' ');
    words.next()?.strip_prefix("tag=")?;
    let run = words.next()?.strip_prefix("run=")?;
    Some((run, words.next()?.strip_prefix("seq=")?.parse().ok()?))
}
