//! Which rules hold in this place? The files' groups with values filled in and each alert as the place wants it.

use std::collections::BTreeSet;

use yaml::document::{self, Node};
use yaml::problem::{Problem, Problems};

use crate::files::{ALERTMANAGER, File, RULES};
use crate::tree::{self, Fields};
use crate::values::{ALL, Values};

/// The rules of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// What they are about: `lvs`, or `lvs-optional` where they are shipped but not loaded by themselves.
    pub name: String,
    /// Its groups, in the order of the file.
    pub groups: Vec<Group>,
}

/// Rules that Prometheus evaluates one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name, unique among all files.
    pub name: String,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A series that is kept under a name of its own.
    Record {
        /// The name.
        name: String,
        /// What is recorded.
        expr: String,
    },
    /// A page, or a note.
    Alert(Alert),
}

/// An alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// When it is true, in `PromQL`.
    pub expr: String,
    /// How long it must be true.
    pub hold: Option<String>,
    /// How long it stays after it was true last.
    pub keep: Option<String>,
    /// Its labels, `severity` among them.
    pub labels: Vec<(String, String)>,
    /// Its annotations: `summary`, `description`, `runbook_url`, `dashboard`.
    pub annotations: Vec<(String, String)>,
}

/// Which optional files are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Optional {
    /// None of them.
    #[default]
    None,
    /// Each of them.
    All,
    /// Those about these topics.
    Of(Vec<String>),
}

/// The rules of a place: all files that are not optional, and the optional ones that are wanted.
///
/// A value or an alert that is set and not used is refused, so that a mistyped place does not go unnoticed.
pub fn rules(values: &Values, optional: &Optional) -> Result<Vec<RuleFile>, Problems> {
    let mut problems = optional.unknown();
    let mut used = BTreeSet::new();
    let mut files = Vec::new();
    for file in RULES.iter().filter(|file| optional.wants(file)) {
        let name = if file.is_optional() {
            format!("{}-optional", file.topic())
        } else {
            file.topic().to_owned()
        };
        let text = values.fill(file.text, &mut used)?;
        let mut groups = read(&text, &mut problems);
        for group in &mut groups {
            adjust(group, file.topic(), values, &mut used)?;
        }
        files.push(RuleFile { name, groups });
    }
    values.fill(ALERTMANAGER, &mut used)?;
    problems.extend(values.unused(&used));
    let alerts: Vec<&str> = RULES
        .iter()
        .filter(|file| optional.wants(file))
        .flat_map(|file| file.text.lines())
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    for (alert, (line, _)) in &values.alerts {
        if alert != ALL && !alerts.contains(&alert.as_str()) {
            let text = tree::unknown("alert", alert, &alerts);
            problems.push(Problem::at(*line, text));
        }
    }
    if problems.is_empty() {
        Ok(files)
    } else {
        Err(Problems::new(problems))
    }
}

// === impl Optional ===

impl Optional {
    /// The topics of optional files.
    pub fn topics() -> Vec<&'static str> {
        let optional = RULES.iter().filter(|file| file.is_optional());
        optional.map(File::topic).collect()
    }

    fn wants(&self, file: &File) -> bool {
        !file.is_optional()
            || match self {
                Self::None => false,
                Self::All => true,
                Self::Of(topics) => topics.iter().any(|topic| topic == file.topic()),
            }
    }

    fn unknown(&self) -> Vec<Problem> {
        let topics = Self::topics();
        match self {
            Self::None | Self::All => Vec::new(),
            Self::Of(wanted) => wanted
                .iter()
                .filter(|topic| !topics.contains(&topic.as_str()))
                .map(|topic| Problem::whole(tree::unknown("optional file", topic, &topics)))
                .collect(),
        }
    }
}

// === impl RuleFile ===

impl RuleFile {
    /// All its alerts.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        let rules = self.groups.iter().flat_map(|group| &group.rules);
        rules.filter_map(|rule| match rule {
            Rule::Alert(alert) => Some(alert),
            Rule::Record { .. } => None,
        })
    }

    /// The file in Prometheus' own format.
    pub fn tree(&self) -> Node {
        let groups = self.groups.iter().map(Group::tree).collect();
        Node::section([("groups", Node::list(groups))])
    }
}

// === impl Group ===

impl Group {
    fn tree(&self) -> Node {
        Node::section([
            ("name", Node::text(&self.name)),
            (
                "rules",
                Node::list(self.rules.iter().map(Rule::tree).collect()),
            ),
        ])
    }
}

// === impl Rule ===

