//! E-mail addresses, as they stand in logs: no quotes, no comments, ASCII.

use std::ops::Range;

use super::token::run;

/// RFC 5321 section 4.5.3.1.1
const LOCAL_BYTES_MAX: usize = 64;

/// What stands after the last dot where `@` belongs to the name of a systemd unit.
const UNITS: [&[u8]; 7] = [
    b"service", b"socket", b"slice", b"scope", b"timer", b"mount", b"target",
];

/// The address around an `@`.
pub(super) fn find(text: &[u8], anchor: Range<usize>, floor: usize) -> Result<Range<usize>, usize> {
    let local = text
        .get(floor..anchor.start)
        .unwrap_or_default()
        .iter()
        .rev()
        .take(LOCAL_BYTES_MAX)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte))
        .count();
    let length = run(text, anchor.end, |byte| {
        byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-'
    });
    let end = anchor.end + length;
    let domain = text.get(anchor.end..end).unwrap_or_default();
    let kept = domain
        .iter()
        .rposition(u8::is_ascii_alphanumeric)
        .map_or(0, |last| last + 1);
    let domain = domain.get(..kept).unwrap_or_default();
    let top = domain
        .rsplit(|byte| *byte == b'.')
        .next()
        .unwrap_or_default();
    let fits = local > 0
        && top.len() < domain.len()
        && !domain.starts_with(b".")
        && top.len() >= 2
        && top.iter().all(u8::is_ascii_alphabetic)
        && !UNITS.contains(&top);
    if fits {
        Ok(anchor.start - local..anchor.end + kept)
    } else {
        Err(anchor.end)
    }
}
