//! How is a predicate written? Text that [`super::parse`] reads back as the same predicate.

use store::{Comparison, Field, Predicate, Test, Value};

use super::fields;

/// Appends the query text of `predicate`.
pub(super) fn predicate(predicate: &Predicate, out: &mut String) {
    match predicate {
        Predicate::All => out.push('*'),
        Predicate::And(parts) => joined(parts, " AND ", "*", out),
        Predicate::Or(parts) => joined(parts, " OR ", "NOT *", out),
        Predicate::Not(part) => {
            out.push_str("NOT ");
            nested(part, out);
        }
        Predicate::Text { needle } => quoted(needle, out),
        Predicate::Regex { field, pattern } => {
            name(field, out);
            expression(pattern, out);
        }
        Predicate::Field { field, test } => {
            name(field, out);
            passed(field, test, out);
        }
    }
}

fn joined(parts: &[Predicate], operator: &str, none: &str, out: &mut String) {
    if parts.is_empty() {
        out.push_str(none);
    }
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push_str(operator);
        }
        nested(part, out);
    }
}

/// A part of another predicate, in parentheses where the operators would bind otherwise.
fn nested(part: &Predicate, out: &mut String) {
    if matches!(part, Predicate::And(_) | Predicate::Or(_)) {
        out.push('(');
        predicate(part, out);
        out.push(')');
    } else {
        predicate(part, out);
    }
}

fn name(field: &Field, out: &mut String) {
    for char in fields::name(field).chars() {
        escaped_unless(char, char.is_alphanumeric() || "._@-/".contains(char), out);
    }
    out.push(':');
}

fn passed(field: &Field, test: &Test, out: &mut String) {
    match test {
        Test::Exists => out.push('*'),
        Test::Equals(text) => {
            out.push('=');
            quoted(text, out);
        }
        Test::Glob(pattern) => {
            for char in pattern.chars() {
                escaped_unless(char, char.is_alphanumeric() || "*?._-".contains(char), out);
            }
        }
        Test::Compare(comparison, value) => {
            out.push_str(match comparison {
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
            });
            match value {
                Value::Text(text) => quoted(text, out),
                // A body's field may hold either, and quotation marks tell the text.
                Value::Number(number) => out.push_str(&number.to_string()),
                Value::Time(time) => out.push_str(&time.to_string()),
                Value::Level(level) => out.push_str(level.as_str()),
            }
        }
    }
    debug_assert!(
        !matches!((field, test), (Field::Message, Test::Exists)),
        "printed as a star"
    );
}

fn expression(pattern: &str, out: &mut String) {
    out.push('/');
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '/' => out.push_str("\\/"),
            '\\' => {
                out.push(char);
                out.extend(chars.next());
            }
            _ => out.push(char),
        }
    }
    out.push('/');
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        escaped_unless(char, !"\"\\\n\r\t".contains(char), out);
    }
    out.push('"');
}

fn escaped_unless(char: char, plain: bool, out: &mut String) {
    match char {
        _ if plain => out.push(char),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => out.extend(['\\', char]),
    }
}
