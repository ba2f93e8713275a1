//! What does a scrape cost on a node with many JVMs? Real ones, idle, whose counters are read without an agent.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{Settings, fresh_folder, mebibytes, median, millis};
use crate::http;
use crate::process::Process;
use crate::report::{Outcome, Target};

const JVMS: usize = 100;
/// How many start at a time: each takes a third of a second of a core.
const AT_A_TIME: usize = 4;
const SCRAPES: usize = 40;
/// How long all JVMs may take to have counters.
const PATIENCE: Duration = Duration::from_mins(3);
const TICK: Duration = Duration::from_millis(50);
const SOURCE: &str = "public class Quiet {
    public static void main(String[] arguments) throws Exception {
        Thread.sleep(Long.MAX_VALUE);
    }
}
";

/// Measures `export` beside a hundred JVMs.
pub(super) fn measure(settings: &Settings) -> anyhow::Result<Outcome> {
    let folder = fresh_folder(settings, "jvm")?;
    let jvms = start_jvms(&folder)?;
    let (export, address) = start_export(settings, &folder)?;
    await_counters(&address, jvms.len())?;
    let before = export.cpu().seconds();
    let mut own = scrapes(&address, "/metrics?collect[]=jvm")?;
    let cpu = export.cpu().seconds() - before;
    let mut all = scrapes(&address, "/metrics")?;
    let text = http::get(&address, "/metrics?collect[]=jvm")?;
    let memory = export.memory();

    let mut outcome = Outcome::new("jvm");
    let wall = median(&mut own);
    outcome.measure(
        "a scrape of the JVMs, the median",
        wall,
        "ms",
        Target::AtMost(50.0),
    );
    let slowest = own.last().copied().unwrap_or_default();
    outcome.measure(
        "a scrape of the JVMs, the slowest",
        slowest,
        "ms",
        Target::None,
    );
    let processor = cpu * 1000.0 / SCRAPES as f64;
    outcome.measure("processor for each", processor, "ms", Target::None);
    let wall = median(&mut all);
    outcome.measure(
        "a scrape of everything, the median",
        wall,
        "ms",
        Target::AtMost(50.0),
    );
    let resident = mebibytes(memory.peak_kib);
    outcome.measure("resident, at most", resident, "MiB", Target::None);
    outcome.fact("jvms", jvms.len());
    outcome.fact("processes", processes());
    outcome.fact("series", samples(&text));
    outcome.fact("text_bytes", text.len());
    Ok(outcome)
}

/// Starts the JVMs, as small as they get.
fn start_jvms(folder: &Path) -> anyhow::Result<Vec<Process>> {
    let source = folder.join("Quiet.java");
    fs::write(&source, SOURCE)?;
    let compiled = Command::new("javac").arg(&source).status();
    ensure!(
        compiled.context("run javac (a JDK is needed)")?.success(),
        "javac did not compile {}",
        source.display()
    );
    let classes = folder.display().to_string();
    let options = [
        "-Xmx8m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-cp",
        &classes,
        "Quiet",
    ];
    let log = folder.join("jvms.log");
    let mut jvms: Vec<Process> = Vec::with_capacity(JVMS);
    while jvms.len() < JVMS {
        for _ in 0..AT_A_TIME.min(JVMS - jvms.len()) {
            jvms.push(Process::start(Path::new("java"), options, &log).context("start a JVM")?);
        }
        // Started all at once they would wait for each other, and for memory that is only needed at the start.
        thread::sleep(TICK * 6);
    }
    Ok(jvms)
}

fn start_export(settings: &Settings, folder: &Path) -> anyhow::Result<(Process, String)> {
    let state = folder.join("state").display().to_string();
    let arguments = ["export", "--listen", "127.0.0.1:0", "--state", &state];
    let mut export =
        Process::start_piped(&settings.nodetap, arguments, &folder.join("export.log"))?;
    let output = export.output().context("the output of export")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some((_, address)) = line.split_once("http://") {
            let address = address.split('/').next().unwrap_or(address);
            return Ok((export, address.to_owned()));
        }
    }
    anyhow::bail!("export ended; see {}", folder.join("export.log").display())
}

/// Returns when every JVM is read.
fn await_counters(address: &str, wanted: usize) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let text = http::get(address, "/metrics?collect[]=jvm")?;
        let is_read = |line: &&str| {
            line.starts_with("jvm_perfdata_available{")
                && line.contains("jvm=\"Quiet")
                && line.ends_with(" 1")
        };
        let found = text.lines().filter(is_read).count();
        if found >= wanted {
            return Ok(());
        }
        ensure!(
            start.elapsed() < PATIENCE,
            "only {found} JVMs of {wanted} are read"
        );
        thread::sleep(TICK);
    }
}

/// How long each scrape took, in milliseconds, text included.
fn scrapes(address: &str, path: &str) -> anyhow::Result<Vec<f64>> {
    (0..SCRAPES)
        .map(|_| {
            let start = Instant::now();
            http::get(address, path)?;
            Ok(millis(start.elapsed()))
        })
        .collect()
}

fn samples(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("jvm_")).count()
}

fn processes() -> usize {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    names
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .count()
}
