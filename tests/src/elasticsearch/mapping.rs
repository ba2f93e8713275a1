//! Does a document fit its index? The refusals that logs really meet, by the mapping's types.

use std::fmt;

use record::Timestamp;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::complaint::Complaint;
use crate::cluster::Engine;

/// Lucene's longest term, in bytes.
const TERM_BYTES_MAX: usize = 32_766;
/// `depth_limit` of flattened fields.
const FLATTENED_DEPTH_MAX: usize = 20;

/// Parses a document as the servers do: a field must not occur twice.
pub(super) fn parse(engine: Engine, id: &str, source: &[u8]) -> Result<Value, Complaint> {
    let mut parser = serde_json::Deserializer::from_slice(source);
    let parsed = Strict
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value));
    match parsed {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(Complaint::unparsable(
            engine,
            id,
            "failed to parse, not an object",
        )),
        Err(error) => Err(Complaint::unparsable(
            engine,
            id,
            &format!("failed to parse: {error}"),
        )),
    }
}

/// Holds a document against `mappings`.
pub(super) fn check(
    engine: Engine,
    id: &str,
    document: &Value,
    mappings: &Value,
) -> Result<(), Complaint> {
    let no = |what: String| Complaint::unparsable(engine, id, &what);
    let strict = mappings["dynamic"] == "strict";
    object(document, &mappings["properties"], strict, "").map_err(|refusal| match refusal {
        Refusal::Unparsable(what) => no(what),
        Refusal::Strict(field) => {
            let reason = format!(
                "[1:2] mapping set to strict, dynamic introduction of [{field}] within [_doc] is not allowed"
            );
            Complaint::new(400, "strict_dynamic_mapping_exception", reason)
        }
        Refusal::LongTerm(field) => {
            let what = format!(
                "Document contains at least one immense term in field=\"{field}\" (whose UTF8 encoding is longer than the max length {TERM_BYTES_MAX}), all of which were skipped."
            );
            match engine {
                Engine::Elasticsearch => no(what),
                Engine::OpenSearch => Complaint::wrong(what),
            }
        }
    })
}

/// The type that an engine does not have, if the mapping names one.
pub(super) fn foreign_type(engine: Engine, mappings: &Value) -> Option<&'static str> {
    let foreign = match engine {
        Engine::Elasticsearch => "flat_object",
        Engine::OpenSearch => "flattened",
    };
    let named = match mappings {
        Value::Object(fields) => {
            fields.get("type").is_some_and(|kind| kind == foreign)
                || fields
                    .values()
                    .any(|value| foreign_type(engine, value).is_some())
        }
        Value::Array(values) => values
            .iter()
            .any(|value| foreign_type(engine, value).is_some()),
        _ => false,
    };
    named.then_some(foreign)
}

enum Refusal {
    Unparsable(String),
    Strict(String),
    LongTerm(String),
}

type Checked = Result<(), Refusal>;

fn object(document: &Value, properties: &Value, strict: bool, prefix: &str) -> Checked {
    let Value::Object(fields) = document else {
        return Ok(());
    };
    for (name, value) in fields {
        let path = format!("{prefix}{name}");
        match mapping_of(properties, name) {
            Some(mapping) => field(value, mapping, strict, &path)?,
            None if strict => return Err(Refusal::Strict(path)),
            None => {}
        }
    }
    Ok(())
}

/// The mapping of a field whose name may have dots.
fn mapping_of<'a>(properties: &'a Value, name: &str) -> Option<&'a Value> {
    let mut parts = name.split('.');
    let mut mapping = properties.get(parts.next()?)?;
    for part in parts {
        mapping = mapping.get("properties")?.get(part)?;
    }
    Some(mapping)
}

fn field(value: &Value, mapping: &Value, strict: bool, path: &str) -> Checked {
    if value.is_null() {
        return Ok(());
    }
    if let Value::Array(values) = value {
        return values
            .iter()
            .try_for_each(|value| field(value, mapping, strict, path));
    }
    let kind = mapping["type"].as_str().unwrap_or("object");
    let unparsable = || {
        let shown: String = value.to_string().chars().take(40).collect();
        Err(Refusal::Unparsable(format!(
            "failed to parse field [{path}] of type [{kind}]. Preview of field's value: '{shown}'"
        )))
    };
    match (kind, value) {
        ("object", Value::Object(_)) => {
            object(value, &mapping["properties"], strict, &format!("{path}."))
        }
        ("object", _) => Err(Refusal::Unparsable(format!(
            "object mapping for [{path}] tried to parse field [{path}] as object, but found a concrete value"
        ))),
        ("flattened", Value::Object(_)) => flattened(value, mapping, path, 1),
        ("flat_object", Value::Object(_)) => flat_object(value, mapping, path),
        ("keyword", Value::String(_)) => term(value, mapping, path),
        (kind, value) if is_parsable(kind, value) => Ok(()),
        _ => unparsable(),
    }
}

