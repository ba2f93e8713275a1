//! How do terms combine? A recursive descent over the text, one function per rule of the grammar.
//!
//! ```text
//! alternatives = conjunction { ("OR" | "||") conjunction }
//! conjunction  = negation { ["AND" | "&&"] negation }
//! negation     = ("NOT" | "!" | "-") negation | "+" negation | term
//! term         = "(" alternatives ")" | field ":" value | "/" regex "/" | word | phrase
//! value        = "(" alternatives ")" | (">" | ">=" | "<" | "<=" | "=") word | range | "/" regex "/" | word | phrase
//! range        = ("[" | "{") word "TO" word ("]" | "}")
//! ```
//!
//! Within the parentheses of a field's value each term is a value of that field.

use std::ops::Range;

use store::{Field, Predicate};

use super::cursor::{Cursor, Place};
use super::error::QueryError;
use super::{DEPTH_MAX, REGEXES_MAX, TERMS_MAX, fields, values};

/// Reads one query; the text is at most as long as the caller allows.
#[derive(Debug)]
pub(super) struct Grammar<'a> {
    cursor: Cursor<'a>,
    depth: usize,
    regexes: usize,
    terms: usize,
}

/// The field whose values are read, with its name as it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) field: &'a Field,
    pub(super) name: &'a str,
}

type Parsed = Result<Predicate, QueryError>;

// === impl Grammar ===

