//! Is this one record wanted? The compiled predicate, asked of records that are in memory and not in columns.

use record::Record;

use super::Compiled;
use crate::ReadError;
use crate::predicate::{Predicate, any, of_file};

/// A predicate that is ready to be asked of many records; gives what [`Predicate::matches`] gives.
#[derive(Debug)]
pub struct Matcher(Compiled);

// === impl Matcher ===

impl Matcher {
    /// Prepares a predicate. Fails on an expression that can't be compiled.
    pub fn new(predicate: &Predicate) -> Result<Self, ReadError> {
        let compiled = Compiled::new(predicate)
            .map_err(|(pattern, source)| ReadError::Expression { pattern, source })?;
        Ok(Self(compiled))
    }

    /// Whether a record is wanted.
    pub fn matches(&self, record: &Record<'_>) -> bool {
        accepts(&self.0, record)
    }
}

fn accepts(compiled: &Compiled, record: &Record<'_>) -> bool {
    match compiled {
        Compiled::All => true,
        Compiled::And(parts) => parts.iter().all(|part| accepts(part, record)),
        Compiled::Or(parts) => parts.iter().any(|part| accepts(part, record)),
        Compiled::Not(part) => !accepts(part, record),
        Compiled::Text(needle) => needle.is_in(record.entry.message),
        Compiled::Constant(field, check) => {
            of_file(field, record.file, &mut |value| check.passes(&value))
        }
        Compiled::Row(row) => any(&row.field, record, &mut |value| row.check.passes(&value)),
    }
}
