//! Measures everything that is promised in numbers and prints the ratios: a line of JSON per scenario, then a table.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use bench::process::beside;
use bench::report;
use bench::scenario::{self, Scenario, Settings};
use clap::{Args, ValueEnum};

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to measure; everything when left out
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// The program to measure; by default the one that was built together with this one
    #[arg(long)]
    nodetap: Option<PathBuf>,
    /// A folder for log trees and stores, some GB; by default `bench` in the build's folder
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Lines in the store that is searched
    #[arg(long, default_value_t = 5_000_000)]
    lines: u64,
    /// Seconds that each live scenario runs
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Lines per second of the live scenario
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// Quiet files of the idle scenario
    #[arg(long, default_value_t = 5000)]
    idle_files: u64,
    /// How often each search is repeated
    #[arg(long, default_value_t = 7)]
    repetitions: usize,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let nodetap = match arguments.nodetap {
        Some(path) => path,
        None => beside("nodetap")?,
    };
    ensure!(nodetap.is_file(), "no program at {}", nodetap.display());
    let scratch = match arguments.scratch {
        Some(path) => path,
        None => beside("../bench-scratch")?,
    };
    std::fs::create_dir_all(&scratch).with_context(|| format!("make {}", scratch.display()))?;
    let settings = Settings {
        nodetap: nodetap.canonicalize()?,
        scratch: scratch.canonicalize()?,
        lines: arguments.lines,
        duration: Duration::try_from_secs_f64(arguments.seconds)?,
        rate: arguments.rate,
        idle_files: arguments.idle_files,
        repetitions: arguments.repetitions.max(1),
    };
    let scenarios = if arguments.scenarios.is_empty() {
        Scenario::value_variants().to_vec()
    } else {
        arguments.scenarios
    };
    let mut outcomes = Vec::new();
    let mut failed = Vec::new();
    for scenario in scenarios {
        match scenario::run(scenario, &settings) {
            Ok(outcome) => {
                writeln!(io::stdout(), "{}", outcome.json())?;
                outcomes.push(outcome);
            }
            // The others are still worth their time.
            Err(error) => {
                writeln!(io::stderr(), "error: {scenario:?}: {error:#}")?;
                failed.push(scenario);
            }
        }
    }
    writeln!(io::stdout(), "\n{}", report::table(&outcomes))?;
    ensure!(failed.is_empty(), "not measured: {failed:?}");
    Ok(())
}