impl<'a> Grammar<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            cursor: Cursor::new(text),
            depth: 0,
            regexes: 0,
            terms: 0,
        }
    }

    /// Reads the whole text. Nothing but space finds everything.
    pub(super) fn query(mut self) -> Parsed {
        self.cursor.skip_space();
        if self.cursor.peek().is_none() {
            return Ok(Predicate::All);
        }
        let predicate = self.alternatives(None)?;
        // Terms are read as long as there are any: only a parenthesis can be left.
        if self.cursor.peek().is_none() {
            return Ok(predicate);
        }
        let at = self.cursor.at();
        let hint = "remove it, or quote it to find it as text";
        Err(self
            .cursor
            .error(at..at + 1, "this parenthesis was never opened", Some(hint)))
    }

    fn alternatives(&mut self, scope: Option<Scope<'_>>) -> Parsed {
        let mut parts = vec![self.conjunction(scope)?];
        while self.take_or() {
            parts.push(self.conjunction(scope)?);
        }
        Ok(single_or(parts, Predicate::Or))
    }

    fn conjunction(&mut self, scope: Option<Scope<'_>>) -> Parsed {
        let mut parts = vec![self.negation(scope)?];
        loop {
            self.cursor.skip_space();
            let joined = self.cursor.take("&&") || self.cursor.take_operator("AND");
            if !joined && (matches!(self.cursor.peek(), None | Some(')')) || self.at_or()) {
                return Ok(single_or(parts, Predicate::And));
            }
            parts.push(self.negation(scope)?);
        }
    }

    fn negation(&mut self, scope: Option<Scope<'_>>) -> Parsed {
        self.cursor.skip_space();
        let start = self.cursor.at();
        if self.cursor.take("!") || self.cursor.take_operator("NOT") || self.take_sign('-')? {
            let inner = self.deeper(start..self.cursor.at(), |own| own.negation(scope))?;
            return Ok(Predicate::Not(Box::new(inner)));
        }
        if self.take_sign('+')? {
            return self.deeper(start..self.cursor.at(), |own| own.negation(scope));
        }
        self.expect_term()?;
        self.terms += 1;
        if TERMS_MAX < self.terms {
            let message = format!("there are more than {TERMS_MAX} terms");
            return Err(self.cursor.error(start..start, message, None));
        }
        match scope {
            Some(scope) => self.value(scope),
            None => self.term(),
        }
    }

    fn term(&mut self) -> Parsed {
        match self.cursor.peek() {
            Some('(') => return self.group(None),
            Some('/') => {
                return self.regex(Scope {
                    field: &Field::Message,
                    name: "message",
                });
            }
            _ => {}
        }
        let word = self.cursor.word(Place::Term)?;
        if self.cursor.peek() != Some(':') || word.quoted {
            return values::text(&self.cursor, &word);
        }
        let name = self.cursor.slice(word.span.clone());
        let colon = self.cursor.at();
        self.cursor.take(":");
        if name.is_empty() {
            let hint = "quote it to find it as text";
            let message = "a field's name is missing before the colon";
            return Err(self.cursor.error(colon..colon + 1, message, Some(hint)));
        }
        if word.is_star() && self.cursor.take("*") {
            return Ok(Predicate::All);
        }
        let Some(field) = word.plain().and_then(fields::find) else {
            return Err(fields::unknown(&self.cursor, name, word.span));
        };
        self.cursor.skip_space();
        self.value(Scope {
            field: &field,
            name,
        })
    }

    fn value(&mut self, scope: Scope<'_>) -> Parsed {
        let start = self.cursor.at();
        match self.cursor.peek() {
            Some('(') => return self.group(Some(scope)),
            Some('[' | '{') => return self.range(scope),
            Some('/') => return self.regex(scope),
            _ => {}
        }
        for (sign, order) in values::SIGNS {
            if self.cursor.take(sign) {
                self.cursor.skip_space();
                let word = self.cursor.word(Place::Value)?;
                if word.span.is_empty() {
                    return Err(self.missing_value(scope, start..self.cursor.at()));
                }
                return match order {
                    None => values::exact(&self.cursor, scope, &word),
                    Some(order) => values::compare(&self.cursor, scope, order, &word),
                };
            }
        }
        let word = self.cursor.word(Place::Value)?;
        if word.span.is_empty() {
            return Err(self.missing_value(scope, start..start));
        }
        values::value(&self.cursor, scope, &word)
    }

    fn group(&mut self, scope: Option<Scope<'_>>) -> Parsed {
        let open = self.cursor.at();
        self.cursor.take("(");
        let inner = self.deeper(open..open + 1, |own| own.alternatives(scope))?;
        if self.cursor.take(")") {
            return Ok(inner);
        }
        let message = "this parenthesis is never closed";
        Err(self
            .cursor
            .error(open..open + 1, message, Some("add a ) at the end")))
    }

    fn range(&mut self, scope: Scope<'_>) -> Parsed {
        let open = self.cursor.at();
        let with_low = self.cursor.take("[");
        if !with_low {
            self.cursor.take("{");
        }
        self.cursor.skip_space();
        let low = self.cursor.word(Place::Bound)?;
        self.cursor.skip_space();
        let to = self.cursor.take("TO ") || self.cursor.take("TO\t");
        self.cursor.skip_space();
        let high = self.cursor.word(Place::Bound)?;
        self.cursor.skip_space();
        let with_high = self.cursor.take("]");
        let closed = with_high || self.cursor.take("}");
        if !to || !closed || low.span.is_empty() || high.span.is_empty() {
            let message = "this is no range";
            let hint = "write [1 TO 9], {1 TO 9} without its ends, or [1 TO *]";
            return Err(self.cursor.error(open..open + 1, message, Some(hint)));
        }
        values::range(&self.cursor, scope, (&low, with_low), (&high, with_high))
    }

    fn regex(&mut self, scope: Scope<'_>) -> Parsed {
        let (pattern, span) = self.cursor.regex()?;
        self.regexes += 1;
        if self.regexes > REGEXES_MAX {
            let message = format!("there are more than {REGEXES_MAX} regular expressions");
            let hint = "join them as /a|b/";
            return Err(self.cursor.error(span, message, Some(hint)));
        }
        values::regex(&self.cursor, scope, pattern, span)
    }

    /// Runs a rule one level deeper: the stack is bounded whatever the text is.
    fn deeper(&mut self, place: Range<usize>, rule: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth == DEPTH_MAX {
            let message = format!("more than {DEPTH_MAX} levels are nested here");
            return Err(self.cursor.error(place, message, None));
        }
        self.depth += 1;
        let parsed = rule(self);
        self.depth -= 1;
        parsed
    }

    fn take_or(&mut self) -> bool {
        self.cursor.skip_space();
        self.cursor.take("||") || self.cursor.take_operator("OR")
    }

    fn at_or(&self) -> bool {
        let mut ahead = self.cursor.clone();
        ahead.take("||") || ahead.take_operator("OR")
    }

    /// Steps over a sign that stands right before what it applies to.
    fn take_sign(&mut self, sign: char) -> Result<bool, QueryError> {
        let Some(after) = self.cursor.rest().strip_prefix(sign) else {
            return Ok(false);
        };
        if after.chars().next().is_none_or(char::is_whitespace) {
            let at = self.cursor.at();
            let message = format!("nothing follows the {sign}");
            let hint = "put it right before a term, or quote it to find it as text";
            return Err(self.cursor.error(at..at + 1, message, Some(hint)));
        }
        self.cursor.take(sign.encode_utf8(&mut [0; 4]));
        Ok(true)
    }

    /// Refuses whatever can't begin a term.
    fn expect_term(&self) -> Result<(), QueryError> {
        let at = self.cursor.at();
        let mut ahead = self.cursor.clone();
        let message = match ahead.peek() {
            None => "the query ends where a term should follow",
            Some(')') => "a term is missing before this parenthesis",
            Some(_) => {
                let operator = ahead.take("&&")
                    || ahead.take("||")
                    || ahead.take_operator("AND")
                    || ahead.take_operator("OR");
                if !operator {
                    return Ok(());
                }
                "a term is missing before this operator"
            }
        };
        let hint = (at < ahead.at()).then_some("quote the operator to find it as text");
        Err(self.cursor.error(at..ahead.at(), message, hint))
    }

    fn missing_value(&self, scope: Scope<'_>, span: Range<usize>) -> QueryError {
        let name = scope.name;
        let message = format!("a value for {name} is missing");
        let hint = format!("{name}:* finds what has the field at all");
        self.cursor.error(span, message, Some(&hint))
    }
}

/// A list of one is its only part.
fn single_or(
    mut parts: Vec<Predicate>,
    join: impl FnOnce(Vec<Predicate>) -> Predicate,
) -> Predicate {
    if parts.len() == 1 {
        parts.pop().unwrap_or(Predicate::All)
    } else {
        join(parts)
    }
}
