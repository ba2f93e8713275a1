//! Is all of ours in what is there? Servers add fields of their own, which don't count.

use serde_json::Value;

/// Where ours is not what is there, as JSON pointers (RFC 6901, without escapes).
pub(super) fn places(ours: &Value, theirs: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(ours, theirs, &mut String::new(), &mut found);
    found
}

fn compare(ours: &Value, theirs: &Value, path: &mut String, found: &mut Vec<String>) {
    let length = path.len();
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in ours {
                path.push('/');
                path.push_str(key);
                match theirs.get(key) {
                    Some(other) => compare(value, other, path, found),
                    // What is empty may as well be left out.
                    None if is_empty(value) => {}
                    None => found.push(path.clone()),
                }
                path.truncate(length);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (value, other)) in ours.iter().zip(theirs).enumerate() {
                path.push('/');
                path.push_str(&index.to_string());
                compare(value, other, path, found);
                path.truncate(length);
            }
        }
        (Value::Number(ours), Value::Number(theirs)) if ours.as_f64() == theirs.as_f64() => {}
        _ if ours == theirs => {}
        _ => found.push(if path.is_empty() {
            "/".to_owned()
        } else {
            path.clone()
        }),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_server_adds_is_no_difference_and_what_it_lacks_is() {
        let ours = json!({"a": {"b": [1, {"c": 2.0}]}, "empty": [], "none": null});
        assert!(places(&ours, &json!({"a": {"b": [1, {"c": 2, "d": 3}]}, "e": 4})).is_empty());
        assert_eq!(
            places(&ours, &json!({"a": {"b": [1, {"c": 3}]}})),
            ["/a/b/1/c"]
        );
        assert_eq!(places(&ours, &json!({"a": {"b": [1]}})), ["/a/b"]);
        assert_eq!(places(&ours, &json!({})), ["/a"]);
        assert_eq!(places(&ours, &json!(7)), ["/"]);
    }
}
