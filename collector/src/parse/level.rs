//! How grave is a line, by its own words?
//!
//! Only forms that loggers write are believed: a word at the very beginning (`error: `, klog's `E1121 `, syslog's
//! `<3>`), a key (`level=error`, `"severity":"error"`), a word in brackets or between tabs, and an upper-case word that
//! stands alone. A sentence that merely speaks of errors has no level. The leftmost form counts, but what stands in
//! quotes counts less than what does not.
//!
//! Every line passes through here, so the text is looked at eight bytes or more at a step and mostly only once.

use memchr::memchr_iter;
use record::Level;

use self::delimited::{delimited, in_json, level_word};
use self::shouted::upper_word;

mod shouted;

mod delimited;

#[cfg(test)]
mod tests;

/// How far into a line its level is looked for, in bytes.
const HEAD_BYTES: usize = 256;

/// The same for a JSON object, where long members may stand before the level.
const JSON_HEAD_BYTES: usize = 1024;

/// The level of a message, [`Level::Unknown`] where its head does not tell.
pub fn level_of(message: &[u8]) -> Level {
    if message.first() == Some(&b'{') {
        return in_json(head(message, JSON_HEAD_BYTES));
    }
    let head = head(message, HEAD_BYTES);
    if let Some(level) = at_beginning(head) {
        return level;
    }
    let word = upper_word(head);
    // What stands left of an upper-case word counts first; if that word is a quotation, what stands right of it too.
    let (before, word) = match word {
        Some((at, level)) if !in_quotes(head, at) => (head.get(..at).unwrap_or(head), Some(level)),
        Some((_, level)) => (head, Some(level)),
        None => (head, None),
    };
    delimited(before).or(word).unwrap_or_default()
}

/// The first `length` bytes, without a word that goes on beyond them.
fn head(text: &[u8], length: usize) -> &[u8] {
    let Some(head) = text.get(..length).filter(|head| head.len() < text.len()) else {
        return text;
    };
    let cut = head
        .iter()
        .rev()
        .take(16)
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    head.get(..length - cut).unwrap_or(head)
}

/// Forms that only count as a line's first bytes.
fn at_beginning(text: &[u8]) -> Option<Level> {
    match *text.first()? {
        b'<' => syslog_priority(text),
        letter @ (b'I' | b'W' | b'E' | b'F') if is_klog(text) => Some(match letter {
            b'I' => Level::Info,
            b'W' => Level::Warn,
            b'E' => Level::Error,
            _ => Level::Fatal,
        }),
        letter if letter.is_ascii_alphabetic() => first_word(text),
        _ => None,
    }
}

/// `<3>`: the priority's low three bits are its severity (RFC 5424 section 6.2.1).
fn syslog_priority(text: &[u8]) -> Option<Level> {
    let digits = text
        .get(1..)?
        .iter()
        .take(4)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if !(1..=3).contains(&digits) || text.get(digits + 1) != Some(&b'>') {
        return None;
    }
    let number = text.get(1..=digits)?;
    let priority = number
        .iter()
        .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    (priority < 192).then(|| syslog_severity(priority & 7))
}

fn syslog_severity(number: u32) -> Level {
    match number {
        0..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        _ => Level::Debug,
    }
}

/// `E1121 10:00:00`: month and day after the letter, then the time.
fn is_klog(text: &[u8]) -> bool {
    match *text {
        [_, m0, m1, d0, d1, b' ', h0, h1, b':', ..] => {
            [m0, m1, d0, d1, h0, h1].iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// `error: `, `ERROR:root:`, `fail: ` and the beginnings of runtimes' last words.
fn first_word(text: &[u8]) -> Option<Level> {
    let length = text
        .iter()
        .take(12)
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let (word, rest) = text.split_at_checked(length)?;
    if let [b':', rest @ ..] = rest {
        let shouted = word.iter().all(u8::is_ascii_uppercase);
        if !(shouted || matches!(rest, [] | [b' ' | b'\r' | b'\n' | b'\t', ..])) {
            return None;
        }
        return match word {
            b"fail" => Some(Level::Error),
            b"dbug" | b"FINE" | b"CONFIG" => Some(Level::Debug),
            b"trce" | b"FINER" | b"FINEST" => Some(Level::Trace),
            // PostgreSQL.
            b"LOG" => Some(Level::Info),
            b"alert" | b"notice" | b"verbose" => None,
            word => level_word(word),
        };
    }
    match word {
        b"Traceback" if rest.starts_with(b" (most recent call last)") => Some(Level::Error),
        b"Exception" if rest.starts_with(b" in thread ") => Some(Level::Error),
        b"Unhandled" if rest.starts_with(b" exception") => Some(Level::Error),
        b"fatal" if rest.starts_with(b" error: ") => Some(Level::Fatal),
        _ => None,
    }
}

/// Whether an odd number of double quotes stands before `at`.
fn in_quotes(head: &[u8], at: usize) -> bool {
    head.get(..at)
        .is_some_and(|before| memchr_iter(b'"', before).count() % 2 == 1)
}
