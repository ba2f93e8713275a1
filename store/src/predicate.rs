//! Which rows are wanted? Pure data, and what it means for one record.
//!
//! [`Predicate::matches`] is the reference: what the columns are searched with must give the same, and a test holds
//! them together. All text is compared without regard to case ([`crate::text::fold`]).

use record::{Level, Record, Tags, Timestamp};

use crate::text;

mod values;

pub(crate) use values::{FieldValue, any, of_file};

/// Which rows are wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Predicate {
    /// Every row.
    #[default]
    All,
    /// Rows that all of these want; no parts is every row.
    And(Vec<Predicate>),
    /// Rows that one of these wants; no parts is no row.
    Or(Vec<Predicate>),
    /// Rows that this one does not want.
    Not(Box<Predicate>),
    /// Rows with this text anywhere in the message.
    Text {
        /// What to look for.
        needle: String,
    },
    /// Rows in which a field has a match of a regular expression (syntax of the `regex` crate), anywhere in it.
    Regex {
        /// Where to look.
        field: Field,
        /// The expression. One that can't be compiled matches nothing here; [`crate::Reader`] refuses it.
        pattern: String,
    },
    /// Rows in which a field passes a test.
    Field {
        /// Where to look.
        field: Field,
        /// What it must be.
        test: Test,
    },
}

/// What a field must be. A field that a row does not have passes none of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The whole field is this text.
    Equals(String),
    /// The whole field fits this pattern: `*` is any text, `?` any character.
    Glob(String),
    /// The field is before or after this value. Values of different kinds are never in order.
    Compare(Comparison, Value),
    /// The row has the field.
    Exists,
}

/// On which side of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A value to compare with.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// For text fields; by code points, folded.
    Text(String),
    /// For [`Field::Offset`], [`Field::RestartCount`], [`Field::Part`] and numbers in [`Field::App`].
    Number(f64),
    /// For [`Field::Time`] and [`Field::Started`].
    Time(Timestamp),
    /// For [`Field::Level`]; a row without level is in no order.
    Level(Level),
}

/// A field of a document, by its ECS name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `message`
    Message,
    /// `log.level`
    Level,
    /// `stream`: `stdout` or `stderr`
    Output,
    /// `log.stream`
    Stream,
    /// `kubernetes.namespace`
    Namespace,
    /// `kubernetes.pod.name`
    PodName,
    /// `kubernetes.pod.uid`
    PodUid,
    /// `kubernetes.container.name`, or `container.name` outside Kubernetes
    ContainerName,
    /// `kubernetes.container.restart_count`
    RestartCount,
    /// `kubernetes.node.name`
    NodeName,
    /// `container.id`
    ContainerId,
    /// `container.runtime`
    ContainerRuntime,
    /// `container.image.name`
    Image,
    /// `host.name`
    Host,
    /// `orchestrator.cluster.name`
    Cluster,
    /// `log.file.path`
    Path,
    /// `log.file.fingerprint`
    Fingerprint,
    /// `log.file.started`
    Started,
    /// `event.dataset`
    Dataset,
    /// `log.offset`
    Offset,
    /// `log.part`; a whole line has none
    Part,
    /// `@timestamp`
    Time,
    /// `tags`: passes when one of them does
    Tags,
    /// `error.message`
    Error,
    /// `kubernetes.labels.<key>`
    Label(String),
    /// `app.<path>`: keys joined by dots; in a list passes when one element does
    App(String),
}

// === impl Predicate ===

impl Predicate {
    /// Whether a record is wanted.
    ///
    /// The plain meaning, not the fast way: expressions are compiled at each call. The reader has a fast one.
    pub fn matches(&self, record: &Record<'_>) -> bool {
        match self {
            Self::All => true,
            Self::And(parts) => parts.iter().all(|part| part.matches(record)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(record)),
            Self::Not(part) => !part.matches(record),
            Self::Text { needle } => {
                text::fold(record.entry.message).contains(text::fold(needle).as_ref())
            }
            Self::Regex { field, pattern } => expression(pattern).is_ok_and(|expression| {
                any(field, record, &mut |value| match value {
                    FieldValue::Text(text) => expression.is_match(text),
                    other => expression.is_match(&other.text()),
                })
            }),
            Self::Field { field, test } => any(field, record, &mut |value| test.passes(&value)),
        }
    }

    /// All of these, without needless nesting.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::All => {}
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Self::All,
            1 => flat.pop().unwrap_or_default(),
            _ => Self::And(flat),
        }
    }
}

/// Compiles an expression the way the store does: without regard to case, memory bounded.
pub fn expression(pattern: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(pattern)
        .case_insensitive(true)
        .size_limit(1 << 20)
        .dfa_size_limit(4 << 20)
        .build()
}

// === impl Test ===

impl Test {
    /// Whether one value of a field passes.
    pub(crate) fn passes(&self, value: &FieldValue<'_>) -> bool {
        match self {
            Self::Exists => true,
            Self::Equals(want) => text::fold(&value.text()) == text::fold(want),
            Self::Glob(pattern) => {
                text::glob_matches(&text::fold(pattern), &text::fold(&value.text()))
            }
            Self::Compare(comparison, want) => {
                let order = match (value, want) {
                    (FieldValue::Text(have), Value::Text(want)) => {
                        Some(text::fold(have).cmp(&text::fold(want)))
                    }
                    (FieldValue::Integer(have), Value::Number(want)) => {
                        (*have as f64).partial_cmp(want)
                    }
                    (FieldValue::Number(have), Value::Number(want)) => have.partial_cmp(want),
                    (FieldValue::Time(have), Value::Time(want)) => Some(have.cmp(want)),
                    (FieldValue::Level(have), Value::Level(want)) => Some(have.cmp(want)),
                    _ => None,
                };
                order.is_some_and(|order| comparison.holds(order))
            }
        }
    }
}

// === impl Comparison ===

impl Comparison {
    /// Whether a value that stands so to the wanted one is on the right side.
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

// === impl Field ===

impl Field {
    /// Whether every row of a file has the same value.
    pub fn is_constant(&self) -> bool {
        match self {
            Self::Message
            | Self::Level
            | Self::Output
            | Self::Offset
            | Self::Part
            | Self::Time
            | Self::Tags
            | Self::Error
            | Self::App(_) => false,
            Self::Stream
            | Self::Namespace
            | Self::PodName
            | Self::PodUid
            | Self::ContainerName
            | Self::RestartCount
            | Self::NodeName
            | Self::ContainerId
            | Self::ContainerRuntime
            | Self::Image
            | Self::Host
            | Self::Cluster
            | Self::Path
            | Self::Fingerprint
            | Self::Started
            | Self::Dataset
            | Self::Label(_) => true,
        }
    }
}

/// The tags in a set, as values.
pub(crate) fn tag_names(tags: Tags) -> impl Iterator<Item = &'static str> {
    tags.names()
}
