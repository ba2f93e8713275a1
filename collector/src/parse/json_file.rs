//! What does a line of Docker's `json-file` driver say? `{"log":"…\n","stream":"stdout","attrs":{…},"time":"…"}`
//!
//! A `log` without a newline at its end is a piece of a line (16 KiB each) or the last words of a container. The common
//! shape is read by hand and borrowed; anything unusual goes through `serde_json`, so that both accept the same lines.

use memchr::{memchr, memchr2};
use record::{OutputStream, Tags, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::piece::Piece;

#[cfg(test)]
mod tests;

/// A JSON string without its quotes, its escapes as they stand.
#[derive(Clone, Copy)]
struct Quoted<'a> {
    inner: &'a [u8],
    /// Where `inner` begins in the raw line.
    at: usize,
    /// Where the first backslash is in `inner`.
    escape: Option<usize>,
}

/// The members that matter.
#[derive(Default)]
struct Members<'a> {
    log: Option<Quoted<'a>>,
    stream: Option<Quoted<'a>>,
    time: Option<Quoted<'a>>,
}

/// The same by `serde_json`: any order, any white space, unknown members.
#[derive(Deserialize)]
struct Loose<'a> {
    #[serde(borrow)]
    log: &'a RawValue,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
}

/// Reads one raw line; `scratch` takes the text where it has escapes. The error says what is wrong.
pub(super) fn decode<'a>(
    raw: &'a [u8],
    scratch: &'a mut Vec<u8>,
) -> Result<Piece<'a>, &'static str> {
    let members = match common(raw) {
        Some(members) => members,
        None => loose(raw)?,
    };
    let log = members.log.ok_or("not a json-file line: no log")?;
    let time = members
        .time
        .and_then(|time| Timestamp::parse_rfc3339(time.inner))
        .ok_or("not a json-file line: no time")?;
    let output = match members.stream.map(|stream| stream.inner) {
        Some(b"stdout") => OutputStream::Stdout,
        Some(b"stderr") => OutputStream::Stderr,
        _ => OutputStream::None,
    };
    let (text, tags) = match log.escape {
        None => (log.inner, Tags::NONE),
        // The newline at the end is the only escape of most lines; it is taken off as it stands.
        Some(at) if at + 2 == log.inner.len() && log.inner.ends_with(b"\\n") => {
            let text = log.inner.get(..at).unwrap_or_default();
            let text_at = log.at as u64;
            return Ok(Piece {
                time,
                output,
                text,
                text_at,
                finishes: true,
                tags: Tags::NONE,
            });
        }
        Some(_) => {
            scratch.clear();
            let lone = unescape(log.inner, scratch)?;
            (
                scratch.as_slice(),
                if lone { Tags::INVALID_UTF8 } else { Tags::NONE },
            )
        }
    };
    let (text, finishes) = match text.strip_suffix(b"\n") {
        Some(text) => (text, true),
        None => (text, false),
    };
    Ok(Piece {
        time,
        output,
        text,
        text_at: log.at as u64,
        finishes,
        tags,
    })
}

/// Reads the shape that Docker writes; `None` for any other, valid or not.
fn common(raw: &[u8]) -> Option<Members<'_>> {
    let mut members = Members::default();
    let mut scan = Scan { raw, at: 0 };
    scan.take(b'{')?;
    loop {
        let name = scan.string()?;
        scan.take(b':')?;
        let member = match name.inner {
            b"log" => &mut members.log,
            b"stream" => &mut members.stream,
            b"time" => &mut members.time,
            b"attrs" => {
                scan.attributes()?;
                if scan.more()? {
                    continue;
                }
                break;
            }
            _ => return None,
        };
        if member.is_some() {
            return None;
        }
        *member = Some(scan.string()?);
        if !scan.more()? {
            break;
        }
    }
    let rest = raw.get(scan.at..)?;
    rest.iter().all(u8::is_ascii_whitespace).then_some(members)
}

