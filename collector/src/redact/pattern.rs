//! What is a secret called, and how is it found?

use std::ops::Range;
use std::sync::Arc;

use regex::{Regex, RegexBuilder, bytes};

use super::{RawPattern, card, email, password, private_key, token};

/// How large a compiled pattern may be, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// How many matches of one expression are looked for in one line. What follows the last of them is replaced as a whole:
/// an expression can cost a line's length for each of its matches.
const MATCHES_MAX: u64 = 100;
/// The longest name of a pattern, in bytes.
const NAME_BYTES_MAX: usize = 40;

/// A pattern that can be used.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) name: Arc<str>,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    /// A place that can be found fast, and what decides from there.
    BuiltIn(&'static BuiltIn, Option<bytes::Regex>),
    Expression(Regex),
}

/// One of the patterns that need no expression.
#[derive(Debug)]
struct BuiltIn {
    name: &'static str,
    about: &'static str,
    /// A regular expression of few literals; empty where every byte must be looked at.
    anchor: &'static str,
    finder: Finder,
}

/// Decides what of a text is the secret, given where its anchor is and where nothing was replaced yet. If there is
/// none, says from where on to look for the next anchor.
type Finder = fn(text: &[u8], anchor: Range<usize>, floor: usize) -> Result<Range<usize>, usize>;

/// A pattern that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// Too many patterns.
    #[error("read more than {} patterns", super::PATTERNS_MAX)]
    TooMany,
    /// A name that is neither built in nor has an expression.
    #[error("find a built-in pattern {0:?}: there is none; give it a `pattern`")]
    Unknown(String),
    /// A name that can't stand in a line.
    #[error("name a pattern {0:?}: only lower-case letters, digits and _, at most 40")]
    Name(String),
    /// The same name twice.
    #[error("name two patterns {0:?}")]
    Twice(String),
    /// An expression under a name that is built in.
    #[error("give the built-in pattern {0:?} an expression: choose another name for it")]
    Taken(String),
    /// A pattern that is not a regular expression.
    #[error("read the pattern {name:?}")]
    Expression {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: regex::Error,
    },
    /// An expression that matches everywhere.
    #[error("use the pattern {0:?}: it matches the empty text")]
    Empty(String),
}

const BUILT_IN: [BuiltIn; 7] = [
    BuiltIn {
        name: "aws_access_key",
        about: "AWS access key ids, `AKIA…` and `ASIA…`",
        anchor: "AKIA|ASIA",
        finder: token::aws_access_key,
    },
    BuiltIn {
        name: "bearer",
        about: "the token after `Bearer`",
        anchor: "(?i:bearer[ \t])",
        finder: token::bearer,
    },
    BuiltIn {
        name: "credit_card",
        about: "card numbers by length, issuer and check digit, with or without separators",
        anchor: "",
        finder: card::find,
    },
    BuiltIn {
        name: "email",
        about: "e-mail addresses",
        anchor: "@",
        finder: email::find,
    },
    BuiltIn {
        name: "jwt",
        about: "JSON web tokens, `eyJ….eyJ….…`",
        anchor: "eyJ",
        finder: token::jwt,
    },
    BuiltIn {
        name: "password",
        about: "the value of `password`, `passwd`, `passphrase`, `pwd`, `client_secret` or `secret_key`, with `=` or `:`",
        anchor: password::ANCHOR,
        finder: password::find,
    },
    BuiltIn {
        name: "private_key",
        about: "PEM blocks of private keys, in one record or line by line",
        anchor: private_key::ANCHOR,
        finder: private_key::find,
    },
];

/// The names of the built-in patterns, sorted, with what each one finds.
pub fn builtin() -> impl Iterator<Item = (&'static str, &'static str)> {
    BUILT_IN
        .iter()
        .map(|built_in| (built_in.name, built_in.about))
}

/// A regular expression over bytes of ASCII literals.
fn anchor_regex(anchor: &str) -> Option<bytes::Regex> {
    bytes::RegexBuilder::new(anchor).unicode(false).build().ok()
}

// === impl Pattern ===

