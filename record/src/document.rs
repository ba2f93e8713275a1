//! What does a record look like to others? ECS field names, one JSON object, the constant part rendered once.

use std::borrow::Cow;
use std::sync::Arc;

use crate::origin::Kind;
use crate::{Entry, File, Level, OutputStream, Position, Record, Tags, Timestamp};

/// A record that owns its text: what a query gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The constant part.
    pub file: Arc<File>,
    /// `@timestamp`
    pub time: Timestamp,
    /// `stream`
    pub output: OutputStream,
    /// `log.level`
    pub level: Level,
    /// `message`
    pub message: String,
    /// `log.offset`
    pub offset: u64,
    /// Where its last piece ends.
    pub end: u64,
    /// The start of the file in which it ends.
    pub end_started: i64,
    /// `log.part`
    pub part: u32,
    /// `tags`
    pub tags: Tags,
    /// `app` as JSON text.
    pub app: Option<String>,
    /// `error.message`
    pub error: Option<String>,
}

/// The constant part of a file's documents, rendered once and copied into each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// From inside the `log` object to the last constant field, without the closing brace of the document.
    tail: Vec<u8>,
}

// === impl Document ===

impl Document {
    /// The record that this document was made from.
    pub fn record(&self) -> Record<'_> {
        Record {
            file: &self.file,
            entry: Entry {
                time: self.time,
                output: self.output,
                level: self.level,
                message: &self.message,
                offset: self.offset,
                end: self.end,
                end_started: self.end_started,
                part: self.part,
                tags: self.tags,
                app: self.app.as_deref(),
                error: self.error.as_deref(),
            },
        }
    }

    /// Where it stands in its stream.
    pub fn position(&self) -> Position {
        Position {
            started: self.file.started,
            offset: self.offset,
        }
    }

    /// Appends the document as one JSON object without a newline.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        Rendered::new(&self.file).write_json(&self.record().entry, out);
    }
}

impl From<&Record<'_>> for Document {
    fn from(record: &Record<'_>) -> Self {
        let entry = &record.entry;
        Self {
            file: Arc::clone(record.file),
            time: entry.time,
            output: entry.output,
            level: entry.level,
            message: entry.message.to_owned(),
            offset: entry.offset,
            end: entry.end,
            end_started: entry.end_started,
            part: entry.part,
            tags: entry.tags,
            app: entry.app.map(str::to_owned),
            error: entry.error.map(str::to_owned),
        }
    }
}

// === impl Rendered ===

impl Rendered {
    /// Renders what all documents of `file` share.
    pub fn new(file: &File) -> Self {
        let mut out = Vec::with_capacity(512);
        let origin = &file.origin;
        let mut log = Object::continued(&mut out);
        log.text("stream", &origin.stream);
        let mut place = log.object("file");
        place.text("path", &file.path);
        place.text("fingerprint", &file.fingerprint);
        place.text("started", &Timestamp(file.started).to_string());
        place.close();
        log.close();
        let mut root = Object::continued(&mut out);
        kubernetes(&mut root, file);
        container(&mut root, file);
        if !file.node.host.is_empty() {
            let mut host = root.object("host");
            host.text("name", &file.node.host);
            host.close();
        }
        if !file.node.cluster.is_empty() {
            let mut orchestrator = root.object("orchestrator");
            let mut cluster = orchestrator.object("cluster");
            cluster.text("name", &file.node.cluster);
            cluster.close();
            orchestrator.close();
        }
        let dataset = dataset(origin.kind);
        let mut stream = root.object("data_stream");
        stream.text("type", "logs");
        stream.text("dataset", dataset);
        stream.text("namespace", &data_stream_namespace(file));
        stream.close();
        let mut event = root.object("event");
        event.text("dataset", dataset);
        event.close();
        Self { tail: out }
    }

    /// Appends the document of `entry` as one JSON object without a newline.
    pub fn write_json(&self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        // Enough for a usual document, so that the appends below find room.
        out.reserve(entry.message.len() + self.tail.len() + 256);
        out.extend_from_slice(b"{\"@timestamp\":\"");
        entry.time.write_rfc3339(out);
        out.extend_from_slice(b"\",\"message\":\"");
        escape(entry.message, out);
        out.push(b'"');
        match entry.output {
            OutputStream::Stdout => out.extend_from_slice(b",\"stream\":\"stdout\""),
            OutputStream::Stderr => out.extend_from_slice(b",\"stream\":\"stderr\""),
            OutputStream::None => {}
        }
        if entry.error.is_some() || entry.app.is_some() || entry.tags != Tags::NONE {
            write_rare(entry, out);
        }
        out.extend_from_slice(b",\"log\":{\"offset\":");
        number(entry.offset, out);
        if entry.level != Level::Unknown {
            out.extend_from_slice(b",\"level\":\"");
            out.extend_from_slice(entry.level.as_str().as_bytes());
            out.push(b'"');
        }
        if entry.part > 0 {
            out.extend_from_slice(b",\"part\":");
            number(u64::from(entry.part), out);
        }
        out.extend_from_slice(&self.tail);
        out.push(b'}');
    }
}

