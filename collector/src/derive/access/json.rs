//! What does a JSON access log's line say?
//!
//! There is no standard format: each site writes its own `log_format` with nginx's variables. The members that are known
//! here are looked for at the top level by the variables' own names and by the names of ingress-nginx's documentation.
//! nginx writes an empty variable as nothing or as `-`, also where a number is meant, so a value without quotes is
//! whatever stands before the next comma; what is not understood is passed over.

use memchr::{memchr, memchr2};
use record::Timestamp;

use super::{Backend, Codes, Line, Method, Refusal, number, text};

/// The members of a line that count, as they stand in it.
#[derive(Debug, Default)]
struct Members<'a> {
    time: &'a [u8],
    method: &'a [u8],
    status: &'a [u8],
    response_bytes: &'a [u8],
    request_bytes: &'a [u8],
    request_time: &'a [u8],
    upstream_times: &'a [u8],
    upstream_codes: &'a [u8],
    upstream: &'a [u8],
    namespace: &'a [u8],
    ingress: &'a [u8],
    service: &'a [u8],
}

/// Reads one JSON object.
pub fn json(line: &[u8]) -> Result<Line<'_>, Refusal> {
    let members = Members::read(line.trim_ascii()).ok_or(Refusal::Json)?;
    let code = number::status(members.status).ok_or(Refusal::Status)?;
    let is_named = [members.namespace, members.ingress, members.service]
        .iter()
        .any(|name| !is_empty(name));
    Ok(Line {
        time: time(members.time)?,
        method: Method::of(members.method),
        code,
        request_bytes: perhaps(members.request_bytes, number::whole)?,
        response_bytes: perhaps(members.response_bytes, number::whole)?,
        request_micros: perhaps(members.request_time, number::micros)?,
        upstream_micros: number::micros_sum(members.upstream_times)
            .map_err(|()| Refusal::Number)?,
        upstream_codes: Codes(members.upstream_codes),
        backend: if is_named {
            Backend::Named {
                namespace: said(members.namespace),
                ingress: said(members.ingress),
                service: said(members.service),
            }
        } else if !is_empty(members.upstream) {
            Backend::Upstream(members.upstream)
        } else {
            Backend::Own
        },
    })
}

fn is_empty(value: &[u8]) -> bool {
    matches!(value, b"" | b"-" | b"null")
}

fn said(value: &[u8]) -> &[u8] {
    if is_empty(value) { b"" } else { value }
}

fn perhaps(value: &[u8], read: fn(&[u8]) -> Option<u64>) -> Result<Option<u64>, Refusal> {
    if is_empty(value) {
        return Ok(None);
    }
    read(value).map(Some).ok_or(Refusal::Number)
}

/// `$time_iso8601`, `$time_local` or `$msec`.
fn time(value: &[u8]) -> Result<Option<Timestamp>, Refusal> {
    if is_empty(value) {
        return Ok(None);
    }
    let epoch = |value| {
        let micros = i64::try_from(number::micros(value)?).ok()?;
        micros.checked_mul(1000).map(Timestamp)
    };
    Timestamp::parse_rfc3339(value)
        .or_else(|| text::local_time(value))
        .or_else(|| epoch(value))
        .map(Some)
        .ok_or(Refusal::Time)
}

// === impl Members ===

impl<'a> Members<'a> {
    /// Walks over the members of the outermost object; `None` where it has not the shape of one.
    fn read(object: &'a [u8]) -> Option<Self> {
        let mut rest = object.strip_prefix(b"{")?.strip_suffix(b"}")?.trim_ascii();
        let mut members = Self::default();
        while !rest.is_empty() {
            let (name, after) = string(rest)?;
            let after = after.trim_ascii_start().strip_prefix(b":")?;
            let (value, after) = value(after.trim_ascii_start())?;
            members.take(name, value);
            rest = after.trim_ascii_start();
            rest = match rest.strip_prefix(b",") {
                Some(more) => more.trim_ascii_start(),
                None if rest.is_empty() => rest,
                None => return None,
            };
        }
        Some(members)
    }

    /// Keeps a member that is known; of two with the same meaning the first one that says something.
    fn take(&mut self, name: &[u8], value: &'a [u8]) {
        let place = match name {
            b"time_iso8601" | b"time_local" | b"time" | b"@timestamp" | b"timestamp" | b"msec" => {
                &mut self.time
            }
            b"request_method" | b"method" | b"request" => &mut self.method,
            b"status" | b"code" => &mut self.status,
            b"bytes_sent" | b"body_bytes_sent" => &mut self.response_bytes,
            b"request_length" => &mut self.request_bytes,
            b"request_time" | b"duration" => &mut self.request_time,
            b"upstream_response_time" => &mut self.upstream_times,
            b"upstream_status" => &mut self.upstream_codes,
            b"proxy_upstream_name" => &mut self.upstream,
            b"namespace" => &mut self.namespace,
            b"ingress_name" | b"ingress" => &mut self.ingress,
            b"service_name" | b"service" => &mut self.service,
            _ => return,
        };
        if is_empty(place) {
            *place = value;
        }
    }
}

/// A string without its quotes, escapes as they stand, and what follows it.
fn string(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = rest.strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', inner.get(from..)?)?;
        if inner.get(at) == Some(&b'"') {
            return Some((inner.get(..at)?, inner.get(at + 1..)?));
        }
        from = at + 2;
    }
}

/// A value, quotes removed, and what follows it. Objects and arrays are passed over as a whole.
fn value(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    match rest.first() {
        Some(b'"') => string(rest),
        Some(b'{' | b'[') => nested(rest).map(|rest| (&b""[..], rest)),
        _ => {
            // A list of numbers without quotes has commas of its own: the next member begins with a quote.
            let mut end = 0;
            loop {
                end += memchr(b',', rest.get(end..)?).unwrap_or(rest.len() - end);
                let after = rest.get(end + 1..).unwrap_or_default().trim_ascii_start();
                if after.is_empty() || after.starts_with(b"\"") {
                    return Some((rest.get(..end)?.trim_ascii(), rest.get(end..)?));
                }
                end += 1;
            }
        }
    }
}

/// What follows the object or array at the beginning.
fn nested(rest: &[u8]) -> Option<&[u8]> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match rest.get(at)? {
            b'"' => {
                let (_, after) = string(rest.get(at..)?)?;
                at = rest.len() - after.len();
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return rest.get(at..);
        }
    }
}
