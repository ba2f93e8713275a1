//! How does foreign text get into a page? Escaped, always, by its type.

use std::fmt::{self, Write};

/// Text that is safe inside of an element and of a quoted attribute (HTML Living Standard, section 13.3).
///
/// Control characters, which no name needs and which could hide text, are shown as U+FFFD.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

// === impl Escaped ===

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char('\u{fffd}'),
            control if control.is_control() => f.write_char('\u{fffd}'),
            other => f.write_char(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a browser makes of the five entities that are used.
    fn unescaped(text: &str) -> String {
        [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&amp;", "&"),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (entity, char)| {
            text.replace(entity, char)
        })
    }

    #[test]
    fn a_script_in_a_name_stays_text() {
        assert_eq!(
            Escaped("<script>alert('\"&')</script>\u{202e}\u{1b}").to_string(),
            "&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;\u{fffd}\u{fffd}"
        );
    }

    proptest! {
        #[test]
        fn no_text_opens_an_element_or_leaves_an_attribute(text in "[<>&\"'a-z;#\\PC\n\u{1b}]{0,80}") {
            let escaped = Escaped(&text).to_string();
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            prop_assert!(!escaped.chars().any(char::is_control));
            let visible: String = text
                .chars()
                .map(|c| if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') { '\u{fffd}' } else { c })
                .collect();
            prop_assert_eq!(unescaped(&escaped), visible);
        }
    }
}
