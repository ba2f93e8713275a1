//! Private keys in PEM form, which stand in one record, or have a line each.
//!
//! Programs print them line by line, and a container's lines are records of their own. So the first line opens a key in
//! its output, and what follows is the key's as long as it looks like one.

use std::ops::Range;

use memchr::memmem;
use record::OutputStream;

use super::place_of;

pub(super) const ANCHOR: &str = "-----BEGIN ";

const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// How long the label between the dashes may be, in bytes.
const LABEL_BYTES_MAX: usize = 40;
/// How long a key's line may be; RFC 7468 says 64, others 76.
const LINE_BYTES_MAX: usize = 80;
/// How many lines a key may have: one of 16,384 bits has about 200.
const LINES_MAX: u16 = 400;

/// Whether a private key has begun on each output of a stream, and how many lines of it may follow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unfinished {
    lines_left: [u16; OutputStream::ALL.len()],
}

// === impl Unfinished ===

impl Unfinished {
    /// Whether a line belongs to a key that began before it.
    pub(super) fn continues(&mut self, output: OutputStream, message: &str) -> bool {
        let Some(left) = self.lines_left.get_mut(place_of(output)) else {
            return false;
        };
        if *left == 0 {
            return false;
        }
        let text = message.trim_ascii().as_bytes();
        let is_end = text.starts_with(END);
        *left = if is_end || !is_inside(text) {
            0
        } else {
            *left - 1
        };
        is_end || is_inside(text)
    }

    /// Notes that a line begins a key and does not end it.
    pub(super) fn note(&mut self, output: OutputStream, message: &str) {
        let text = message.as_bytes();
        let Some(begin) = memmem::rfind(text, ANCHOR.as_bytes()) else {
            return;
        };
        let open = begin..begin + ANCHOR.len();
        let ends = memmem::find(text.get(begin..).unwrap_or_default(), END).is_some();
        if !ends
            && find(text, open, 0).is_ok()
            && let Some(left) = self.lines_left.get_mut(place_of(output))
        {
            *left = LINES_MAX;
        }
    }
}

/// The key that begins at the anchor, up to its end or the text's.
pub(super) fn find(
    text: &[u8],
    anchor: Range<usize>,
    _floor: usize,
) -> Result<Range<usize>, usize> {
    let label = text.get(anchor.end..).unwrap_or_default();
    let label = label.get(..LABEL_BYTES_MAX).unwrap_or(label);
    let dashes = memmem::find(label, DASHES).ok_or(anchor.end)?;
    let label = label.get(..dashes).unwrap_or_default();
    if memmem::find(label, b"PRIVATE KEY").is_none() {
        return Err(anchor.end);
    }
    let body = anchor.end + dashes + DASHES.len();
    let rest = text.get(body..).unwrap_or_default();
    let Some(end) = memmem::find(rest, END) else {
        return Ok(anchor.start..text.len());
    };
    let end = body + end + END.len();
    let rest = text.get(end..).unwrap_or_default();
    let closed = memmem::find(
        rest.get(..LABEL_BYTES_MAX + DASHES.len()).unwrap_or(rest),
        DASHES,
    );
    Ok(anchor.start..closed.map_or(text.len(), |at| end + at + DASHES.len()))
}

/// Whether a line can stand inside of a key: base64, a header (`Proc-Type: 4,ENCRYPTED`), or nothing.
fn is_inside(text: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    text.len() <= LINE_BYTES_MAX
        && (text.iter().all(is_base64)
            || text.starts_with(b"Proc-Type:")
            || text.starts_with(b"DEK-Info:"))
}
