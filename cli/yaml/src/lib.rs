//! What does a YAML text say, and on which line? The reader and writer of configurations, alert rules and their values.
//!
//! The only door of `saphyr-parser`. Trees know their lines, every mistake is reported at once, and a wrong key is
//! answered with the one that was meant.

pub mod problem;

pub mod document;

pub mod suggest;

pub mod emit;
