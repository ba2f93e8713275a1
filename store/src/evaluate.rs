//! Which rows of these columns are wanted? The predicate, compiled once, bound to each file, run over columns.

use std::sync::Arc;

use record::{File, Level, OutputStream, Tags, Timestamp};

use crate::columns::Columns;
use crate::index::Run;
use crate::needle::Needle;
use crate::predicate::{
    Comparison, Field, FieldValue, Predicate, Test, Value, any, expression, of_file,
};
use crate::text::{fold, glob_matches};

mod bound;

mod matcher;

pub(crate) use bound::Bound;
pub use matcher::Matcher;

/// A predicate that is ready to run.
#[derive(Debug)]
pub(crate) enum Compiled {
    All,
    And(Vec<Compiled>),
    Or(Vec<Compiled>),
    Not(Box<Compiled>),
    Text(Needle),
    /// About what is the same for all rows of a file.
    Constant(Field, Check),
    Row(Box<RowCheck>),
}

/// A test of one row's own field.
#[derive(Debug)]
pub(crate) struct RowCheck {
    field: Field,
    check: Check,
    /// For levels, outputs and sets of tags: the answer by number.
    table: Vec<bool>,
}

/// A test of a value, with its text folded and its expression compiled.
#[derive(Debug)]
pub(crate) enum Check {
    Exists,
    Equals(String),
    Glob(String),
    Compare(Comparison, Value),
    Regex(regex::Regex),
}

/// Which columns must be read to decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of columns")]
pub(crate) struct Needed {
    pub(crate) time: bool,
    pub(crate) message: bool,
    pub(crate) output: bool,
    pub(crate) level: bool,
    pub(crate) offset: bool,
    pub(crate) part: bool,
    pub(crate) end: bool,
    pub(crate) tags: bool,
    pub(crate) app: bool,
    pub(crate) error: bool,
}

// === impl Compiled ===

impl Compiled {
    /// Prepares a predicate; tells the expression that can't be compiled.
    pub(crate) fn new(predicate: &Predicate) -> Result<Self, (String, regex::Error)> {
        let all = |parts: &[Predicate]| parts.iter().map(Self::new).collect::<Result<Vec<_>, _>>();
        Ok(match predicate {
            Predicate::All => Self::All,
            Predicate::And(parts) => Self::And(all(parts)?),
            Predicate::Or(parts) => Self::Or(all(parts)?),
            Predicate::Not(part) => Self::Not(Box::new(Self::new(part)?)),
            Predicate::Text { needle } => Self::Text(Needle::new(needle)),
            Predicate::Regex { field, pattern } => {
                let compiled = expression(pattern).map_err(|error| (pattern.clone(), error))?;
                Self::check(field, Check::Regex(compiled))
            }
            Predicate::Field { field, test } => Self::check(field, Check::new(test)),
        })
    }

    /// Rows in a range of time.
    pub(crate) fn between(from: Option<Timestamp>, until: Option<Timestamp>) -> Vec<Self> {
        let check = |comparison, time: Timestamp| {
            Self::check(&Field::Time, Check::Compare(comparison, Value::Time(time)))
        };
        let from = from.map(|from| check(Comparison::GreaterOrEqual, from));
        let until = until.map(|until| check(Comparison::Less, until));
        from.into_iter().chain(until).collect()
    }

    fn check(field: &Field, check: Check) -> Self {
        if field.is_constant() {
            return Self::Constant(field.clone(), check);
        }
        let table = match field {
            Field::Level => Level::ALL
                .iter()
                .map(|level| *level != Level::Unknown && check.passes(&FieldValue::Level(*level)))
                .collect(),
            Field::Output => OutputStream::ALL
                .iter()
                .map(|output| {
                    *output != OutputStream::None
                        && check.passes(&FieldValue::Text(output.as_str()))
                })
                .collect(),
            Field::Tags => (0..=u8::MAX)
                .map(|tags| {
                    Tags(tags)
                        .names()
                        .any(|name| check.passes(&FieldValue::Text(name)))
                })
                .collect(),
            _ => Vec::new(),
        };
        Self::Row(Box::new(RowCheck {
            field: field.clone(),
            check,
            table,
        }))
    }

