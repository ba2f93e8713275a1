//! What happens when the disk says no? Faults are injected at each place in turn.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use record::file::Node;
use record::{
    Document, Entry, File, FileKey, Level, Origin, OutputStream, Record, Tags, Timestamp,
};

use crate::fault::armed;
use crate::{Batch, Options, Reader, Scan, WriteError, Writer};

fn push(batch: &mut Batch, offsets: std::ops::Range<u64>) {
    let file = Arc::new(File {
        origin: Arc::new(Origin {
            stream: "s".into(),
            ..Origin::default()
        }),
        key: FileKey([1; 16]),
        fingerprint: String::new(),
        path: "/p".into(),
        started: 7,
        restart_count: None,
        node: Arc::new(Node::default()),
    });
    for offset in offsets {
        let entry = Entry {
            time: Timestamp(offset as i64),
            output: OutputStream::None,
            level: Level::Unknown,
            message: "m",
            offset,
            end: offset + 1,
            end_started: 7,
            part: 0,
            tags: Tags::NONE,
            app: None,
            error: None,
        };
        batch.push(&Record { file: &file, entry });
    }
}

fn offsets(dir: &Path) -> Vec<u64> {
    let mut found: Vec<Document> = Vec::new();
    let mut each = |document| {
        found.push(document);
        ControlFlow::Continue(())
    };
    Reader::open(dir)
        .unwrap()
        .scan(&Scan::default(), &mut each)
        .unwrap();
    found.iter().map(|document| document.offset).collect()
}

/// Appends and syncs with `action` failing a few times, at its `skip`-th time first; then all must be there, once.
fn check(action: &'static str, skip: u32) {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), Options::default(), Timestamp(0)).unwrap();
    let mut batch = Batch::new();
    armed::fail(action, skip, 3);
    let mut failures = 0;
    for turn in 0..6 {
        push(&mut batch, turn * 10..turn * 10 + 10);
        let rows = batch.rows();
        while let Err(error) = writer.append(&mut batch) {
            assert!(matches!(error, WriteError::Io { .. }), "{error:?}");
            assert_eq!(batch.rows(), rows, "a failed append leaves the batch");
            failures += 1;
            assert!(failures < 20);
        }
        assert_eq!(batch.rows(), 0);
        while let Err(error) = writer.sync() {
            assert!(matches!(error, WriteError::Io { .. }), "{error:?}");
            failures += 1;
            assert!(failures < 20);
        }
        assert_eq!(
            offsets(dir.path()),
            (0..turn * 10 + 10).collect::<Vec<_>>(),
            "{action} {skip}"
        );
    }
    assert_eq!(failures, 3, "{action} {skip}");
    let whole: Vec<u64> = (0..60).collect();
    drop(writer);
    let mut writer = Writer::open(dir.path(), Options::default(), Timestamp(0)).unwrap();
    assert_eq!(offsets(dir.path()), whole);
    writer.settle(Timestamp(0), true).unwrap();
    assert_eq!(offsets(dir.path()), whole);
    assert_eq!(writer.stored_from("s", 7, 0).unwrap().len(), 60);
}

#[test]
fn a_disk_that_is_full_for_a_while_loses_and_doubles_nothing() {
    for skip in 0..5 {
        check("write", skip);
        check("sync", skip);
    }
    check("create", 0);
}

#[test]
fn a_manifest_that_can_not_be_written_leaves_the_rows_fresh() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), Options::default(), Timestamp(0)).unwrap();
    let mut batch = Batch::new();
    push(&mut batch, 0..10);
    writer.append(&mut batch).unwrap();
    armed::fail("manifest", 0, 2);
    for _ in 0..2 {
        writer.settle(Timestamp(0), true).unwrap_err();
        assert_eq!(offsets(dir.path()), (0..10).collect::<Vec<_>>());
    }
    assert_eq!(writer.settle(Timestamp(0), true).unwrap().rows_sealed, 10);
    assert_eq!(offsets(dir.path()), (0..10).collect::<Vec<_>>());
    assert_eq!(Reader::open(dir.path()).unwrap().extent().rows_fresh, 0);
}
