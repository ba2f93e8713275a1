//! What does silence cost? Thousands of quiet files and a few slow ones.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::live::read_written;
use super::node::{Node, stop};
use super::{Settings, fresh_folder, mebibytes};
use crate::generate::Workload;
use crate::process::{Memory, Process};
use crate::report::{Outcome, Target};

const ACTIVE_FILES: u64 = 10;
const RATE: u64 = 200;
/// Records that each file has from before.
const OLD_RECORDS: u64 = 20;
/// A process that used less than [`QUIET_SHARE`] of a core for this long has read what was there.
const QUIET: Duration = Duration::from_secs(3);
const QUIET_SHARE: f64 = 0.02;
/// How long the reading of what was there may take.
const PATIENCE: Duration = Duration::from_mins(3);
const TICK: Duration = Duration::from_millis(250);

/// Measures `up` on a quiet node.
pub(super) fn measure(settings: &Settings) -> anyhow::Result<Outcome> {
    let node = Node::new(&settings.nodetap, &fresh_folder(settings, "idle")?);
    let files = settings.idle_files + ACTIVE_FILES;
    let workload = Workload::new(&node.logs(), files);
    let old = workload.prefill(files * OLD_RECORDS)?;
    let start = Instant::now();
    let process = node.start()?;
    wait_until_quiet(&process)?;
    let settled_seconds = start.elapsed().as_secs_f64();

    let arguments = [
        ("--dir", node.logs().display().to_string()),
        ("--containers", ACTIVE_FILES.to_string()),
        ("--rate", RATE.to_string()),
        ("--seconds", settings.duration.as_secs_f64().to_string()),
        ("--base-seq", old.records.to_string()),
    ];
    let arguments = ["genlogs", "live"].map(str::to_owned).into_iter().chain(
        arguments
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]),
    );
    let log = settings.scratch.join("idle/genlogs.log");
    let mut generator = Process::start_piped(&std::env::current_exe()?, arguments, &log)?;
    let (start, before) = (Instant::now(), process.cpu());
    let mut memory = Memory::default();
    while generator.try_wait()?.is_none() {
        memory = memory.max(process.memory());
        thread::sleep(TICK);
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = process.cpu().seconds() - before.seconds();
    let written = read_written(&mut generator)?;
    let finished = stop(process)?;
    let found = node.search(&["-o", "raw", "\"@q=\""])?.lines() as u64;
    let missing = (old.records + written.records) as f64 - found as f64;

    let mut outcome = Outcome::new("up-idle");
    let resident = mebibytes(memory.resident_kib);
    outcome.measure("resident, at most", resident, "MiB", Target::AtMost(48.0));
    outcome.measure(
        "processor",
        cpu / seconds * 100.0,
        "% of a core",
        Target::AtMost(0.5),
    );
    outcome.measure("lost", missing.max(0.0), "lines", Target::AtMost(0.0));
    outcome.measure("doubled", (-missing).max(0.0), "lines", Target::AtMost(0.0));
    let anonymous = mebibytes(memory.anonymous_kib);
    outcome.measure("anonymous memory, at most", anonymous, "MiB", Target::None);
    let peak = mebibytes(memory.peak_kib);
    outcome.measure(
        "resident, the peak since the start",
        peak,
        "MiB",
        Target::None,
    );
    outcome.fact("idle_files", settings.idle_files);
    outcome.fact("active_files", ACTIVE_FILES);
    outcome.fact("seconds", seconds);
    outcome.fact("settled_seconds", settled_seconds);
    outcome.fact("exit", finished.status.to_string());
    Ok(outcome)
}

/// Returns when the process has stopped working on what it found at its start.
fn wait_until_quiet(process: &Process) -> anyhow::Result<()> {
    let start = Instant::now();
    let (mut since, mut cpu) = (start, process.cpu().seconds());
    while since.elapsed() < QUIET {
        ensure!(start.elapsed() < PATIENCE, "still busy after {PATIENCE:?}");
        thread::sleep(TICK);
        if process.cpu().seconds() - cpu > QUIET_SHARE * QUIET.as_secs_f64() {
            (since, cpu) = (Instant::now(), process.cpu().seconds());
        }
    }
    Ok(())
}
