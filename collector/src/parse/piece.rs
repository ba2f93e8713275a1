//! One raw line decoded: what the application wrote, and what its runtime said about it.

use record::{OutputStream, Tags, Timestamp};

/// What a raw line of a timed format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// When the runtime got it.
    pub(super) time: Timestamp,
    /// Which output it came from.
    pub(super) output: OutputStream,
    /// What the application wrote, without the runtime's additions.
    pub(super) text: &'a [u8],
    /// Where the text begins, in bytes from the raw line's beginning.
    pub(super) text_at: u64,
    /// Whether the application's line ends here.
    pub(super) finishes: bool,
    /// What had to be replaced in it.
    pub(super) tags: Tags,
}
