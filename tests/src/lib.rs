//! The harness: a fake node that does to log files what the platform does, the real binary beside it, and an oracle.
//!
//! Read in the order of a situation: a [`node`] gets [`writer`]s, which write [`line`]s and remember them as [`truth`];
//! [`kubelet`] and [`docker`] rotate and delete; a [`process`] of the binary reads; the [`oracle`] compares.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "test code: a panic with its reason is how a situation fails"
)]

pub mod answers;
pub mod cluster;
pub mod docker;
pub mod elasticsearch;
pub mod fleet;
pub mod kubelet;
pub mod line;
pub mod node;
pub mod observe;
pub mod oracle;
pub mod patience;
pub mod power;
pub mod process;
pub mod scenario;
pub mod seed;
pub mod tmpfs;
pub mod truth;
pub mod writer;

pub use node::Node;
pub use oracle::{Document, Loss};
pub use patience::until;
pub use process::{Nodetap, Running};
pub use writer::Writer;
