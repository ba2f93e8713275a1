//! The nodetap binary.
fn main() {}
