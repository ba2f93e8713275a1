//! What does the exporter cost? Idle with a scrape now and then, beside `node_exporter` on what both show, and with a
//! million connections in the kernel's table.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{Settings, fresh_folder, mebibytes, median, millis};
use crate::http;
use crate::process::{Memory, Process};
use crate::report::{Outcome, Target};

/// As Prometheus scrapes by default in many places.
const INTERVAL: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_millis(250);
/// How long a program may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);
/// Scrapes of each side.
const SCRAPES: usize = 200;
const ENTRIES: u64 = 1_000_000;
/// The kernel compares each namespace's own table with this one number.
const TABLE_MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";

/// Measures `nodetap export`.
pub(super) fn measure(settings: &Settings) -> anyhow::Result<Outcome> {
    let folder = fresh_folder(settings, "exporter")?;
    let mut outcome = Outcome::new("exporter");
    let (process, address) = start(settings, &folder)?;
    idle(settings, &process, &address, &mut outcome)?;
    side_by_side(&folder, &address, &mut outcome)?;
    drop(process);
    full_table(settings, &folder, &mut outcome)?;
    Ok(outcome)
}

fn start(settings: &Settings, folder: &Path) -> anyhow::Result<(Process, String)> {
    let state = folder.join("state").display().to_string();
    let arguments = ["--state", &state, "export", "--listen", "127.0.0.1:0"];
    let log = folder.join("export.log");
    let mut process = Process::start_piped(&settings.nodetap, arguments, &log)?;
    let out = process.output().context("the exporter's output")?;
    let said = BufReader::new(out).lines().map_while(Result::ok);
    let address = said
        .filter_map(|line| Some(line.strip_prefix("  metrics  http://")?.to_owned()))
        .find_map(|rest| Some(rest.strip_suffix("/metrics")?.to_owned()))
        .context("the exporter never said where it is")?;
    Ok((process, address))
}

/// A scrape each fifteen seconds, for as long as live scenarios run.
fn idle(
    settings: &Settings,
    process: &Process,
    address: &str,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    // The first scrape finds the node; what holds is what comes after it.
    http::get(address, "/metrics")?;
    let (start, before) = (Instant::now(), process.cpu().seconds());
    let mut memory = Memory::default();
    let mut due = start + INTERVAL;
    while start.elapsed() < settings.duration {
        if due <= Instant::now() {
            http::get(address, "/metrics")?;
            due += INTERVAL;
        }
        memory = memory.max(process.memory());
        thread::sleep(TICK);
    }
    let share = (process.cpu().seconds() - before) / start.elapsed().as_secs_f64();
    outcome.measure(
        "idle, a scrape each 15 s: processor",
        share * 100.0,
        "% of a core",
        Target::AtMost(0.2),
    );
    outcome.measure(
        "idle: resident, at most",
        mebibytes(memory.resident_kib),
        "MiB",
        Target::AtMost(20.0),
    );
    outcome.measure(
        "idle: anonymous, at most",
        mebibytes(memory.anonymous_kib),
        "MiB",
        Target::None,
    );
    outcome.fact("idle_seconds", start.elapsed().as_secs_f64());
    Ok(())
}

/// The families that both have, in turn, so that both meet the same machine.
fn side_by_side(folder: &Path, address: &str, outcome: &mut Outcome) -> anyhow::Result<()> {
    let Some(program) = node_exporter() else {
        outcome.fact("node_exporter", "not found in PATH");
        return Ok(());
    };
    let theirs = free_address()?;
    let arguments = [
        "--collector.disable-defaults".to_owned(),
        "--collector.conntrack".to_owned(),
        "--web.disable-exporter-metrics".to_owned(),
        format!("--web.listen-address={theirs}"),
    ];
    let other = Process::start(&program, arguments, &folder.join("node_exporter.log"))?;
    let since = Instant::now();
    while http::get(&theirs, "/metrics").is_err() {
        ensure!(since.elapsed() < PATIENCE, "node_exporter does not answer");
        thread::sleep(TICK);
    }
    let (mut our_times, mut their_times) = (vec![], vec![]);
    for _ in 0..SCRAPES {
        for (address, path, times) in [
            (address, "/metrics?collect[]=conntrack", &mut our_times),
            (&*theirs, "/metrics", &mut their_times),
        ] {
            let start = Instant::now();
            let text = http::get(address, path)?;
            times.push(millis(start.elapsed()));
            ensure!(text.contains("\nnode_nf_conntrack_entries "), "{text}");
        }
    }
    outcome.fact("node_exporter_resident_kib", other.memory().resident_kib);
    let (ours, theirs) = (median(&mut our_times), median(&mut their_times));
    outcome.measure("conntrack, a scrape of ours", ours, "ms", Target::None);
    outcome.measure(
        "conntrack, a scrape of node_exporter",
        theirs,
        "ms",
        Target::None,
    );
    outcome.measure(
        "ours / node_exporter's",
        ours / theirs,
        "",
        Target::AtMost(1.0),
    );
    Ok(())
}

/// Debian's name for it, and its own.
fn node_exporter() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| {
            ["prometheus-node-exporter", "node_exporter"].map(|name| folder.join(name))
        })
        .find(|program| program.is_file())
}

fn free_address() -> anyhow::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}

/// In a network namespace of its own; the limit is the machine's and is put back.
fn full_table(settings: &Settings, folder: &Path, outcome: &mut Outcome) -> anyhow::Result<()> {
    let Ok(limit) = fs::read_to_string(TABLE_MAX) else {
        outcome.fact("full_table", "this kernel tracks no connections");
        return Ok(());
    };
    if fs::write(TABLE_MAX, (ENTRIES + ENTRIES / 10).to_string()).is_err() {
        outcome.fact("full_table", "the limit can't be raised here: root can");
        return Ok(());
    }
    let done = Command::new("unshare")
        .arg("--net")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("full-table.sh"))
        .arg(&settings.nodetap)
        .arg(ENTRIES.to_string())
        .arg(folder.join("state"))
        .env("NODETAP_LOG", "error")
        .output();
    fs::write(TABLE_MAX, limit.trim()).context("put the limit back")?;
    let done = done.context("run unshare")?;
    let said = String::from_utf8_lossy(&done.stdout);
    let errors = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "fill the table: {errors}");
    let number = |name: &str| -> anyhow::Result<f64> {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        Ok(line
            .with_context(|| format!("no {name} in {said}"))?
            .parse()?)
    };
    outcome.measure(
        "probe conntrack with a million connections",
        number("full=")? * 1000.0,
        "ms",
        Target::AtMost(5.0),
    );
    outcome.measure(
        "the same with none",
        number("empty=")? * 1000.0,
        "ms",
        Target::None,
    );
    outcome.fact("entries", number("entries=")?);
    Ok(())
}
