//! What does one record look like on disk? Text as real programs print it, framed as a CRI runtime frames it.
//!
//! Half are access-log lines, the rest JSON and Java; one in `partial_every` is longer than the runtime's 16 KiB and
//! therefore split into `P` lines and a last `F` line.

use std::fmt::Write as _;
use std::io::Write as _;

use record::time::Timestamp;

use crate::chance::splitmix64;
use crate::token::Token;

/// A CRI runtime's longest line before it splits, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;

/// Makes the records of one workload.
#[derive(Debug)]
pub struct Lines {
    /// Chooses what each record says.
    pub seed: u64,
    /// Every how many records one is split; 0 for never.
    pub partial_every: u64,
    message: String,
}

impl Lines {
    /// A workload by its seed.
    pub fn new(seed: u64, partial_every: u64) -> Self {
        Self {
            seed,
            partial_every,
            message: String::new(),
        }
    }

    /// Appends record `sequence` to `out`; returns its number of CRI lines.
    ///
    /// `time` is the runtime's time of the line; `written_micros` goes into the token.
    pub fn append(
        &mut self,
        out: &mut Vec<u8>,
        sequence: u64,
        written_micros: u64,
        time: Timestamp,
    ) -> u64 {
        let choice = splitmix64(self.seed ^ sequence.wrapping_mul(0x5851_F42D_4C95_7F2D));
        let split =
            self.partial_every > 0 && sequence % self.partial_every == self.partial_every - 1;
        let token = Token {
            sequence,
            written_micros,
            split,
        };
        let stamp = time.rfc3339();
        let stamp = std::str::from_utf8(&stamp).unwrap_or_default();
        self.message.clear();
        let written = match (choice >> 40) % 100 {
            _ if split => write_dump(&mut self.message, choice, token),
            0..50 => write_access(&mut self.message, choice, token, stamp),
            50..80 => write_json(&mut self.message, choice, token),
            _ => write_java(&mut self.message, choice, token, stamp),
        };
        debug_assert!(written.is_ok(), "a string takes everything");
        let output = if choice.is_multiple_of(13) {
            "stderr"
        } else {
            "stdout"
        };
        frame(out, self.message.as_bytes(), stamp, output)
    }
}

/// Appends `message` as the runtime writes it; returns the number of lines.
fn frame(out: &mut Vec<u8>, message: &[u8], stamp: &str, output: &str) -> u64 {
    let mut rest = message;
    for lines in 1.. {
        let (now, later) = rest.split_at(rest.len().min(CHUNK_BYTES));
        let tag = if later.is_empty() { 'F' } else { 'P' };
        let written = write!(out, "{stamp} {output} {tag} ");
        debug_assert!(written.is_ok(), "a vector takes everything");
        out.extend_from_slice(now);
        out.push(b'\n');
        if later.is_empty() {
            return lines;
        }
        rest = later;
    }
    0
}

fn user(choice: u64) -> u64 {
    (choice >> 8) % 90_000
}

fn millis(choice: u64) -> u64 {
    (choice >> 24) % 900
}

fn write_dump(message: &mut String, choice: u64, token: Token) -> std::fmt::Result {
    let wanted = CHUNK_BYTES + ((choice >> 16) as usize % (CHUNK_BYTES + CHUNK_BYTES / 2));
    write!(
        message,
        "{{\"level\":\"debug\",\"trace\":\"{token}\",\"dump\":\""
    )?;
    let mut item = choice;
    while message.len() < wanted {
        item = splitmix64(item);
        write!(
            message,
            "item-{:05} qty={} state=shipped; ",
            item % 100_000,
            item >> 60
        )?;
    }
    write!(message, "\",\"end\":\"@e={:010}@\"}}", token.sequence)
}

fn write_access(message: &mut String, choice: u64, token: Token, stamp: &str) -> std::fmt::Result {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let verb = ["GET", "GET", "GET", "POST", "PUT", "DELETE"][(choice % 6) as usize];
    let status = [200, 200, 200, 200, 304, 404, 500, 201][(choice >> 5) as usize % 8];
    let month = stamp[5..7].parse::<usize>().unwrap_or(1).clamp(1, 12);
    write!(
        message,
        "10.42.{}.{} - - [{}/{}/{}:{} +0000] \"{verb} /api/v1/items/{}?page={} HTTP/1.1\" {status} {} \"-\" \"curl/8.5.0 {token}\"",
        choice % 250,
        (choice >> 9) % 250,
        &stamp[8..10],
        MONTHS[month - 1],
        &stamp[..4],
        &stamp[11..19],
        user(choice),
        millis(choice) % 40,
        (choice >> 13) % 90_000
    )
}

fn write_json(message: &mut String, choice: u64, token: Token) -> std::fmt::Result {
    let level = ["info", "info", "info", "debug", "warn", "error"][(choice >> 3) as usize % 6];
    write!(
        message,
        "{{\"level\":\"{level}\",\"logger\":\"shop.orders\",\"msg\":\"order placed\",\"order\":{},\"user\":\"u-{}\",\"ms\":{}.{},\"trace\":\"{token}\"}}",
        (choice >> 20) % 10_000_000,
        user(choice),
        millis(choice),
        choice % 10
    )
}

fn write_java(message: &mut String, choice: u64, token: Token, stamp: &str) -> std::fmt::Result {
    let level = ["INFO ", "INFO ", "INFO ", "DEBUG", "WARN ", "ERROR"][(choice >> 3) as usize % 6];
    write!(
        message,
        "{} {},{} {level} [exec-{}] c.e.shop.OrderService - handled order {} in {} ms for u-{} {token}",
        &stamp[..10],
        &stamp[11..19],
        &stamp[20..23],
        choice % 32,
        (choice >> 20) % 10_000_000,
        millis(choice),
        user(choice)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_carries_its_token_and_a_split_one_its_end() {
        let mut lines = Lines::new(1, 100);
        let time = Timestamp(1_795_255_200_000_000_000);
        for sequence in 0..1000 {
            let mut out = Vec::new();
            let count = lines.append(&mut out, sequence, 7, time);
            let split = sequence % 100 == 99;
            assert_eq!(count > 1, split);
            let tokens: Vec<_> = Token::find_all(&out).map(|(_, token)| token).collect();
            assert_eq!(
                tokens,
                [Token {
                    sequence,
                    written_micros: 7,
                    split
                }]
            );
            assert!(out.starts_with(b"2026-11-21T10:00:00.000000000Z std"));
            assert_eq!(memchr::memchr_iter(b'\n', &out).count() as u64, count);
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_text() {
        let make = |seed| {
            let mut out = Vec::new();
            Lines::new(seed, 0).append(&mut out, 5, 0, Timestamp(0));
            out
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }
}
