//! The tools that measure, in one program: `ratios` runs everything that is promised in numbers, the others are its
//! parts and can be used alone, with any collector.

use clap::{Parser, Subcommand};

mod genlogs;
mod sink;
mod limit;
mod leash;
mod meter;
mod ratios;

#[derive(Parser)]
#[command(about = "Measures what is promised in numbers", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Subcommand)]
enum Tool {
    /// Measures what is promised in numbers: a line of JSON per scenario, then a table
    #[command(visible_alias = "all")]
    Ratios(ratios::Arguments),
    /// Writes a log tree like a kubelet's, or appends to one at a rate and rotates it
    Genlogs(genlogs::Arguments),
    /// Runs a server shaped like Elasticsearch that counts what reaches it
    Sink(sink::Arguments),
    /// Measures any collector against the sink
    Meter(Box<meter::Arguments>),
    /// Runs the least program that does a collector's bare work
    Limit(limit::Arguments),
    /// Runs a command that ends when its parent does
    #[command(hide = true)]
    Leash(leash::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().tool {
        Tool::Ratios(arguments) => ratios::run(arguments),
        Tool::Genlogs(arguments) => genlogs::run(arguments),
        Tool::Sink(arguments) => sink::run(arguments),
        Tool::Meter(arguments) => meter::run(*arguments),
        Tool::Limit(arguments) => limit::run(&arguments),
        Tool::Leash(arguments) => leash::run(&arguments),
    }
}
