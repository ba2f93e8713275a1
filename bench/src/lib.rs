//! How fast is it, and at what cost? The tools that answer, and nothing that the program itself needs.
//!
//! Every number comes from a process measured from outside through `/proc`, on a workload that is the same for
//! everyone: [`generate`] writes a log tree as a kubelet does, [`sink`] stands in for Elasticsearch, [`meter`] joins
//! them for any collector, [`limit`] says what the same machine needs for the bare work, and [`scenario`] runs the
//! measurements whose ratios stand in `docs/benchmarks.md`. A slow machine makes a number worse, never a test red.

pub mod chance;
pub mod clock;
pub mod process;
pub mod http;
pub mod token;
pub mod line;
pub mod tree;
pub mod rotation;
pub mod generate;
pub mod limit;
pub mod sink;
pub mod meter;
pub mod director;
pub mod report;
pub mod scenario;