/// The dataset of a kind: `event.dataset` and the middle of a data stream's name.
pub fn dataset(kind: Kind) -> &'static str {
    match kind {
        Kind::Container | Kind::Volume => "nodetap.container",
        Kind::Host => "nodetap.host",
    }
}

/// The last part of a data stream's name: the Kubernetes namespace, else `default`.
///
/// Docker takes any text for a namespace label; what a data stream's name can't have is replaced by `_`, and what is
/// beyond 100 bytes is left out.
pub fn data_stream_namespace(file: &File) -> Cow<'_, str> {
    const BYTES_MAX: usize = 100;
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let namespace = file.origin.namespace();
    match namespace {
        "" => Cow::Borrowed("default"),
        _ if namespace.len() <= BYTES_MAX && namespace.bytes().all(fits) => {
            Cow::Borrowed(namespace)
        }
        _ => {
            let replaced = namespace.bytes().take(BYTES_MAX).map(|byte| {
                let byte = byte.to_ascii_lowercase();
                char::from(if fits(byte) { byte } else { b'_' })
            });
            Cow::Owned(replaced.collect())
        }
    }
}

/// Appends `text` as the inside of a JSON string (RFC 8259 section 7).
pub fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    while let Some(at) = needs_escape(bytes.get(done..).unwrap_or_default()) {
        let (clean, rest) = bytes.get(done..).unwrap_or_default().split_at(at);
        out.extend_from_slice(clean);
        match rest.first() {
            Some(b'"') => out.extend_from_slice(b"\\\""),
            Some(b'\\') => out.extend_from_slice(b"\\\\"),
            Some(b'\n') => out.extend_from_slice(b"\\n"),
            Some(b'\r') => out.extend_from_slice(b"\\r"),
            Some(b'\t') => out.extend_from_slice(b"\\t"),
            Some(&control) => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(control >> 4), digit(control & 15)]);
            }
            None => {}
        }
        done += at + 1;
    }
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
}

/// The place of the first byte that a JSON string can't hold as it is, eight bytes at a step.
fn needs_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut chunks = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let hit = (control | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c))) & HIGHS;
        if hit != 0 {
            // A borrow can only mark a byte above a true hit, so the lowest mark is exact.
            return Some(at + hit.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let rest = chunks.remainder();
    rest.iter()
        .position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\')
        .map(|rest| at + rest)
}

/// Appends a number in decimal.
fn number(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut length = 0;
    for place in digits.iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
        length += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - length..).unwrap_or_default());
}

fn write_rare(entry: &Entry<'_>, out: &mut Vec<u8>) {
    if let Some(app) = entry.app {
        out.extend_from_slice(b",\"app\":");
        out.extend_from_slice(app.as_bytes());
    }
    if let Some(error) = entry.error {
        out.extend_from_slice(b",\"error\":{\"message\":\"");
        escape(error, out);
        out.extend_from_slice(b"\"}");
    }
    if entry.tags != Tags::NONE {
        out.extend_from_slice(b",\"tags\":[");
        for (index, name) in entry.tags.names().enumerate() {
            out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            out.extend_from_slice(name.as_bytes());
            out.push(b'"');
        }
        out.push(b']');
    }
}

fn kubernetes(root: &mut Object<'_>, file: &File) {
    let (pod, node) = (file.origin.pod.as_ref(), &file.node.name);
    if pod.is_none() && node.is_empty() {
        return;
    }
    let mut kubernetes = root.object("kubernetes");
    if let Some(pod) = pod {
        kubernetes.text_if("namespace", &pod.namespace);
        let mut names = kubernetes.object("pod");
        names.text_if("name", &pod.name);
        names.text("uid", &pod.uid);
        names.close();
        if let Some(container) = &file.origin.container {
            let mut own = kubernetes.object("container");
            own.text("name", &container.name);
            if let Some(count) = file.restart_count {
                own.raw("restart_count", &count.to_string());
            }
            own.close();
        }
        if !pod.labels.is_empty() {
            let mut labels = kubernetes.object("labels");
            for (name, value) in &pod.labels {
                labels.text(name, value);
            }
            labels.close();
        }
    }
    if !node.is_empty() {
        let mut own = kubernetes.object("node");
        own.text("name", node);
        own.close();
    }
    kubernetes.close();
}

