//! Runs a command that ends when its parent does: a collector left behind would go on into the next measurement.
//!
//! The command takes this process's place, so its id and its processor time are those that the parent sees.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, bail};
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit,
};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        bail!("usage: leash COMMAND [ARGUMENT]...");
    };
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?;
    let error = Command::new(&program).args(arguments).exec();
    Err(error).with_context(|| format!("run {}", program.display()))
}
