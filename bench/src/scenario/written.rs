//! What does a stored line cost? Processor time of the store alone, and of the whole way from file to store.

use std::fmt::Write as _;
use std::sync::Arc;

use record::file::Node;
use record::{
    Container, Entry, File, FileKey, Level, Origin, OutputStream, Pod, Record, Tags, Timestamp,
};
use store::{Batch, Options, Writer};

use super::stored::Stored;
use super::{Settings, folder_bytes, fresh_folder, mebibytes};
use crate::clock::{now, own_cpu_seconds};
use crate::line::Lines;
use crate::report::{Outcome, Target};
use crate::tree::Names;

const CONTAINERS: u64 = 50;
/// Records of one container before the next one's turn, as a collector reads them.
const TURN: u64 = 200;
/// Rows appended at once: half a second of a busy node.
const BATCH_ROWS: usize = 10_000;
/// Rows between two rounds of syncing and maintenance: a second of a busy node.
const ROUND_ROWS: u64 = 20_000;

/// Measures the store alone and `nodetap up --until-drained`.
pub(super) fn measure(settings: &Settings) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("store-write");
    measure_store(settings, &mut outcome)?;
    let (stored, written, drained) = Stored::fill(settings)?;
    let disk = folder_bytes(&stored.node.store())?;
    outcome.measure(
        "on disk / raw text, after `up --until-drained`",
        disk as f64 / written.bytes as f64,
        "",
        Target::AtMost(0.15),
    );
    outcome.measure(
        "file to store, `up --until-drained`",
        written.records as f64 / drained.cpu_seconds,
        "lines per CPU-second",
        Target::None,
    );
    outcome.measure(
        "file to store, by the clock",
        written.records as f64 / drained.wall.as_secs_f64(),
        "lines/s",
        Target::None,
    );
    let anonymous = mebibytes(drained.memory.anonymous_kib);
    outcome.measure(
        "anonymous memory meanwhile, at most",
        anonymous,
        "MiB",
        Target::None,
    );
    outcome.fact("raw_bytes", written.bytes);
    outcome.fact("disk_bytes", disk);
    outcome.fact("lines", written.records);
    outcome.fact("drained_cpu_seconds", drained.cpu_seconds);
    Ok(outcome)
}

/// The same records twice, once into nothing and once into a store: the difference is the store's.
fn measure_store(settings: &Settings, outcome: &mut Outcome) -> anyhow::Result<()> {
    let containers: Vec<Arc<File>> = (0..CONTAINERS).map(file).collect();
    let start = own_cpu_seconds();
    let mut kept = 0;
    let raw = records(settings.lines, &containers, |record| {
        kept += record.entry.message.len();
        Ok(())
    })?;
    let without = own_cpu_seconds() - start;

    let folder = fresh_folder(settings, "written")?;
    let mut writer = Writer::open(&folder, Options::default(), now())?;
    let mut batch = Batch::new();
    let mut rows = 0;
    let start = own_cpu_seconds();
    records(settings.lines, &containers, |record| {
        batch.push(record);
        rows += 1;
        if batch.rows() >= BATCH_ROWS {
            writer.append(&mut batch)?;
        }
        if rows % ROUND_ROWS == 0 {
            writer.sync()?;
            writer.maintain(now())?;
        }
        Ok(())
    })?;
    writer.append(&mut batch)?;
    writer.sync()?;
    writer.settle(now(), true)?;
    let cpu = own_cpu_seconds() - start - without;
    // What was sealed last is kept a while for those who follow it; the next start removes it.
    drop(writer);
    drop(Writer::open(&folder, Options::default(), now())?);
    let disk = folder_bytes(&folder)?;
    outcome.measure(
        "written by the store, sealing and merging included",
        settings.lines as f64 / cpu,
        "lines per CPU-second",
        Target::AtLeast(1e6),
    );
    outcome.measure(
        "on disk / raw text, the store alone",
        disk as f64 / raw as f64,
        "",
        Target::AtMost(0.15),
    );
    outcome.fact("store_cpu_seconds", cpu);
    outcome.fact("message_bytes", kept);
    Ok(())
}

