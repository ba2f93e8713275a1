//! Runs the limit loop over the logs of a tree and prints what it cost as one line of JSON.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use bench::clock::own_cpu_seconds;
use bench::{limit, tree};
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The /var/log of the tree
    #[arg(long)]
    dir: PathBuf,
    /// Compress the bodies at this gzip level
    #[arg(long)]
    gzip: Option<u32>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let paths = tree::live_logs(&arguments.dir)?;
    let (start, cpu) = (Instant::now(), own_cpu_seconds());
    let passed = limit::run(&paths, arguments.gzip)?;
    let cpu = own_cpu_seconds() - cpu;
    let report = json!({
        "lines": passed.lines,
        "bytes": passed.bytes,
        "body_bytes": passed.body_bytes,
        "compressed_bytes": passed.compressed_bytes,
        "wall_seconds": start.elapsed().as_secs_f64(),
        "cpu_seconds": cpu,
        "cpu_seconds_per_million_lines": cpu / (passed.lines as f64 / 1e6),
    });
    writeln!(io::stdout(), "{report}")?;
    Ok(())
}
