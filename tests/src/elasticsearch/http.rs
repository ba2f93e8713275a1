//! How does a request come off the wire, and how does an answer get onto it? HTTP/1.1, as far as clients of ours use it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use flate2::read::GzDecoder;

/// A head with more bytes is no request.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// A body with more bytes, inflated, is refused as the real servers do by default (`http.max_content_length`).
pub(super) const BODY_BYTES_MAX: u64 = 100 << 20;

/// One request, its body inflated.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// From the slash on, without the query.
    pub(super) path: String,
    /// What follows the question mark.
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// The body's size as it was sent.
    pub(super) wire_bytes: usize,
}

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// How an answer gets onto the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// At once.
    Whole,
    /// In so many pieces, with a rest after each.
    Drip { pieces: usize, rest: Duration },
    /// The first half, then the connection ends.
    Half,
}

// === impl Request ===

impl Request {
    /// Reads the next request of a connection; `None` when the client closed it between two.
    pub(super) fn read(connection: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut bytes = Vec::with_capacity(8 << 10);
        let mut block = [0; 16 << 10];
        let (mut request, head_bytes) = loop {
            let count = connection.read(&mut block)?;
            if count == 0 && bytes.is_empty() {
                return Ok(None);
            }
            if count == 0 || bytes.len() > HEAD_BYTES_MAX {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.extend_from_slice(&block[..count]);
            if let Some(parsed) = parse_head(&bytes)? {
                break parsed;
            }
        };
        let announced = request.header("content-length").unwrap_or("0");
        let length: usize = announced
            .parse()
            .map_err(|_malformed| io::Error::other("not a length"))?;
        if request.header("transfer-encoding").is_some() {
            return Err(io::Error::other("chunked requests are not understood"));
        }
        let mut body = bytes.split_off(head_bytes);
        if body.len() > length {
            return Err(io::Error::other("requests are not pipelined"));
        }
        let have = body.len();
        body.resize(length, 0);
        connection.read_exact(&mut body[have..])?;
        request.wire_bytes = length;
        request.body = if request.header("content-encoding") == Some("gzip") {
            let mut inflated = Vec::with_capacity(length * 8);
            GzDecoder::new(&body[..])
                .take(BODY_BYTES_MAX + 1)
                .read_to_end(&mut inflated)?;
            inflated
        } else {
            body
        };
        Ok(Some(request))
    }

    /// A header by its name in small letters.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(own, _)| own == name)?;
        Some(value)
    }

    /// A parameter of the query, decoded.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.query.split('&');
        let value = pairs.find_map(|pair| match pair.split_once('=') {
            Some((own, value)) => (own == name).then_some(value),
            None => (pair == name).then_some(""),
        })?;
        Some(decode(value))
    }
}

/// The head, once it is whole, and its length.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed.parse(bytes).map_err(io::Error::other)?;
    let httparse::Status::Complete(length) = status else {
        return Ok(None);
    };
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = parsed.headers.iter().map(|header| {
        let value = String::from_utf8_lossy(header.value).into_owned();
        (header.name.to_ascii_lowercase(), value)
    });
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: decode(path),
        query: query.to_owned(),
        headers: headers.collect(),
        body: Vec::new(),
        wire_bytes: 0,
    };
    Ok(Some((request, length)))
}

/// Percent-decodes; what is no escape stays.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

// === impl Answer ===

impl Answer {
    /// An answer in JSON.
    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        }
    }

    /// With a header.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Writes it; says whether the connection can serve another request.
    pub(super) fn write(&self, connection: &mut TcpStream, delivery: Delivery) -> io::Result<bool> {
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| [name, ": ", value, "\r\n"].concat())
            .collect();
        let bytes = format!(
            "HTTP/1.1 {} {}\r\n{headers}content-length: {}\r\n\r\n",
            self.status,
            reason(self.status),
            self.body.len()
        );
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(&self.body);
        match delivery {
            Delivery::Whole => connection.write_all(&bytes)?,
            Delivery::Half => {
                connection.write_all(&bytes[..bytes.len() / 2])?;
                return Ok(false);
            }
            Delivery::Drip { pieces, rest } => {
                for piece in bytes.chunks(bytes.len().div_ceil(pieces.max(1))) {
                    connection.write_all(piece)?;
                    std::thread::sleep(rest);
                }
            }
        }
        Ok(true)
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let head = b"POST /a%2Fb/_bulk?filter_path=took,items.*.status&pretty HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n";
        for end in 0..head.len() {
            assert!(parse_head(&head[..end]).unwrap().is_none());
        }
        let (request, length) = parse_head(head).unwrap().unwrap();
        assert_eq!(length, head.len());
        assert_eq!(request.path, "/a/b/_bulk");
        assert_eq!(request.header("content-length"), Some("2"));
        let filter = request.parameter("filter_path");
        assert_eq!(filter.as_deref(), Some("took,items.*.status"));
        assert_eq!(request.parameter("pretty").as_deref(), Some(""));
        assert_eq!(request.parameter("took"), None);
    }
}
