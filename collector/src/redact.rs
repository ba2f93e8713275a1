//! Which words must not leave the node? Secrets in messages, replaced by the name of what they are.
//!
//! A pattern is one of those that are built in ([`builtin`]) or a regular expression. What it matches is replaced by
//! `[redacted:<name>]` before anything else sees the line: the sink, metrics made of it, the embedded store. Ids are made
//! of offsets, so a replay meets its first copy all the same. A line in which nothing looks like the beginning of a
//! secret costs one search for a handful of literals.
//!
//! Known limits: a secret that is cut by `line_bytes_max`, or split over two lines, is not seen, but for a private key in
//! its usual form; of that, the lines that follow the first one are known only while the process lives.

use std::sync::Arc;

use memchr::memchr;
use record::{Entry, OutputStream};
use regex::RegexSet;
use regex::bytes;
use serde::{Deserialize, Serialize};

use crate::parse;

mod card;

mod email;

mod password;

mod private_key;

mod token;

mod pattern;

mod json;

#[cfg(test)]
mod tests;

pub use self::pattern::{PatternError, builtin};
pub use self::private_key::Unfinished;

use self::pattern::Pattern;

/// How many patterns there may be.
pub const PATTERNS_MAX: usize = 50;

/// One pattern as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawPattern {
    /// What stands in the place of what it matches; one of [`builtin`] where there is no `pattern`.
    pub name: String,
    /// A regular expression; what its first group matches is replaced, without groups all that it matches.
    pub pattern: Option<String>,
}

/// What is replaced.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    patterns: Vec<Pattern>,
}

/// Replaces.
#[derive(Debug)]
pub struct Redactor {
    scrubber: Scrubber,
    /// The beginnings of everything that is built in and was chosen, but for card numbers. One search for each is faster
    /// than one for all: few literals are found many bytes at a step, many are not.
    anchors: Vec<bytes::Regex>,
    cards: bool,
    private_keys: Option<usize>,
    expressions: Option<RegexSet>,
    /// What patterns that are not chosen any more have counted.
    retired: Vec<(Arc<str>, u64)>,
    text: String,
    spare: String,
}

/// The patterns and their counts.
#[derive(Debug, Default)]
struct Scrubber {
    patterns: Vec<Pattern>,
    counts: Vec<u64>,
}

// === impl Settings ===

impl Settings {
    /// Checks what a person wrote; gives every problem, not the first one.
    pub fn new(raw: &[RawPattern]) -> Result<Self, Vec<PatternError>> {
        let mut patterns: Vec<Pattern> = Vec::new();
        let mut problems = Vec::new();
        if raw.len() > PATTERNS_MAX {
            problems.push(PatternError::TooMany);
        }
        for raw in raw.iter().take(PATTERNS_MAX) {
            match Pattern::new(raw) {
                Ok(pattern) if patterns.iter().any(|other| other.name == pattern.name) => {
                    problems.push(PatternError::Twice(raw.name.clone()));
                }
                Ok(pattern) => patterns.push(pattern),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(Self { patterns })
        } else {
            Err(problems)
        }
    }
}

// === impl Redactor ===

impl Redactor {
    /// One that replaces what was chosen; nothing, if nothing was.
    pub fn new(settings: Settings) -> Self {
        let patterns = settings.patterns;
        let expressions: Vec<&str> = patterns.iter().filter_map(Pattern::expression).collect();
        Self {
            anchors: patterns.iter().filter_map(Pattern::anchor).collect(),
            cards: patterns.iter().any(Pattern::is_card),
            private_keys: patterns.iter().position(Pattern::is_private_key),
            expressions: RegexSet::new(&expressions)
                .ok()
                .filter(|set| !set.is_empty()),
            scrubber: Scrubber {
                counts: vec![0; patterns.len()],
                patterns,
            },
            retired: Vec::new(),
            text: String::new(),
            spare: String::new(),
        }
    }

