//! What may a configuration look like, in the words of editors? A JSON Schema made of the table of keys.
//!
//! The reader is stricter: it knows limits of sizes and durations, globs, and which keys go together. What it accepts, the
//! schema accepts.

use serde_json::{Map, Value, json};

use super::keys::{Key, Kind, SECTIONS, Section};
use super::units;

/// The schema as text (JSON Schema draft 2020-12).
pub fn text() -> String {
    let mut properties = Map::new();
    for section in SECTIONS {
        match section.name {
            "" => properties.extend(keys(section)),
            name => {
                properties.insert(name.to_owned(), object(section));
            }
        }
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of nodetap",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": properties,
        "$defs": definitions(),
    });
    format!("{schema:#}\n")
}

fn object(section: &Section) -> Value {
    json!({
        "description": section.about,
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": keys(section).collect::<Map<_, _>>(),
    })
}

fn keys(section: &Section) -> impl Iterator<Item = (String, Value)> {
    section
        .keys
        .iter()
        .map(|key| (key.leaf().to_owned(), property(key)))
}

/// A key's own form, a variable in its place, or nothing.
fn property(key: &Key) -> Value {
    let own = match key.kind {
        Kind::Count(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Kind::Choice(names) => choice(names),
        kind => json!({ "$ref": format!("#/$defs/{}", definition(kind)) }),
    };
    json!({
        "description": format!("{} {} Default: {}.", key.effect, key.edges, key.default),
        "anyOf": [own, { "$ref": "#/$defs/variable" }, { "type": "null" }],
    })
}

/// Readers of YAML 1.1 take an unquoted `off` for `false`.
fn choice(names: &[&str]) -> Value {
    let mut values: Vec<Value> = names.iter().map(|name| json!(name)).collect();
    if names.contains(&"off") {
        values.push(json!(false));
    }
    json!({ "enum": values })
}

fn definition(kind: Kind) -> &'static str {
    match kind {
        Kind::Name | Kind::Secret | Kind::Count(..) | Kind::Choice(_) => "text",
        Kind::Path => "path",
        Kind::Flag => "flag",
        Kind::Bytes => "size",
        Kind::BytesOrNone => "size_or_none",
        Kind::RateOrNone => "rate_or_none",
        Kind::Duration => "duration",
        Kind::DurationOrNone => "duration_or_none",
        Kind::Address => "address",
        Kind::Start => "start",
        Kind::PathGlobs => "globs",
        Kind::Rules => "rules",
        Kind::Texts => "texts",
        Kind::DeriveRules => "derive_rules",
        Kind::Patterns => "patterns",
        Kind::Url => "url",
        Kind::Urls => "urls",
        Kind::Names => "names",
    }
}

fn definitions() -> Value {
    let number = r"[0-9]+(\.[0-9]{1,6})?";
    let size = format!("^ *(0|{number} *({})) *$", any_case(units::sizes()));
    let rate = format!("^ *(0|{number} *({})) *(/s)?$", any_case(units::sizes()));
    let duration_units = units::durations().collect::<Vec<_>>().join("|");
    let duration = format!("^ *(0|({number} *({duration_units}) *){{1,6}})$");
    let text = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let or = |one: Value, other: Value| json!({ "anyOf": [one, other] });
    let zero_or = |pattern: &str| or(json!({ "const": 0 }), text(pattern));
    let none = || json!({ "const": "none" });
    json!({
        "variable": text(r"\$"),
        "text": { "type": ["string", "number", "boolean"] },
        "path": text("^/"),
        "flag": { "enum": [true, false, "true", "false"] },
        "size": zero_or(&size),
        "size_or_none": or(zero_or(&size), none()),
        "rate_or_none": or(zero_or(&rate), none()),
        "duration": zero_or(&duration),
        "duration_or_none": or(zero_or(&duration), none()),
        "address": text(":[0-9]+$"),
        "start": or(zero_or(&duration), json!({ "enum": ["beginning", "end"] })),
        "globs": { "type": "array", "items": text(r"^/|\$") },
        "url": text("^https?://"),
        "urls": or(text("^https?://"), json!({ "type": "array", "items": text(r"^https?://|\$") })),
        "names": { "type": "array", "items": { "$ref": "#/$defs/text" } },
        "texts": { "type": "array", "items": { "$ref": "#/$defs/text" } },
        "derive_rules": { "type": "array", "items": {
            "type": "object",
            "additionalProperties": false,
            "required": ["name", "pattern"],
            "properties": {
                "name": { "type": "string" },
                "help": { "$ref": "#/$defs/text" },
                "namespace": { "$ref": "#/$defs/text" },
                "pod": { "$ref": "#/$defs/text" },
                "container": { "$ref": "#/$defs/text" },
                "pattern": { "$ref": "#/$defs/text" },
                "histogram": or(json!({ "$ref": "#/$defs/flag" }), json!({ "$ref": "#/$defs/variable" })),
                "buckets": { "type": "array", "items": { "type": ["number", "string"] } },
                "scale": { "type": ["number", "string"] },
            },
        }},
        "patterns": { "type": "array", "items": or(text("."), json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["name"],
            "properties": {
                "name": { "type": "string" },
                "pattern": { "$ref": "#/$defs/text" },
            },
        })) },
        "rules": { "type": "array", "items": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": false,
            "properties": {
                "namespace": { "$ref": "#/$defs/text" },
                "pod": { "$ref": "#/$defs/text" },
                "container": { "$ref": "#/$defs/text" },
                "path": { "$ref": "#/$defs/text" },
                "label": { "$ref": "#/$defs/text" },
            },
        }},
    })
}

/// A pattern of words in upper and lower case; JSON Schema's patterns have no flag for it.
fn any_case(words: impl Iterator<Item = &'static str>) -> String {
    let letter = |c: char| format!("[{c}{}]", c.to_ascii_uppercase());
    let word = |word: &str| word.chars().map(letter).collect::<String>();
    words.map(word).collect::<Vec<_>>().join("|")
}
