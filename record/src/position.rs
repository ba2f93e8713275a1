//! Which bytes of which file? Identity by content, offsets in the uncompressed text.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How much of a file's first line its [`Fingerprint`] covers at either end, in bytes.
///
/// A CRI line starts with its time and a json-file line ends with it, so both ends are taken; a line up to twice as
/// long is covered whole.
pub const FINGERPRINT_END_BYTES: usize = 512;

/// How many bytes before an offset its [`Marker`] covers, at most.
pub const MARKER_BYTES: usize = 64;

/// The hash of a file's first complete line: proposes that two files are the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 16]);

/// The hash of the bytes just before an offset: confirms or refutes what a [`Fingerprint`] proposes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker(pub [u8; 8]);

/// Names one file's text for ever: plain, renamed and compressed, in every document id made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileKey(pub [u8; 16]);

/// A place in a stream: the file by its start, and the offset in its uncompressed text.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// `log.file.started` in nanoseconds since the epoch.
    pub started: i64,
    /// `log.offset` in bytes of the uncompressed text.
    pub offset: u64,
}

// === impl Fingerprint ===

impl Fingerprint {
    /// The fingerprint of a first line, without its newline.
    pub fn of_first_line(line: &[u8]) -> Self {
        let mut hash = Sha256::new();
        if line.len() <= 2 * FINGERPRINT_END_BYTES {
            hash.update(line);
        } else {
            hash.update(line.get(..FINGERPRINT_END_BYTES).unwrap_or(line));
            hash.update(
                line.get(line.len() - FINGERPRINT_END_BYTES..)
                    .unwrap_or(line),
            );
            hash.update((line.len() as u64).to_le_bytes());
        }
        Self(truncated(&hash.finalize()))
    }

    /// The key of a timed file in its `generation`-th life (0 unless it was truncated or two alike exist).
    pub fn key(&self, generation: u32) -> FileKey {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(generation.to_le_bytes());
        FileKey(truncated(&hash.finalize()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// === impl FileKey ===

impl fmt::Display for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

// === impl Marker ===

impl Marker {
    /// The marker of the bytes before an offset; `before` is cut to its last [`MARKER_BYTES`].
    pub fn of(before: &[u8]) -> Self {
        let start = before.len().saturating_sub(MARKER_BYTES);
        Self(truncated(&Sha256::digest(
            before.get(start..).unwrap_or(before),
        )))
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn truncated<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(digest) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_differ_by_either_end_and_by_length() {
        let long = vec![b'x'; 3000];
        let mut other_tail = long.clone();
        other_tail[2999] = b'y';
        let mut other_head = long.clone();
        other_head[0] = b'y';
        let base = Fingerprint::of_first_line(&long);
        assert_ne!(base, Fingerprint::of_first_line(&other_tail));
        assert_ne!(base, Fingerprint::of_first_line(&other_head));
        assert_ne!(base, Fingerprint::of_first_line(&long[..2999]));
        assert_ne!(base.key(0), base.key(1));
    }
}
