//! What does another exporter say? The text format 0.0.4, read back into families.
//!
//! What is relayed comes from strangers: it is bounded, every name is checked, and a line that makes no sense refuses the
//! whole of it, so that nobody sees half of the numbers as if they were all.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::family::{Distribution, Group, Kind, Summary, Value};
use crate::labels::Labels;

/// The longest name of a metric or a label, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The longest value of a label, in bytes.
const VALUE_BYTES_MAX: usize = 4096;
/// The most labels of a series.
const LABELS_MAX: usize = 64;

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct ExpositionError {
    /// The first is 1.
    pub line: usize,
    /// What is wrong.
    pub why: &'static str,
}

/// What was said of a family.
#[derive(Debug, Default)]
struct Said {
    kind: Option<Kind>,
    help: Option<String>,
}

/// A histogram's or a summary's lines.
#[derive(Default)]
struct Parts {
    buckets: Vec<(f64, u64)>,
    quantiles: Vec<(f64, f64)>,
    sum: f64,
    count: u64,
}

/// A sample's line.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: &'a str,
}

/// Labels that a scrape with `honor_labels` would take from a relayed text, though they say who was scraped.
const OF_THE_TARGET: [&str; 4] = ["cluster", "instance", "job", "node"];

/// Everything read so far.
struct Reader<'a> {
    own: &'a [(&'a str, &'a str)],
    series_max: usize,
    said: HashMap<&'a str, Said>,
    values: BTreeMap<&'a str, Vec<(Labels, Value)>>,
    parts: BTreeMap<&'a str, BTreeMap<Labels, Parts>>,
    series: usize,
}

/// Reads a text. Every series gets the labels `own`; a label of the same name, or one that names the scraped target, is
/// renamed as Prometheus does it, to `exported_…`: a tenant can't speak for another node.
pub fn parse(
    text: &str,
    own: &[(&str, &str)],
    series_max: usize,
) -> Result<Vec<Group>, ExpositionError> {
    let mut reader = Reader {
        own,
        series_max,
        said: HashMap::new(),
        values: BTreeMap::new(),
        parts: BTreeMap::new(),
        series: 0,
    };
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        reader.line(line).map_err(|why| ExpositionError {
            line: index + 1,
            why,
        })?;
    }
    Ok(reader.groups())
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str) -> Result<(), &'static str> {
        if line.is_empty() {
            return Ok(());
        }
        if let Some(comment) = line.strip_prefix('#') {
            self.comment(comment.trim_start());
            return Ok(());
        }
        let sample = sample(line)?;
        self.add(sample)
    }

    /// `HELP name text` and `TYPE name kind`; any other comment is nothing. The first of each counts.
    fn comment(&mut self, comment: &'a str) {
        let mut words = comment.splitn(3, [' ', '\t']);
        let (Some(word), Some(name)) = (words.next(), words.next()) else {
            return;
        };
        let rest = words.next().unwrap_or_default().trim();
        // Of families without a sample nothing is kept, so what is said is bounded by the text.
        if !is_name(name, true) {
            return;
        }
        match word {
            "HELP" => {
                let said = self.said.entry(name).or_default();
                said.help.get_or_insert_with(|| unescape(rest));
            }
            "TYPE" => {
                let kind = match rest {
                    "counter" => Kind::Counter,
                    "gauge" => Kind::Gauge,
                    "histogram" => Kind::Histogram,
                    "summary" => Kind::Summary,
                    _ => Kind::Untyped,
                };
                self.said.entry(name).or_default().kind.get_or_insert(kind);
            }
            _ => {}
        }
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        self.said.get(name).and_then(|said| said.kind)
    }

    fn add(&mut self, sample: Sample<'a>) -> Result<(), &'static str> {
        for suffix in ["_bucket", "_sum", "_count", ""] {
            let Some(family) = sample.name.strip_suffix(suffix) else {
                continue;
            };
            let fits = match self.kind(family) {
                Some(Kind::Histogram) => !suffix.is_empty(),
                Some(Kind::Summary) => suffix != "_bucket",
                Some(Kind::Counter | Kind::Gauge | Kind::Untyped) | None => false,
            };
            if fits {
                return self.part(family, suffix, sample);
            }
        }
        let value = match sample.value.parse::<u64>() {
            Ok(whole) => Value::Whole(whole),
            Err(_) => Value::Number(number(sample.value)?),
        };
        self.count()?;
        let labels = self.labels(&sample.labels);
        self.values
            .entry(sample.name)
            .or_default()
            .push((labels, value));
        Ok(())
    }

    /// Adds one line of a histogram or a summary.
    fn part(
        &mut self,
        family: &'a str,
        suffix: &str,
        mut sample: Sample<'a>,
    ) -> Result<(), &'static str> {
        let bound = match suffix {
            "_bucket" => Some("le"),
            "" => Some("quantile"),
            _ => None,
        };
        let bound = match bound {
            Some(label) => {
                let at = sample.labels.iter().position(|(name, _)| *name == label);
                let (_, text) = sample
                    .labels
                    .remove(at.ok_or("a bucket without its bound")?);
                Some(number(&text)?)
            }
            None => None,
        };
        let value = number(sample.value)?;
        let labels = self.labels(&sample.labels);
        self.count()?;
        let parts = self
            .parts
            .entry(family)
            .or_default()
            .entry(labels)
            .or_default();
        match (suffix, bound) {
            ("_bucket", Some(bound)) if bound.is_finite() => {
                parts.buckets.push((bound, value as u64));
            }
            // The bucket of all is the count.
            ("_bucket" | "_count", _) => parts.count = value as u64,
            ("_sum", _) => parts.sum = value,
            (_, Some(quantile)) => parts.quantiles.push((quantile, value)),
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), &'static str> {
        self.series += 1;
        if self.series > self.series_max {
            return Err("too many series");
        }
        Ok(())
    }

    fn labels(&self, theirs: &[(&str, String)]) -> Labels {
        let renamed: Vec<(String, &str)> = theirs
            .iter()
            .map(|(name, value)| {
                let is_ours = self.own.iter().any(|(own, _)| own == name);
                let name = if is_ours || OF_THE_TARGET.contains(name) {
                    format!("exported_{name}")
                } else {
                    (*name).to_owned()
                };
                (name, value.as_str())
            })
            .collect();
        let mut all: Vec<(&str, &str)> = self.own.to_vec();
        for (name, value) in &renamed {
            // `exported_pod` may be theirs already: of two the first stays.
            if !all.iter().any(|(known, _)| known == name) {
                all.push((name, value));
            }
        }
        Labels::of(&all)
    }

    fn groups(mut self) -> Vec<Group> {
        let mut groups = Vec::new();
        let of_parts: HashSet<&str> = self.parts.keys().copied().collect();
        for (name, parts) in std::mem::take(&mut self.parts) {
            let kind = self.kind(name).unwrap_or(Kind::Untyped);
            let series = parts
                .into_iter()
                .map(|(labels, parts)| (labels, parts.value(kind)))
                .collect();
            groups.push(self.group(name, series));
        }
        for (name, series) in std::mem::take(&mut self.values) {
            // A gauge called `x_count` beside a summary `x` would be the same series twice.
            let is_part = ["_bucket", "_sum", "_count"].iter().any(|suffix| {
                name.strip_suffix(suffix)
                    .is_some_and(|family| of_parts.contains(family))
            });
            if !is_part {
                groups.push(self.group(name, series));
            }
        }
        groups
    }

    fn group(&mut self, name: &str, series: Vec<(Labels, Value)>) -> Group {
        let said = self.said.remove(name).unwrap_or_default();
        Group {
            name: Cow::Owned(name.to_owned()),
            kind: said.kind.unwrap_or(Kind::Untyped),
            help: Cow::Owned(said.help.unwrap_or_default()),
            series,
        }
    }
}

