//! Is this text in that one, whatever the case of its letters?
//!
//! Both sides are *folded*: each character is replaced by its lower case (Unicode, one character at a time). A character
//! beyond ASCII never folds into ASCII (the Kelvin sign stays what it is), so that a search for ASCII text may
//! look at bytes alone.

use std::borrow::Cow;

/// Replaces each character by its lower case.
pub fn fold(text: &str) -> Cow<'_, str> {
    if !text
        .bytes()
        .any(|byte| byte.is_ascii_uppercase() || byte >= 0x80)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    fold_into(text, &mut out);
    Cow::Owned(out)
}

/// Appends `text` with each character replaced by its lower case.
pub fn fold_into(text: &str, out: &mut String) {
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character.to_ascii_lowercase());
        } else if character
            .to_lowercase()
            .next()
            .is_none_or(|first| first.is_ascii())
        {
            out.push(character);
        } else {
            out.extend(character.to_lowercase());
        }
    }
}

/// Whether all of `text` fits a pattern in which `*` stands for any text and `?` for any character; both folded.
///
/// Takes at most `text.len() * pattern.len()` steps and no memory: after a mismatch only the last `*` is widened.
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let (mut pattern_rest, mut text_rest) = (pattern.chars(), text.chars());
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let before = (pattern_rest.clone(), text_rest.clone());
        match (pattern_rest.next(), text_rest.next()) {
            (Some('*'), _) => {
                text_rest = before.1;
                retry = Some((pattern_rest.clone(), text_rest.clone()));
            }
            (None, None) => return true,
            (Some(want), Some(have)) if want == '?' || want == have => {}
            _ => {
                let Some((after_star, mut wider)) = retry.take() else {
                    return false;
                };
                if wider.next().is_none() {
                    return false;
                }
                pattern_rest = after_star.clone();
                text_rest = wider.clone();
                retry = Some((after_star, wider));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_knows_more_than_ascii_and_keeps_ascii_apart() {
        assert_eq!(fold("Straße ÄÖÜ ΣΑΣ"), "straße äöü σασ");
        assert_eq!(fold("\u{212a}elvin \u{130}"), "\u{212a}elvin \u{130}");
        assert!(matches!(fold("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn globs() {
        let check = |pattern: &str, text: &str, expect: bool| {
            assert_eq!(glob_matches(pattern, text), expect, "{pattern} {text}");
        };
        check("order-*", "order-1", true);
        check("order-*", "orders", false);
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
        check("?", "ü", true);
        check("a?c*e", "abcdde", true);
        check("a*b*c", "a-b-b-d", false);
        check("*ab", "aab", true);
        check("**a**", "bab", true);
        let hostile = "a".repeat(5000);
        check(&format!("{}b", "a*".repeat(500)), &hostile, false);
    }
}
