//! The log agent: from a container's file to a receipt for each of its lines.
//!
//! The modules stand in the order of a line's way; each uses only what stands above it.
//! [`discover`] finds files, [`tail`] reads their bytes through every rotation, [`parse`] makes entries of them,
//! [`enrich`] adds what is constant for a file, [`redact`] takes secrets out, [`derive`] makes metrics of lines, [`ship`]
//! hands records over and gives receipts back, [`checkpoint`] remembers what was received, [`reserve`] keeps what others
//! delete, [`ledger`] counts it all, and [`pipeline`] is the loop that moves it.

mod chain;
pub mod clock;
pub mod discover;
pub mod tail;
pub mod parse;
pub mod enrich;
pub mod redact;
pub mod derive;
pub mod config;
pub mod ship;
pub mod checkpoint;
pub mod reserve;
pub mod ledger;
pub mod status;
pub mod pipeline;

pub use config::Config;
pub use pipeline::{Collector, Handle, Outcome, StartError};
pub use status::Status;
