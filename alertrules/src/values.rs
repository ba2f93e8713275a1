//! What differs between places? Thresholds, windows and selectors by name, and what a place wants of single alerts.
//!
//! `<<name>>` in a rule stands for the value `name`. `PromQL` has no such thing, and Prometheus' own templates keep their
//! braces. A file of values may set any name that `values.yml` knows, in its kind; besides, `labels` that every alert
//! gets, `alerts` with `for`, `keep_firing_for`, `severity`, `labels` and `enabled` of one alert (or of `all`), and the
//! `metadata` of a `PrometheusRule`.

use std::collections::{BTreeMap, BTreeSet};

use yaml::document::{self, Node};
use yaml::problem::{Problem, Problems};

use crate::files::VALUES;
use crate::tree::{self, Fields};

/// Under this name of `alerts` stands what holds for every alert.
pub const ALL: &str = "all";

/// A value that a rule may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// What it is for: the comment above it in `values.yml`.
    pub about: String,
    /// What holds when a place sets nothing.
    pub default: String,
    /// What a place may set.
    pub kind: Kind,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A decimal number.
    Number,
    /// As Prometheus writes it: `1h30m`.
    Duration,
    /// Anything without quotes, backslashes and line breaks.
    Text,
}

/// What a place wants of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// How long its expression must hold.
    pub hold: Option<String>,
    /// How long it stays after its expression held last.
    pub keep: Option<String>,
    /// Its label `severity`.
    pub severity: Option<String>,
    /// More labels.
    pub labels: Vec<(String, String)>,
    /// Whether it is left out.
    pub disabled: bool,
}

/// The values of a place.
#[derive(Clone, Debug, Default)]
pub struct Values {
    known: Vec<Value>,
    given: BTreeMap<String, Given>,
    /// Labels that every alert gets.
    pub labels: Vec<(String, String)>,
    /// What is wanted of single alerts, by their names, with the lines that say so.
    pub alerts: BTreeMap<String, (usize, Wish)>,
    /// The namespace of a `PrometheusRule`.
    pub namespace: Option<String>,
    /// The labels by which an operator picks a `PrometheusRule` up.
    pub metadata_labels: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Given {
    line: usize,
    text: String,
}

// === impl Values ===

impl Values {
    /// The defaults.
    pub fn built_in() -> Result<Self, Problems> {
        Ok(Self {
            known: known(VALUES)?,
            ..Self::default()
        })
    }

    /// The defaults with what a file sets.
    pub fn read(text: &str) -> Result<Self, Problems> {
        let mut values = Self::built_in()?;
        let root = document::read(text)?;
        let mut problems = Vec::new();
        for (name, node) in tree::members(&root, "the file of values", &mut problems) {
            match name {
                "labels" => values.labels = pairs(node, name, &mut problems),
                "alerts" => {
                    for (alert, node) in tree::members(node, name, &mut problems) {
                        let wish = (node.line, wish(node, alert, &mut problems));
                        values.alerts.insert(alert.to_owned(), wish);
                    }
                }
                "metadata" => {
                    let mut fields = Fields::of(node, name, &mut problems);
                    values.namespace = fields.optional("namespace", &mut problems);
                    if let Some(node) = fields.take("labels") {
                        values.metadata_labels = pairs(node, "labels", &mut problems);
                    }
                    fields.finish(&mut problems);
                }
                _ => values.set(name, node, &mut problems),
            }
        }
        if problems.is_empty() {
            Ok(values)
        } else {
            Err(Problems::new(problems))
        }
    }

    /// Every value that rules may name, in the order of `values.yml`.
    pub fn known(&self) -> &[Value] {
        &self.known
    }

    /// The text with every `<<name>>` filled in; what was used is noted.
    pub fn fill(&self, text: &str, used: &mut BTreeSet<String>) -> Result<String, Problems> {
        let mut out = String::with_capacity(text.len());
        let mut problems = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let mut rest = line;
            while let Some((before, after)) = rest.split_once("<<") {
                out.push_str(before);
                let Some((name, after)) = after.split_once(">>") else {
                    problems.push(Problem::at(index + 1, "`<<` without `>>`"));
                    break;
                };
                match self.value(name) {
                    Some(value) => {
                        used.insert(name.to_owned());
                        out.push_str(value);
                    }
                    None => problems.push(Problem::at(index + 1, self.unknown(name))),
                }
                rest = after;
            }
            out.push_str(rest);
            out.push('\n');
        }
        if problems.is_empty() {
            Ok(out)
        } else {
            Err(Problems::new(problems))
        }
    }

    /// What was set and is used nowhere.
    pub fn unused(&self, used: &BTreeSet<String>) -> Vec<Problem> {
        let unused = self.given.iter().filter(|(name, _)| !used.contains(*name));
        let problem = |(name, given): (&String, &Given)| {
            let text = format!(
                "`{name}` is used by no rule that is rendered; is it one of the optional files'?"
            );
            Problem::at(given.line, text)
        };
        unused.map(problem).collect()
    }

