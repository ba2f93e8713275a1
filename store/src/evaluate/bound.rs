//! What is left of a predicate when the file, or a run of its rows, is known; and how columns answer it.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::StringArray;
use record::File;

use super::{Needed, RowCheck};
use crate::columns::Columns;
use crate::needle::Needle;
use crate::predicate::Field;

/// What is left of a predicate when the file, or even the run, is known.
#[derive(Clone, Debug)]
pub(crate) enum Bound<'a> {
    True,
    False,
    And(Vec<Bound<'a>>),
    Or(Vec<Bound<'a>>),
    Not(Box<Bound<'a>>),
    Text(&'a Needle),
    Row(&'a RowCheck),
}

// === impl Bound ===

impl<'a> Bound<'a> {
    /// A text that every wanted row has in its message, where one can be told.
    pub(crate) fn required(&self) -> Option<&'a Needle> {
        match self {
            Self::Text(needle) => Some(needle).filter(|needle| needle.can_rule_out()).copied(),
            Self::And(parts) => parts.iter().find_map(Self::required),
            Self::True | Self::False | Self::Or(_) | Self::Not(_) | Self::Row(_) => None,
        }
    }

    /// Adds the columns that it asks.
    pub(crate) fn need(&self, needed: &mut Needed) {
        match self {
            Self::True | Self::False => {}
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.need(needed);
                }
            }
            Self::Not(part) => part.need(needed),
            Self::Text(_) => needed.message = true,
            Self::Row(row) => match row.field {
                Field::Message => needed.message = true,
                Field::Level => needed.level = true,
                Field::Output => needed.output = true,
                Field::Offset => needed.offset = true,
                Field::Part => needed.part = true,
                Field::Time => needed.time = true,
                Field::Tags => needed.tags = true,
                Field::Error => needed.error = true,
                Field::App(_) => needed.app = true,
                _ => {}
            },
        }
    }

    /// The rows of a range that are wanted, ascending. All of them are of `file`.
    pub(crate) fn rows(&self, columns: &Columns, rows: Range<usize>, file: &Arc<File>) -> Vec<u32> {
        match self {
            Self::True => (rows.start as u32..rows.end as u32).collect(),
            Self::False => Vec::new(),
            Self::Text(needle) => {
                let mut found = Vec::new();
                if let Some(message) = &columns.message {
                    find(needle, message, rows, &mut found);
                }
                found
            }
            Self::And(parts) => {
                let mut parts = parts.iter();
                let Some(first) = parts.next() else {
                    return (rows.start as u32..rows.end as u32).collect();
                };
                let mut left = first.rows(columns, rows, file);
                for part in parts {
                    left = part.among(columns, left, file);
                }
                left
            }
            Self::Or(_) | Self::Not(_) | Self::Row(_) => {
                let all = (rows.start as u32..rows.end as u32).collect();
                self.among(columns, all, file)
            }
        }
    }

    /// Those of some rows that are wanted.
    pub(crate) fn among(
        &self,
        columns: &Columns,
        mut rows: Vec<u32>,
        file: &Arc<File>,
    ) -> Vec<u32> {
        match self {
            Self::True => rows,
            Self::False => Vec::new(),
            Self::And(parts) => {
                for part in parts {
                    rows = part.among(columns, rows, file);
                }
                rows
            }
            Self::Or(parts) => {
                // Each part only sees what no part before wanted.
                let mut wanted = Vec::new();
                for part in parts {
                    let more = part.among(columns, rows.clone(), file);
                    rows = without(&rows, &more);
                    wanted.extend(more);
                }
                wanted.sort_unstable();
                wanted
            }
            Self::Not(part) => {
                let unwanted = part.among(columns, rows.clone(), file);
                without(&rows, &unwanted)
            }
            Self::Text(needle) => {
                let contiguous = rows
                    .first()
                    .zip(rows.last())
                    .is_some_and(|(first, last)| (last - first) as usize + 1 == rows.len());
                let Some(message) = &columns.message else {
                    return Vec::new();
                };
                if contiguous {
                    let first = rows.first().map_or(0, |row| *row as usize);
                    let mut found = Vec::new();
                    find(needle, message, first..first + rows.len(), &mut found);
                    return found;
                }
                rows.retain(|row| needle.is_in(message.value(*row as usize)));
                rows
            }
            Self::Row(row) => {
                rows.retain(|at| row.passes(columns, *at as usize, file));
                rows
            }
        }
    }

    /// Whether it asks anything of a file that it asks differently of another.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::True, Self::True) | (Self::False, Self::False) => true,
            (Self::And(a), Self::And(b)) | (Self::Or(a), Self::Or(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same(b))
            }
            (Self::Not(a), Self::Not(b)) => a.is_same(b),
            (Self::Text(a), Self::Text(b)) => std::ptr::eq(*a, *b),
            (Self::Row(a), Self::Row(b)) => std::ptr::eq(*a, *b),
            _ => false,
        }
    }
}

fn find(needle: &Needle, message: &StringArray, rows: Range<usize>, found: &mut Vec<u32>) {
    needle.find_rows(
        message.value_data(),
        message.value_offsets(),
        rows,
        &mut |row| {
            found.push(row as u32);
        },
    );
}

/// `rows` without those in `out`; both ascending.
fn without(rows: &[u32], out: &[u32]) -> Vec<u32> {
    let mut out = out.iter().peekable();
    rows.iter()
        .copied()
        .filter(|row| {
            while out.peek().is_some_and(|next| *next < row) {
                out.next();
            }
            out.peek().is_none_or(|next| *next != row)
        })
        .collect()
}