/// Reads any valid JSON object with the right members.
fn loose(raw: &[u8]) -> Result<Members<'_>, &'static str> {
    let Ok(members) = serde_json::from_slice::<Loose<'_>>(raw) else {
        return Err("not a json-file line: not such JSON");
    };
    Ok(Members {
        log: of_raw_value(members.log),
        stream: members.stream.and_then(of_raw_value),
        time: members.time.and_then(of_raw_value),
    })
}

/// The inside of a raw value that is a string.
///
/// Where it begins is not known here: 1 is the least it can be, and offsets of parts only need to stay inside the line.
fn of_raw_value(value: &RawValue) -> Option<Quoted<'_>> {
    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    Some(Quoted {
        inner,
        at: 1,
        escape: memchr(b'\\', inner),
    })
}

/// Reads forward through one raw line.
struct Scan<'a> {
    raw: &'a [u8],
    at: usize,
}

// === impl Scan ===

impl<'a> Scan<'a> {
    fn take(&mut self, expect: u8) -> Option<()> {
        let found = *self.raw.get(self.at)?;
        self.at += 1;
        (found == expect).then_some(())
    }

    /// After a member: whether another follows (`,`) or the object ends (`}`).
    fn more(&mut self) -> Option<bool> {
        let found = *self.raw.get(self.at)?;
        self.at += 1;
        match found {
            b',' => Some(true),
            b'}' => Some(false),
            _ => None,
        }
    }

    fn string(&mut self) -> Option<Quoted<'a>> {
        self.take(b'"')?;
        let start = self.at;
        let mut escape = None;
        loop {
            let found = self.at + memchr2(b'"', b'\\', self.raw.get(self.at..)?)?;
            if self.raw.get(found) == Some(&b'"') {
                self.at = found + 1;
                return Some(Quoted {
                    inner: self.raw.get(start..found)?,
                    at: start,
                    escape,
                });
            }
            escape = escape.or(Some(found - start));
            self.at = found + 2;
        }
    }

    /// Passes over an object whose values are all strings.
    fn attributes(&mut self) -> Option<()> {
        self.take(b'{')?;
        if self.raw.get(self.at) == Some(&b'}') {
            self.at += 1;
            return Some(());
        }
        loop {
            self.string()?;
            self.take(b':')?;
            self.string()?;
            if !self.more()? {
                return Some(());
            }
        }
    }
}

/// Appends the text of a JSON string's inside; returns whether a lone surrogate had to be replaced by U+FFFD.
fn unescape(inner: &[u8], out: &mut Vec<u8>) -> Result<bool, &'static str> {
    const BAD: &str = "not a json-file line: bad escape";
    let mut lone = false;
    let mut rest = inner;
    while let Some(at) = memchr(b'\\', rest) {
        let (clean, escaped) = rest.split_at(at);
        out.extend_from_slice(clean);
        let (&[_, code], tail) = escaped.split_first_chunk::<2>().ok_or(BAD)?;
        rest = tail;
        match code {
            b'"' | b'\\' | b'/' => out.push(code),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => {
                let (unit, tail) = hex4(rest).ok_or(BAD)?;
                rest = tail;
                let mut code = unit;
                if (0xD800..0xDC00).contains(&unit)
                    && let Some((low, tail)) = rest.strip_prefix(b"\\u").and_then(hex4)
                    && (0xDC00..0xE000).contains(&low)
                {
                    rest = tail;
                    code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                }
                let character = char::from_u32(code);
                lone |= character.is_none();
                let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return Err(BAD),
        }
    }
    out.extend_from_slice(rest);
    Ok(lone)
}

/// Four hexadecimal digits and what follows them.
fn hex4(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<4>()?;
    let mut value = 0;
    for digit in digits {
        value = value * 16 + char::from(*digit).to_digit(16)?;
    }
    Some((value, rest))
}
