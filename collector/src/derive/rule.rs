//! Which metric did a person ask for? A pattern whose matches are counted or measured.

use std::sync::Arc;

use record::Origin;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::family::{Histogram, Value};
use crate::discover::{self, SelectError, Selection};

/// The group whose text is the number that is added or observed.
pub const VALUE_GROUP: &str = "value";

/// How many rules there may be.
pub const RULES_MAX: usize = 50;
/// How many labels a rule may have, beside the container's own.
pub const LABELS_MAX: usize = 8;
/// How many buckets a histogram may have.
const BUCKETS_MAX: usize = 50;
/// The longest name of a metric, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// How large a compiled pattern may be, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// The buckets of a histogram that names none: from 5 ms to 10 s.
const BUCKETS_DEFAULT: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What every series of a rule says beside its own labels: whose line it was.
pub(super) const OWN_LABELS: [&str; 3] = ["container", "namespace", "pod"];

/// Beginnings of names that this program uses itself or passes on from others.
const RESERVED: [&str; 20] = [
    "bird_",
    "calico_",
    "conntrack_",
    "control_plane_",
    "felix_",
    "go_",
    "ingress_access_",
    "jvm_",
    "keepalived_",
    "kube_",
    "log_",
    "lvs_",
    "node_",
    "nodetap_",
    "ping_",
    "process_",
    "prometheus_",
    "readiness_",
    "scrape_",
    "typha_",
];

/// One rule as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawRule {
    /// The metric's name: of a counter with `_total` at its end, of a histogram with its unit (`_seconds`, `_bytes`).
    pub name: String,
    /// A sentence about it; without one it says that it is from a rule.
    pub help: Option<String>,
    /// Glob of `kubernetes.namespace`. At least one of the three globs must be there.
    pub namespace: Option<String>,
    /// Glob of `kubernetes.pod.name`.
    pub pod: Option<String>,
    /// Glob of the container's name.
    pub container: Option<String>,
    /// The regular expression that a line must match somewhere. Its named groups become labels, but for `value`: a
    /// number that the counter grows by (1 without it) or the histogram observes.
    pub pattern: String,
    /// Whether matches are measured instead of counted.
    pub histogram: bool,
    /// The histogram's upper bounds, rising.
    pub buckets: Option<Vec<f64>>,
    /// What the number is multiplied by, as 0.001 for milliseconds.
    pub scale: Option<f64>,
}

/// A rule that can be used.
#[derive(Clone, Debug)]
pub struct Rule {
    raw: RawRule,
    selection: Selection,
    pub(super) pattern: Regex,
    /// Label names with their groups, sorted by name.
    pub(super) labels: Vec<(Arc<str>, usize)>,
    pub(super) value: Option<usize>,
    pub(super) buckets: Option<Arc<[f64]>>,
    pub(super) scale: f64,
}

/// A rule that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// Too many rules.
    #[error("read more than {RULES_MAX} rules")]
    TooMany,
    /// A name that is not allowed.
    #[error("name a metric {name:?}: {reason}")]
    Name {
        /// What was written.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// A group that can't be a label.
    #[error("make a label of the group {group:?} of {name}: {reason}")]
    Label {
        /// The metric.
        name: String,
        /// The group.
        group: String,
        /// Why not.
        reason: &'static str,
    },
    /// A pattern that is not a regular expression.
    #[error("read the pattern of {name}")]
    Pattern {
        /// The metric.
        name: String,
        /// What is wrong with it.
        source: regex::Error,
    },
    /// Numbers that make no histogram.
    #[error("read the numbers of {name}: {reason}")]
    Numbers {
        /// The metric.
        name: String,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A glob that is none.
    #[error("choose the containers of {name}")]
    Select {
        /// The metric.
        name: String,
        /// What is wrong with it.
        source: SelectError,
    },
}

// === impl Rule ===

impl Rule {
    /// Checks a rule; gives every problem, not the first one.
    pub fn new(raw: &RawRule) -> Result<Self, Vec<RuleError>> {
        let mut problems = Vec::new();
        if let Some(reason) = name_problem(&raw.name, raw.histogram) {
            problems.push(RuleError::Name {
                name: raw.name.clone(),
                reason,
            });
        }
        let selection = selection(raw, &mut problems);
        let buckets = buckets(raw, &mut problems);
        let pattern = RegexBuilder::new(&raw.pattern)
            .size_limit(PATTERN_BYTES_MAX)
            .build()
            .map_err(|source| {
                problems.push(RuleError::Pattern {
                    name: raw.name.clone(),
                    source,
                });
            })
            .ok();
        let (labels, value) = match &pattern {
            Some(pattern) => labels(raw, pattern, &mut problems),
            None => (Vec::new(), None),
        };
        match (selection, pattern) {
            (Some(selection), Some(pattern)) if problems.is_empty() => Ok(Self {
                selection,
                pattern,
                labels,
                value,
                buckets,
                scale: raw.scale.unwrap_or(1.0),
                raw: raw.clone(),
            }),
            _ => Err(problems),
        }
    }

    /// The metric's name.
    pub fn name(&self) -> &str {
        &self.raw.name
    }

    /// As it was written.
    pub(super) fn raw(&self) -> &RawRule {
        &self.raw
    }

    pub(super) fn wants(&self, origin: &Origin) -> bool {
        self.selection.includes(origin)
    }

    /// The value that a series begins with.
    pub(super) fn zero(&self) -> Value {
        match &self.buckets {
            Some(bounds) => Value::Histogram(Histogram::new(bounds)),
            None => Value::Number(0.0),
        }
    }
}

/// Why a metric can't have this name.
fn name_problem(name: &str, histogram: bool) -> Option<&'static str> {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain || name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Some("only letters, digits and _, and no digit first");
    }
    if name.len() > NAME_BYTES_MAX {
        return Some("it is too long");
    }
    if RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
        return Some("nodetap's own metrics begin like this");
    }
    if !histogram && !name.ends_with("_total") {
        return Some("a counter's name ends in _total");
    }
    let taken = ["_total", "_bucket", "_count", "_sum"];
    if histogram && taken.iter().any(|end| name.ends_with(end)) {
        return Some("a histogram's name can't end like this, it gets such endings itself");
    }
    None
}

