//! What does a query find? The part of the query language that is used here, in its plain meaning, over documents.

use std::cmp::Ordering;

use record::Timestamp;
use serde_json::Value;
use store::text::glob_matches;

/// One stored document.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) index: String,
    pub(crate) id: String,
    pub(crate) sequence: i64,
    pub(crate) source: Value,
}

/// Whether a query finds a document; the names of the queries within it that do are appended.
pub(crate) fn finds(query: &Value, document: &Stored, named: &mut Vec<String>) -> bool {
    let (kind, body) = query.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "match_all" => true,
        "match_none" => false,
        "bool" => bool_finds(body, document, named),
        "exists" => !values(document, body["field"].as_str().unwrap()).is_empty(),
        _ => {
            let (field, test) = body.as_object().unwrap().iter().next().unwrap();
            let found = values(document, field);
            found.iter().any(|value| passes(kind, field, test, value))
        }
    }
}

fn bool_finds(body: &Value, document: &Stored, named: &mut Vec<String>) -> bool {
    let list = |name: &str| match &body[name] {
        Value::Array(all) => all.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let mut count = |name: &str| {
        let all = list(name);
        let found = all
            .iter()
            .filter(|query| finds(query, document, named))
            .count();
        (found, all.len())
    };
    let (filters, all_filters) = count("filter");
    let (musts, all_musts) = count("must");
    let (nots, _) = count("must_not");
    let (shoulds, all_shoulds) = count("should");
    let needs_one =
        body["minimum_should_match"] == 1 || (all_filters + all_musts == 0 && 0 < all_shoulds);
    let found =
        filters == all_filters && musts == all_musts && nots == 0 && (!needs_one || 0 < shoulds);
    if let Some(name) = body["_name"].as_str().filter(|_| found) {
        named.push(name.to_owned());
    }
    found
}

fn passes(kind: &str, field: &str, test: &Value, value: &Value) -> bool {
    let wanted = test
        .get("value")
        .or_else(|| test.get("query"))
        .unwrap_or(test);
    let fold = test["case_insensitive"] == true;
    let text = |value: &Value| match value {
        Value::String(text) if fold => text.to_ascii_lowercase(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if field == "message" {
        let words = words(value.as_str().unwrap());
        return match kind {
            "match_phrase" => {
                let wanted = words_of(wanted);
                !wanted.is_empty() && words.windows(wanted.len()).any(|own| own == wanted)
            }
            "term" => words.contains(&text(wanted)),
            "prefix" => words.iter().any(|word| word.starts_with(&text(wanted))),
            "wildcard" => words.iter().any(|word| glob_matches(&text(wanted), word)),
            _ => panic!("{kind} of words"),
        };
    }
    match kind {
        "term" => text(wanted) == text(value),
        "terms" => test.as_array().unwrap().contains(value),
        "prefix" => text(value).starts_with(&text(wanted)),
        "wildcard" => {
            assert!(!is_keyed(field), "flattened fields have no wildcards");
            glob_matches(&text(wanted).replace("\\\\", "\\"), &text(value))
        }
        "range" => ["gt", "gte", "lt", "lte"].iter().all(|sign| {
            let Some(bound) = test.get(sign) else {
                return true;
            };
            let order = compare(value, bound);
            match *sign {
                "gt" => order.is_gt(),
                "gte" => order.is_ge(),
                "lt" => order.is_lt(),
                _ => order.is_le(),
            }
        }),
        _ => panic!("unknown query {kind}"),
    }
}

fn words_of(text: &Value) -> Vec<String> {
    words(text.as_str().unwrap())
}

/// Words as the index has them, as far as the tests' texts go: letters and digits, joined by `.`, `_`, `:` and `'`
/// between letters; each ideograph alone.
pub(crate) fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut found: Vec<String> = Vec::new();
    let mut word = String::new();
    for (at, char) in chars.iter().enumerate() {
        let near = |step: isize| {
            let at = at.checked_add_signed(step)?;
            chars.get(at).filter(|char| char.is_alphanumeric())
        };
        let ideograph = ('\u{4e00}'..'\u{9fff}').contains(char);
        let joins = "._:'".contains(*char) && near(-1).is_some() && near(1).is_some();
        if char.is_alphanumeric() && !ideograph || joins {
            word.extend(char.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            found.push(std::mem::take(&mut word));
        }
        if ideograph {
            found.push(char.to_string());
        }
    }
    found.extend((!word.is_empty()).then_some(word));
    found
}

fn is_keyed(field: &str) -> bool {
    field.starts_with("app.") || field.starts_with("kubernetes.labels.")
}

/// The values of a field; those of a flattened one are the texts of its leaves.
pub(crate) fn values(document: &Stored, field: &str) -> Vec<Value> {
    if field == "_seq_no" {
        return vec![Value::from(document.sequence)];
    }
    if field == "_index" {
        return vec![Value::from(document.index.clone())];
    }
    if is_keyed(field) {
        let (root, key) = match field.strip_prefix("app.") {
            Some(key) => (&document.source["app"], key),
            None => (
                &document.source["kubernetes"]["labels"],
                &field["kubernetes.labels.".len()..],
            ),
        };
        let mut found = Vec::new();
        leaves(root, "", &mut |path, text| {
            if path == key {
                found.push(Value::from(text));
            }
        });
        return found;
    }
    let mut value = &document.source;
    for name in field.split('.') {
        value = &value[name];
    }
    match value {
        Value::Null => Vec::new(),
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    }
}

fn leaves(value: &Value, path: &str, take: &mut dyn FnMut(&str, String)) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                leaves(inner, &path, take);
            }
        }
        Value::Array(all) => all.iter().for_each(|inner| leaves(inner, path, take)),
        Value::Null => {}
        Value::String(text) => take(path, text.clone()),
        other => take(path, other.to_string()),
    }
}

/// The order of two values: times, numbers, texts.
pub(crate) fn compare(one: &Value, other: &Value) -> Ordering {
    let time = |value: &Value| Some(Timestamp::parse_rfc3339(value.as_str()?.as_bytes())?.0);
    let whole = |value: &Value| value.as_i64().or_else(|| time(value));
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => one.partial_cmp(&other).unwrap(),
            _ => one.as_str().cmp(&other.as_str()),
        },
    }
}
