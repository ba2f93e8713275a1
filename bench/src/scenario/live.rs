//! What does a busy node cost? Live logs with rotation into the embedded store, and whether every line is there.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::node::{Node, stop};
use super::probe::Probe;
use super::{Settings, fresh_folder, mebibytes, median};
use crate::generate::Written;
use crate::process::{Cpu, Memory, Process};
use crate::report::{Outcome, Target};
use crate::token::Token;

const CONTAINERS: u64 = 30;
/// Small enough that every log is rotated at every look of the kubelet.
const ROTATE_BYTES: u64 = 256 * 1024;
/// What the kubelet keeps beside the live file by default.
const KEEP_FILES: u64 = 4;
/// The pause between two probes.
const PROBE_PAUSE: Duration = Duration::from_millis(500);
/// Looks at the memory between two probes.
const MEMORY_SAMPLES: u32 = 10;
/// How long the last lines may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures `up` under live load.
pub(super) fn measure(settings: &Settings) -> anyhow::Result<Outcome> {
    let node = Node::new(&settings.nodetap, &fresh_folder(settings, "live")?);
    let mut probe = Probe::new(&node)?;
    let process = node.start()?;
    // The first probe also says that the start is over, so that its cost stands apart.
    let first_ms = probe.latency_ms()?;

    let mut generator = generate(&node, settings)?;
    let (start, before) = (Instant::now(), process.cpu());
    let machine = Cpu::machine_seconds();
    let mut memory = Memory::default();
    let mut latencies = Vec::new();
    let generated = loop {
        latencies.push(probe.latency_ms()?);
        for _ in 0..MEMORY_SAMPLES {
            memory = memory.max(process.memory());
            thread::sleep(PROBE_PAUSE / MEMORY_SAMPLES);
        }
        if let Some(finished) = generator.try_wait()? {
            break finished.cpu;
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let cpu_seconds = process.cpu().seconds() - before.seconds();
    let machine = Cpu::machine_seconds() - machine;
    let written = read_written(&mut generator)?;
    let arrived = wait_for(&node, written.records)?;
    let finished = stop(process)?;

    let mut outcome = Outcome::new("up-live");
    let percent = cpu_seconds / seconds * 100.0;
    let (median, longest) = (
        median(&mut latencies),
        latencies.last().copied().unwrap_or(0.0),
    );
    let lost = written.records as f64 - arrived.distinct as f64;
    for (what, value, unit, target) in [
        (
            "anonymous memory, at most",
            mebibytes(memory.anonymous_kib),
            "MiB",
            128.0,
        ),
        ("processor", percent, "% of a core", 8.0),
        (
            "written to found by `logs`, the slowest",
            longest,
            "ms",
            1500.0,
        ),
        ("lost", lost, "lines", 0.0),
        ("doubled", arrived.doubled as f64, "lines", 0.0),
        (
            "out of order in their stream",
            arrived.disordered as f64,
            "lines",
            0.0,
        ),
    ] {
        outcome.measure(what, value, unit, Target::AtMost(target));
    }
    outcome.measure(
        "written to found by `logs`, the median",
        median,
        "ms",
        Target::None,
    );
    let per_million = cpu_seconds / (written.records as f64 / 1e6);
    outcome.measure(
        "processor per million lines",
        per_million,
        "CPU-seconds",
        Target::None,
    );
    outcome.measure(
        "resident, at most",
        mebibytes(memory.resident_kib),
        "MiB",
        Target::None,
    );
    outcome.fact("seconds", seconds);
    outcome.fact("records", written.records);
    outcome.fact("rotations", written.rotations);
    outcome.fact("probes", latencies.len());
    outcome.fact("first_probe_ms", first_ms);
    outcome.fact("exit", finished.status.to_string());
    // With more than some 150 % on two processors, latencies say little.
    outcome.fact("machine_busy_percent", machine / seconds * 100.0);
    outcome.fact("generator_cpu_seconds", generated.seconds());
    Ok(outcome)
}

/// Starts the generator in a process of its own, so that its pace does not depend on the probes.
fn generate(node: &Node, settings: &Settings) -> anyhow::Result<Process> {
    let arguments = [
        ("--dir", node.logs().display().to_string()),
        ("--containers", CONTAINERS.to_string()),
        ("--rate", settings.rate.to_string()),
        ("--seconds", settings.duration.as_secs_f64().to_string()),
        ("--rotate-bytes", ROTATE_BYTES.to_string()),
        ("--keep", KEEP_FILES.to_string()),
    ];
    let arguments = ["genlogs", "live", "--compress"]
        .map(str::to_owned)
        .into_iter()
        .chain(
            arguments
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value]),
        );
    let log = settings.scratch.join("live/genlogs.log");
    Ok(Process::start_piped(
        &std::env::current_exe()?,
        arguments,
        &log,
    )?)
}

/// What a generator that has ended wrote.
pub(super) fn read_written(generator: &mut Process) -> anyhow::Result<Written> {
    let mut output = generator.output().context("the generator has no output")?;
    let text = std::io::read_to_string(&mut output)?;
    Written::from_json(&text).with_context(|| format!("the generator said {text:?}"))
}

/// What the store has of a workload.
#[derive(Clone, Copy, Debug, Default)]
struct Arrived {
    distinct: u64,
    doubled: u64,
    disordered: u64,
}

/// Waits until all records can be read, at most for a while, and looks at each.
fn wait_for(node: &Node, records: u64) -> anyhow::Result<Arrived> {
    let start = Instant::now();
    loop {
        let arrived = count(node, records)?;
        if arrived.distinct >= records || start.elapsed() > PATIENCE {
            return Ok(arrived);
        }
    }
}

fn count(node: &Node, records: u64) -> anyhow::Result<Arrived> {
    let arguments = ["-o", "json", "\"@q=\""];
    let mut child = node
        .search_command(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = BufReader::new(child.stdout.take().context("no output")?);
    let mut seen = vec![0u8; records as usize];
    let mut last_of_stream: HashMap<String, u64> = HashMap::new();
    let mut arrived = Arrived::default();
    let mut line = String::new();
    while output.read_line(&mut line)? > 0 {
        let document: Value = serde_json::from_str(&line)?;
        let message = document["message"].as_str().unwrap_or_default();
        let stream = document["log"]["stream"].as_str().unwrap_or_default();
        for (_, token) in Token::find_all(message.as_bytes()) {
            let Some(count) = seen.get_mut(token.sequence as usize) else {
                continue;
            };
            arrived.distinct += u64::from(*count == 0);
            arrived.doubled += u64::from(*count > 0);
            *count = count.saturating_add(1);
            match last_of_stream.get_mut(stream) {
                Some(last) => {
                    arrived.disordered += u64::from(token.sequence <= *last);
                    *last = token.sequence;
                }
                None => drop(last_of_stream.insert(stream.to_owned(), token.sequence)),
            }
        }
        line.clear();
    }
    let status = child.wait()?;
    ensure!(status.success(), "nodetap logs {arguments:?}: {status}");
    Ok(arrived)
}
