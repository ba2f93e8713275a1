//! Which document does a `_source` hold? Ours, read back field by field.
//!
//! Others may write into the indices, so nothing is taken for granted: what is missing or of another type counts as not
//! there, and what we don't know is left out. Documents do not say where a line ends, so that is set to a place behind
//! its beginning; the record of a gap says it in its message.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use record::origin::Kind;
use record::{
    Container, Document, File, FileKey, Level, Origin, OutputStream, Pod, Tags, Timestamp,
    file::Node,
};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// How many files' constant parts are kept to be shared by their lines.
const FILES_MAX: usize = 1024;

/// The constant parts of the files that were met.
#[derive(Debug, Default)]
pub(super) struct Files {
    known: HashMap<String, Arc<File>>,
    key: String,
}

/// The members of a document, not read yet.
#[derive(Debug, Default, Deserialize)]
struct Source<'a> {
    #[serde(borrow, default, rename = "@timestamp")]
    time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tags: Option<&'a RawValue>,
    #[serde(borrow, default)]
    log: Option<&'a RawValue>,
    #[serde(borrow, default)]
    kubernetes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    container: Option<&'a RawValue>,
    #[serde(borrow, default)]
    host: Option<&'a RawValue>,
    #[serde(borrow, default)]
    orchestrator: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    app: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// The members of `log`.
#[derive(Debug, Default, Deserialize)]
struct Log<'a> {
    #[serde(borrow, default)]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default)]
    level: Option<&'a RawValue>,
    #[serde(borrow, default)]
    offset: Option<&'a RawValue>,
    #[serde(borrow, default)]
    part: Option<&'a RawValue>,
    #[serde(borrow, default)]
    file: Option<&'a RawValue>,
}

/// Reads the document of a `_source`; `time` stands in where it has none that can be read.
pub(super) fn document(source: &str, time: Timestamp, files: &mut Files) -> Document {
    let source: Source<'_> = serde_json::from_str(source).unwrap_or_default();
    let log: Log<'_> = source
        .log
        .and_then(|log| serde_json::from_str(log.get()).ok())
        .unwrap_or_default();
    let file = files.file(&source, &log);
    let tags = tags(source.tags);
    let message = source.message.map_or_else(String::new, |message| {
        text(message).map_or_else(|| message.get().to_owned(), Cow::into_owned)
    });
    let offset = number(log.offset).unwrap_or(0);
    let (end, end_started) = end(tags, &message, offset, file.started);
    Document {
        time: source.time.and_then(moment).unwrap_or(time),
        output: output(source.stream),
        level: level(log.level),
        offset,
        end,
        end_started,
        part: number(log.part)
            .and_then(|part| u32::try_from(part).ok())
            .unwrap_or(0),
        tags,
        app: source
            .app
            .map(RawValue::get)
            .filter(|app| app.starts_with('{'))
            .map(str::to_owned),
        error: source
            .error
            .and_then(|error| tree(error).get("message")?.as_str().map(str::to_owned)),
        message,
        file,
    }
}

/// Where a line ends, as far as that can be known.
fn end(tags: Tags, message: &str, offset: u64, started: i64) -> (u64, i64) {
    if !tags.contains(Tags::GAP) {
        // Only the order counts: a line comes behind a gap that begins at the same place.
        return (
            offset
                .saturating_add(message.len() as u64)
                .saturating_add(1),
            started,
        );
    }
    let digits = message.split_once(' ').map_or("", |(first, _)| first);
    let lost: u64 = digits.parse().unwrap_or(0);
    (offset.saturating_add(lost), started)
}

/// A string's text.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = value.get();
    let plain = raw.strip_prefix('"')?.strip_suffix('"')?;
    if plain.contains('\\') {
        serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(plain))
    }
}

/// A value with all that is in it; null where it is nested too deeply.
fn tree(value: &RawValue) -> Value {
    serde_json::from_str(value.get()).unwrap_or(Value::Null)
}

fn moment(value: &RawValue) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text(value)?.as_bytes())
}

fn number(value: Option<&RawValue>) -> Option<u64> {
    value?.get().parse().ok()
}

