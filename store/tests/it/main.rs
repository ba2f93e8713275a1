//! What does the store promise? One file per kind of promise.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod lines;

mod searching;

mod crashing;
