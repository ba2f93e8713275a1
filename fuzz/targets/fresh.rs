//! A fresh stream that was torn or damaged: recovery keeps a whole beginning of it, and keeps that when asked again.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use record::{Entry, File, FileKey, Level, Origin, OutputStream, Record, Tags, Timestamp};

/// What a writer left behind: some batches, not sealed.
static STREAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory");
    let options = store::Options { seal_bytes: u64::MAX, ..store::Options::default() };
    let mut writer =
        store::Writer::open(directory.path(), options, Timestamp(0)).expect("a store");
    let file = Arc::new(File {
        origin: Arc::new(Origin { stream: "uid/app".to_owned(), ..Origin::default() }),
        key: FileKey([1; 16]),
        fingerprint: "00".to_owned(),
        path: "/var/log/pods/a/b/0.log".to_owned(),
        started: 1,
        restart_count: Some(0),
        node: Arc::default(),
    });
    for number in 0..4 {
        let mut batch = store::Batch::new();
        for line in 0..3 {
            let offset = number * 30 + line * 10;
            let entry = Entry {
                time: Timestamp(offset as i64),
                output: OutputStream::Stdout,
                level: Level::Info,
                message: "a line of some length",
                offset,
                end: offset + 10,
                end_started: 1,
                part: 0,
                tags: Tags::NONE,
                app: None,
                error: None,
            };
            batch.push(&Record { file: &file, entry });
        }
        writer.append(&mut batch).expect("appended");
    }
    writer.sync().expect("synced");
    let mut found = Vec::new();
    collect(directory.path(), &mut found);
    let stream = found.into_iter().find(|bytes| store::recover_fresh(bytes).rows == 12);
    stream.expect("the fresh stream")
});

fn collect(directory: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(directory).expect("listed").flatten() {
        if entry.path().is_dir() {
            collect(&entry.path(), found);
        } else {
            found.push(std::fs::read(entry.path()).expect("read"));
        }
    }
}

// Each four bytes of input damage one byte of the stream; the first two say where it is torn.
fuzz_target!(|edits: &[u8]| {
    let mut bytes = STREAM.clone();
    let mut edits = edits.chunks_exact(4);
    if let Some([low, high, more, keep]) = edits.next().map(|edit| [edit[0], edit[1], edit[2], edit[3]]) {
        let length = usize::from(u16::from_le_bytes([low, high])) % (bytes.len() + 1);
        bytes.truncate(if keep & 1 == 0 { length } else { bytes.len() });
        bytes.extend(std::iter::repeat_n(more, usize::from(keep >> 1)));
    }
    for edit in edits {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = if edit[2] == 0 { edit[3] } else { *byte ^ edit[3] };
        }
    }
    let whole = store::recover_fresh(&bytes);
    assert!(whole.bytes <= bytes.len());
    assert_eq!(store::recover_fresh(&bytes[..whole.bytes]), whole);
});
