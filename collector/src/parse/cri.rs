//! What does a line of the CRI logging format say? `TIME SP (stdout|stderr) SP TAG(:TAG)* SP TEXT`
//!
//! Source: the kubelet's design document of the CRI logging format. The first tag is `P` (more of this line follows) or
//! `F` (its end); tags after it are for later versions and are passed over.

use memchr::memchr;
use record::{OutputStream, Tags, Timestamp};

use super::piece::Piece;

/// Times have 20 to 35 bytes; a space must follow.
const TIME_BYTES_MAX: usize = 48;

/// Reads one raw line; the error says what is missing.
pub(super) fn decode(raw: &[u8]) -> Result<Piece<'_>, &'static str> {
    let head = raw.get(..TIME_BYTES_MAX).unwrap_or(raw);
    let (time, rest) = memchr(b' ', head)
        .and_then(|space| raw.split_at_checked(space))
        .ok_or("not a CRI line: no time")?;
    let time = Timestamp::parse_rfc3339(time).ok_or("not a CRI line: no time")?;
    let (output, rest) = if let Some(rest) = rest.strip_prefix(b" stdout ") {
        (OutputStream::Stdout, rest)
    } else if let Some(rest) = rest.strip_prefix(b" stderr ") {
        (OutputStream::Stderr, rest)
    } else {
        return Err("not a CRI line: no stream");
    };
    let (finishes, rest) = match rest {
        [b'F', rest @ ..] => (true, rest),
        [b'P', rest @ ..] => (false, rest),
        _ => return Err("not a CRI line: no tag"),
    };
    let text = match rest {
        [b' ', text @ ..] => text,
        [] | [b'\r'] => &[],
        [b':', tags @ ..] => match memchr(b' ', tags).and_then(|space| tags.get(space + 1..)) {
            Some(text) => text,
            None => &[],
        },
        _ => return Err("not a CRI line: no tag"),
    };
    let text_at = (raw.len() - text.len()) as u64;
    Ok(Piece {
        time,
        output,
        text,
        text_at,
        finishes,
        tags: Tags::NONE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, expect: Result<(OutputStream, bool, &str), &str>) {
        let found = decode(raw.as_bytes());
        if let Ok(piece) = &found {
            assert_eq!(
                piece.text,
                &raw.as_bytes()[piece.text_at as usize..],
                "{raw}"
            );
        }
        let found = found
            .map(|piece| {
                (
                    piece.output,
                    piece.finishes,
                    std::str::from_utf8(piece.text).unwrap(),
                )
            })
            .map_err(|error| error.strip_prefix("not a CRI line: ").unwrap());
        assert_eq!(found, expect, "{raw}");
    }

    #[test]
    fn lines_as_runtimes_write_them_and_lines_that_are_none() {
        use OutputStream::{Stderr, Stdout};
        check(
            "2026-11-21T11:53:22.392725836Z stdout F hello",
            Ok((Stdout, true, "hello")),
        );
        check(
            "2026-11-21T11:53:23.28233481Z stderr P half ",
            Ok((Stderr, false, "half ")),
        );
        check("2026-11-21T11:53:23Z stdout F ", Ok((Stdout, true, "")));
        check("2026-11-21T11:53:23Z stdout F", Ok((Stdout, true, "")));
        check("2026-11-21T11:53:23Z stdout F\r", Ok((Stdout, true, "")));
        check(
            "2026-11-21T12:53:23.1+01:00 stdout F  two  ",
            Ok((Stdout, true, " two  ")),
        );
        check(
            "2026-11-21T11:53:23Z stdout P:x:y z",
            Ok((Stdout, false, "z")),
        );
        check("2026-11-21T11:53:23Z stdout F: z", Ok((Stdout, true, "z")));
        check("2026-11-21T11:53:23Z stdout F:x", Ok((Stdout, true, "")));
        check("2026-11-21T11:53:23Z stdout X z", Err("no tag"));
        check("2026-11-21T11:53:23Z stdout FP z", Err("no tag"));
        check("2026-11-21T11:53:23Z stdout ", Err("no tag"));
        check("2026-11-21T11:53:23Z stdin F z", Err("no stream"));
        check("2026-11-21T11:53:23Z  stdout F z", Err("no stream"));
        check("2026-11-21T11:53:23Z", Err("no time"));
        check("2026-11-21 11:53:23Z stdout F z", Err("no time"));
        check("hello", Err("no time"));
        check("", Err("no time"));
    }
}
