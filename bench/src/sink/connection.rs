//! What does this client ask? HTTP/1.1 as far as collectors speak it, one thread per connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use memchr::memchr;
use rustix::net::sockopt::set_socket_linger;

use super::Sink;
use super::bulk::Detail;
use super::faults::Fate;
use super::server::{other_answer, template_answer};

const READ_BYTES: usize = 256 * 1024;

/// One request's head.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    encoding: Encoding,
    close: bool,
}

enum Encoding {
    Plain,
    Gzip,
    Deflate,
}

/// A client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    at: usize,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            at: 0,
        }
    }

    fn fill(&mut self) -> io::Result<bool> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        let length = self.buffer.len();
        self.buffer.resize(length + READ_BYTES, 0);
        let read = self.stream.read(&mut self.buffer[length..]);
        self.buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }

    /// Moves `length` bytes to `body`.
    fn take(&mut self, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
        let held = length.min(self.buffer.len() - self.at);
        body.extend_from_slice(&self.buffer[self.at..self.at + held]);
        self.at += held;
        let start = body.len();
        body.resize(start + length - held, 0);
        self.stream.read_exact(&mut body[start..])
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(length) = memchr(b'\n', rest) {
                let line = String::from_utf8_lossy(&rest[..length])
                    .trim_end()
                    .to_owned();
                self.at += length + 1;
                return Ok(Some(line));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads the next request, its body into `body`; `None` at the end of the connection.
    pub(super) fn request(&mut self, body: &mut Vec<u8>) -> io::Result<Option<Request>> {
        body.clear();
        let Some(first) = self.line()? else {
            return Ok(None);
        };
        let mut words = first.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let mut request = Request {
            method: word(),
            target: word(),
            encoding: Encoding::Plain,
            close: false,
        };
        let (mut length, mut chunked, mut expects) = (0, false, false);
        loop {
            let Some(header) = self.line()? else {
                return Ok(None);
            };
            if header.is_empty() {
                break;
            }
            let Some((name, value)) = header.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap_or(0),
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "content-encoding" if value.eq_ignore_ascii_case("gzip") => {
                    request.encoding = Encoding::Gzip;
                }
                "content-encoding" if value.eq_ignore_ascii_case("deflate") => {
                    request.encoding = Encoding::Deflate;
                }
                "expect" => expects = true,
                "connection" => request.close = value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        if expects {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if chunked {
            self.take_chunks(body)?;
        } else {
            self.take(length, body)?;
        }
        Ok(Some(request))
    }

    fn take_chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        while let Some(size) = self.line()? {
            let digits = size.split(';').next().unwrap_or_default().trim();
            let length = usize::from_str_radix(digits, 16).unwrap_or(0);
            self.take(length, body)?;
            self.line()?;
            if length == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Answers; a `HEAD` request gets the head only.
    pub(super) fn answer(&mut self, status: &str, body: &[u8], head_only: bool) -> io::Result<()> {
        let mut answer = format!(
            "HTTP/1.1 {status}\r\nX-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        if !head_only {
            answer.extend_from_slice(body);
        }
        self.stream.write_all(&answer)
    }

    /// Ends the connection with a reset instead of an orderly close.
    fn reset(self) -> io::Result<()> {
        Ok(set_socket_linger(&self.stream, Some(Duration::ZERO))?)
    }

    /// Answers requests until the client goes or a fault cuts the connection.
    pub(super) fn serve(mut self, sink: &Sink) -> io::Result<()> {
        let mut buffers = Buffers::default();
        while let Some(request) = self.request(&mut buffers.wire)? {
            sink.counters.requests.fetch_add(1, Relaxed);
            let (path, query) = request
                .target
                .split_once('?')
                .unwrap_or((&request.target, ""));
            let cut = if sink.faults.is_down() {
                true
            } else if path.ends_with("/_bulk") {
                let detail = Detail::of_query(query);
                self.answer_bulk(sink, path, &request.encoding, detail, &mut buffers)?
            } else if let Some(name) = path.strip_prefix("/_index_template/") {
                let Buffers { wire, plain, .. } = &mut buffers;
                let template = decode(&request.encoding, wire, plain)?;
                let (status, body) = template_answer(sink, &request.method, name, template);
                self.answer(status, body.as_bytes(), request.method == "HEAD")?;
                false
            } else {
                let body = other_answer(sink, &request.method, path);
                self.answer("200 OK", body.as_bytes(), request.method == "HEAD")?;
                false
            };
            if cut {
                return self.reset();
            }
            if request.close {
                break;
            }
        }
        Ok(())
    }

    /// Answers one bulk request; true when the connection is to be cut instead.
    fn answer_bulk(
        &mut self,
        sink: &Sink,
        path: &str,
        encoding: &Encoding,
        detail: Detail,
        buffers: &mut Buffers,
    ) -> io::Result<bool> {
        let counters = &sink.counters;
        let Buffers { wire, plain, out } = buffers;
        counters.bulk_requests.fetch_add(1, Relaxed);
        counters.wire_bytes.fetch_add(wire.len() as u64, Relaxed);
        let fate = sink.faults.next_request();
        match fate {
            Fate::ResetBefore => {
                counters.resets.fetch_add(1, Relaxed);
                return Ok(true);
            }
            Fate::Unavailable => {
                counters.answered_503.fetch_add(1, Relaxed);
                let error = b"{\"error\":\"made to fail\",\"status\":503}";
                self.answer("503 Service Unavailable", error, false)?;
                return Ok(false);
            }
            Fate::Answered | Fate::ResetAfter => {}
        }
        let Ok(body) = decode(encoding, wire, plain) else {
            counters.bad_bulk.fetch_add(1, Relaxed);
            let error = b"{\"error\":\"bad compression\",\"status\":400}";
            self.answer("400 Bad Request", error, false)?;
            return Ok(false);
        };
        counters.body_bytes.fetch_add(body.len() as u64, Relaxed);
        sink.bulk(path, body, detail, out);
        thread::sleep(sink.faults.delay());
        if fate == Fate::ResetAfter || sink.faults.is_down() {
            counters.resets.fetch_add(1, Relaxed);
            return Ok(true);
        }
        self.answer("200 OK", out, false)?;
        Ok(false)
    }
}

/// What one connection needs again for every request.
#[derive(Default)]
struct Buffers {
    /// The body as sent.
    wire: Vec<u8>,
    /// The body without compression.
    plain: Vec<u8>,
    /// The answer.
    out: Vec<u8>,
}

/// The body without its compression, which is undone into `plain`.
fn decode<'a>(encoding: &Encoding, wire: &'a [u8], plain: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
    plain.clear();
    match encoding {
        Encoding::Plain => return Ok(wire),
        Encoding::Gzip => MultiGzDecoder::new(wire).read_to_end(plain)?,
        Encoding::Deflate => ZlibDecoder::new(wire).read_to_end(plain)?,
    };
    Ok(plain)
}
