//! Lines to store, and the plain list that says what the store must answer.

use std::sync::Arc;

use record::file::Node;
use record::origin::Kind;
use record::{
    Container, Document, File, FileKey, Level, Origin, OutputStream, Pod, Tags, Timestamp,
};
use store::{Batch, Options, Predicate, Reader, Scan, Writer};

/// 2026-11-21T00:00:00Z
pub(crate) const DAY: i64 = 1_795_219_200_000_000_000;

/// A file of the `number`-th container's stream.
pub(crate) fn file(number: u32, started: i64) -> Arc<File> {
    let namespace = ["shop", "kube-system", "Müller"][number as usize % 3];
    Arc::new(File {
        origin: Arc::new(Origin {
            stream: format!("uid-{number}/app"),
            pod: Some(Pod {
                namespace: namespace.into(),
                name: format!("order-{number}"),
                uid: format!("uid-{number}"),
                labels: [(
                    "tier".to_owned(),
                    ["web", "db"][number as usize % 2].to_owned(),
                )]
                .into(),
            }),
            container: Some(Container {
                name: "app".into(),
                ..Container::default()
            }),
            kind: Kind::Container,
        }),
        key: FileKey([number as u8; 16]),
        fingerprint: format!("{number:032x}"),
        path: format!("/var/log/pods/{namespace}_order-{number}_uid-{number}/app/0.log"),
        started,
        restart_count: Some(number),
        node: Arc::new(Node {
            host: "n1".into(),
            ..Node::default()
        }),
    })
}

/// A plain line.
pub(crate) fn line(file: &Arc<File>, time: i64, offset: u64, message: &str) -> Document {
    Document {
        file: Arc::clone(file),
        time: Timestamp(time),
        output: OutputStream::Stdout,
        level: Level::Info,
        message: message.to_owned(),
        offset,
        end: offset + message.len() as u64 + 1,
        end_started: file.started,
        part: 0,
        tags: Tags::NONE,
        app: None,
        error: None,
    }
}

/// Documents as one batch.
pub(crate) fn batch(documents: &[Document]) -> Batch {
    let mut batch = Batch::new();
    for document in documents {
        batch.push(&document.record());
    }
    batch
}

/// Appends documents, durably.
pub(crate) fn append(writer: &mut Writer, documents: &[Document]) {
    writer.append(&mut batch(documents)).unwrap();
    writer.sync().unwrap();
}

/// A writer at the start of the day.
pub(crate) fn writer(dir: &std::path::Path) -> Writer {
    Writer::open(dir, Options::default(), Timestamp(DAY)).unwrap()
}

/// All documents of a store in order.
pub(crate) fn all(dir: &std::path::Path) -> Vec<Document> {
    search(&Reader::open(dir).unwrap(), &Scan::default())
}

/// What a scan gives.
pub(crate) fn search(reader: &Reader, scan: &Scan) -> Vec<Document> {
    let mut found = Vec::new();
    reader
        .scan(scan, &mut |document| {
            found.push(document);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    found
}

/// What a scan must give.
pub(crate) fn expected(documents: &[Document], scan: &Scan) -> Vec<Document> {
    let mut wanted: Vec<Document> = documents
        .iter()
        .filter(|document| {
            scan.from.is_none_or(|from| document.time >= from)
                && scan.until.is_none_or(|until| document.time < until)
                && scan.predicate.matches(&document.record())
        })
        .cloned()
        .collect();
    sort(&mut wanted);
    let limit = scan.limit.unwrap_or(usize::MAX);
    wanted.split_off(wanted.len().saturating_sub(limit))
}

/// Puts documents in the order of a scan.
pub(crate) fn sort(documents: &mut [Document]) {
    documents.sort_by_key(|document| {
        let stream = document.file.origin.stream.clone();
        (
            document.time,
            stream,
            document.file.started,
            document.offset,
            document.part,
            document.end,
        )
    });
}

/// Lines with this text.
pub(crate) fn text(needle: &str) -> Scan {
    Scan {
        predicate: Predicate::Text {
            needle: needle.into(),
        },
        ..Scan::default()
    }
}
