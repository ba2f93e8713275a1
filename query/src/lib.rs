//! One query: what a person asks of the logs, and how the answer looks.

pub mod times;
