//! What do the containers of a node write? A tree filled beforehand, or one that grows at a rate and rotates.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use record::time::Timestamp;
use serde_json::json;

use crate::clock;
use crate::line::Lines;
use crate::rotation::{LiveLog, Rotation, compress};
use crate::tree::Names;

/// The time of the first prefilled line: 2026-11-21T10:00:00Z.
const PREFILL_START: Timestamp = Timestamp(1_795_255_200_000_000_000);
/// The time between two prefilled lines of one container, in nanoseconds.
const PREFILL_STEP_NANOS: i64 = 1_733_219;
/// How long a live generator sleeps between two bursts: short enough to be a steady stream to any reader.
const PACE: Duration = Duration::from_millis(2);

/// Which containers write, and what.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The `/var/log` of the tree.
    pub logs: PathBuf,
    /// How many containers write.
    pub containers: u64,
    /// The number of the first of them.
    pub first_container: u64,
    /// The sequence number of the first record.
    pub first_sequence: u64,
    /// Chooses names and texts.
    pub seed: u64,
    /// Every how many records one is longer than a CRI line; 0 for never.
    pub partial_every: u64,
}

/// How a live workload runs.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Records per second, over all containers.
    pub rate: u64,
    /// For how long.
    pub duration: Duration,
    /// How logs are rotated.
    pub rotation: Rotation,
    /// How often the kubelet looks at the sizes.
    pub rotation_check: Duration,
    /// Whether rotated files but the newest are compressed.
    pub compress: bool,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Whole records.
    pub records: u64,
    /// CRI lines.
    pub lines: u64,
    /// Bytes in the files.
    pub bytes: u64,
    /// Rotations done.
    pub rotations: u64,
}

// === impl Workload ===

impl Workload {
    /// A workload of `containers` below `logs` with the usual seed and share of long records.
    pub fn new(logs: &Path, containers: u64) -> Self {
        Self {
            logs: logs.to_owned(),
            containers,
            first_container: 0,
            first_sequence: 0,
            seed: 1,
            partial_every: 5000,
        }
    }

    /// The names of the `index`th container that writes here.
    pub fn names(&self, index: u64) -> Names {
        Names::of(self.seed, self.first_container + index)
    }

    /// Writes `total` records, the containers one after the other, as if they had written at the same time.
    pub fn prefill(&self, total: u64) -> io::Result<Written> {
        let mut lines = Lines::new(self.seed, self.partial_every);
        let mut written = Written::default();
        let mut bytes = Vec::new();
        for container in 0..self.containers {
            let first = total * container / self.containers;
            let end = total * (container + 1) / self.containers;
            let path = self.names(container).lay_out(&self.logs)?;
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            let mut file = BufWriter::with_capacity(1 << 20, file);
            for record in first..end {
                bytes.clear();
                let step = (record - first) as i64 * PREFILL_STEP_NANOS;
                let time = Timestamp(PREFILL_START.0 + step);
                written.lines += lines.append(&mut bytes, self.first_sequence + record, 0, time);
                written.bytes += bytes.len() as u64;
                written.records += 1;
                file.write_all(&bytes)?;
            }
            file.flush()?;
        }
        Ok(written)
    }

    /// Writes at a pace, round robin over the containers, and rotates as the kubelet does.
    pub fn live(&self, pace: Pace) -> io::Result<Written> {
        let mut logs = (0..self.containers)
            .map(|container| LiveLog::open(self.names(container).lay_out(&self.logs)?))
            .collect::<io::Result<Vec<_>>>()?;
        let (due, compressor) = start_compressor();
        let mut lines = Lines::new(self.seed, self.partial_every);
        let mut written = Written::default();
        let mut bytes = Vec::new();
        let total = (pace.rate as f64 * pace.duration.as_secs_f64()) as u64;
        let start = Instant::now();
        let mut next_check = pace.rotation_check;
        while written.records < total {
            let elapsed = start.elapsed();
            let target = ((elapsed.as_secs_f64() * pace.rate as f64) as u64).min(total);
            while written.records < target {
                let now = clock::now();
                let micros = now.0 as u64 / 1000;
                bytes.clear();
                let sequence = self.first_sequence + written.records;
                written.lines += lines.append(&mut bytes, sequence, micros, now);
                logs[(written.records % self.containers) as usize].append(&bytes)?;
                written.bytes += bytes.len() as u64;
                written.records += 1;
            }
            if elapsed >= next_check {
                next_check += pace.rotation_check;
                for log in &mut logs {
                    let (rotated, older) = log.rotate(pace.rotation, clock::now())?;
                    written.rotations += u64::from(rotated);
                    if let Some(path) = older.filter(|_| pace.compress) {
                        due.send(path).map_err(io::Error::other)?;
                    }
                }
            }
            thread::sleep(PACE);
        }
        drop(due);
        compressor
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))?;
        Ok(written)
    }
}

/// A thread beside the writers, so that compression doesn't hold up a line.
fn start_compressor() -> (mpsc::Sender<PathBuf>, thread::JoinHandle<io::Result<()>>) {
    let (sender, receiver) = mpsc::channel::<PathBuf>();
    let thread = thread::spawn(move || receiver.iter().try_for_each(|path| compress(&path)));
    (sender, thread)
}

// === impl Written ===

impl Written {
    /// The facts as JSON, as the generator prints them.
    pub fn json(self) -> serde_json::Value {
        let Self {
            records,
            lines,
            bytes,
            rotations,
        } = self;
        json!({"records": records, "lines": lines, "bytes": bytes, "rotations": rotations})
    }

    /// Reads what [`Written::json`] made.
    pub fn from_json(text: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let number = |key: &str| value.get(key)?.as_u64();
        Some(Self {
            records: number("records")?,
            lines: number("lines")?,
            bytes: number("bytes")?,
            rotations: number("rotations")?,
        })
    }
}
