//! One query: what a person asks of the logs, and how the answer looks.
//!
//! Modules stand in the order of the data: a text is read by [`language`] and [`times`].

pub mod times;

pub mod language;

pub use language::{QueryError, parse};
