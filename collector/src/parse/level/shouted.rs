//! Upper-case words that stand alone: `2026-11-21 ERROR [main] …`

use record::Level;

/// The first upper-case word that is a level and stands alone, and where it begins.
pub(super) fn upper_word(head: &[u8]) -> Option<(usize, Level)> {
    let mut at = 0;
    while let Some(run) = upper_run(head, at) {
        let inside = head.get(run..)?;
        let length = inside
            .iter()
            .take_while(|byte| byte.is_ascii_uppercase())
            .count();
        let (word, after) = inside.split_at_checked(length)?;
        if let Some(level) = shouted_level(word, after)
            && stands_alone(head.get(..run)?, word, after)
        {
            return Some((run, level));
        }
        at = run + length.max(1);
    }
    None
}

/// Where the next run of three or more upper-case letters begins, at `from` or after it.
///
/// Words of eight bytes are read every six, so that three in a row are always seen together.
fn upper_run(text: &[u8], from: usize) -> Option<usize> {
    const STEP: usize = 6;
    let mut at = from;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<34>) {
        if any_three_upper(chunk) {
            break;
        }
        at += 32;
    }
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let hits = three_upper(u64::from_le_bytes(*chunk));
        if hits != 0 {
            return Some(at + hits.trailing_zeros() as usize / 8);
        }
        at += STEP;
    }
    let rest = text.get(at..)?;
    let mut chunk = [0; 8];
    chunk.get_mut(..rest.len())?.copy_from_slice(rest);
    let hits = three_upper(u64::from_le_bytes(chunk));
    (hits != 0).then(|| at + hits.trailing_zeros() as usize / 8)
}

/// Whether three upper-case letters begin at any of the first 32 bytes; written so that it becomes vector code.
fn any_three_upper(chunk: &[u8; 34]) -> bool {
    let upper = |at: usize| u8::from(chunk[at].wrapping_sub(b'A') < 26);
    let mut any = 0;
    for at in 0..32 {
        any |= upper(at) & upper(at + 1) & upper(at + 2);
    }
    any != 0
}

/// Marks the high bit of each byte with which three upper-case ASCII letters begin.
pub(super) fn three_upper(word: u64) -> u64 {
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low = word & !HIGHS;
    // Per byte and without carries: the high bit is set from `A` on, and from the byte after `Z` on.
    let from_a = low + ONES * (0x80 - u64::from(b'A'));
    let past_z = low + ONES * (0x7f - u64::from(b'Z'));
    let upper = from_a & !past_z & !word & HIGHS;
    upper & (upper >> 8) & (upper >> 16)
}

/// The level of an upper-case word, by what may follow it.
fn shouted_level(word: &[u8], after: &[u8]) -> Option<Level> {
    let level = match word {
        b"ERROR" | b"ERRO" | b"ERR" | b"SEVERE" => Level::Error,
        b"WARN" | b"WARNING" | b"WRN" => Level::Warn,
        b"INFO" | b"INF" | b"NOTICE" => Level::Info,
        b"DEBUG" | b"DEBU" | b"DBG" => Level::Debug,
        // Not the HTTP method.
        b"TRACE" if !after.starts_with(b" /") && !after.starts_with(b" http") => Level::Trace,
        b"TRC" | b"VRB" | b"VERBOSE" => Level::Trace,
        b"FATAL" | b"FATA" | b"FTL" | b"CRITICAL" | b"CRIT" | b"PANIC" | b"PANI" | b"EMERG"
        | b"EMERGENCY" | b"ALERT" => Level::Fatal,
        _ => return None,
    };
    // Three letters are a level only where nothing but a column's end follows: `INF` is a number too.
    let column = matches!(
        after.first(),
        None | Some(b' ' | b']' | b'|' | b'\t' | b'\x1b')
    );
    (word.len() > 3 || column).then_some(level)
}

/// Whether an upper-case word is a word of its own and no name, path, key or count.
fn stands_alone(before: &[u8], word: &[u8], after: &[u8]) -> bool {
    let begins = match before.last() {
        None
        | Some(b' ' | b'\t' | b'[' | b'(' | b'|' | b':' | b'<' | b'*' | b'>' | b'{' | b'-') => {
            // `10:00:00-INFO-x` and `-ERROR` are columns, `NO-ERROR` is a name.
            !matches!(before, [.., b'A'..=b'Z' | b'a'..=b'z', b'-'])
        }
        Some(b',' | b';') => true,
        // Monolog's `channel.ERROR: `.
        Some(b'.') => after.starts_with(b": "),
        Some(b'm') => ends_with_colour(before),
        Some(_) => false,
    };
    let ends = match after.first() {
        None => true,
        Some(b'=' | b'_' | b'"' | b'\'' | b'.') => matches!(after, [b'.', b' ', ..] | [b'.']),
        Some(b'-') => !after.get(1).is_some_and(u8::is_ascii_alphabetic) || before.ends_with(b"-"),
        Some(byte) => !byte.is_ascii_alphanumeric() && byte.is_ascii(),
    };
    // Three letters are few: only a column's own edges are believed.
    let edge = word.len() > 3
        || matches!(
            before.last(),
            None | Some(b' ' | b'\t' | b'[' | b'|' | b'm')
        );
    begins && ends && edge
}

/// Whether a terminal's colour (`ESC [ 3 1 m`) ends here.
fn ends_with_colour(before: &[u8]) -> bool {
    let Some((_, before)) = before.split_last() else {
        return false;
    };
    let codes = before.iter().rev().take(12);
    let length = codes
        .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
        .count();
    before
        .get(..before.len() - length)
        .is_some_and(|before| before.ends_with(b"\x1b["))
}
