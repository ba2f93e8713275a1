//! What is promised, and how is it measured? One file per kind of promise; each scenario gives one [`Outcome`].

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;

use crate::report::Outcome;

mod node;
mod stored;
mod written;
mod search;
mod probe;
mod live;
mod idle;
mod bare;
mod shipped;
mod director;
mod jvm;
mod exporter;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Scenario {
    /// Lines written per processor second, sealing and merging included, and their size on disk
    StoreWrite,
    /// A word that occurs once among all lines
    StoreNeedle,
    /// The latest 100 lines of a phrase that occurs often
    StoreLatest,
    /// The lines around a known line
    StoreContext,
    /// Live logs with rotation into the store, and how soon a line is found
    UpLive,
    /// Thousands of quiet files and a few slow ones
    UpIdle,
    /// What the bare work costs on this machine
    Loop,
    /// Old logs to Elasticsearch, with and without compression, beside the limit loop
    SinkBackfill,
    /// Live logs with rotation to Elasticsearch
    SinkLive,
    /// A few lines a second to Elasticsearch
    SinkSlow,
    /// Thousands of quiet files and a few slow ones to Elasticsearch
    SinkIdle,
    /// Live logs while nodetap is killed twice
    SinkCrash,
    /// Old logs while nodetap is killed once
    SinkCrashBackfill,
    /// Live logs while Elasticsearch is down
    SinkOutage,
    /// Old logs to an Elasticsearch that refuses some items, requests and connections
    SinkFaults,
    /// The exporter: idle, beside `node_exporter`, and with a million connections in the kernel's table
    Exporter,
    /// A director of 2,000 virtual servers: from the kernel's bytes to Prometheus' text
    Director,
    /// Scrapes of a node with a hundred JVMs
    Jvm,
}

/// Where and how large.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The program under measurement.
    pub nodetap: PathBuf,
    /// A folder for log trees, stores and output; some GB.
    pub scratch: PathBuf,
    /// Lines in the store of the `store-*` scenarios.
    pub lines: u64,
    /// How long the live scenarios run.
    pub duration: Duration,
    /// Lines per second of `up-live`.
    pub rate: u64,
    /// Quiet files of `up-idle`.
    pub idle_files: u64,
    /// How often a search is repeated; the median counts.
    pub repetitions: usize,
}

/// Measures `scenario`.
pub fn run(scenario: Scenario, settings: &Settings) -> anyhow::Result<Outcome> {
    match scenario {
        Scenario::StoreWrite => written::measure(settings),
        Scenario::StoreNeedle => search::measure_needle(settings),
        Scenario::StoreLatest => search::measure_latest(settings),
        Scenario::StoreContext => search::measure_context(settings),
        Scenario::UpLive => live::measure(settings),
        Scenario::UpIdle => idle::measure(settings),
        Scenario::Loop => bare::measure(settings),
        Scenario::SinkBackfill => shipped::measure_backfill(settings),
        Scenario::SinkLive => shipped::measure_live(settings),
        Scenario::SinkSlow => shipped::measure_slow(settings),
        Scenario::SinkIdle => shipped::measure_idle(settings),
        Scenario::SinkCrash => shipped::measure_crash(settings),
        Scenario::SinkCrashBackfill => shipped::measure_crash_backfill(settings),
        Scenario::SinkOutage => shipped::measure_outage(settings),
        Scenario::SinkFaults => shipped::measure_faults(settings),
        Scenario::Exporter => exporter::measure(settings),
        Scenario::Director => director::measure(settings),
        Scenario::Jvm => jvm::measure(settings),
    }
}

/// An empty folder `name` below the scratch folder.
fn fresh_folder(settings: &Settings, name: &str) -> anyhow::Result<PathBuf> {
    let folder = settings.scratch.join(name);
    if folder.try_exists()? {
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// The bytes of all files below `folder`.
fn folder_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            folder_bytes(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

/// The value that half of the others do not exceed; 0 of none.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn mebibytes(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
