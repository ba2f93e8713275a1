//! Stack traces of each runtime, and lines that are none.
