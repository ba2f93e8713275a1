//! How grave is a line, by its own words?
//!
//! Only forms that loggers write are believed: a word at the very beginning (`error: `, klog's `E1121 `, syslog's
//! `<3>`), a key (`level=error`, `"severity":"error"`), a word in brackets or between tabs, and an upper-case word that
//! stands alone. A sentence that merely speaks of errors has no level. The leftmost form counts, but what stands in
//! quotes counts less than what does not.
//!
//! Every line passes through here, so the text is looked at eight bytes or more at a step and mostly only once.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr_iter, memchr3_iter};
use record::Level;

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
            b"dbug" => Some(Level::Debug),
            b"trce" => Some(Level::Trace),
            b"FINE" | b"CONFIG" => Some(Level::Debug),
            b"FINER" | b"FINEST" => Some(Level::Trace),
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

/// Levels by any case, in the forms that stand in brackets, between tabs, or after a key.
fn level_word(word: &[u8]) -> Option<Level> {
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

/// The first upper-case word that is a level and stands alone, and where it begins.
fn upper_word(head: &[u8]) -> Option<(usize, Level)> {
    let mut at = 0;
    while let Some(run) = upper_run(head, at) {
        let inside = head.get(run..)?;
        let length = inside
            .iter()
            .take_while(|byte| byte.is_ascii_uppercase())
            .count();
        let (word, after) = inside.split_at_checked(length)?;
        if let Some(level) = shouted_level(word, after)
            && stands_alone(head.get(..run)?, word, after)
        {
            return Some((run, level));
        }
        at = run + length.max(1);
    }
    None
}

/// Where the next run of three or more upper-case letters begins, at `from` or after it.
///
/// Words of eight bytes are read every six, so that three in a row are always seen together.
fn upper_run(text: &[u8], from: usize) -> Option<usize> {
    const STEP: usize = 6;
    let mut at = from;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let hits = three_upper(u64::from_le_bytes(*chunk));
        if hits != 0 {
            return Some(at + hits.trailing_zeros() as usize / 8);
        }
        at += STEP;
    }
    let rest = text.get(at..)?;
    let mut chunk = [0; 8];
    chunk.get_mut(..rest.len())?.copy_from_slice(rest);
    let hits = three_upper(u64::from_le_bytes(chunk));
    (hits != 0).then(|| at + hits.trailing_zeros() as usize / 8)
}

/// Marks the high bit of each byte with which three upper-case ASCII letters begin.
fn three_upper(word: u64) -> u64 {
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low = word & !HIGHS;
    // Per byte and without carries: the high bit is set from `A` on, and from the byte after `Z` on.
    let from_a = low + ONES * (0x80 - b'A' as u64);
    let past_z = low + ONES * (0x7f - b'Z' as u64);
    let upper = from_a & !past_z & !word & HIGHS;
    upper & (upper >> 8) & (upper >> 16)
}

/// The level of an upper-case word, by what may follow it.
fn shouted_level(word: &[u8], after: &[u8]) -> Option<Level> {
    let level = match word {
        b"ERROR" | b"ERRO" | b"SEVERE" => Level::Error,
        b"WARN" | b"WARNING" => Level::Warn,
        b"INFO" | b"NOTICE" => Level::Info,
        b"DEBUG" | b"DEBU" => Level::Debug,
        // Not the HTTP method.
        b"TRACE" if !after.starts_with(b" /") && !after.starts_with(b" http") => Level::Trace,
        b"VERBOSE" => Level::Trace,
        b"FATAL" | b"FATA" | b"CRITICAL" | b"CRIT" | b"PANIC" | b"PANI" | b"EMERG"
        | b"EMERGENCY" | b"ALERT" => Level::Fatal,
        b"ERR" => Level::Error,
        b"WRN" => Level::Warn,
        b"INF" => Level::Info,
        b"DBG" => Level::Debug,
        b"TRC" | b"VRB" => Level::Trace,
        b"FTL" => Level::Fatal,
        _ => return None,
    };
    // Three letters are a level only where nothing but a column's end follows: `INF` is a number too.
    let column = matches!(
        after.first(),
        None | Some(b' ' | b']' | b'|' | b'\t' | b'\x1b')
    );
    (word.len() > 3 || column).then_some(level)
}

/// Whether an upper-case word is a word of its own and no name, path, key or count.
fn stands_alone(before: &[u8], word: &[u8], after: &[u8]) -> bool {
    let begins = match before.last() {
        None
        | Some(b' ' | b'\t' | b'[' | b'(' | b'|' | b':' | b'<' | b'*' | b'>' | b'{' | b'-') => {
            // `10:00:00-INFO-x` and `-ERROR` are columns, `NO-ERROR` is a name.
            !matches!(before, [.., b'A'..=b'Z' | b'a'..=b'z', b'-'])
        }
        Some(b',' | b';') => true,
        Some(b'"' | b'\'') => false,
        // Monolog's `channel.ERROR: `.
        Some(b'.') => after.starts_with(b": "),
        Some(b'm') => ends_with_colour(before),
        Some(_) => false,
    };
    let ends = match after.first() {
        None => true,
        Some(b'=' | b'_' | b'"' | b'\'' | b'.') => matches!(after, [b'.', b' ', ..] | [b'.']),
        Some(b'-') => !after.get(1).is_some_and(u8::is_ascii_alphabetic) || before.ends_with(b"-"),
        Some(byte) => !byte.is_ascii_alphanumeric() && byte.is_ascii(),
    };
    // Three letters are few: only a column's own edges are believed.
    let edge = word.len() > 3
        || matches!(
            before.last(),
            None | Some(b' ' | b'\t' | b'[' | b'|' | b'm')
        );
    begins && ends && edge
}

/// Whether a terminal's colour (`ESC [ 3 1 m`) ends here.
fn ends_with_colour(before: &[u8]) -> bool {
    let Some((_, before)) = before.split_last() else {
        return false;
    };
    let codes = before.iter().rev().take(12);
    let length = codes
        .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
        .count();
    before
        .get(..before.len() - length)
        .is_some_and(|before| before.ends_with(b"\x1b["))
}

/// Whether an odd number of double quotes stands before `at`.
fn in_quotes(head: &[u8], at: usize) -> bool {
    head.get(..at)
        .is_some_and(|before| memchr_iter(b'"', before).count() % 2 == 1)
}

/// The first level in brackets, between tabs, or after the key of a `key=value` pair.
fn delimited(text: &[u8]) -> Option<Level> {
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
static JSON_KEYS: LazyLock<[Finder<'static>; 5]> = LazyLock::new(|| {
    [
        Finder::new("evel"),
        Finder::new("everity"),
        Finder::new("\"lvl\""),
        Finder::new("\"@l\""),
        Finder::new("\"s\":\""),
    ]
});

/// The level of a JSON object: the first member, at any depth, whose key names one and whose value is one.
fn in_json(head: &[u8]) -> Level {
    let [level, severity, short, compact, mongo] = &*JSON_KEYS;
    for finder in [level, severity, short, compact] {
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
    let (before, rest) = head.split_at_checked(at)?;
    let is_key = |byte: &&u8| **byte != b'"' && **byte != b'\\';
    let start = before
        .iter()
        .rev()
        .take(KEY_BYTES_MAX)
        .take_while(is_key)
        .count();
    // The finder may have stopped on the opening quote itself.
    let (start, from) = match rest.first() {
        Some(b'"') => (at, at + 1),
        _ => ((at - start).checked_sub(1)?, at - start),
    };
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
