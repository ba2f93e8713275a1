//! Tokens that begin with a word of their own: bearer tokens, JSON web tokens, AWS access key ids.

use std::ops::Range;

/// The shortest text after `Bearer` that is taken for a token.
const TOKEN_BYTES_LEAST: usize = 8;
/// From this length on it needs no digit to be one.
const TOKEN_BYTES_SURE: usize = 24;

/// The token after `Bearer `.
pub(super) fn bearer(
    text: &[u8],
    anchor: Range<usize>,
    _floor: usize,
) -> Result<Range<usize>, usize> {
    let blanks = run(text, anchor.end, |byte| matches!(byte, b' ' | b'\t'));
    let start = anchor.end + blanks;
    let length = run(text, start, |byte| {
        byte.is_ascii_alphanumeric() || b"._~+/=-".contains(&byte)
    });
    let token = text.get(start..start + length).unwrap_or_default();
    let likely = length >= TOKEN_BYTES_LEAST && token.iter().any(u8::is_ascii_digit);
    if likely || length >= TOKEN_BYTES_SURE {
        Ok(start..start + length)
    } else {
        Err(start)
    }
}

/// A header and a payload that begin like JSON objects in base64url, and the signature.
pub(super) fn jwt(text: &[u8], anchor: Range<usize>, _floor: usize) -> Result<Range<usize>, usize> {
    let header = run(text, anchor.start, is_base64url);
    let end = anchor.start + header;
    if before(text, anchor.start).is_some_and(is_base64url) {
        return Err(end);
    }
    let payload = end + 1;
    if text.get(end) != Some(&b'.')
        || !text
            .get(payload..)
            .is_some_and(|rest| rest.starts_with(b"eyJ"))
    {
        return Err(end);
    }
    let end = payload + run(text, payload, is_base64url);
    if text.get(end) != Some(&b'.') {
        return Ok(anchor.start..end);
    }
    Ok(anchor.start..end + 1 + run(text, end + 1, is_base64url))
}

/// Four letters and sixteen more.
pub(super) fn aws_access_key(
    text: &[u8],
    anchor: Range<usize>,
    _floor: usize,
) -> Result<Range<usize>, usize> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    let length = run(text, anchor.start, is_word);
    let end = anchor.start + length;
    let key = text.get(anchor.start..end).unwrap_or_default();
    let fits = length == 20
        && key
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && !before(text, anchor.start).is_some_and(is_word);
    if fits {
        Ok(anchor.start..end)
    } else {
        Err(end)
    }
}

/// How many bytes from `start` on are of a kind.
pub(super) fn run(text: &[u8], start: usize, is: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    rest.iter().take_while(|byte| is(**byte)).count()
}

/// The byte before a place.
pub(super) fn before(text: &[u8], at: usize) -> Option<u8> {
    text.get(at.checked_sub(1)?).copied()
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}
