//! The values of keys that speak of passwords: `password=x`, `"passwd": "x"`, `client_secret: x`, `Pwd='x y'`.

use std::ops::Range;

use super::token::run;

/// The beginnings of such keys. Words that also name things which are no secrets themselves (`secret`, `token`) are not
/// among them: Kubernetes' own logs are full of them.
pub(super) const ANCHOR: &str =
    "(?i:passw(?:or)?d|passphrase|pwd|client_?secret|secret_?(?:access_?)?key)";

/// How much a key may go on after the word, in bytes: `password2`, `passwordConfirmation`.
const REST_BYTES_MAX: usize = 16;
/// How many blanks may stand around the sign.
const BLANKS_MAX: usize = 4;

/// Whether this is such a key as a whole.
pub(super) fn is_key(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    let words: [&[u8]; 9] = [
        b"password",
        b"passwd",
        b"passphrase",
        b"pwd",
        b"clientsecret",
        b"client_secret",
        b"secretkey",
        b"secret_key",
        b"secret_access_key",
    ];
    words
        .iter()
        .any(|word| memchr::memmem::find(&lower, word).is_some())
        || memchr::memmem::find(&lower, b"secretaccesskey").is_some()
}

/// The value after a key.
pub(super) fn find(
    text: &[u8],
    anchor: Range<usize>,
    _floor: usize,
) -> Result<Range<usize>, usize> {
    value(text, anchor.end).ok_or(anchor.end)
}

fn value(text: &[u8], word_end: usize) -> Option<Range<usize>> {
    // Looked at no further than it may go: a line can have this word a hundred thousand times in a row.
    let rest = text.get(word_end..).unwrap_or_default();
    let rest = rest.get(..=REST_BYTES_MAX).unwrap_or(rest);
    let rest = run(rest, 0, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if rest > REST_BYTES_MAX {
        return None;
    }
    let (_, mut at) = quote(text, word_end + rest);
    at += blanks(text, at);
    match (text.get(at)?, text.get(at + 1)) {
        (b':', Some(b'=')) | (b'=', Some(b'>' | b'=')) => at += 2,
        (b':' | b'=', _) => at += 1,
        _ => return None,
    }
    at += blanks(text, at);
    let (opened, start) = quote(text, at);
    let value = text.get(start..).unwrap_or_default();
    if value.starts_with(b"[redacted:") {
        return None;
    }
    let end = match opened {
        Some(opened) => closing(text, start, opened),
        None => start + run(text, start, is_bare),
    };
    let value = text.get(start..end).unwrap_or_default();
    let says_nothing = matches!(value, b"" | b"null" | b"true" | b"false");
    (!says_nothing).then_some(start..end)
}

/// A quote, and how many backslashes stand before it: a JSON text within a JSON text has some.
#[derive(Clone, Copy)]
struct Quote {
    byte: u8,
    escapes: usize,
}

/// The quote at a place, if there is one, and where what is in it begins.
fn quote(text: &[u8], at: usize) -> (Option<Quote>, usize) {
    let escapes = run(text, at, |byte| byte == b'\\');
    match text.get(at + escapes) {
        Some(&byte @ (b'"' | b'\'')) => (Some(Quote { byte, escapes }), at + escapes + 1),
        _ => (None, at),
    }
}

/// Where the text in a quote ends; without its other end, all that is left is the value.
fn closing(text: &[u8], start: usize, opened: Quote) -> usize {
    let mut escapes = 0;
    for (at, byte) in text.iter().enumerate().skip(start) {
        if *byte == b'\\' {
            escapes += 1;
            continue;
        }
        if *byte == opened.byte && is_closing(escapes, opened) {
            return at - opened.escapes;
        }
        escapes = 0;
    }
    text.len()
}

/// A quote in the value has more backslashes before it than the value's own quotes: its own, and those of the quote.
fn is_closing(escapes: usize, opened: Quote) -> bool {
    if opened.escapes == 0 {
        escapes.is_multiple_of(2)
    } else {
        escapes == opened.escapes
    }
}

fn is_bare(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !b",;&\"'<>()[]{}|\\".contains(&byte)
}

fn blanks(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let rest = rest.get(..BLANKS_MAX).unwrap_or(rest);
    run(rest, 0, |byte| byte == b' ' || byte == b'\t')
}