    /// Takes other settings; counts go on.
    pub fn reconfigure(&mut self, settings: Settings) {
        let mut counts = self.counts();
        let mut new = Self::new(settings);
        let places = new.scrubber.patterns.iter().zip(&mut new.scrubber.counts);
        for (pattern, count) in places {
            if let Some(at) = counts.iter().position(|(name, _)| *name == pattern.name) {
                *count = counts.swap_remove(at).1;
            }
        }
        counts.retain(|(_, count)| *count > 0);
        new.retired = counts;
        *self = new;
    }

    /// How often each pattern was replaced.
    pub fn counts(&self) -> Vec<(Arc<str>, u64)> {
        let names = self.scrubber.patterns.iter().map(|pattern| &pattern.name);
        let own = names
            .map(Arc::clone)
            .zip(self.scrubber.counts.iter().copied());
        own.chain(self.retired.iter().cloned()).collect()
    }

    /// The entry without the secrets in its message and its JSON body. `unfinished` belongs to the entry's stream.
    ///
    /// A body that is no JSON object any more is left out; the message has it all.
    pub fn redact<'a>(&'a mut self, unfinished: &mut Unfinished, entry: &Entry<'a>) -> Entry<'a> {
        if self.scrubber.patterns.is_empty() {
            return *entry;
        }
        if let Some(place) = self.private_keys
            && unfinished.continues(entry.output, entry.message)
        {
            self.scrubber.hit(place, &mut self.text);
            return Entry {
                message: &self.text,
                app: None,
                ..*entry
            };
        }
        if !self.suspects(entry) {
            return *entry;
        }
        self.text.clear();
        let mut changed = false;
        match entry.app {
            Some(app) => changed |= json::scrub(app, &mut self.scrubber, &mut self.text),
            None => self.text.push_str(entry.message),
        }
        // Again as plain text: an expression may have been written for what stands between the strings.
        changed |= self.scrubber.scrub(&mut self.text, &mut self.spare);
        if self.private_keys.is_some() {
            unfinished.note(entry.output, entry.message);
        }
        if !changed {
            return *entry;
        }
        Entry {
            message: &self.text,
            app: entry.app.and_then(|_| parse::app_of(&self.text)),
            ..*entry
        }
    }

    /// Whether something in the line looks like the beginning of a secret.
    fn suspects(&self, entry: &Entry<'_>) -> bool {
        let text = entry.message.as_bytes();
        let expected = |set: &RegexSet| set.is_match(entry.message);
        self.anchors.iter().any(|anchor| anchor.is_match(text))
            || (self.cards && card::is_likely(text))
            || self.expressions.as_ref().is_some_and(expected)
            // In a JSON body anything can stand in another spelling.
            || (entry.app.is_some() && memchr(b'\\', text).is_some())
    }
}

// === impl Scrubber ===

impl Scrubber {
    /// Replaces what any pattern finds; `spare` is only lent.
    fn scrub(&mut self, text: &mut String, spare: &mut String) -> bool {
        let mut changed = false;
        for (pattern, count) in self.patterns.iter().zip(&mut self.counts) {
            spare.clear();
            let replaced = pattern.replace(text, spare);
            if replaced > 0 {
                *count += replaced;
                std::mem::swap(text, spare);
                changed = true;
            }
        }
        changed
    }

    /// Replaces a text as a whole, by the pattern at this place.
    fn hit(&mut self, place: usize, text: &mut String) {
        text.clear();
        if let Some(pattern) = self.patterns.get(place) {
            pattern.write_name(text);
        }
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }

    /// The pattern that replaces a JSON member's value because of the member's name.
    fn by_name(&self, name: &str) -> Option<usize> {
        let place = self.patterns.iter().position(Pattern::is_password)?;
        password::is_key(name.as_bytes()).then_some(place)
    }
}

/// The outputs of a stream, as places of a list.
fn place_of(output: OutputStream) -> usize {
    output as usize
}
