//! Which failure explains which? The classes of things that fail, and the labels that join two of them.
//!
//! `topology.yml` describes the format. A topology that was read is sound: every class that is named exists, an alert has
//! one class, and no class explains itself over any number of steps.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use yaml::document::{self, Node};
use yaml::problem::{Problem, Problems};

use crate::tree::{self, Fields};

const BUILT_IN: &str = include_str!("../topology.yml");

/// Classes and edges, in the order of the file.
#[derive(Clone, Debug)]
pub struct Topology {
    classes: Vec<Class>,
    edges: Vec<Edge>,
}

/// Things of one kind that fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// As edges name it.
    pub name: String,
    /// What it is, in a few words.
    pub about: String,
    /// The labels that name one instance; `cluster` may be empty on all of them.
    pub labels: Vec<String>,
    /// The alerts that tell of it.
    pub members: Vec<Member>,
    /// What to look for in the logs when it fails, in the language of `nodetap logs`; empty for whatever is grave.
    pub logs: String,
}

/// An alert of a class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Its name.
    pub alert: String,
    /// Labels that it must have, where the name is not enough.
    pub labels: Vec<(String, String)>,
}

/// The failure of one class explains that of another.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The class that explains.
    pub cause: String,
    /// The class that is explained.
    pub effect: String,
    /// What labels of the cause must match as a whole.
    pub only: Vec<(String, Regex)>,
    /// Series between the two, from the cause on; empty where labels suffice.
    pub via: Vec<Step>,
    /// How the effect is reached from the last step, or from the cause.
    pub on: Vec<Join>,
    /// Whether a firing cause may silence the effect; never where `via` is needed.
    pub inhibits: bool,
}

/// A series that must exist between cause and effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The metric.
    pub metric: String,
    /// How it is reached from what comes before it.
    pub on: Vec<Join>,
}

/// Two labels that must have the same value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Of what is reached.
    pub here: String,
    /// Of what comes before it.
    pub there: String,
}

// === impl Topology ===

impl Topology {
    /// The one that comes with the rules.
    pub fn built_in() -> Result<Self, Problems> {
        Self::parse(BUILT_IN)
    }

    /// Reads a text in the format of `topology.yml`.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let root = document::read(text)?;
        let mut problems = Vec::new();
        let mut fields = Fields::of(&root, "the topology", &mut problems);
        let classes = fields.take("classes").map_or_else(Vec::new, |node| {
            tree::members(node, "classes", &mut problems)
                .into_iter()
                .map(|(name, node)| class(name, node, &mut problems))
                .collect()
        });
        let mut edges = Vec::new();
        for node in fields.list("edges", &mut problems) {
            if let Some(edge) = edge(node, &classes, &mut problems) {
                edges.push(edge);
            }
        }
        fields.finish(&mut problems);
        let topology = Self { classes, edges };
        topology.check(&mut problems);
        if problems.is_empty() {
            Ok(topology)
        } else {
            Err(Problems::new(problems))
        }
    }

    /// All classes, in the order of the file.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// All edges, in the order of the file.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// A class by its name.
    pub fn class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.name == name)
    }

    /// The class of a firing alert, by its name and its labels.
    pub fn class_of<'a>(
        &self,
        alert: &str,
        label: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<&Class> {
        let fits = |member: &Member| {
            member.alert == alert
                && member
                    .labels
                    .iter()
                    .all(|(name, value)| label(name) == Some(value))
        };
        self.classes
            .iter()
            .find(|class| class.members.iter().any(fits))
    }

    /// The edges that could explain a class.
    pub fn causes_of<'a>(&'a self, effect: &'a str) -> impl Iterator<Item = &'a Edge> {
        self.edges.iter().filter(move |edge| edge.effect == effect)
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        let mut seen = BTreeSet::new();
        for class in &self.classes {
            for member in &class.members {
                let fresh = seen.insert(member);
                let alike = self.classes.iter().flat_map(|class| &class.members);
                let has_twin = alike.filter(|other| other.alert == member.alert).count() > 1
                    && member.labels.is_empty();
                if !fresh || has_twin {
                    let text = format!("`{}` is in more than one class", member.alert);
                    problems.push(Problem::whole(text));
                }
            }
        }
        // Where a class is missing, its edges lead nowhere.
        if problems.is_empty()
            && let Some(name) = self.in_a_circle()
        {
            let text = format!("class `{name}` explains itself: the edges have a circle");
            problems.push(Problem::whole(text));
        }
    }

    /// A class that can be reached from itself: takes away what has no effect until nothing changes.
    fn in_a_circle(&self) -> Option<&str> {
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        for edge in &self.edges {
            *left.entry(&edge.cause).or_default() += 1;
        }
        let mut done: Vec<&str> = self
            .classes
            .iter()
            .map(|class| class.name.as_str())
            .filter(|name| !left.contains_key(name))
            .collect();
        while let Some(effect) = done.pop() {
            for edge in self.causes_of(effect) {
                if let Some(count) = left.get_mut(edge.cause.as_str()) {
                    *count -= 1;
                    if *count == 0 {
                        left.remove(edge.cause.as_str());
                        done.push(&edge.cause);
                    }
                }
            }
        }
        left.into_keys().next()
    }
}

