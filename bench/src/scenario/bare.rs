//! What does the bare work cost on this machine? The limit loop over the lines of the `store-*` scenarios.

use super::Settings;
use super::stored::tree;
use crate::clock::own_cpu_seconds;
use crate::limit;
use crate::report::{Outcome, Target};
use crate::tree::live_logs;

/// Measures the limit loop.
pub(super) fn measure(settings: &Settings) -> anyhow::Result<Outcome> {
    let (node, _) = tree(settings)?;
    let paths = live_logs(&node.logs())?;
    let mut outcome = Outcome::new("loop");
    for (what, gzip) in [
        ("read, frame, parse, write a bulk body", None),
        ("the same with gzip 1", Some(1)),
    ] {
        let start = own_cpu_seconds();
        let passed = limit::run(&paths, gzip)?;
        let cpu = own_cpu_seconds() - start;
        let per_million = cpu / (passed.lines as f64 / 1e6);
        outcome.measure(
            what,
            per_million,
            "CPU-seconds per million lines",
            Target::None,
        );
        outcome.fact("lines", passed.lines);
        outcome.fact("body_bytes", passed.body_bytes);
    }
    Ok(outcome)
}
