//! Which words must a message have, if it is to fit a pattern? What an index of words can answer about text.
//!
//! The index has the words of each message as Unicode's word boundaries cut them (UAX #29), in lower case, those of more
//! than 255 characters in pieces. A run of ASCII letters and digits is never cut, so it lies within one word. Where the
//! run ends at a sign that always ends a word, or at the message's own edge, the word ends there too.

use serde_json::{Value, json};

/// Words beyond this many characters are cut.
const WORD_CHARACTERS_MAX: usize = 255;
/// More conditions make a query slower, not narrower.
const CONDITIONS_MAX: usize = 12;
/// A search for so short a part of a word would go through most words, so it is left out where there is anything else.
const PART_CHARACTERS_MIN: usize = 3;

/// A text that a message must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Whether the message begins with it.
    pub(super) first: bool,
    /// Whether the message ends with it.
    pub(super) last: bool,
}

/// A condition on one word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Whole(String),
    Begins(String),
    Part(String),
    Ends(String),
}

/// Whether text has anything that is indexed as a word; signs alone are not.
pub(super) fn has_word(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// The literal pieces of a pattern in which `*` and `?` stand for other text.
pub(super) fn pieces(pattern: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = pattern;
    let mut first = true;
    loop {
        let (text, after) = match rest.split_once(['*', '?']) {
            Some((text, after)) => (text, Some(after)),
            None => (rest, None),
        };
        if !text.is_empty() {
            found.push(Piece {
                text,
                first,
                last: after.is_none(),
            });
        }
        match after {
            Some(after) => rest = after,
            None => return found,
        }
        first = false;
    }
}

/// Queries that every message with these pieces passes; none where the index can't tell.
pub(super) fn conditions(pieces: &[Piece<'_>], field: &str) -> Vec<Value> {
    let mut words: Vec<Word> = pieces.iter().flat_map(|piece| words(*piece)).collect();
    words.sort_by_key(Word::cost);
    words.dedup();
    let cheap = words.iter().any(|word| word.cost().0 < 2);
    words
        .iter()
        .filter(|word| !cheap || !word.is_short())
        .take(CONDITIONS_MAX)
        .map(|word| word.query(field))
        .collect()
}

/// The words that a message with this piece has.
fn words(piece: Piece<'_>) -> Vec<Word> {
    let text = piece.text;
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text
        .get(at..)
        .and_then(|rest| rest.find(|c: char| c.is_ascii_alphanumeric()))
        .map(|offset| at + offset)
    {
        let rest = text.get(start..).unwrap_or_default();
        let length = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let (run, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let before = text.get(..start).unwrap_or_default();
        let begins = before.chars().next_back().map_or(piece.first, ends_word);
        let ends = after.chars().next().map_or(piece.last, ends_word);
        if run.len() < WORD_CHARACTERS_MAX {
            let run = run.to_ascii_lowercase();
            found.push(match (begins, ends) {
                (true, true) => Word::Whole(run),
                (true, false) => Word::Begins(run),
                (false, true) => Word::Ends(run),
                (false, false) => Word::Part(run),
            });
        }
        at = start + length;
    }
    found
}

/// Whether a word always ends before or after this character. Those that may join two words into one are left out
/// (`MidLetter`, `MidNum`, `MidNumLet`, `ExtendNumLet`), and so is whatever is not ASCII.
fn ends_word(sign: char) -> bool {
    sign.is_ascii() && !sign.is_ascii_alphanumeric() && !"_.:,;'".contains(sign)
}

// === impl Word ===

impl Word {
    fn text(&self) -> &str {
        match self {
            Self::Whole(text) | Self::Begins(text) | Self::Part(text) | Self::Ends(text) => text,
        }
    }

    fn is_short(&self) -> bool {
        matches!(self, Self::Part(_) | Self::Ends(_)) && self.text().len() < PART_CHARACTERS_MIN
    }

    /// How many words of the index must be looked at, roughly; the longer of two alike is the narrower.
    fn cost(&self) -> (u8, usize) {
        let rank = match self {
            Self::Whole(_) => 0,
            Self::Begins(_) => 1,
            Self::Part(_) | Self::Ends(_) => 2,
        };
        (rank, WORD_CHARACTERS_MAX.saturating_sub(self.text().len()))
    }

    fn query(&self, field: &str) -> Value {
        match self {
            Self::Whole(text) => json!({ "term": { field: { "value": text } } }),
            Self::Begins(text) => json!({ "prefix": { field: { "value": text } } }),
            Self::Part(text) => json!({ "wildcard": { field: { "value": format!("*{text}*") } } }),
            Self::Ends(text) => json!({ "wildcard": { field: { "value": format!("*{text}") } } }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, expect: &[Value]) {
        assert_eq!(conditions(&pieces(pattern), "message"), expect, "{pattern}");
    }

    fn wildcard(text: &str) -> Value {
        json!({ "wildcard": { "message": { "value": text } } })
    }

    fn term(text: &str) -> Value {
        json!({ "term": { "message": { "value": text } } })
    }

    #[test]
    fn what_stands_between_signs_is_a_whole_word() {
        check("*timeOut*", &[wildcard("*timeout*")]);
        check("*time*out*", &[wildcard("*time*"), wildcard("*out*")]);
        let prefix = json!({ "prefix": { "message": { "value": "by" } } });
        check(
            "*connection refused by*",
            &[term("refused"), prefix, wildcard("*connection")],
        );
        check("ready", &[term("ready")]);
        check(
            "*java.lang.Error*",
            &[wildcard("*error*"), wildcard("*java*"), wildcard("*lang*")],
        );
        check(
            "*(größe) ok!*",
            &[
                term("ok"),
                json!({ "prefix": { "message": { "value": "gr" } } }),
            ],
        );
        check(
            "*a (x) b*",
            &[
                term("x"),
                json!({ "prefix": { "message": { "value": "b" } } }),
            ],
        );
    }

    #[test]
    fn signs_alone_are_no_words() {
        check("*=>*", &[]);
        check("*", &[]);
        check("", &[]);
        assert!(!has_word("=> !"));
        assert!(has_word("日"));
    }
}
