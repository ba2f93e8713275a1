//! Which characters belong together? Words, phrases, regular expressions and escapes, each with its place.

use std::ops::Range;

use super::error::QueryError;

/// A place in the query text; every step goes forward, so reading is linear.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// What a word or phrase says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Its characters with escapes resolved, in runs of plain text and wildcards.
    pub(super) pieces: Vec<Piece>,
    /// Its bytes in the query.
    pub(super) span: Range<usize>,
    /// Whether it stood in quotation marks.
    pub(super) quoted: bool,
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Characters that stand for themselves.
    Plain(String),
    /// `*`: any characters, or none.
    Any,
    /// `?`: one character.
    One,
}

/// Where a word stands, which decides what ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Where a field name may begin: a colon ends the word.
    Term,
    /// After a field's colon: further colons belong to the value (`image:registry:5000/app`).
    Value,
    /// Inside a range: its closing bracket ends the word.
    Bound,
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Steps over `token` if it stands here.
    pub(super) fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Steps over an operator's word, which must stand alone: `AND` but not `ANDROID` nor `AND:`.
    pub(super) fn take_operator(&mut self, operator: &str) -> bool {
        let found = self.rest().strip_prefix(operator).is_some_and(|after| {
            after
                .chars()
                .next()
                .is_none_or(|next| next.is_whitespace() || "()\"".contains(next))
        });
        if found {
            self.at += operator.len();
        }
        found
    }

    pub(super) fn error(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        hint: Option<&str>,
    ) -> QueryError {
        QueryError {
            query: self.text.to_owned(),
            span,
            message: message.into(),
            hint: hint.map(str::to_owned),
        }
    }

    /// The bytes of the query in `span`.
    pub(super) fn slice(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }

    /// Reads a phrase or a word; the word may be empty when a delimiter stands here.
    pub(super) fn word(&mut self, place: Place) -> Result<Word, QueryError> {
        if self.peek() == Some('"') {
            self.phrase()
        } else {
            self.bare_word(place)
        }
    }

    /// Reads `"…"`, in which only `\` is special.
    fn phrase(&mut self) -> Result<Word, QueryError> {
        let start = self.at;
        self.at += 1;
        let mut plain = String::new();
        loop {
            match self.peek() {
                None => {
                    let message = "this quotation mark is never closed";
                    return Err(self.error(start..start + 1, message, Some("add a \" at the end")));
                }
                Some('"') => {
                    self.at += 1;
                    let pieces = vec![Piece::Plain(plain)];
                    return Ok(Word {
                        pieces,
                        span: start..self.at,
                        quoted: true,
                    });
                }
                Some('\\') => plain.push(self.escape()?),
                Some(char) => {
                    self.at += char.len_utf8();
                    plain.push(char);
                }
            }
        }
    }

    fn bare_word(&mut self, place: Place) -> Result<Word, QueryError> {
        let start = self.at;
        let mut pieces = Vec::new();
        let mut plain = String::new();
        while let Some(char) = self.peek() {
            if self.ends_word(char, place) {
                break;
            }
            let wildcard = match char {
                '*' => Some(Piece::Any),
                '?' => Some(Piece::One),
                _ => None,
            };
            if let Some(wildcard) = wildcard {
                self.at += 1;
                if !plain.is_empty() {
                    pieces.push(Piece::Plain(std::mem::take(&mut plain)));
                }
                // `**` says no more than `*`, and costs a matcher more.
                if wildcard != Piece::Any || pieces.last() != Some(&Piece::Any) {
                    pieces.push(wildcard);
                }
            } else if char == '\\' {
                plain.push(self.escape()?);
            } else {
                self.at += char.len_utf8();
                plain.push(char);
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain));
        }
        Ok(Word {
            pieces,
            span: start..self.at,
            quoted: false,
        })
    }

    fn ends_word(&self, char: char, place: Place) -> bool {
        match char {
            '(' | ')' | '"' => true,
            ':' => place == Place::Term,
            ']' | '}' => place == Place::Bound,
            '&' => self.rest().starts_with("&&"),
            '|' => self.rest().starts_with("||"),
            _ => char.is_whitespace(),
        }
    }

    /// Reads `\` and what it protects: any sign stands for itself, `n`, `r` and `t` for line end, return and tab.
    fn escape(&mut self) -> Result<char, QueryError> {
        let start = self.at;
        self.at += 1;
        let hint = Some("write \\\\ for a backslash");
        let Some(char) = self.peek() else {
            return Err(self.error(start..self.at, "nothing follows the backslash", hint));
        };
        self.at += char.len_utf8();
        match char {
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            _ if char.is_alphanumeric() => {
                let message = format!("\\{char} means nothing");
                Err(self.error(start..self.at, message, hint))
            }
            _ => Ok(char),
        }
    }

    /// Reads `/pattern/`; gives the pattern with `\/` resolved and nothing else.
    pub(super) fn regex(&mut self) -> Result<(String, Range<usize>), QueryError> {
        let start = self.at;
        self.at += 1;
        let mut pattern = String::new();
        loop {
            let Some(char) = self.peek() else {
                let message = "this regular expression is never closed";
                let hint = "end it with /, or quote a path as \"/a/b\"";
                return Err(self.error(start..start + 1, message, Some(hint)));
            };
            self.at += char.len_utf8();
            match char {
                '/' => break,
                '\\' => match self.peek() {
                    Some('/') => {
                        self.at += 1;
                        pattern.push('/');
                    }
                    Some(next) => {
                        self.at += next.len_utf8();
                        pattern.push('\\');
                        pattern.push(next);
                    }
                    None => pattern.push('\\'),
                },
                _ => pattern.push(char),
            }
        }
        let after = self.at;
        if let Some(char) = self
            .peek()
            .filter(|&char| !self.ends_word(char, Place::Term))
        {
            let message = "text stands right behind the end of a regular expression";
            let hint = "put a space between them, or quote a path as \"/a/b\"";
            return Err(self.error(after..after + char.len_utf8(), message, Some(hint)));
        }
        Ok((pattern, start..after))
    }
}

// === impl Word ===

impl Word {
    /// The word as plain text, unless it has wildcards.
    pub(super) fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Plain(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it is a single `*`.
    pub(super) fn is_star(&self) -> bool {
        self.pieces == [Piece::Any]
    }
}
