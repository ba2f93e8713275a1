//! The collector under test, over all its lives: what it used is added up when it is killed and started again.

use std::io;
use std::path::Path;
use std::thread::sleep;

use super::Plan;
use crate::process::{Cpu, Memory, Process};

/// How often a collector may end by itself before the run is given up.
const EXITS_MAX: u32 = 3;

/// The collector, over all its lives.
pub(super) struct Peer<'a> {
    plan: &'a Plan,
    pub(super) process: Process,
    /// What earlier lives used.
    before: Cpu,
    pub(super) cpu: Cpu,
    pub(super) memory: Memory,
    pub(super) peak_kib: u64,
    pub(super) exits: u32,
    pub(super) kills: u32,
}

impl<'a> Peer<'a> {
    pub(super) fn start(plan: &'a Plan) -> io::Result<Self> {
        Ok(Self {
            plan,
            process: spawn(&plan.command, &plan.log)?,
            before: Cpu::default(),
            cpu: Cpu::default(),
            memory: Memory::default(),
            peak_kib: 0,
            exits: 0,
            kills: 0,
        })
    }

    pub(super) fn sample(&mut self) {
        self.cpu = self.before + self.process.cpu();
        self.memory = self.process.memory();
        self.peak_kib = self.peak_kib.max(self.memory.peak_kib);
    }

    /// Starts the collector again when it ended by itself; false when it does so too often.
    pub(super) fn keep_alive(&mut self) -> io::Result<bool> {
        let Some(finished) = self.process.try_wait()? else {
            return Ok(true);
        };
        self.before = self.before + finished.cpu;
        self.exits += 1;
        sleep(self.plan.restart_after);
        self.process = spawn(&self.plan.command, &self.plan.log)?;
        Ok(self.exits <= EXITS_MAX)
    }

    pub(super) fn kill_and_restart(&mut self) -> io::Result<()> {
        let finished = self.process.kill_now()?;
        self.before = self.before + finished.cpu;
        self.kills += 1;
        sleep(self.plan.restart_after);
        self.process = spawn(&self.plan.command, &self.plan.log)?;
        Ok(())
    }
}

fn spawn(command: &[String], log: &Path) -> io::Result<Process> {
    let (program, arguments) = split(command)?;
    Process::start(program, arguments, log)
}

pub(super) fn split(command: &[String]) -> io::Result<(&Path, &[String])> {
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| io::Error::other("the command is empty"))?;
    Ok((Path::new(program), arguments))
}