fn selection(raw: &RawRule, problems: &mut Vec<RuleError>) -> Option<Selection> {
    let globs = discover::RawRule {
        namespace: raw.namespace.clone(),
        pod: raw.pod.clone(),
        container: raw.container.clone(),
        ..discover::RawRule::default()
    };
    match Selection::new(&[globs], &[]) {
        Ok(selection) => Some(selection),
        Err(found) => {
            problems.extend(found.into_iter().map(|source| RuleError::Select {
                name: raw.name.clone(),
                source,
            }));
            None
        }
    }
}

fn buckets(raw: &RawRule, problems: &mut Vec<RuleError>) -> Option<Arc<[f64]>> {
    let mut problem = |reason| {
        problems.push(RuleError::Numbers {
            name: raw.name.clone(),
            reason,
        });
    };
    if raw
        .scale
        .is_some_and(|scale| !(scale.is_finite() && scale > 0.0))
    {
        problem("scale is a number above 0");
    }
    if !raw.histogram {
        if raw.buckets.is_some() {
            problem("a counter has no buckets");
        }
        return None;
    }
    let Some(buckets) = &raw.buckets else {
        return Some(Arc::from(BUCKETS_DEFAULT));
    };
    let rising = buckets.windows(2).all(|pair| pair.first() < pair.last());
    let finite = buckets.iter().all(|bound| bound.is_finite());
    if buckets.is_empty() || buckets.len() > BUCKETS_MAX || !rising || !finite {
        problem("buckets are 1 to 50 numbers, each larger than the one before");
    }
    Some(Arc::from(buckets.as_slice()))
}

/// The labels that a pattern's groups make, and the group of the number.
fn labels(
    raw: &RawRule,
    pattern: &Regex,
    problems: &mut Vec<RuleError>,
) -> (Vec<(Arc<str>, usize)>, Option<usize>) {
    let named = pattern.capture_names().enumerate();
    let named: Vec<(usize, &str)> = named.filter_map(|(at, name)| Some((at, name?))).collect();
    let value = named.iter().find(|(_, name)| *name == VALUE_GROUP);
    let value = value.map(|(at, _)| *at);
    let mut labels = Vec::new();
    for (at, group) in named {
        if group == VALUE_GROUP {
            continue;
        }
        if let Some(reason) = label_problem(group) {
            problems.push(RuleError::Label {
                name: raw.name.clone(),
                group: group.to_owned(),
                reason,
            });
        }
        labels.push((Arc::from(group), at));
    }
    let mut problem = |reason| {
        problems.push(RuleError::Numbers {
            name: raw.name.clone(),
            reason,
        });
    };
    if labels.len() > LABELS_MAX {
        problem("a pattern has at most 8 named groups beside value");
    }
    if raw.histogram && value.is_none() {
        problem("a histogram's pattern needs a group (?P<value>…) that is a number");
    }
    labels.sort();
    (labels, value)
}

/// Why a group can't be a label.
fn label_problem(group: &str) -> Option<&'static str> {
    if OWN_LABELS.contains(&group) {
        return Some("every series has this label already, with the container's own name");
    }
    if ["le", "quantile"].contains(&group) || group.starts_with("__") {
        return Some("Prometheus uses this name itself");
    }
    let plain = group
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (!plain).then_some("only letters, digits and _")
}
