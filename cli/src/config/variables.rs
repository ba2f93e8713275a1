//! What does the environment say? `${NAME}` in any value, replaced before the value is read.
//!
//! `${NAME:-text}` has a text for when NAME is not set or empty, and `$$` is one `$`. Any other `$` stays what it is, so that most
//! regular expressions need no care. What comes out of a variable is not looked through again.

use yaml::document::{Node, Value};
use yaml::problem::Problem;

/// Looks a variable up.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces the variables in every value below `node`; keys are left alone.
pub(super) fn expand(node: &mut Node, lookup: Lookup<'_>, problems: &mut Vec<Problem>) {
    match &mut node.value {
        Value::Nothing => {}
        Value::Text(text) if !text.contains('$') => {}
        Value::Text(text) => match expanded(text, lookup) {
            // A variable that gives nothing leaves the key as if it were not written.
            Ok(found) if found.is_empty() => node.value = Value::Nothing,
            Ok(found) => *text = found,
            Err(sentence) => problems.push(Problem::at(node.line, sentence)),
        },
        Value::List(items) => {
            for item in items {
                expand(item, lookup, problems);
            }
        }
        Value::Section(members) => {
            for member in members {
                expand(&mut member.node, lookup, problems);
            }
        }
    }
}

fn expanded(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inner) = after.strip_prefix('{') {
            let (inside, after) = inner
                .split_once('}')
                .ok_or("`${` without `}`; write `$${` for the characters themselves")?;
            out.push_str(&variable(inside, lookup)?);
            rest = after;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of `NAME` or `NAME:-text`.
fn variable(inside: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(is_name)
    {
        // Not shown: it may be part of a password that means itself.
        let sentence = "between `${` and `}` stands no name of a variable; write `$${` for the characters themselves";
        return Err(sentence.to_owned());
    }
    let found = lookup(name);
    match default {
        Some(default) => Ok(found
            .filter(|value| !value.is_empty())
            .unwrap_or_else(|| default.to_owned())),
        None => found.ok_or_else(|| {
            format!(
                "the variable {name} is not set in the environment; `${{{name}:-text}}` would do without it"
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("es.example".to_owned()),
            "EMPTY" => Some(String::new()),
            "SLY" => Some("${HOST}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_once() {
        let check = |text: &str, expect: &str| {
            assert_eq!(expanded(text, &lookup).as_deref(), Ok(expect), "{text}");
        };
        check("https://${HOST}:9200", "https://es.example:9200");
        check("${HOST}${HOST}", "es.examplees.example");
        check("${EMPTY}", "");
        check("${NONE:-a b}", "a b");
        check("${EMPTY:-x}", "x");
        check("${NONE:-}", "");
        check("${SLY}", "${HOST}");
        check("$${HOST}", "${HOST}");
        check("a$b$", "a$b$");
        check("100$$", "100$");
        check("(?<x>.*)$", "(?<x>.*)$");
    }

    #[test]
    fn what_is_no_variable_is_said() {
        let check = |text: &str, expect: &str| {
            assert!(
                expanded(text, &lookup).unwrap_err().contains(expect),
                "{text}"
            );
        };
        check("${NONE}", "the variable NONE is not set");
        check("${HOST", "without `}`");
        check("${}", "no name of a variable");
        check("${1}", "no name of a variable");
        check("${A B}", "no name of a variable");
    }

    proptest! {
        #[test]
        fn any_text_is_expanded_or_refused(text in "[${}:A-C\\- a-c]{0,40}") {
            drop(expanded(&text, &lookup));
        }

        #[test]
        fn an_escaped_text_is_itself(text in "\\PC{0,40}") {
            prop_assert_eq!(expanded(&text.replace('$', "$$"), &lookup), Ok(text));
        }
    }
}