    /// What holds for an alert: its own wishes before those for all.
    pub fn wish(&self, alert: &str) -> Wish {
        let find = |name: &str| self.alerts.get(name).map(|(_, wish)| wish.clone());
        let own = find(alert).unwrap_or_default();
        let all = find(ALL).unwrap_or_default();
        let mut labels = self.labels.clone();
        labels.extend(all.labels);
        labels.extend(own.labels);
        Wish {
            hold: own.hold.or(all.hold),
            keep: own.keep.or(all.keep),
            severity: own.severity.or(all.severity),
            labels,
            disabled: own.disabled || all.disabled,
        }
    }

    fn set(&mut self, name: &str, node: &Node, problems: &mut Vec<Problem>) {
        let Some(known) = self.known.iter().find(|known| known.name == name) else {
            problems.push(Problem::at(node.line, self.unknown(name)));
            return;
        };
        let Some(text) = tree::text(node) else {
            problems.push(Problem::at(
                node.line,
                format!("`{name}` must be one value"),
            ));
            return;
        };
        if let Some(wanted) = known.kind.refuses(text) {
            let text = format!("`{name}` must be {wanted}, as in `{}`", known.default);
            problems.push(Problem::at(node.line, text));
            return;
        }
        let given = Given {
            line: node.line,
            text: text.to_owned(),
        };
        self.given.insert(name.to_owned(), given);
    }

    fn value(&self, name: &str) -> Option<&str> {
        let given = self.given.get(name).map(|given| given.text.as_str());
        given.or_else(|| {
            let known = self.known.iter().find(|known| known.name == name)?;
            Some(known.default.as_str())
        })
    }

    fn unknown(&self, name: &str) -> String {
        let mut names: Vec<&str> = self.known.iter().map(|known| known.name.as_str()).collect();
        names.extend(["labels", "alerts", "metadata"]);
        tree::unknown("value", name, &names)
    }
}

// === impl Kind ===

impl Kind {
    fn of(default: &str) -> Self {
        if default.parse::<f64>().is_ok() {
            Self::Number
        } else if is_duration(default) {
            Self::Duration
        } else {
            Self::Text
        }
    }

    /// What would be right, if the text is not.
    fn refuses(self, text: &str) -> Option<&'static str> {
        let is_right = match self {
            Self::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
            Self::Duration => is_duration(text),
            Self::Text => {
                !text.contains(['"', '\\', '\n']) && !text.contains("<<") && !text.contains(">>")
            }
        };
        let wanted = match self {
            Self::Number => "a number",
            Self::Duration => "a duration",
            Self::Text => "a text without `\"`, `\\` and `<<`",
        };
        (!is_right).then_some(wanted)
    }
}

/// `5m`, `1h30m`: digits and a unit, at least once.
fn is_duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if digits.len() == rest.len() {
            return false;
        }
        let unit = ["ms", "s", "m", "h", "d", "w", "y"]
            .iter()
            .find_map(|unit| digits.strip_prefix(unit));
        match unit {
            Some(after) => rest = after,
            None => return false,
        }
    }
    !text.is_empty()
}

/// Names, defaults and the comments above them.
fn known(text: &str) -> Result<Vec<Value>, Problems> {
    let root = document::read(text)?;
    let mut problems = Vec::new();
    let mut known = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (name, node) in tree::members(&root, "values.yml", &mut problems) {
        let default = tree::text(node).unwrap_or_default().to_owned();
        let above = lines.iter().take(node.line.saturating_sub(1)).rev();
        let mut about: Vec<&str> = above.map_while(|line| line.strip_prefix("# ")).collect();
        about.reverse();
        known.push(Value {
            name: name.to_owned(),
            about: about.join(" "),
            kind: Kind::of(&default),
            default,
        });
    }
    if problems.is_empty() {
        Ok(known)
    } else {
        Err(Problems::new(problems))
    }
}

fn wish(node: &Node, alert: &str, problems: &mut Vec<Problem>) -> Wish {
    let mut fields = Fields::of(node, alert, problems);
    let hold = fields.optional("for", problems);
    let keep = fields.optional("keep_firing_for", problems);
    for duration in [&hold, &keep].into_iter().flatten() {
        if !is_duration(duration) {
            let text = format!("{alert}: `{duration}` is no duration, as in `5m`");
            problems.push(Problem::at(node.line, text));
        }
    }
    let severity = fields.optional("severity", problems);
    let disabled = !fields.flag("enabled", true, problems);
    let labels = match fields.take("labels") {
        Some(node) => pairs(node, "labels", problems),
        None => Vec::new(),
    };
    fields.finish(problems);
    Wish {
        hold,
        keep,
        severity,
        labels,
        disabled,
    }
}

fn pairs(node: &Node, what: &str, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (name, node) in tree::members(node, what, problems) {
        match tree::text(node) {
            Some(text) => pairs.push((name.to_owned(), text.to_owned())),
            None => problems.push(Problem::at(node.line, format!("`{name}` must be a text"))),
        }
    }
    pairs
}

#[cfg(test)]
mod tests;
