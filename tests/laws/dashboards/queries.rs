//! Which metrics and variables does an expression of `PromQL` name? Enough of its grammar for that, and no more.

use std::collections::BTreeSet;

/// Words of the language that are no metrics although nothing marks them.
const WORDS: [&str; 12] = [
    "and",
    "or",
    "unless",
    "bool",
    "offset",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "atan2",
];
/// Behind these, a list of labels follows.
const BEFORE_LABELS: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// The names of metrics in an expression.
pub(crate) fn metrics(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        match first {
            '{' => rest = after_matchers(rest),
            '[' => rest = rest.split_once(']').map_or("", |(_, behind)| behind),
            '"' => rest = after_string(rest),
            '0'..='9' | '.' => {
                rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
            }
            'a'..='z' | 'A'..='Z' | '_' | ':' | '$' => {
                let end = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '$')))
                    .unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                let next = behind.trim_start();
                if BEFORE_LABELS.contains(&word) && next.starts_with('(') {
                    rest = next.split_once(')').map_or("", |(_, behind)| behind);
                    continue;
                }
                // `sum by (a) (b)`: an operator as much as `sum(b) by (a)`.
                let groups = ["by", "without"].iter().any(|&word| {
                    next.strip_prefix(word)
                        .is_some_and(|rest| rest.trim_start().starts_with('('))
                });
                if !WORDS.contains(&word) && !next.starts_with('(') && !groups {
                    found.insert(word.to_owned());
                }
                rest = behind;
            }
            _ => rest = &rest[first.len_utf8()..],
        }
    }
    found
}

fn after_matchers(text: &str) -> &str {
    let mut rest = &text[1..];
    loop {
        match rest.chars().next() {
            None => return "",
            Some('}') => return &rest[1..],
            Some('"') => rest = after_string(rest),
            Some(other) => rest = &rest[other.len_utf8()..],
        }
    }
}

/// What is behind the string that the text begins with.
fn after_string(text: &str) -> &str {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

/// The variables in an expression, as in `$cluster`.
pub(crate) fn label_variables(expression: &str) -> BTreeSet<String> {
    expression
        .split('$')
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|&c| c == '_' || c.is_ascii_alphanumeric())
                .collect()
        })
        .collect()
}

#[test]
fn metrics_are_told_from_everything_else() {
    let named = |expression: &str| {
        metrics(expression)
            .into_iter()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        named(
            "sum by (le, pod) (rate(a_bucket{pod=~\"b|}c\", x=\"\\\"y\"}[$__rate_interval] offset 1w)) / on (d) group_left () (e > 0)"
        ),
        "a_bucket e"
    );
    assert_eq!(
        named("(up == bool 2) unless on (node) time() - 4 * 3600 or 1e9"),
        "up"
    );
    assert_eq!(
        named("histogram_quantile(0.99, rec:b:rate5m)"),
        "rec:b:rate5m"
    );
}
