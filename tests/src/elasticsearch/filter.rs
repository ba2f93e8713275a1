//! Which parts of an answer were asked for? `filter_path` as the servers understand it, without exclusions.

use serde_json::{Map, Value};

/// Keeps what one of the comma-separated patterns names: `*` is any one field, `**` any number; lists are looked through.
pub(super) fn keep(answer: &Value, patterns: &str) -> Value {
    let patterns: Vec<Vec<&str>> = patterns
        .split(',')
        .map(|pattern| pattern.split('.').collect())
        .collect();
    let patterns: Vec<&[&str]> = patterns.iter().map(Vec::as_slice).collect();
    filtered(answer, &patterns).unwrap_or_else(|| Value::Object(Map::new()))
}

fn filtered(value: &Value, patterns: &[&[&str]]) -> Option<Value> {
    if patterns.iter().any(|pattern| pattern.is_empty()) {
        return Some(value.clone());
    }
    match value {
        Value::Object(fields) => {
            let kept: Map<String, Value> = fields
                .iter()
                .filter_map(|(name, value)| {
                    let rest: Vec<&[&str]> = patterns
                        .iter()
                        .flat_map(|pattern| after(pattern, name))
                        .collect();
                    Some((name.clone(), filtered(value, &rest)?))
                })
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(values) => {
            let kept: Vec<Value> = values
                .iter()
                .filter_map(|value| filtered(value, patterns))
                .collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

/// What is left of a pattern below the field `name`: nothing, one rest, or with `**` two.
fn after<'a>(pattern: &'a [&'a str], name: &str) -> Vec<&'a [&'a str]> {
    match pattern.split_first() {
        Some((&"**", rest)) => {
            let mut rests = after(rest, name);
            rests.push(pattern);
            rests
        }
        Some((part, rest)) if super::indices::matches(part, name) => vec![rest],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_asked_for_is_left() {
        let answer = json!({"took": 3, "errors": true, "items": [
            {"create": {"_id": "a", "status": 201}},
            {"create": {"_id": "b", "status": 400, "error": {"type": "t", "reason": "r", "shard": "0"}}},
        ]});
        assert_eq!(
            keep(
                &answer,
                "took,errors,items.*.status,items.*.error.type,items.*.error.reason"
            ),
            json!({"took": 3, "errors": true, "items": [
                {"create": {"status": 201}},
                {"create": {"status": 400, "error": {"type": "t", "reason": "r"}}},
            ]})
        );
        assert_eq!(
            keep(&answer, "items.*.error")
                .to_string()
                .matches("create")
                .count(),
            1
        );
        assert_eq!(
            keep(&answer, "**.type"),
            json!({"items": [{"create": {"error": {"type": "t"}}}]})
        );
        assert_eq!(keep(&answer, "nothing"), json!({}));
    }
}
