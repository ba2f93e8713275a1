//! What does a query's text ask for? One language for the embedded store and, later, for Elasticsearch.
//!
//! [`parse`] turns text into a [`Predicate`], [`print`] a predicate into text. `docs/query.md` is the manual, and
//! [`grammar`] the rules. A query is hostile input: its length, depth and expressions are bounded, and reading takes
//! time in proportion to its length.

use store::Predicate;

mod error;

mod cursor;

mod fields;

mod values;

mod grammar;

mod print;

pub use error::{QueryError, Shown};

/// The longest query that is read, in bytes. People write less; a list of ids that is pasted fits.
pub const QUERY_BYTES_MAX: usize = 16 * 1024;
/// How deep parentheses and negations may be nested: bounds the stack.
pub const DEPTH_MAX: usize = 64;
/// How many terms one query may hold: each may be looked for in every line.
pub const TERMS_MAX: usize = 1024;
/// How many regular expressions one query may hold: each costs up to some milliseconds and a megabyte.
pub const REGEXES_MAX: usize = 16;

/// Reads a query; empty text finds everything.
pub fn parse(text: &str) -> Result<Predicate, QueryError> {
    if QUERY_BYTES_MAX < text.len() {
        return Err(QueryError {
            query: String::new(),
            span: 0..0,
            message: format!("the query is longer than {QUERY_BYTES_MAX} bytes"),
            hint: None,
        });
    }
    grammar::Grammar::new(text).query()
}

/// Writes a predicate as text that [`parse`] reads as the same predicate.
pub fn print(predicate: &Predicate) -> String {
    let mut out = String::new();
    print::predicate(predicate, &mut out);
    out
}

#[cfg(test)]
mod tests;
