//! The `nodetap` binary as a library: its configuration, and one module per subcommand.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

pub mod config;

pub mod args;

mod failure;

mod place;

mod kubeconfig;

mod settings;

mod ask;

mod web;

mod table;

mod up;

mod sources;

mod logs;

mod explain;

mod export;

mod metrics;

mod jvm;

mod why;

mod dead_letters;

mod rules;

mod check;

mod show;

mod install;

pub mod manual;

pub use failure::WrongUse;

use args::Command;
use place::Place;

/// Runs what the command line asks for. Exits with 0 when done, 1 when it failed, 2 on wrong use.
pub fn run() -> ExitCode {
    let cli = args::Cli::parse();
    start_log(match &cli.command {
        Command::Up(_) | Command::Collect(_) | Command::Export(_) => "info",
        Command::Sources(_)
        | Command::Logs(_)
        | Command::Explain(_)
        | Command::Metrics(_)
        | Command::Jvm(_)
        | Command::Why(_)
        | Command::DeadLetters(_)
        | Command::Rules(_)
        | Command::Check(_)
        | Command::Install(_)
        | Command::Config(_) => "warn",
    });
    dispatch(&cli).unwrap_or_else(|error| failure::report(&error))
}

fn dispatch(cli: &args::Cli) -> anyhow::Result<ExitCode> {
    let place = Place::of(&cli.common)?;
    match &cli.command {
        Command::Up(args) => up::run(place, &cli.common, args, true),
        Command::Collect(args) => up::run(place, &cli.common, args, false),
        Command::Sources(args) => sources::run(&place, *args),
        Command::Logs(args) => logs::run(&place, args),
        Command::Explain(args) => explain::run(&place, args),
        Command::Export(args) => export::run(&place, args),
        Command::Metrics(args) => metrics::run(&place, args),
        Command::Jvm(args) => jvm::run(&place, args),
        Command::Why(args) => why::run(&place, &cli.common, args),
        Command::DeadLetters(args) => dead_letters::run(&place, *args),
        Command::Rules(args) => rules::run(args),
        Command::Check(_) => check::run(&place),
        Command::Install(args) => install::run(&place, args),
        Command::Config(args) => show::run(&place, *args),
    }
}

/// Our own log goes to stderr, so that stdout has results only. `NODETAP_LOG` sets what is said, as in `debug`.
fn start_log(level: &str) {
    let filter = EnvFilter::try_from_env("NODETAP_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let colour = std::io::stderr().is_terminal() && wants_colour();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| up::progress::LogWriter)
        .with_ansi(colour)
        .init();
}

/// Colours unless `NO_COLOR` is set and not empty (no-color.org).
fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