    /// What is left to be asked of the rows of a file, or of one run of them.
    pub(crate) fn bind<'a>(&'a self, file: &File, run: Option<&Run>) -> Bound<'a> {
        match self {
            Self::All => Bound::True,
            Self::And(parts) => {
                let mut left = Vec::new();
                for part in parts {
                    match part.bind(file, run) {
                        Bound::True => {}
                        Bound::False => return Bound::False,
                        other => left.push(other),
                    }
                }
                match left.len() {
                    0 => Bound::True,
                    1 => left.pop().unwrap_or(Bound::True),
                    _ => Bound::And(left),
                }
            }
            Self::Or(parts) => {
                let mut left = Vec::new();
                for part in parts {
                    match part.bind(file, run) {
                        Bound::True => return Bound::True,
                        Bound::False => {}
                        other => left.push(other),
                    }
                }
                match left.len() {
                    0 => Bound::False,
                    1 => left.pop().unwrap_or(Bound::False),
                    _ => Bound::Or(left),
                }
            }
            Self::Not(part) => match part.bind(file, run) {
                Bound::True => Bound::False,
                Bound::False => Bound::True,
                other => Bound::Not(Box::new(other)),
            },
            Self::Text(needle) => Bound::Text(needle),
            Self::Constant(field, check) => {
                if of_file(field, file, &mut |value| check.passes(&value)) {
                    Bound::True
                } else {
                    Bound::False
                }
            }
            Self::Row(row) => match run.and_then(|run| row.decided(run)) {
                Some(true) => Bound::True,
                Some(false) => Bound::False,
                None => Bound::Row(row),
            },
        }
    }
}

// === impl RowCheck ===

impl RowCheck {
    /// The answer for all rows of a run, where its statistics tell.
    fn decided(&self, run: &Run) -> Option<bool> {
        match (&self.field, &self.check) {
            (Field::Level, _) => {
                let mut answers =
                    Level::ALL
                        .iter()
                        .filter(|level| run.may_have(**level))
                        .map(|level| {
                            self.table
                                .get(usize::from(crate::batch::level_number(*level)))
                        });
                let first = answers.next()?;
                answers
                    .all(|answer| answer == first)
                    .then(|| first.copied())
                    .flatten()
            }
            (Field::Time, Check::Compare(comparison, Value::Time(want))) => {
                let holds = |time: i64| comparison.holds(Timestamp(time).cmp(want));
                // A comparison holds on one side, so equal answers at both ends are the answer between.
                let (first, last) = (holds(run.time_min), holds(run.time_max));
                (first == last).then_some(first)
            }
            (Field::Offset, Check::Compare(comparison, Value::Number(want))) => {
                let holds = |offset: u64| {
                    (offset as f64)
                        .partial_cmp(want)
                        .is_some_and(|order| comparison.holds(order))
                };
                let (first, last) = (holds(run.offset_min), holds(run.offset_max));
                (first == last).then_some(first)
            }
            _ => None,
        }
    }

    fn passes(&self, columns: &Columns, row: usize, file: &Arc<File>) -> bool {
        let by_number = |number: u8| {
            self.table
                .get(usize::from(number))
                .copied()
                .unwrap_or(false)
        };
        match &self.field {
            Field::Level => columns
                .level
                .as_ref()
                .is_some_and(|array| by_number(array.value(row))),
            Field::Output => columns
                .output
                .as_ref()
                .is_some_and(|array| by_number(array.value(row))),
            Field::Tags => columns
                .tags
                .as_ref()
                .is_some_and(|array| by_number(array.value(row))),
            field => any(field, &columns.record(row, file), &mut |value| {
                self.check.passes(&value)
            }),
        }
    }
}

// === impl Check ===

impl Check {
    fn new(test: &Test) -> Self {
        match test {
            Test::Exists => Self::Exists,
            Test::Equals(text) => Self::Equals(fold(text).into_owned()),
            Test::Glob(pattern) => Self::Glob(fold(pattern).into_owned()),
            Test::Compare(comparison, value) => Self::Compare(*comparison, value.clone()),
        }
    }

    pub(crate) fn passes(&self, value: &FieldValue<'_>) -> bool {
        match self {
            Self::Exists => true,
            Self::Equals(text) => fold(&value.text()) == text.as_str(),
            Self::Glob(pattern) => glob_matches(pattern, &fold(&value.text())),
            Self::Compare(comparison, want) => {
                Test::Compare(*comparison, want.clone()).passes(value)
            }
            Self::Regex(expression) => expression.is_match(&value.text()),
        }
    }
}