impl Pattern {
    pub(super) fn new(raw: &RawPattern) -> Result<Self, PatternError> {
        let name = || raw.name.clone();
        let plain = raw
            .name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !plain || raw.name.is_empty() || raw.name.len() > NAME_BYTES_MAX {
            return Err(PatternError::Name(name()));
        }
        let built_in = BUILT_IN.iter().find(|built_in| built_in.name == raw.name);
        let how = match (built_in, &raw.pattern) {
            (Some(_), Some(_)) => return Err(PatternError::Taken(name())),
            (None, None) => return Err(PatternError::Unknown(name())),
            (Some(built_in), None) => How::BuiltIn(
                built_in,
                Some(built_in.anchor)
                    .filter(|anchor| !anchor.is_empty())
                    .and_then(anchor_regex),
            ),
            (None, Some(pattern)) => {
                let regex = RegexBuilder::new(pattern)
                    .size_limit(PATTERN_BYTES_MAX)
                    .build()
                    .map_err(|source| PatternError::Expression {
                        name: name(),
                        source,
                    })?;
                if regex.is_match("") {
                    return Err(PatternError::Empty(name()));
                }
                How::Expression(regex)
            }
        };
        Ok(Self {
            name: Arc::from(raw.name.as_str()),
            how,
        })
    }

    /// What it begins with, if that can be searched for.
    pub(super) fn anchor(&self) -> Option<bytes::Regex> {
        match &self.how {
            How::BuiltIn(_, anchor) => anchor.clone(),
            How::Expression(_) => None,
        }
    }

    pub(super) fn expression(&self) -> Option<&str> {
        match &self.how {
            How::BuiltIn(..) => None,
            How::Expression(regex) => Some(regex.as_str()),
        }
    }

    pub(super) fn is_card(&self) -> bool {
        matches!(self.how, How::BuiltIn(_, None))
    }

    pub(super) fn is_password(&self) -> bool {
        matches!(self.how, How::BuiltIn(..)) && &*self.name == "password"
    }

    pub(super) fn is_private_key(&self) -> bool {
        matches!(self.how, How::BuiltIn(..)) && &*self.name == "private_key"
    }

    /// Appends what stands in the place of a secret.
    pub(super) fn write_name(&self, out: &mut String) {
        out.push_str("[redacted:");
        out.push_str(&self.name);
        out.push(']');
    }

    /// Writes `text` without its secrets to `out` and says how many there were; writes nothing when there are none.
    pub(super) fn replace(&self, text: &str, out: &mut String) -> u64 {
        match &self.how {
            How::BuiltIn(built_in, anchor) => {
                self.replace_found(text, out, built_in.finder, anchor.as_ref())
            }
            How::Expression(regex) => self.replace_matches(text, out, regex),
        }
    }

    fn replace_found(
        &self,
        text: &str,
        out: &mut String,
        finder: Finder,
        anchor: Option<&bytes::Regex>,
    ) -> u64 {
        let bytes = text.as_bytes();
        let (mut done, mut from, mut replaced) = (0, 0, 0);
        while from <= bytes.len() {
            let at = match anchor {
                None => from..from,
                Some(anchor) => match anchor.find_at(bytes, from) {
                    Some(found) => found.range(),
                    None => break,
                },
            };
            match finder(bytes, at, done) {
                Ok(secret) => {
                    out.push_str(text.get(done..secret.start).unwrap_or_default());
                    self.write_name(out);
                    (done, from) = (secret.end, secret.end);
                    replaced += 1;
                }
                Err(next) => from = next,
            }
        }
        if replaced > 0 {
            out.push_str(text.get(done..).unwrap_or_default());
        }
        replaced
    }

    fn replace_matches(&self, text: &str, out: &mut String, regex: &Regex) -> u64 {
        let mut found = regex.capture_locations();
        let (mut done, mut from, mut replaced) = (0, 0, 0);
        while let Some(whole) = regex.captures_read_at(&mut found, text, from) {
            let secret = found.get(1).unwrap_or((whole.start(), whole.end()));
            // A match can be empty between others, and a group can be empty within one.
            from = if whole.is_empty() {
                next_char(text, whole.end())
            } else {
                whole.end()
            };
            if secret.0 < secret.1 {
                out.push_str(text.get(done..secret.0).unwrap_or_default());
                self.write_name(out);
                done = secret.1;
                replaced += 1;
                if replaced == MATCHES_MAX {
                    done = text.len();
                }
            }
            if from >= text.len() || done == text.len() {
                break;
            }
        }
        if replaced > 0 {
            out.push_str(text.get(done..).unwrap_or_default());
        }
        replaced
    }
}

fn next_char(text: &str, at: usize) -> usize {
    text.ceil_char_boundary((at + 1).min(text.len()))
}