fn container(root: &mut Object<'_>, file: &File) {
    let Some(container) = &file.origin.container else {
        return;
    };
    let in_pod = file.origin.pod.is_some();
    if in_pod
        && container.id.is_empty()
        && container.runtime.is_empty()
        && container.image.is_empty()
    {
        return;
    }
    let mut own = root.object("container");
    own.text_if("id", &container.id);
    own.text_if("name", &container.name);
    own.text_if("runtime", &container.runtime);
    if !container.image.is_empty() {
        let mut image = own.object("image");
        image.text("name", &container.image);
        image.close();
    }
    own.close();
}

/// Writes the members of one JSON object.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

// === impl Object ===

impl<'a> Object<'a> {
    /// An object that already has a member.
    fn continued(out: &'a mut Vec<u8>) -> Self {
        Self { out, first: false }
    }

    fn name(&mut self, name: &str) {
        self.out
            .extend_from_slice(if self.first { b"\"" } else { b",\"" });
        self.first = false;
        escape(name, self.out);
        self.out.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.push(b'"');
        escape(value, self.out);
        self.out.push(b'"');
    }

    fn text_if(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.text(name, value);
        }
    }

    fn raw(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.extend_from_slice(value.as_bytes());
    }

    fn object(&mut self, name: &str) -> Object<'_> {
        self.name(name);
        self.out.push(b'{');
        Object {
            out: self.out,
            first: true,
        }
    }

    fn close(self) {
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Node;
    use crate::{Container, FileKey, Origin, Pod};

    fn document(message: &str) -> Document {
        Document {
            file: Arc::new(File {
                origin: Arc::new(Origin {
                    stream: "uid-1/app".into(),
                    pod: Some(Pod {
                        namespace: "shop".into(),
                        name: "order-1".into(),
                        uid: "uid-1".into(),
                        ..Pod::default()
                    }),
                    container: Some(Container {
                        name: "app".into(),
                        ..Container::default()
                    }),
                    kind: Kind::Container,
                }),
                key: FileKey([0; 16]),
                fingerprint: "00".into(),
                path: "/var/log/pods/shop_order-1_uid-1/app/0.log".into(),
                started: 1,
                restart_count: Some(3),
                node: Arc::new(Node {
                    host: "n1".into(),
                    ..Node::default()
                }),
            }),
            time: Timestamp(0),
            output: OutputStream::Stdout,
            level: Level::Error,
            message: message.to_owned(),
            offset: 42,
            end: 50,
            end_started: 1,
            part: 0,
            tags: Tags::PARTIAL.with(Tags::GAP),
            app: Some("{\"a\":1}".into()),
            error: None,
        }
    }

    #[test]
    fn a_document_is_json_with_ecs_names() {
        let mut out = Vec::new();
        document("a \"b\" \\ \u{1}\n\tü and a long clean tail").write_json(&mut out);
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            json["message"],
            "a \"b\" \\ \u{1}\n\tü and a long clean tail"
        );
        assert_eq!(json["@timestamp"], "1970-01-01T00:00:00.000000000Z");
        assert_eq!(json["log"]["offset"], 42);
        assert_eq!(json["log"]["level"], "error");
        assert_eq!(json["log"]["stream"], "uid-1/app");
        assert_eq!(
            json["log"]["file"]["started"],
            "1970-01-01T00:00:00.000000001Z"
        );
        assert_eq!(json["kubernetes"]["pod"]["name"], "order-1");
        assert_eq!(json["kubernetes"]["container"]["restart_count"], 3);
        assert_eq!(json["tags"], serde_json::json!(["partial", "gap"]));
        assert_eq!(json["app"]["a"], 1);
        assert_eq!(json["data_stream"]["namespace"], "shop");
        assert!(json.get("container").is_none());
    }

    #[test]
    fn every_byte_is_escaped_at_every_place_of_a_word() {
        for code in (0..=0x7f_u8).chain([0xc3]) {
            for place in 0..17 {
                let mut text = "x".repeat(place);
                text.push(char::from(code));
                text.push_str("yyyyyyyyyyyy\"z");
                let mut out = vec![b'"'];
                escape(&text, &mut out);
                out.push(b'"');
                assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
            }
        }
    }
}
