//! Card numbers: 13 to 19 digits of a known issuer whose check digit is right.
//!
//! Numbers of that length are everywhere in logs (times in milliseconds, ids), and one in ten has a right check digit, so
//! the issuer's first digits and the usual grouping must fit too. Source: ISO/IEC 7812 (Luhn), issuers' ranges.

use std::ops::Range;

use super::token::before;

/// The shortest number, in digits.
const DIGITS_LEAST: usize = 13;
const DIGITS_MAX: usize = 19;

/// Whether a line may have a card number: looks at every thirteenth byte of text without digits.
pub(super) fn is_likely(text: &[u8]) -> bool {
    let mut at = 0;
    while let Some(start) = next_run(text, at) {
        let run = text.get(start..).unwrap_or_default();
        let run = run.iter().take_while(|byte| is_part(**byte));
        let (mut length, mut digits) = (0, 0);
        for byte in run {
            length += 1;
            digits += usize::from(byte.is_ascii_digit());
        }
        if digits >= DIGITS_LEAST {
            return true;
        }
        at = start + length;
    }
    false
}

/// The next card number at or after the anchor's start.
pub(super) fn find(
    text: &[u8],
    anchor: Range<usize>,
    _floor: usize,
) -> Result<Range<usize>, usize> {
    let mut at = next_run(text, anchor.start).ok_or(text.len() + 1)?;
    // The run is followed only as far as needed: one run can have any number of cards.
    while text.get(at).is_some_and(|byte| is_part(*byte)) {
        let group = digits(text, at);
        if group > 0
            && let Some(end) = number_at(text, at)
        {
            return Ok(at..end);
        }
        at += group.max(1);
    }
    Err(at + 1)
}

/// Where the next run of digits and separators begins that has as many bytes as the shortest number has digits.
fn next_run(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        // A run that begins in the next thirteen bytes covers the last of them.
        let probe = at + DIGITS_LEAST - 1;
        if !is_part(*text.get(probe)?) {
            at = probe + 1;
            continue;
        }
        let before = text.get(at..probe)?.iter().rev();
        let start = probe - before.take_while(|byte| is_part(**byte)).count();
        let run = text.get(start..)?.get(..DIGITS_LEAST)?;
        match run.iter().rposition(|byte| !is_part(*byte)) {
            None => return Some(start),
            Some(gap) => at = start + gap + 1,
        }
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b' ' || byte == b'-'
}

/// How many digits stand at a place.
fn digits(text: &[u8], at: usize) -> usize {
    super::token::run(text, at, |byte| byte.is_ascii_digit())
}

/// The end of the card number that begins at `at`, the first digit of its group.
fn number_at(text: &[u8], at: usize) -> Option<usize> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if before(text, at).is_some_and(|byte| is_word(byte) || byte == b'.') {
        return None;
    }
    let mut number = [0; DIGITS_MAX];
    let (count, end) = read(text, at, &mut number)?;
    let follows = text.get(end).copied();
    let decimal = follows == Some(b'.') && digits(text, end + 1) > 0;
    if follows.is_some_and(is_word) || decimal {
        return None;
    }
    let number = number.get(..count)?;
    (is_issued(number) && luhn(number)).then_some(end)
}

/// Reads one group of all digits, or groups as they are printed on cards.
fn read(text: &[u8], at: usize, number: &mut [u8; DIGITS_MAX]) -> Option<(usize, usize)> {
    let first = digits(text, at);
    let mut count = 0;
    let mut take = |from: usize, length: usize, count: &mut usize| {
        for byte in text.get(from..from + length)? {
            *number.get_mut(*count)? = byte - b'0';
            *count += 1;
        }
        Some(())
    };
    if first != 4 {
        take(at, first, &mut count)?;
        return (count >= DIGITS_LEAST).then_some((count, at + first));
    }
    take(at, 4, &mut count)?;
    let separator = *text.get(at + 4)?;
    let mut end = at + 4;
    let mut groups = [4, 0, 0, 0, 0];
    for group in groups.iter_mut().skip(1) {
        if text.get(end) != Some(&separator) {
            break;
        }
        let length = digits(text, end + 1);
        if !(1..=6).contains(&length) {
            break;
        }
        take(end + 1, length, &mut count)?;
        *group = length;
        end += 1 + length;
    }
    let printed = matches!(
        groups,
        [4, 4, 4, 4, _] | [4, 4, 4, 1, 0] | [4, 6, 4 | 5, 0, 0]
    );
    (printed && count >= DIGITS_LEAST).then_some((count, end))
}

/// Whether a known issuer's numbers begin and are as long as this one.
fn is_issued(number: &[u8]) -> bool {
    let begin = |length: usize| {
        let digits = number.get(..length).unwrap_or_default();
        digits
            .iter()
            .fold(0, |value, digit| value * 10 + u32::from(*digit))
    };
    let (two, three, four) = (begin(2), begin(3), begin(4));
    match number.len() {
        13 => two / 10 == 4,
        14 => matches!(three, 300..=305) || matches!(two, 36 | 38 | 39),
        15 => matches!(two, 34 | 37),
        16 => {
            two / 10 == 4
                || matches!(two, 51..=55 | 35 | 62 | 65)
                || matches!(three, 644..=649)
                || matches!(four, 2221..=2720 | 6011)
        }
        19 => two / 10 == 4 || matches!(two, 62 | 65) || four == 6011,
        _ => false,
    }
}

/// Whether the last digit is the check digit of the others.
fn luhn(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit);
            match place % 2 {
                0 => digit,
                _ if digit > 4 => digit * 2 - 9,
                _ => digit * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}