impl Rule {
    fn tree(&self) -> Node {
        match self {
            Self::Record { name, expr } => {
                Node::section([("record", Node::text(name)), ("expr", Node::text(expr))])
            }
            Self::Alert(alert) => alert.tree(),
        }
    }
}

// === impl Alert ===

impl Alert {
    /// Its label `severity`; empty where it has none.
    pub fn severity(&self) -> &str {
        let severity = self.labels.iter().find(|(name, _)| name == "severity");
        severity.map_or("", |(_, value)| value)
    }

    fn tree(&self) -> Node {
        let mut members = vec![
            ("alert", Node::text(&self.name)),
            ("expr", Node::text(&self.expr)),
        ];
        if let Some(hold) = &self.hold {
            members.push(("for", Node::text(hold)));
        }
        if let Some(keep) = &self.keep {
            members.push(("keep_firing_for", Node::text(keep)));
        }
        members.push(("labels", texts(&self.labels)));
        members.push(("annotations", texts(&self.annotations)));
        Node::section(members)
    }
}

/// Pairs as a section of texts.
pub(crate) fn texts(pairs: &[(String, String)]) -> Node {
    Node::section(pairs.iter().map(|(name, text)| (name, Node::text(text))))
}

fn read(text: &str, problems: &mut Vec<Problem>) -> Vec<Group> {
    let root = match document::read(text) {
        Ok(root) => root,
        Err(found) => {
            problems.extend(found.iter().cloned());
            return Vec::new();
        }
    };
    let mut fields = Fields::of(&root, "a file of rules", problems);
    let mut groups = Vec::new();
    for node in fields.list("groups", problems) {
        let mut fields = Fields::of(node, "a group", problems);
        let name = fields.text("name", problems);
        let rules = fields.list("rules", problems);
        let rules = rules.map(|node| rule(node, problems)).collect();
        fields.finish(problems);
        groups.push(Group { name, rules });
    }
    fields.finish(problems);
    groups
}

fn rule(node: &Node, problems: &mut Vec<Problem>) -> Rule {
    let mut fields = Fields::of(node, "a rule", problems);
    let expr = fields.text("expr", problems);
    if let Some(name) = fields.optional("record", problems) {
        fields.finish(problems);
        return Rule::Record { name, expr };
    }
    let mut pairs = |key: &'static str, problems: &mut Vec<Problem>| {
        let node = fields.take(key);
        let members = node.map_or_else(Vec::new, |node| tree::members(node, key, problems));
        let pair = |(name, node): (&str, &Node)| {
            let text = tree::text(node).unwrap_or_default();
            (name.to_owned(), text.to_owned())
        };
        members.into_iter().map(pair).collect()
    };
    let labels = pairs("labels", problems);
    let annotations = pairs("annotations", problems);
    let alert = Alert {
        name: fields.text("alert", problems),
        expr,
        hold: fields.optional("for", problems),
        keep: fields.optional("keep_firing_for", problems),
        labels,
        annotations,
    };
    fields.finish(problems);
    Rule::Alert(alert)
}

/// Leaves out what is not wanted, and gives each alert its labels, its runbook and its dashboard.
fn adjust(
    group: &mut Group,
    topic: &str,
    values: &Values,
    used: &mut BTreeSet<String>,
) -> Result<(), Problems> {
    group.rules.retain(|rule| match rule {
        Rule::Alert(alert) => !values.wish(&alert.name).disabled,
        Rule::Record { .. } => true,
    });
    for rule in &mut group.rules {
        let Rule::Alert(alert) = rule else { continue };
        let wish = values.wish(&alert.name);
        alert.hold = wish.hold.or(alert.hold.take());
        alert.keep = wish.keep.or(alert.keep.take());
        for (name, value) in wish.labels {
            set(&mut alert.labels, &name, value);
        }
        if let Some(severity) = wish.severity {
            set(&mut alert.labels, "severity", severity);
        }
        let runbook = format!("<<runbook_url>>/{}.md", alert.name);
        let runbook = values.fill(&runbook, used)?.trim_end().to_owned();
        set(&mut alert.annotations, "runbook_url", runbook);
        let own = alert
            .annotations
            .iter()
            .find(|(name, _)| name == "dashboard");
        let uid = own.map_or_else(
            || format!("nodetap-{}", topic.replace('_', "-")),
            |(_, uid)| uid.clone(),
        );
        let dashboard = values.fill(&format!("<<grafana_url>>/d/{uid}"), used)?;
        set(
            &mut alert.annotations,
            "dashboard",
            dashboard.trim_end().to_owned(),
        );
    }
    Ok(())
}

fn set(pairs: &mut Vec<(String, String)>, name: &str, value: String) {
    match pairs.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => pairs.push((name.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests;
