//! What was asked, when, and what came of it?

use std::time::Instant;

/// One request and its outcome.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// When it had arrived whole.
    pub at: Instant,
    /// The verb.
    pub method: String,
    /// The path with its query.
    pub target: String,
    /// The body's size when inflated.
    pub body_bytes: usize,
    /// The body's size as it was sent.
    pub wire_bytes: usize,
    /// Whether it is a `_bulk`.
    pub is_bulk: bool,
    /// The status that was answered; `None` when no answer or half of one was given.
    pub status: Option<u16>,
}
