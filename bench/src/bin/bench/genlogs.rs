//! Writes a log tree like a kubelet's, or appends to one at a rate and rotates it; prints one line of JSON.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use bench::generate::{Pace, Workload};
use bench::rotation::Rotation;
use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Fills a tree with old records
    Prefill {
        #[command(flatten)]
        tree: Tree,
        /// Records over all containers
        #[arg(long, default_value_t = 1_000_000)]
        lines: u64,
    },
    /// Appends at a rate
    Live {
        #[command(flatten)]
        tree: Tree,
        /// Records per second over all containers
        #[arg(long, default_value_t = 20_000)]
        rate: u64,
        /// For how long
        #[arg(long, default_value_t = 30.0)]
        seconds: f64,
        /// Size above which a log is rotated; 0 for never
        #[arg(long, default_value_t = 0)]
        rotate_bytes: u64,
        /// Seconds between two looks at the sizes
        #[arg(long, default_value_t = 10.0)]
        rotate_check: f64,
        /// Rotated files kept; 0 for all
        #[arg(long, default_value_t = 0)]
        keep: usize,
        /// Compress rotated files but the newest, as the kubelet does
        #[arg(long)]
        compress: bool,
    },
}

#[derive(Args)]
struct Tree {
    /// The /var/log of the tree
    #[arg(long)]
    dir: PathBuf,
    /// Number of containers
    #[arg(long, default_value_t = 50)]
    containers: u64,
    /// Number of the first container
    #[arg(long, default_value_t = 0)]
    first_container: u64,
    /// Sequence number of the first record
    #[arg(long, default_value_t = 0)]
    base_seq: u64,
    /// Chooses names and texts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Every how many records one is split; 0 for never
    #[arg(long, default_value_t = 5000)]
    partial_every: u64,
}

impl Tree {
    fn workload(self) -> Workload {
        Workload {
            logs: self.dir,
            containers: self.containers.max(1),
            first_container: self.first_container,
            first_sequence: self.base_seq,
            seed: self.seed,
            partial_every: self.partial_every,
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let written = match arguments.mode {
        Mode::Prefill { tree, lines } => tree.workload().prefill(lines)?,
        Mode::Live {
            tree,
            rate,
            seconds,
            rotate_bytes,
            rotate_check,
            keep,
            compress,
        } => tree.workload().live(Pace {
            rate,
            duration: Duration::try_from_secs_f64(seconds)?,
            rotation: Rotation {
                limit_bytes: rotate_bytes,
                keep,
            },
            rotation_check: Duration::try_from_secs_f64(rotate_check)?,
            compress,
        })?,
    };
    writeln!(io::stdout(), "{}", written.json())?;
    Ok(())
}
