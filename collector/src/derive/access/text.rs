//! What does a line of nginx's own formats say?
//!
//! ```text
//! 203.0.113.7 - - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8"
//!     441 0.004 [shop-order-80] [] 10.1.2.3:8080 612 0.003 200 9f8e
//! ```
//!
//! The first line alone is the combined format; without its two last fields it is the common one. What stands before the
//! time is not looked at: sites put other things there. Sources: nginx `ngx_http_log_module`, ingress-nginx's
//! `log-format-upstream`. nginx writes a quote inside of a field as `\x22`, Apache as `\"`.

use memchr::memchr;
use record::Timestamp;

use super::{Backend, Codes, Line, Method, Refusal, number};

/// Reads one line of the default format of ingress-nginx, the combined or the common format.
pub fn text(line: &[u8]) -> Result<Line<'_>, Refusal> {
    let quote = memchr(b'"', line).ok_or(Refusal::Shape)?;
    let (head, rest) = line.split_at(quote);
    let head = head.strip_suffix(b"] ").ok_or(Refusal::Shape)?;
    let (before, time) = head
        .split_at_checked(head.len().wrapping_sub(TIME_LENGTH))
        .ok_or(Refusal::Shape)?;
    if !before.ends_with(b" [") {
        return Err(Refusal::Shape);
    }
    let time = local_time(time).ok_or(Refusal::Time)?;
    let (request, rest) = quoted(rest).ok_or(Refusal::Shape)?;
    let (code, rest) = word(rest).ok_or(Refusal::Shape)?;
    let code = number::status(code).ok_or(Refusal::Status)?;
    let (bytes, rest) = word(rest).ok_or(Refusal::Shape)?;
    let response_bytes = match bytes {
        b"-" => None,
        bytes => Some(number::whole(bytes).ok_or(Refusal::Number)?),
    };
    let line = Line {
        time: Some(time),
        method: Method::of(request),
        code,
        request_bytes: None,
        response_bytes,
        request_micros: None,
        upstream_micros: None,
        upstream_codes: Codes::default(),
        backend: Backend::Own,
    };
    let Some(rest) = rest.strip_prefix(b" ") else {
        return Ok(line);
    };
    let (_referer, rest) = quoted(rest).ok_or(Refusal::Shape)?;
    let rest = rest.strip_prefix(b" ").ok_or(Refusal::Shape)?;
    let (_agent, rest) = quoted(rest).ok_or(Refusal::Shape)?;
    upstream(line, rest)
}

/// Length of `21/Nov/2026:10:00:00 +0000`.
const TIME_LENGTH: usize = 26;

/// What ingress-nginx adds; anything else that a site added is left alone.
fn upstream<'a>(line: Line<'a>, rest: &'a [u8]) -> Result<Line<'a>, Refusal> {
    let Some((length, name, rest)) = upstream_head(rest) else {
        return Ok(line);
    };
    let (request_bytes, request_micros) = length;
    // The second bracket came with alternative backends; older versions do not have it.
    let rest = alternative(rest).unwrap_or(rest);
    let (_addresses, rest) = list(rest).ok_or(Refusal::Upstream)?;
    let (_lengths, rest) = list(rest).ok_or(Refusal::Upstream)?;
    let (times, rest) = list(rest).ok_or(Refusal::Upstream)?;
    let (codes, _id) = list(rest).ok_or(Refusal::Upstream)?;
    Ok(Line {
        request_bytes,
        request_micros,
        upstream_micros: number::micros_sum(times).map_err(|()| Refusal::Number)?,
        upstream_codes: Codes(codes),
        backend: match name {
            b"" | b"-" => Backend::Own,
            name => Backend::Upstream(name),
        },
        ..line
    })
}

/// ` []`; an address in brackets (`[::1]:80`) has a port after them.
fn alternative(rest: &[u8]) -> Option<&[u8]> {
    let after = rest.strip_prefix(b" [")?;
    let after = after.get(memchr(b']', after)? + 1..)?;
    after.starts_with(b" ").then_some(after)
}

type Lengths = (Option<u64>, Option<u64>);

/// ` 441 0.004 [shop-order-80]`
fn upstream_head(rest: &[u8]) -> Option<(Lengths, &[u8], &[u8])> {
    let (length, rest) = word(rest)?;
    let length = number::whole(length)?;
    let (time, rest) = word(rest)?;
    let time = number::micros(time)?;
    let rest = rest.strip_prefix(b" [")?;
    let end = memchr(b']', rest)?;
    let (name, rest) = rest.split_at_checked(end)?;
    Some(((Some(length), Some(time)), name, rest.get(1..)?))
}

/// The next word, and what follows it.
fn word(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = rest.strip_prefix(b" ")?;
    let end = memchr(b' ', rest).unwrap_or(rest.len());
    let (word, rest) = rest.split_at_checked(end)?;
    (!word.is_empty()).then_some((word, rest))
}

/// The next list: words joined by `, ` between attempts and ` : ` after an internal redirect.
fn list(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let whole = rest.strip_prefix(b" ")?;
    let (mut last, mut rest) = word(rest)?;
    loop {
        let joined = rest.strip_prefix(b" :");
        if last.ends_with(b",") {
            (last, rest) = word(rest)?;
        } else if let Some(after) = joined.filter(|after| after.starts_with(b" ")) {
            (last, rest) = word(after)?;
        } else {
            return Some((whole.get(..whole.len() - rest.len())?, rest));
        }
    }
}

/// A text in double quotes at the beginning, and what follows it.
fn quoted(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = rest.strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let at = from + memchr(b'"', inner.get(from..)?)?;
        let text = inner.get(..at)?;
        let escapes = text.iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            return Some((text, inner.get(at + 1..)?));
        }
        from = at + 1;
    }
}

/// `21/Nov/2026:10:00:00 +0000`
pub(super) fn local_time(text: &[u8]) -> Option<Timestamp> {
    let [
        d0,
        d1,
        b'/',
        m0,
        m1,
        m2,
        b'/',
        y0,
        y1,
        y2,
        y3,
        b':',
        h0,
        h1,
        b':',
        n0,
        n1,
        b':',
        s0,
        s1,
        b' ',
        z0,
        z1,
        z2,
        z3,
        z4,
    ] = *text
    else {
        return None;
    };
    let [t, o] = match [m0, m1, m2] {
        [b'J', b'a', b'n'] => *b"01",
        [b'F', b'e', b'b'] => *b"02",
        [b'M', b'a', b'r'] => *b"03",
        [b'A', b'p', b'r'] => *b"04",
        [b'M', b'a', b'y'] => *b"05",
        [b'J', b'u', b'n'] => *b"06",
        [b'J', b'u', b'l'] => *b"07",
        [b'A', b'u', b'g'] => *b"08",
        [b'S', b'e', b'p'] => *b"09",
        [b'O', b'c', b't'] => *b"10",
        [b'N', b'o', b'v'] => *b"11",
        [b'D', b'e', b'c'] => *b"12",
        _ => return None,
    };
    Timestamp::parse_rfc3339(&[
        y0, y1, y2, y3, b'-', t, o, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1, z0, z1,
        z2, z3, z4,
    ])
}