fn output(value: Option<&RawValue>) -> OutputStream {
    let name = value.and_then(text).unwrap_or_default();
    OutputStream::ALL
        .into_iter()
        .find(|output| output.as_str() == name)
        .unwrap_or_default()
}

fn level(value: Option<&RawValue>) -> Level {
    value
        .and_then(text)
        .and_then(|name| Level::from_word(name.as_bytes()))
        .unwrap_or_default()
}

/// One tag or a list of them.
fn tags(value: Option<&RawValue>) -> Tags {
    let Some(value) = value.map(tree) else {
        return Tags::NONE;
    };
    let one = std::slice::from_ref(&value);
    value
        .as_array()
        .map_or(one, Vec::as_slice)
        .iter()
        .filter_map(|tag| Tags::from_name(tag.as_str()?))
        .fold(Tags::NONE, Tags::with)
}

// === impl Files ===

impl Files {
    /// The constant part of a document; the same one for all documents in which it is written alike.
    fn file(&mut self, source: &Source<'_>, log: &Log<'_>) -> Arc<File> {
        self.key.clear();
        for part in [
            log.stream,
            log.file,
            source.kubernetes,
            source.container,
            source.host,
            source.orchestrator,
            source.event,
        ] {
            self.key.push_str(part.map_or("", RawValue::get));
            self.key.push('\n');
        }
        if let Some(known) = self.known.get(&self.key) {
            return Arc::clone(known);
        }
        let file = Arc::new(file(source, log));
        if FILES_MAX <= self.known.len() {
            self.known.clear();
        }
        self.known.insert(self.key.clone(), Arc::clone(&file));
        file
    }
}

fn file(source: &Source<'_>, log: &Log<'_>) -> File {
    let part = |value: Option<&RawValue>| value.map_or(Value::Null, tree);
    let (place, kubernetes) = (part(log.file), part(source.kubernetes));
    let container = part(source.container);
    let own = |value: &Value, path: &str| {
        let found = value.pointer(path).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let pod = pod(&kubernetes);
    let dataset = own(&part(source.event), "/dataset");
    let container = match (&kubernetes["container"], &container) {
        (Value::Null, Value::Null) => None,
        (in_pod, plain) => Some(Container {
            name: in_pod["name"]
                .as_str()
                .or_else(|| plain["name"].as_str())
                .unwrap_or_default()
                .to_owned(),
            id: own(plain, "/id"),
            runtime: own(plain, "/runtime"),
            image: own(plain, "/image/name"),
            labels: BTreeMap::new(),
        }),
    };
    let kind = if dataset == record::document::dataset(Kind::Host) {
        Kind::Host
    } else if pod.is_some() && container.is_none() {
        Kind::Volume
    } else {
        Kind::Container
    };
    let started = place["started"].as_str();
    File {
        origin: Arc::new(Origin {
            stream: log.stream.and_then(text).unwrap_or_default().into_owned(),
            pod,
            container,
            kind,
        }),
        // What ids are made from is not in documents.
        key: FileKey([0; 16]),
        fingerprint: own(&place, "/fingerprint"),
        path: own(&place, "/path"),
        started: started
            .and_then(|started| Timestamp::parse_rfc3339(started.as_bytes()))
            .map_or(0, |started| started.0),
        restart_count: kubernetes["container"]["restart_count"]
            .as_u64()
            .and_then(|count| u32::try_from(count).ok()),
        node: Arc::new(Node {
            host: own(&part(source.host), "/name"),
            name: own(&kubernetes, "/node/name"),
            cluster: own(&part(source.orchestrator), "/cluster/name"),
        }),
    }
}

fn pod(kubernetes: &Value) -> Option<Pod> {
    let pod = &kubernetes["pod"];
    if !pod.is_object() {
        return None;
    }
    let own = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let label = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    Some(Pod {
        namespace: own(&kubernetes["namespace"]),
        name: own(&pod["name"]),
        uid: own(&pod["uid"]),
        labels: kubernetes["labels"]
            .as_object()
            .map(|labels| labels.iter().filter_map(label).collect())
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
