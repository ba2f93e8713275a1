//! Levels by any case where their form shows what they are: `[error]`, a word between tabs, `level=error`, JSON.

use std::sync::LazyLock;

use memchr::memchr3_iter;
use memchr::memmem::Finder;
use record::Level;

use super::syslog_severity;

/// Levels by any case, in the forms that stand in brackets, between tabs, or after a key.
pub(super) fn level_word(word: &[u8]) -> Option<Level> {
    let mut lower = [0; 13];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"info" | b"inf" | b"information" | b"informational" | b"notice" | b"note" => Level::Info,
        b"warn" | b"warning" | b"wrn" => Level::Warn,
        b"error" | b"err" | b"erro" | b"severe" => Level::Error,
        b"debug" | b"dbg" | b"debu" => Level::Debug,
        b"trace" | b"trc" | b"verbose" | b"vrb" => Level::Trace,
        b"fatal" | b"ftl" | b"fata" | b"critical" | b"crit" | b"panic" | b"pani" | b"dpanic"
        | b"emerg" | b"emergency" | b"alert" => Level::Fatal,
        _ => return None,
    })
}

/// The first level in brackets, between tabs, or after the key of a `key=value` pair.
pub(super) fn delimited(text: &[u8]) -> Option<Level> {
    memchr3_iter(b'[', b'\t', b'=', text).find_map(|at| {
        let (before, rest) = text.split_at_checked(at)?;
        let (&sign, rest) = rest.split_first()?;
        match sign {
            b'=' => keyed(before, rest),
            b'[' => bracketed(rest),
            _ => {
                let length = letters(rest);
                let word = rest
                    .get(..length)
                    .filter(|_| rest.get(length) == Some(&b'\t'))?;
                level_word(word)
            }
        }
    })
}

/// `error]`, ` warn ]`, or Apache's `core:error]`.
fn bracketed(inside: &[u8]) -> Option<Level> {
    let inside = inside.trim_ascii_start();
    let length = letters_and_names(inside);
    let (word, rest) = inside.split_at_checked(length)?;
    let (word, rest) = match rest {
        [b':', rest @ ..] => rest.split_at_checked(letters(rest))?,
        rest => (word, rest),
    };
    if rest.trim_ascii_start().first() == Some(&b']') {
        level_word(word)
    } else {
        None
    }
}

/// How many letters a word begins with; 13 at most, the longest level.
fn letters(text: &[u8]) -> usize {
    text.iter()
        .take(13)
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count()
}

/// The same with `_`, as module names have it, up to 32.
fn letters_and_names(text: &[u8]) -> usize {
    text.iter()
        .take(32)
        .take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_')
        .count()
}

/// `level=error`: the key ends before the `=`, the value begins after it.
fn keyed(before: &[u8], value: &[u8]) -> Option<Level> {
    // Most keys end otherwise.
    if !matches!(before.last(), Some(b'l' | b'L' | b'y' | b'Y')) {
        return None;
    }
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'_' | b'.' | b'-');
    let length = before.iter().rev().take(16).take_while(is_name).count();
    let key = before.get(before.len() - length..)?;
    if !is_level_key(key) {
        return None;
    }
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    value_level(key, value)
}

/// Whether a key, of JSON or of a pair, names a level.
fn is_level_key(key: &[u8]) -> bool {
    const KEYS: [&[u8]; 12] = [
        b"level",
        b"lvl",
        b"severity",
        b"log.level",
        b"loglevel",
        b"log_level",
        b"levelname",
        b"level_name",
        b"severity_text",
        b"severitytext",
        b"log-level",
        b"@l",
    ];
    KEYS.iter().any(|name| key.eq_ignore_ascii_case(name))
}

/// The level that a value begins with: a word, one of pino's tens, or a syslog severity.
fn value_level(key: &[u8], value: &[u8]) -> Option<Level> {
    let value = value.trim_ascii_start();
    let length = letters(value);
    if length > 0 {
        let (word, after) = value.split_at_checked(length)?;
        let ends = after
            .first()
            .is_none_or(|byte| !byte.is_ascii_alphanumeric());
        return if ends { level_word(word) } else { None };
    }
    let digits = value
        .iter()
        .take(3)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (number, after) = value.split_at_checked(digits)?;
    if after
        .first()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.')
    {
        return None;
    }
    match number {
        b"10" => Some(Level::Trace),
        b"20" => Some(Level::Debug),
        b"30" => Some(Level::Info),
        b"40" => Some(Level::Warn),
        b"50" => Some(Level::Error),
        b"60" => Some(Level::Fatal),
        [digit @ b'0'..=b'7'] if key == b"level" || key == b"severity" => {
            Some(syslog_severity(u32::from(digit - b'0')))
        }
        _ => None,
    }
}

/// Parts of keys that are rare elsewhere, whatever the case of their first letter.
static JSON_KEYS: LazyLock<[Finder<'static>; 4]> = LazyLock::new(|| {
    [
        Finder::new("evel"),
        Finder::new("everity"),
        // `lvl` and `@l`.
        Finder::new("l\""),
        Finder::new("\"s\":\""),
    ]
});

/// The level of a JSON object: the first member, at any depth, whose key names one and whose value is one.
pub(super) fn in_json(head: &[u8]) -> Level {
    let [level, severity, short, mongo] = &*JSON_KEYS;
    for finder in [level, severity, short] {
        let found = finder.find_iter(head).find_map(|at| {
            let (key, value) = json_member(head, at)?;
            is_level_key(key).then(|| value_level(key, value)).flatten()
        });
        if let Some(level) = found {
            return level;
        }
    }
    // MongoDB: `"s":"I"`.
    let value = mongo
        .find(head)
        .and_then(|at| head.get(at + 5..))
        .unwrap_or_default();
    match value {
        [b'F', b'"', ..] => Level::Fatal,
        [b'E', b'"', ..] => Level::Error,
        [b'W', b'"', ..] => Level::Warn,
        [b'I', b'"', ..] => Level::Info,
        [b'D', b'1'..=b'5', b'"', ..] | [b'D', b'"', ..] => Level::Debug,
        _ => Level::Unknown,
    }
}

/// The key that has a byte of it at `at`, and what its value begins with (after the quote, if it has one).
fn json_member(head: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    const KEY_BYTES_MAX: usize = 16;
    let before = head.get(..at)?;
    let is_key = |byte: &&u8| **byte != b'"' && **byte != b'\\';
    let start = before
        .iter()
        .rev()
        .take(KEY_BYTES_MAX)
        .take_while(is_key)
        .count();
    let from = at - start;
    let start = from.checked_sub(1)?;
    if head.get(start) != Some(&b'"')
        || start.checked_sub(1).and_then(|at| head.get(at)) == Some(&b'\\')
    {
        return None;
    }
    let inside = head.get(from..)?;
    let length = inside.iter().take(KEY_BYTES_MAX).take_while(is_key).count();
    let (key, rest) = inside.split_at_checked(length)?;
    let rest = rest.strip_prefix(b"\"")?.trim_ascii_start();
    let value = rest.strip_prefix(b":")?.trim_ascii_start();
    Some((key, value.strip_prefix(b"\"").unwrap_or(value)))
}
