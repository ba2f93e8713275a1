//! Which parts of a message did the query ask for? For showing only: a miss costs a colour.

use regex::{Regex, RegexBuilder};
use store::{Field, Predicate, Test};

/// How large the compiled expression may be, in bytes; a query beyond it is shown without marks.
const COMPILED_BYTES_MAX: usize = 4 << 20;
/// More marks than these are not set in one message.
const MARKS_MAX: usize = 1000;

/// Finds what a query looks for in messages.
#[derive(Debug)]
pub(super) struct Highlight(Option<Regex>);

// === impl Highlight ===

impl Highlight {
    pub(super) fn new(predicate: &Predicate) -> Self {
        let mut patterns = Vec::new();
        collect(predicate, &mut patterns);
        // The first that fits wins, so longer ones go first.
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.len()));
        patterns.dedup();
        let compiled = (!patterns.is_empty()).then(|| {
            RegexBuilder::new(&patterns.join("|"))
                .case_insensitive(true)
                .size_limit(COMPILED_BYTES_MAX)
                .build()
                .ok()
        });
        Self(compiled.flatten())
    }

    /// The places in `text` to mark, in order, apart from each other and none empty.
    pub(super) fn places<'a>(
        &'a self,
        text: &'a str,
    ) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
        let places = self
            .0
            .iter()
            .flat_map(|expression| expression.find_iter(text));
        places
            .map(|place| place.range())
            .filter(|place| !place.is_empty())
            .take(MARKS_MAX)
    }
}

/// The patterns of everything that is wanted in the message; what is unwanted is nowhere in it.
fn collect(predicate: &Predicate, patterns: &mut Vec<String>) {
    match predicate {
        Predicate::And(parts) | Predicate::Or(parts) => {
            for part in parts {
                collect(part, patterns);
            }
        }
        Predicate::Text { needle } if !needle.is_empty() => patterns.push(regex::escape(needle)),
        Predicate::Regex {
            field: Field::Message,
            pattern,
        } => {
            patterns.push(format!("(?:{pattern})"));
        }
        Predicate::Field {
            field: Field::Message,
            test: Test::Glob(glob),
        } => {
            let pieces = glob.split('*').filter(|piece| !piece.is_empty());
            patterns.extend(pieces.map(|piece| {
                let parts: Vec<String> = piece.split('?').map(regex::escape).collect();
                parts.join(".")
            }));
        }
        Predicate::All
        | Predicate::Not(_)
        | Predicate::Text { .. }
        | Predicate::Regex { .. }
        | Predicate::Field { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, text: &str, expect: &[&str]) {
        let highlight = Highlight::new(&crate::parse(query).unwrap());
        let found: Vec<&str> = highlight.places(text).map(|place| &text[place]).collect();
        assert_eq!(found, expect, "{query}");
    }

    #[test]
    fn what_was_asked_for_is_marked() {
        check(
            "timeout",
            "a Timeout and a TIMEOUT",
            &["Timeout", "TIMEOUT"],
        );
        check("time OR timeout", "timeouts", &["timeout"]);
        check("/h+i/ ns:shop", "ohhhi shop", &["hhhi"]);
        check("GRÖSSE", "die größe, GRÖSSE", &["GRÖSSE"]);
        check("a*b?d", "xa--bcd", &["a", "bcd"]);
        check("a.c", "abc a.c", &["a.c"]);
        check("ok -bad", "ok bad", &["ok"]);
        check("/x*/", "axx", &["xx"]);
        check("*", "anything", &[]);
    }
}
