//! Which of its kind is it? A sample's labels, written once and shared by all families that have them.
//!
//! A virtual server has a dozen families with the same nine labels; as text they are kept once, sorted and escaped.

use std::fmt::{self, Write};
use std::sync::Arc;

/// A set of labels as the text format has it between the braces: `env="prod",linkaddr="10.0.0.1"`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<str>);

// === impl Labels ===

impl Labels {
    /// No labels.
    pub fn none() -> Self {
        Self(Arc::from(""))
    }

    /// Labels by name and value. An empty value is written: to Prometheus it is the same as none, but it keeps a
    /// target's own label of that name (`endpoint`, `namespace`, `service`) from taking the place.
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let mut sorted: Vec<&(&str, &str)> = pairs.iter().collect();
        sorted.sort_unstable_by_key(|(name, _)| *name);
        let mut text = String::with_capacity(pairs.len() * 24);
        for (name, value) in sorted {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(name);
            text.push_str("=\"");
            escape(value, &mut text);
            text.push('"');
        }
        Self(Arc::from(text))
    }

    /// The text between the braces.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        f.write_str(&self.0)?;
        f.write_char('}')
    }
}

/// Escapes a label's value (Prometheus text format 0.0.4: backslash, newline and double quote).
fn escape(value: &str, out: &mut String) {
    if !value.contains(['\\', '\n', '"']) {
        out.push_str(value);
        return;
    }
    for letter in value.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_escaped() {
        let labels = Labels::of(&[("b", "x\\y\n\"z\""), ("a", "")]);
        assert_eq!(labels.as_str(), r#"a="",b="x\\y\n\"z\"""#);
        assert_eq!(Labels::of(&[]), Labels::none());
    }
}