/// Gives `total` records, the containers in turns; returns the bytes of their text on disk.
fn records(
    total: u64,
    containers: &[Arc<File>],
    mut each: impl FnMut(&Record<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let mut lines = Lines::new(1, 5000);
    let mut offsets = vec![0; containers.len()];
    let (mut text, mut message) = (Vec::new(), String::new());
    let mut sequence = 0;
    while sequence < total {
        let turn = (sequence / TURN) as usize;
        let place = turn % containers.len();
        let round = (turn / containers.len()) as i64;
        for step in 0..TURN.min(total - sequence) {
            let step_nanos = 1_733_219 * (round * TURN as i64 + step as i64);
            let time = Timestamp(1_795_255_200_000_000_000 + step_nanos);
            text.clear();
            lines.append(&mut text, sequence + step, 0, time);
            let offset = offsets[place];
            offsets[place] += text.len() as u64;
            let output = join(&text, &mut message)?;
            let entry = Entry {
                time,
                output,
                level: level(&message),
                message: &message,
                offset,
                end: offsets[place],
                end_started: containers[place].started,
                part: 0,
                tags: Tags::NONE,
                app: None,
                error: None,
            };
            each(&Record {
                file: &containers[place],
                entry,
            })?;
        }
        sequence += TURN;
    }
    Ok(offsets.iter().sum())
}

/// Puts the CRI lines of one record together.
fn join(text: &[u8], message: &mut String) -> anyhow::Result<OutputStream> {
    const HEAD_BYTES: usize = "2026-11-21T10:00:00.000000000Z stdout F ".len();
    message.clear();
    let mut output = OutputStream::Stdout;
    for line in text
        .split(|byte| *byte == b'\n')
        .filter(|line| line.len() >= HEAD_BYTES)
    {
        if line[31..].starts_with(b"stderr") {
            output = OutputStream::Stderr;
        }
        message.push_str(std::str::from_utf8(&line[HEAD_BYTES..])?);
    }
    Ok(output)
}

/// The level in the places where the generator writes it.
fn level(message: &str) -> Level {
    let bytes = message.as_bytes();
    let word = match bytes.strip_prefix(b"{\"level\":\"") {
        Some(rest) => rest.split(|byte| *byte == b'"').next(),
        None => bytes.get(24..29).map(<[u8]>::trim_ascii),
    };
    word.and_then(Level::from_word).unwrap_or_default()
}

/// The constant part of one container's records.
fn file(number: u64) -> Arc<File> {
    let names = Names::of(1, number);
    let Names {
        namespace,
        pod,
        uid,
        container,
        id,
    } = names;
    let origin = Origin {
        stream: format!("{uid}/{container}"),
        pod: Some(Pod {
            namespace: namespace.clone(),
            name: pod.clone(),
            uid: uid.clone(),
            ..Pod::default()
        }),
        container: Some(Container {
            name: container.clone(),
            id: id.clone(),
            runtime: "containerd".to_owned(),
            ..Container::default()
        }),
        kind: record::origin::Kind::Container,
    };
    let mut fingerprint = String::new();
    let written = write!(fingerprint, "{number:032x}");
    debug_assert!(written.is_ok(), "a string takes everything");
    Arc::new(File {
        origin: Arc::new(origin),
        key: FileKey([number as u8; 16]),
        fingerprint,
        path: format!("/var/log/pods/{namespace}_{pod}_{uid}/{container}/0.log"),
        started: 1_795_255_200_000_000_000,
        restart_count: Some(0),
        node: Arc::new(Node {
            host: "node-1".to_owned(),
            name: "node-1".to_owned(),
            cluster: String::new(),
        }),
    })
}
