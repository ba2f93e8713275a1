//! Which requests did an ingress answer, and how? Its access log, line by line.
//!
//! Read are ingress-nginx's default format, the combined and the common format (with whatever a site added after them),
//! and JSON objects; each line tells by its own shape which one it is. [`parse`] is pure, allocates nothing and looks at
//! a line's bytes about once. [`Requests`] counts what it finds.

use record::Timestamp;

pub use self::json::json;
pub use self::requests::{DESCRIPTIONS, Requests};
pub use self::text::text;

mod number;

mod text;

mod json;

mod backend;

mod requests;

#[cfg(test)]
mod tests;

/// One answered request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// When it was logged; `None` where the line has no time that is known here.
    pub time: Option<Timestamp>,
    /// `GET` and its like.
    pub method: Method,
    /// The status, three digits; nginx writes 000 where it sent no answer.
    pub code: u16,
    /// Bytes of the request, headers included.
    pub request_bytes: Option<u64>,
    /// Bytes of the answer: of its body, or all, as the line has it.
    pub response_bytes: Option<u64>,
    /// How long the request took, in microseconds.
    pub request_micros: Option<u64>,
    /// How long the upstreams took together, in microseconds; `None` when none answered.
    pub upstream_micros: Option<u64>,
    /// The statuses of all attempts as the line lists them.
    pub upstream_codes: Codes<'a>,
    /// Whose backend it was.
    pub backend: Backend<'a>,
}

/// Whose backend a request went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend<'a> {
    /// The format does not tell, or there was none: who wrote the line answered.
    Own,
    /// `$proxy_upstream_name`: namespace, service and port, joined by dashes.
    Upstream(&'a [u8]),
    /// Each by its own name; empty where the line does not tell.
    Named {
        /// `$namespace`
        namespace: &'a [u8],
        /// `$ingress_name`
        ingress: &'a [u8],
        /// `$service_name`
        service: &'a [u8],
    },
}

/// A list of statuses: `200`, `502, 200`, `502 : 200`, `-`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codes<'a>(pub &'a [u8]);

/// The request methods that are counted by name; tenants can invent any number of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// `CONNECT`
    Connect,
    /// `DELETE`
    Delete,
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `OPTIONS`
    Options,
    /// `PATCH`
    Patch,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `TRACE`
    Trace,
    /// Anything else, and what is no request at all.
    Other,
}

/// Why a line is not taken as a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not look like an access log's line.
    Shape,
    /// Its time is none.
    Time,
    /// Its status is not three digits.
    Status,
    /// A size or a duration is no number.
    Number,
    /// Its upstream lists are not as ingress-nginx writes them.
    Upstream,
    /// It begins as a JSON object and is none.
    Json,
}

/// Reads one line of any of the formats.
pub fn parse(line: &[u8]) -> Result<Line<'_>, Refusal> {
    if line.first() == Some(&b'{') {
        json(line)
    } else {
        text(line)
    }
}

// === impl Method ===

impl Method {
    /// Every value.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Delete,
        Self::Get,
        Self::Head,
        Self::Options,
        Self::Patch,
        Self::Post,
        Self::Put,
        Self::Trace,
        Self::Other,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Trace => "TRACE",
            Self::Other => "other",
        }
    }

    /// The method of a name or of a request line (`GET / HTTP/1.1`).
    fn of(request: &[u8]) -> Self {
        let word = request.split(|byte| *byte == b' ').next();
        match word.unwrap_or_default() {
            b"CONNECT" => Self::Connect,
            b"DELETE" => Self::Delete,
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"OPTIONS" => Self::Options,
            b"PATCH" => Self::Patch,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"TRACE" => Self::Trace,
            _ => Self::Other,
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// Every value.
    pub const ALL: [Self; 6] = [
        Self::Shape,
        Self::Time,
        Self::Status,
        Self::Number,
        Self::Upstream,
        Self::Json,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shape => "shape",
            Self::Time => "time",
            Self::Status => "status",
            Self::Number => "number",
            Self::Upstream => "upstream",
            Self::Json => "json",
        }
    }
}

// === impl Codes ===

impl Codes<'_> {
    /// The statuses, one for each attempt that was answered.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.0
            .split(|byte| matches!(byte, b' ' | b',' | b':'))
            .filter_map(number::status)
    }
}
