//! Which record is it? The mark that every generated record carries, so that a reader can count what arrived.
//!
//! `@q=<10 digits>,t=<16 digits>,p=<0|1>@`: the sequence number, the time of writing in Unix microseconds (0 when
//! prefilled), and whether the record was split over CRI `P` lines. A split record ends in `@e=<10 digits>@`.

use std::fmt::{self, Display};

use memchr::memmem;

/// How every token begins.
pub const START: &[u8] = b"@q=";
/// How the end mark of a split record begins.
pub const END_START: &[u8] = b"@e=";
/// Bytes of a token.
pub const LENGTH: usize = 37;

/// The mark of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Counts the records of one workload from 0.
    pub sequence: u64,
    /// When it was written, in microseconds since the Unix epoch; 0 when that is of no interest.
    pub written_micros: u64,
    /// Whether it was split over several CRI lines.
    pub split: bool,
}

impl Token {
    /// Reads a token at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let token = bytes.get(..LENGTH)?;
        if !token.starts_with(START) || token[36] != b'@' {
            return None;
        }
        Some(Self {
            sequence: digits(&token[3..13])?,
            written_micros: digits(&token[16..32])?,
            split: token[35] == b'1',
        })
    }

    /// The tokens anywhere in `text`, in order, each with its place.
    pub fn find_all(text: &[u8]) -> impl Iterator<Item = (usize, Self)> {
        memmem::find_iter(text, START)
            .filter_map(|at| Self::parse(&text[at..]).map(|token| (at, token)))
    }
}

impl Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sequence,
            written_micros,
            split,
        } = self;
        write!(
            f,
            "@q={sequence:010},t={written_micros:016},p={}@",
            u8::from(*split)
        )
    }
}

/// The number that `bytes` spell, when they are nothing but digits.
pub fn digits(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_text_is_found_as_it_was_written() {
        let token = Token {
            sequence: 42,
            written_micros: 1_795_255_200_000_000,
            split: true,
        };
        let text = format!("before @q=bad {token} after");
        let found: Vec<_> = Token::find_all(text.as_bytes()).collect();
        assert_eq!(found, [(14, token)]);
        assert_eq!(token.to_string().len(), LENGTH);
    }

    #[test]
    fn a_cut_token_is_none() {
        let text = Token {
            sequence: 1,
            written_micros: 2,
            split: false,
        }
        .to_string();
        for length in 0..text.len() {
            assert_eq!(Token::parse(&text.as_bytes()[..length]), None);
        }
    }
}
