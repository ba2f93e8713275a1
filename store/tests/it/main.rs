//! What does the store promise? One file per kind of promise.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod lines;

mod searching;

mod crashing;