fn class(name: &str, node: &Node, problems: &mut Vec<Problem>) -> Class {
    let mut fields = Fields::of(node, name, problems);
    let about = fields.text("about", problems);
    let labels = fields.texts("labels", problems);
    let mut members = Vec::new();
    for (line, text) in fields.lines("alerts", problems) {
        match member(&text) {
            Some(member) => members.push(member),
            None => problems.push(Problem::at(line, format!("`{text}` is no alert's name"))),
        }
    }
    let logs = fields.take("logs").and_then(tree::text).unwrap_or_default();
    let logs = logs.to_owned();
    fields.finish(problems);
    Class {
        name: name.to_owned(),
        about,
        labels,
        members,
        logs,
    }
}

/// `Alert` or `Alert{label="value",other="value"}`
fn member(text: &str) -> Option<Member> {
    let (alert, rest) = match text.split_once('{') {
        Some((alert, rest)) => (alert, rest.strip_suffix('}')?),
        None => (text, ""),
    };
    if alert.is_empty() || !alert.chars().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let label = |pair: &str| {
        let (name, value) = pair.trim().split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        Some((name.to_owned(), value.to_owned()))
    };
    let labels = rest
        .split(',')
        .filter(|pair| !pair.trim().is_empty())
        .map(label)
        .collect::<Option<Vec<_>>>()?;
    Some(Member {
        alert: alert.to_owned(),
        labels,
    })
}

fn edge(node: &Node, classes: &[Class], problems: &mut Vec<Problem>) -> Option<Edge> {
    let mut fields = Fields::of(node, "an edge", problems);
    let mut end = |key: &'static str, problems: &mut Vec<Problem>| {
        let name = fields.text(key, problems);
        if !classes.iter().any(|class| class.name == name) {
            let known: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
            problems.push(Problem::at(
                node.line,
                tree::unknown("class", &name, &known),
            ));
        }
        name
    };
    let cause = end("cause", problems);
    let effect = end("effect", problems);
    let mut only = Vec::new();
    if let Some(node) = fields.take("only") {
        for (label, node) in tree::members(node, "only", problems) {
            let pattern = tree::text(node).unwrap_or_default();
            match Regex::new(&format!("^(?:{pattern})$")) {
                Ok(regex) => only.push((label.to_owned(), regex)),
                Err(error) => problems.push(Problem::at(node.line, error.to_string())),
            }
        }
    }
    let mut via = Vec::new();
    for node in fields.list("via", problems) {
        for (metric, node) in tree::members(node, "via", problems) {
            via.push(Step {
                metric: metric.to_owned(),
                on: joins(node, problems),
            });
        }
    }
    let Some(on) = fields.take("on") else {
        problems.push(Problem::at(node.line, "an edge needs `on`"));
        return None;
    };
    let on = joins(on, problems);
    let inhibits = via.is_empty() && fields.flag("inhibits", true, problems);
    fields.finish(problems);
    Some(Edge {
        cause,
        effect,
        only,
        via,
        on,
        inhibits,
    })
}

/// A list of `label` and `{here: there}`.
fn joins(node: &Node, problems: &mut Vec<Problem>) -> Vec<Join> {
    let mut joins = Vec::new();
    for item in tree::items(node, "on", problems) {
        if let Some(label) = tree::text(item) {
            joins.push(Join {
                here: label.to_owned(),
                there: label.to_owned(),
            });
            continue;
        }
        for (here, there) in tree::members(item, "on", problems) {
            joins.push(Join {
                here: here.to_owned(),
                there: tree::text(there).unwrap_or_default().to_owned(),
            });
        }
    }
    joins
}

#[cfg(test)]
mod tests;
