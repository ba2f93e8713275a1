//! Which rows of a file are already there? What a restarted collector must skip.

use std::path::Path;

use crate::manifest::Manifest;
use crate::reader::ReadError;

/// The positions of fresh rows, as far as they were read.
#[derive(Debug, Default)]
pub(super) struct Positions {}

// === impl Positions ===

impl Positions {
    pub(super) fn stored_from(
        &mut self,
        _dir: &Path,
        _manifest: &Manifest,
        _streams: &[(u64, u64)],
        _file: (&str, i64, u64),
    ) -> Result<Vec<(u64, u64)>, ReadError> {
        Ok(Vec::new())
    }
}
