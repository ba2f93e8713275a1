//! What may a terminal be sent? Containers write what they like into their logs, escape sequences too.
//!
//! Colour sequences are left out; every other character that could steer a terminal, or let text seem to stand
//! elsewhere, is replaced by a visible sign. Sources: ECMA-48 (C0, C1, SGR), Unicode UAX #9 (directional controls).

use std::fmt::Write as _;

/// Where the lines of a message after its first begin, so that no message can look like a line of its own.
const CONTINUED: &str = "\n    ";

/// Appends a message for a terminal.
pub(super) fn push(message: &str, out: &mut String) {
    let mut rest = message;
    while let Some(char) = rest.chars().next() {
        if let Some(after) = skip_colour(rest) {
            rest = after;
            continue;
        }
        push_char(char, out);
        rest = rest.get(char.len_utf8()..).unwrap_or_default();
    }
}

/// Appends a message for a file or a program: its characters are kept, its further lines set in.
pub(super) fn push_kept(message: &str, out: &mut String) {
    for (index, line) in message.split('\n').enumerate() {
        if index > 0 {
            out.push_str(CONTINUED);
        }
        out.push_str(line);
    }
}

/// Whether a character could steer a terminal, line feed and tab included.
pub(super) fn steers(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

fn push_char(char: char, out: &mut String) {
    match char {
        '\t' => out.push(char),
        '\n' => out.push_str(CONTINUED),
        '\u{7f}' => out.push('␡'),
        // The control pictures stand in the order of the controls.
        '\0'..='\u{1f}' => out.extend(char::from_u32(0x2400 + u32::from(char))),
        _ if steers(char) => {
            // Writing to a String can't fail.
            write!(out, "{}", char.escape_unicode()).unwrap_or_default();
        }
        _ => out.push(char),
    }
}

/// What follows the colour sequence (SGR) that `text` begins with, if it does.
fn skip_colour(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let length = parameters
        .bytes()
        .take(MAX_SGR_BYTES)
        .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':'));
    parameters.get(length.count()..)?.strip_prefix('m')
}

/// A colour sequence has at most this many bytes of parameters; the look ahead stays short whatever the text is.
const MAX_SGR_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(message: &str, expect: &str) {
        let mut out = String::new();
        push(message, &mut out);
        assert_eq!(out, expect, "{message:?}");
    }

    #[test]
    fn colours_go_and_other_sequences_are_seen() {
        check("\u{1b}[1;31mERROR\u{1b}[0m ok", "ERROR ok");
        check("\u{1b}[2J\u{1b}]0;title\u{7}", "␛[2J␛]0;title␇");
        check("\u{9b}2J", "\\u{9b}2J");
        check("over\rwritten\u{8}", "over␍written␈");
        check("a\tb\u{7f}", "a\tb␡");
        check("abc\u{202e}cba", "abc\\u{202e}cba");
        check("größe 漢字 🦀", "größe 漢字 🦀");
        check("\u{1b}[", "␛[");
        check(
            &format!("\u{1b}[{}m", "1".repeat(100)),
            &format!("␛[{}m", "1".repeat(100)),
        );
    }

    #[test]
    fn a_message_of_several_lines_can_not_look_like_several() {
        check(
            "Traceback:\n  at x\n2026-11-21 forged",
            "Traceback:\n      at x\n    2026-11-21 forged",
        );
    }

    proptest! {
        #[test]
        fn nothing_that_steers_is_left(message in "(?s:.){0,50}", parts in prop::collection::vec(
            prop::sample::select(vec!["\u{1b}", "[", "0", ";", "m", "\n", "\u{9b}", "]", "x"]), 0..30)) {
            for message in [message, parts.concat()] {
                let mut out = String::new();
                push(&message, &mut out);
                let left = out.replace(CONTINUED, "").replace('\t', "");
                prop_assert!(!left.chars().any(steers), "{:?}", left);
            }
        }
    }
}
