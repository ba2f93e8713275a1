//! The `nodetap` binary as a library: its configuration, and one module per subcommand.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

pub mod config;

pub mod args;

mod place;

mod failure;

pub use failure::WrongUse;

/// Runs what the command line asks for. Exits with 0 when done, 1 when it failed, 2 on wrong use.
pub fn run() -> ExitCode {
    let cli = args::Cli::parse();
    start_log();
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}

fn dispatch(cli: args::Cli) -> anyhow::Result<ExitCode> {
    let place = place::Place::of(&cli.common)?;
    match cli.command {
        args::Command::Check(args) => todo!(),
        _ => todo!(),
    }
}

/// Our own log goes to stderr, so that stdout has results only. `NODETAP_LOG` sets what is said (default `info`).
fn start_log() {
    let filter = EnvFilter::try_from_env("NODETAP_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
}
