//! What does the bare work cost on this machine? The least program that does what a collector must.
//!
//! It reads the files, finds the lines, splits CRI, checks UTF-8, escapes JSON and writes a bulk body with a whole
//! document per line, and throws it away (compressed first, when asked). No rotation, no partial lines, no state, no
//! socket: a limit to measure against, not a collector.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use memchr::memchr;

/// The size at which a bulk body is thrown away and begun anew.
const BODY_BYTES: usize = 5 << 20;
const READ_BYTES: usize = 1 << 20;
/// What is the same for every line of a file.
const FILE_PART: &[u8] = br#","log":{"file":{"path":"/var/log/pods/shop_order-7d9f_0b1c/app/0.log"}},"kubernetes":{"namespace":"shop","pod":{"name":"order-7d9f6b5c4-x2x8k","uid":"0b1c2d3e-1111-2222-3333-444455556666"},"container":{"name":"app"},"node":{"name":"node-1"}}}"#;

/// What went through the loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// CRI lines.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes of bulk bodies.
    pub body_bytes: u64,
    /// Bytes of bulk bodies after compression; 0 without.
    pub compressed_bytes: u64,
}

/// Runs the loop over `paths`; `gzip` is the level of compression, if any.
pub fn run(paths: &[PathBuf], gzip: Option<u32>) -> io::Result<Passed> {
    let mut passed = Passed::default();
    let mut body = Vec::with_capacity(BODY_BYTES + READ_BYTES);
    let mut buffer = vec![0; READ_BYTES];
    for path in paths {
        let mut file = File::open(path)?;
        let (mut held, mut offset) = (0, 0);
        loop {
            let read = file.read(&mut buffer[held..])?;
            if read == 0 {
                break;
            }
            held += read;
            let mut at = 0;
            while let Some(length) = memchr(b'\n', &buffer[at..held]) {
                append_item(&mut body, &buffer[at..at + length], offset + at as u64);
                passed.lines += 1;
                at += length + 1;
                if body.len() >= BODY_BYTES {
                    discard(&mut body, gzip, &mut passed)?;
                }
            }
            buffer.copy_within(at..held, 0);
            held -= at;
            offset += at as u64;
        }
        passed.bytes += offset;
    }
    discard(&mut body, gzip, &mut passed)?;
    Ok(passed)
}

/// Appends the action and the document of one CRI line; a line that is none is left out.
fn append_item(body: &mut Vec<u8>, line: &[u8], offset: u64) {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
    // TIME stdout F MESSAGE
    let Some(space) = memchr(b' ', line) else {
        return;
    };
    let (time, rest) = line.split_at(space);
    let (Some(output), Some(message)) = (rest.get(1..7), rest.get(10..)) else {
        return;
    };
    if simdutf8::basic::from_utf8(message).is_err() {
        return;
    }
    body.extend_from_slice(b"{\"create\":{\"_id\":\"abcdefghijk");
    let mut id = [0; 8];
    for (place, digit) in id.iter_mut().rev().enumerate() {
        *digit = DIGITS[(offset >> (5 * place)) as usize & 31];
    }
    body.extend_from_slice(&id);
    body.extend_from_slice(b"\"}}\n{\"@timestamp\":\"");
    body.extend_from_slice(time);
    body.extend_from_slice(b"\",\"stream\":\"");
    body.extend_from_slice(output);
    body.extend_from_slice(b"\",\"message\":\"");
    escape(body, message);
    body.push(b'"');
    body.extend_from_slice(FILE_PART);
    body.push(b'\n');
}

/// Appends `text` as the inside of a JSON string, in runs.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(plain) = rest
        .iter()
        .position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\')
    {
        out.extend_from_slice(&rest[..plain]);
        match rest[plain] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                let written = write!(out, "\\u{control:04x}");
                debug_assert!(written.is_ok(), "a vector takes everything");
            }
        }
        rest = &rest[plain + 1..];
    }
    out.extend_from_slice(rest);
}

fn discard(body: &mut Vec<u8>, gzip: Option<u32>, passed: &mut Passed) -> io::Result<()> {
    passed.body_bytes += body.len() as u64;
    if let Some(level) = gzip {
        let mut encoder = GzEncoder::new(Vec::with_capacity(1 << 20), Compression::new(level));
        encoder.write_all(body)?;
        passed.compressed_bytes += encoder.finish()?.len() as u64;
    }
    body.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_an_action_and_a_whole_document() {
        let mut body = Vec::new();
        append_item(
            &mut body,
            b"2026-11-21T10:00:00.0Z stdout F say \"hi\"\t\\",
            33,
        );
        let mut lines = body.split(|byte| *byte == b'\n');
        let action: serde_json::Value = serde_json::from_slice(lines.next().unwrap()).unwrap();
        assert_eq!(action["create"]["_id"], "abcdefghijk00000011");
        let document: serde_json::Value = serde_json::from_slice(lines.next().unwrap()).unwrap();
        assert_eq!(document["message"], "say \"hi\"\t\\");
        assert_eq!(document["stream"], "stdout");
        assert_eq!(document["kubernetes"]["namespace"], "shop");
    }
}