/// Whether a single value, which is no list, can be of a type that has no fields of its own.
fn is_parsable(kind: &str, value: &Value) -> bool {
    let time = |text: &str| Timestamp::parse_rfc3339(text.as_bytes());
    match (kind, value) {
        ("flattened" | "flat_object", _) | (_, Value::Object(_)) => false,
        ("long" | "integer" | "short" | "byte" | "unsigned_long", value) => match value {
            Value::String(text) => text.parse::<i64>().is_ok(),
            value => value.is_number(),
        },
        ("double" | "float", value) => match value {
            Value::String(text) => text.parse::<f64>().is_ok(),
            value => value.is_number(),
        },
        ("boolean", Value::String(text)) => matches!(text.as_str(), "true" | "false" | ""),
        ("boolean", value) => value.is_boolean(),
        ("date", Value::String(text)) => time(text).is_some(),
        ("date_nanos", Value::String(text)) => time(text).is_some_and(|time| time.0 >= 0),
        ("date" | "date_nanos", value) => value.is_number(),
        _ => true,
    }
}

fn flattened(value: &Value, mapping: &Value, path: &str, depth: usize) -> Checked {
    match value {
        Value::Object(fields) => {
            if depth > FLATTENED_DEPTH_MAX {
                return Err(Refusal::Unparsable(format!(
                    "The provided [flattened] field [{path}] exceeds the maximum depth limit of [{FLATTENED_DEPTH_MAX}]."
                )));
            }
            if fields.keys().any(|key| key.contains('\0')) {
                return Err(Refusal::Unparsable(
                    "Keys in [flattened] fields cannot contain the reserved character \\0."
                        .to_owned(),
                ));
            }
            if fields.keys().any(|key| key.len() > TERM_BYTES_MAX) {
                return Err(Refusal::LongTerm(path.to_owned()));
            }
            fields
                .values()
                .try_for_each(|value| flattened(value, mapping, path, depth + 1))
        }
        Value::Array(values) => values
            .iter()
            .try_for_each(|value| flattened(value, mapping, path, depth)),
        leaf => term(leaf, mapping, path),
    }
}

/// OpenSearch minds only the length of terms, which are the keys as well as the values.
fn flat_object(value: &Value, mapping: &Value, path: &str) -> Checked {
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            if key.len() > TERM_BYTES_MAX {
                return Err(Refusal::LongTerm(path.to_owned()));
            }
            flat_object(value, mapping, path)
        }),
        Value::Array(values) => values
            .iter()
            .try_for_each(|value| flat_object(value, mapping, path)),
        leaf => term(leaf, mapping, path),
    }
}

fn term(value: &Value, mapping: &Value, path: &str) -> Checked {
    let Value::String(text) = value else {
        return Ok(());
    };
    let ignored = mapping["ignore_above"]
        .as_u64()
        .is_some_and(|most| text.chars().count() as u64 > most);
    if text.len() > TERM_BYTES_MAX && !ignored && mapping["index"] != false {
        return Err(Refusal::LongTerm(path.to_owned()));
    }
    Ok(())
}

/// A JSON value whose objects have no field twice.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = from.next_element_seed(Self)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(Self)?;
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format_args!("Duplicate field '{name}'")));
            }
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(source: &str) -> Option<String> {
        let mappings = json!({"properties": {
            "@timestamp": {"type": "date_nanos"},
            "log": {"properties": {"offset": {"type": "long"}}},
            "name": {"type": "keyword"},
            "short": {"type": "keyword", "ignore_above": 10},
            "app": {"type": "flattened"},
        }});
        let engine = Engine::Elasticsearch;
        parse(engine, "1", source.as_bytes())
            .and_then(|document| check(engine, "1", &document, &mappings))
            .err()
            .map(|complaint| complaint.kind)
    }

    #[test]
    fn documents_are_refused_for_the_reasons_of_the_real_ones() {
        let long = "x".repeat(40_000);
        let deep = format!("{}1{}", "{\"a\":".repeat(25), "}".repeat(25));
        let parsing = Some("document_parsing_exception".to_owned());
        for (source, expect) in [
            (
                r#"{"@timestamp":"2026-11-21T00:00:00.123456789Z","log":{"offset":1},"x":{"y":2}}"#
                    .to_owned(),
                None,
            ),
            (r#"{"log.offset":"12"}"#.to_owned(), None),
            (r#"{"log.offset":"x"}"#.to_owned(), parsing.clone()),
            (r#"{"log":"x"}"#.to_owned(), parsing.clone()),
            (r#"{"log":{"offset":{"a":1}}}"#.to_owned(), parsing.clone()),
            (
                r#"{"@timestamp":"1969-11-21T00:00:00Z"}"#.to_owned(),
                parsing.clone(),
            ),
            (r#"{"app":"x"}"#.to_owned(), parsing.clone()),
            (r#"{"app":{"a":1,"a":2}}"#.to_owned(), parsing.clone()),
            (r#"{"app":{"a":1}"#.to_owned(), parsing.clone()),
            (format!(r#"{{"app":{deep}}}"#), parsing.clone()),
            (format!(r#"{{"app":{{"a":"{long}"}}}}"#), parsing.clone()),
            (format!(r#"{{"name":"{long}"}}"#), parsing),
            (format!(r#"{{"short":"{long}"}}"#), None),
        ] {
            assert_eq!(refused(&source), expect, "{source:.80}");
        }
    }

    #[test]
    fn each_engine_has_its_own_flat_type() {
        let mappings = json!({"properties": {"app": {"type": "flattened"}}});
        assert_eq!(foreign_type(Engine::Elasticsearch, &mappings), None);
        assert_eq!(
            foreign_type(Engine::OpenSearch, &mappings),
            Some("flattened")
        );
    }
}
