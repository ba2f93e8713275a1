//! What does a record have in a field?

use std::borrow::Cow;

use record::document::dataset;
use record::{File, Level, OutputStream, Record, Timestamp};

use super::{Field, tag_names};

/// One value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldValue<'a> {
    Text(&'a str),
    Integer(u64),
    Number(f64),
    Boolean(bool),
    Time(Timestamp),
    Level(Level),
}

// === impl FieldValue ===

impl FieldValue<'_> {
    /// The value as a document shows it.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Boolean(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Time(time) => Cow::Owned(time.to_string()),
            Self::Level(level) => Cow::Borrowed(level.as_str()),
        }
    }
}

/// Whether one of the values that a record has in a field passes.
pub(crate) fn any(
    field: &Field,
    record: &Record<'_>,
    passes: &mut dyn FnMut(FieldValue<'_>) -> bool,
) -> bool {
    let entry = &record.entry;
    match field {
        Field::Message => passes(FieldValue::Text(entry.message)),
        Field::Level => entry.level != Level::Unknown && passes(FieldValue::Level(entry.level)),
        Field::Output => {
            entry.output != OutputStream::None && passes(FieldValue::Text(entry.output.as_str()))
        }
        Field::Offset => passes(FieldValue::Integer(entry.offset)),
        Field::Part => entry.part > 0 && passes(FieldValue::Integer(u64::from(entry.part))),
        Field::Time => passes(FieldValue::Time(entry.time)),
        Field::Tags => tag_names(entry.tags).any(|name| passes(FieldValue::Text(name))),
        Field::Error => entry
            .error
            .is_some_and(|error| passes(FieldValue::Text(error))),
        Field::App(path) => entry.app.is_some_and(|json| app_values(json, path, passes)),
        constant => of_file(constant, record.file, passes),
    }
}

/// Whether the value that a file's rows share passes; false for a field that is not constant.
pub(crate) fn of_file(
    field: &Field,
    file: &File,
    passes: &mut dyn FnMut(FieldValue<'_>) -> bool,
) -> bool {
    let origin = &file.origin;
    let (pod, container) = (origin.pod.as_ref(), origin.container.as_ref());
    let text = match field {
        Field::Stream => Some(origin.stream.as_str()),
        Field::Namespace => pod.map(|pod| pod.namespace.as_str()),
        Field::PodName => pod.map(|pod| pod.name.as_str()),
        Field::PodUid => pod.map(|pod| pod.uid.as_str()),
        Field::ContainerName => container.map(|container| container.name.as_str()),
        Field::ContainerId => container.map(|container| container.id.as_str()),
        Field::ContainerRuntime => container.map(|container| container.runtime.as_str()),
        Field::Image => container.map(|container| container.image.as_str()),
        Field::NodeName => Some(file.node.name.as_str()),
        Field::Host => Some(file.node.host.as_str()),
        Field::Cluster => Some(file.node.cluster.as_str()),
        Field::Path => Some(file.path.as_str()),
        Field::Fingerprint => Some(file.fingerprint.as_str()),
        Field::Dataset => Some(dataset(origin.kind)),
        Field::Label(key) => {
            // A label may be empty and still be there.
            return pod
                .and_then(|pod| pod.labels.get(key))
                .is_some_and(|value| passes(FieldValue::Text(value)));
        }
        Field::RestartCount => {
            return file
                .restart_count
                .is_some_and(|count| passes(FieldValue::Integer(u64::from(count))));
        }
        Field::Started => return passes(FieldValue::Time(Timestamp(file.started))),
        Field::Message
        | Field::Level
        | Field::Output
        | Field::Offset
        | Field::Part
        | Field::Time
        | Field::Tags
        | Field::Error
        | Field::App(_) => None,
    };
    text.is_some_and(|text| !text.is_empty() && passes(FieldValue::Text(text)))
}

/// Whether a value at `path` of a JSON object passes.
///
/// A key may itself have dots: at each object every split of the rest of the path is tried that has a key.
pub(crate) fn app_values(
    json: &str,
    path: &str,
    passes: &mut dyn FnMut(FieldValue<'_>) -> bool,
) -> bool {
    // The text was valid JSON when it was written; serde_json bounds its depth.
    let Ok(value) = serde_json::from_str::<serde_json::Value>(json) else {
        return false;
    };
    at_path(&value, path, passes)
}

fn at_path(
    value: &serde_json::Value,
    path: &str,
    passes: &mut dyn FnMut(FieldValue<'_>) -> bool,
) -> bool {
    use serde_json::Value;
    match value {
        Value::Array(elements) => elements
            .iter()
            .any(|element| at_path(element, path, passes)),
        Value::Object(members) if !path.is_empty() => {
            if members
                .get(path)
                .is_some_and(|inner| at_path(inner, "", passes))
            {
                return true;
            }
            path.match_indices('.').any(|(at, _)| {
                let (key, rest) = (path.get(..at), path.get(at + 1..));
                key.zip(rest)
                    .filter(|(_, rest)| !rest.is_empty())
                    .and_then(|(key, rest)| Some((members.get(key)?, rest)))
                    .is_some_and(|(inner, rest)| at_path(inner, rest, passes))
            })
        }
        Value::Object(members) => !members.is_empty() && passes(FieldValue::Text("")),
        _ if !path.is_empty() => false,
        Value::String(text) => passes(FieldValue::Text(text)),
        Value::Bool(value) => passes(FieldValue::Boolean(*value)),
        Value::Number(number) => match number.as_u64() {
            Some(number) => passes(FieldValue::Integer(number)),
            None => number
                .as_f64()
                .is_some_and(|number| passes(FieldValue::Number(number))),
        },
        Value::Null => false,
    }
}
