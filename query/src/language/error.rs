//! What is wrong with a query, and where?

use std::fmt;
use std::ops::Range;

/// How much of the query is shown on either side of the place, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// Why a query was refused: the place, what is wrong there, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// The query as it was given; empty when it was too long to be read at all.
    pub query: String,
    /// The bytes of `query` that are wrong. Empty at the end when something is missing there.
    pub span: Range<usize>,
    /// What is wrong, in lower case and without a period.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Shows an error as two lines: the query, and carets under the place with what is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(&'a QueryError);

// === impl QueryError ===

impl QueryError {
    /// The error as two lines for a person, without a newline at the end.
    ///
    /// Control characters are shown as `?`, so that a pasted query can't steer the terminal.
    pub fn show(&self) -> Shown<'_> {
        Shown(self)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueryError {
            query,
            span,
            message,
            hint,
        } = self.0;
        let before = query.get(..span.start).unwrap_or_default();
        let place = query.get(span.clone()).unwrap_or_default();
        let after = query.get(span.end..).unwrap_or_default();
        let before_chars = before.chars().count();
        let cut = before_chars.saturating_sub(SHOWN_CHARS_MAX);
        let lead = if cut > 0 { "… " } else { "" };
        let place_chars = place.chars().count().min(SHOWN_CHARS_MAX);
        let visible = |char: char| if char.is_control() { '?' } else { char };
        let shown: String = before
            .chars()
            .skip(cut)
            .chain(place.chars().take(place_chars))
            .chain(after.chars().take(SHOWN_CHARS_MAX))
            .map(visible)
            .collect();
        writeln!(f, "{lead}{shown}")?;
        let indent = lead.chars().count() + before_chars - cut;
        let carets = "^".repeat(place_chars.max(1));
        write!(
            f,
            "{:indent$}{carets} {}",
            "",
            message.replace(char::is_control, "?")
        )?;
        match hint {
            Some(hint) => write!(f, "; {}", hint.replace(char::is_control, "?")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, span: Range<usize>, expect: &str) {
        let error = QueryError {
            query: query.to_owned(),
            span,
            message: "wrong".to_owned(),
            hint: Some("try x".to_owned()),
        };
        assert_eq!(error.show().to_string(), expect);
    }

    #[test]
    fn the_carets_stand_under_the_place() {
        check("level:eror", 6..10, "level:eror\n      ^^^^ wrong; try x");
        check("größe:1", 0..7, "größe:1\n^^^^^ wrong; try x");
        check("a OR", 4..4, "a OR\n    ^ wrong; try x");
        check("a\u{1b}[2J", 0..1, "a?[2J\n^ wrong; try x");
    }

    #[test]
    fn a_long_query_is_cut_around_the_place() {
        let long = format!("{}!{}", "a".repeat(1000), "b".repeat(1000));
        let error = QueryError {
            query: long,
            span: 1000..1001,
            message: "wrong".to_owned(),
            hint: None,
        };
        let shown = error.show().to_string();
        let (first, second) = shown.split_once('\n').unwrap();
        assert_eq!(first.chars().count(), 2 + 60 + 1 + 60);
        assert_eq!(first.chars().nth(second.find('^').unwrap()), Some('!'));
    }
}