// === impl Parts ===

impl Parts {
    fn value(mut self, kind: Kind) -> Value {
        tidy(&mut self.buckets);
        tidy(&mut self.quantiles);
        if kind == Kind::Summary {
            Value::Summary(Box::new(Summary {
                quantiles: self.quantiles,
                sum: self.sum,
                count: self.count,
            }))
        } else {
            Value::Distribution(Box::new(Distribution {
                buckets: self.buckets,
                sum: self.sum,
                count: self.count,
            }))
        }
    }
}

/// Sorts by bound, and of two with one bound keeps the first.
fn tidy<T>(bounds: &mut Vec<(f64, T)>) {
    bounds.sort_by(|(one, _), (two, _)| one.total_cmp(two));
    bounds.dedup_by(|(one, _), (two, _)| one.total_cmp(two).is_eq());
}

/// Takes `name{label="value",…} value [timestamp]` apart.
fn sample(line: &str) -> Result<Sample<'_>, &'static str> {
    let end = line
        .find(['{', ' ', '\t'])
        .ok_or("a sample without a value")?;
    let (name, rest) = line.split_at(end);
    if !is_name(name, true) {
        return Err("no name of a metric");
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().ok_or("a sample without a value")?;
    Ok(Sample {
        name,
        labels,
        value,
    })
}

type Pairs<'a> = Vec<(&'a str, String)>;

/// Reads labels up to the closing brace; what follows it is the rest.
fn labels(mut rest: &str) -> Result<(Pairs<'_>, &str), &'static str> {
    let mut found: Pairs<'_> = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((found, after));
        }
        let (name, after) = rest.split_once('=').ok_or("a label without a value")?;
        let name = name.trim();
        if !is_name(name, false) || name == "__name__" {
            return Err("no name of a label");
        }
        if found.len() >= LABELS_MAX || found.iter().any(|(known, _)| *known == name) {
            return Err("a label twice, or too many of them");
        }
        let after = after
            .trim_start()
            .strip_prefix('"')
            .ok_or("a value without quotes")?;
        let end = closing(after).ok_or("a value that does not end")?;
        let (value, after) = after.split_at(end);
        if value.len() > VALUE_BYTES_MAX {
            return Err("a label's value that is too long");
        }
        found.push((name, unescape(value)));
        rest = after.strip_prefix('"').unwrap_or_default().trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

/// Where the first quote is that no backslash escapes.
fn closing(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    })
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

fn number(text: &str) -> Result<f64, &'static str> {
    text.parse().map_err(|_wrong| "a value that is no number")
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`, and `:` in a metric's.
fn is_name(name: &str, is_metric: bool) -> bool {
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (is_metric && byte == b':');
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with(|letter: char| letter.is_ascii_digit())
        && name.bytes().all(fits)
}

#[cfg(test)]
mod tests;
