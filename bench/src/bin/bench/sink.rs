//! Runs the null Elasticsearch: see the library's module `sink`.

use std::process;
use std::sync::Arc;
use std::thread;

use anyhow::ensure;
use bench::sink::{Faults, Sink, serve_admin, serve_sink};
use clap::Args;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Port for collectors, on the loopback
    #[arg(long, default_value_t = 19200)]
    port: u16,
    /// Port for whoever measures
    #[arg(long, default_value_t = 19201)]
    admin_port: u16,
    /// Sequence numbers that can be counted
    #[arg(long, default_value_t = 64_000_000)]
    max_seq: usize,
    /// The version it claims to be
    #[arg(long, default_value = "8.19.0")]
    es_version: String,
    /// Chooses whom faults hit
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// A fault from the start, NAME=VALUE: fail429, fail400, fail503, reset-before, reset-after (shares) or delay-ms
    #[arg(long = "fault")]
    faults: Vec<String>,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let faults = Faults::new(arguments.seed);
    for fault in &arguments.faults {
        let (name, value) = fault.split_once('=').unwrap_or((fault, ""));
        ensure!(faults.set(name, value), "no such fault: {fault}");
    }
    let sink = Arc::new(Sink::new(faults, arguments.max_seq, arguments.es_version));
    let serving = Arc::clone(&sink);
    thread::spawn(move || {
        let Err(error) = serve_sink(&serving, arguments.port) else {
            return;
        };
        tell(&anyhow::Error::from(error).context(format!("serve port {}", arguments.port)));
        finish();
    });
    serve_admin(&sink, arguments.admin_port)?;
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "the one error of a program without logs"
)]
fn tell(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

#[expect(
    clippy::exit,
    reason = "the admin port's thread waits for ever and must not outlive the sink's"
)]
fn finish() {
    process::exit(1);
}
