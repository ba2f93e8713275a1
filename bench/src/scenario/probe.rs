//! How soon is a line found? One line at a time is written into a log of its own and asked for until it is there.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::millis;
use super::node::Node;
use crate::clock;
use crate::rotation::LiveLog;
use crate::tree::Names;

/// The number of the container that only the probe writes to.
const CONTAINER: u64 = 900_000;
/// The pause between two questions. What a question takes is part of the latency.
const PAUSE: Duration = Duration::from_millis(20);
/// A line that is not found after this is a fault, not a latency.
const PATIENCE: Duration = Duration::from_secs(30);

/// A container whose few lines are waited for.
#[derive(Debug)]
pub(super) struct Probe<'a> {
    node: &'a Node,
    pod: String,
    log: LiveLog,
    number: u64,
}

impl<'a> Probe<'a> {
    pub(super) fn new(node: &'a Node) -> anyhow::Result<Self> {
        let names = Names::of(1, CONTAINER);
        let log = LiveLog::open(names.lay_out(&node.logs())?)?;
        Ok(Self {
            node,
            pod: names.pod,
            log,
            number: 0,
        })
    }

    /// Milliseconds from the write of a line to the end of the `nodetap logs` that printed it.
    pub(super) fn latency_ms(&mut self) -> anyhow::Result<f64> {
        self.number += 1;
        let mark = format!("probe line {:06}", self.number);
        let line = format!("{} stdout F {mark}\n", clock::now());
        let start = Instant::now();
        self.log.append(line.as_bytes())?;
        let question = format!("\"{mark}\"");
        let arguments = ["-o", "raw", "-p", &self.pod, "--since", "1m", &question];
        while self.node.search(&arguments)?.lines() == 0 {
            ensure!(start.elapsed() < PATIENCE, "{mark} is not found");
            thread::sleep(PAUSE);
        }
        Ok(millis(start.elapsed()))
    }
}
