//! What is a document's name? The same line has the same id, however often and by whomever it is read.
//!
//! An id is 27 characters: the line's time (11, sorts as text), then 96 bits of a keyed hash of its offsets (16). The
//! hash is keyed by the stream and the file key, so no tenant can make a line whose id meets another's.

use std::hash::Hasher;

use sha2::{Digest, Sha256};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::{Entry, File, Timestamp};

/// Length of an id in bytes.
pub const ID_LENGTH: usize = 27;

/// Digits in ASCII order, so that ids sort as their times do; all are safe in URLs and JSON.
const DIGITS: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// A document's id as ASCII text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(pub [u8; ID_LENGTH]);

/// Makes the ids of one file's records.
#[derive(Clone, Debug)]
pub struct IdKey {
    key: [u8; 16],
}

// === impl IdKey ===

impl IdKey {
    /// The key for one file: a digest of its stream and its file key.
    pub fn new(file: &File) -> Self {
        let mut hash = Sha256::new();
        hash.update((file.origin.stream.len() as u64).to_le_bytes());
        hash.update(&file.origin.stream);
        hash.update(file.key.0);
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        Self { key }
    }

    /// The id of one of the file's entries.
    pub fn id(&self, entry: &Entry<'_>) -> DocumentId {
        self.id_of(entry.time, entry.offset, entry.end, entry.part)
    }

    /// The id of an entry whose own time is not the same at each reading: `named` is a durable one.
    pub fn id_named(&self, named: Timestamp, entry: &Entry<'_>) -> DocumentId {
        self.id_of(named, entry.offset, entry.end, entry.part)
    }

    fn id_of(&self, time: Timestamp, offset: u64, end: u64, part: u32) -> DocumentId {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u64(offset);
        hasher.write_u64(end);
        hasher.write_u32(part);
        let hash = hasher.finish128();
        let mut text = [0; ID_LENGTH];
        // Flipping the sign bit makes times before 1970 sort first.
        let time = u128::from((time.0 as u64) ^ (1 << 63));
        let (head, tail) = text.split_at_mut(11);
        put(head, time);
        put(tail, u128::from(hash.h1) << 32 | u128::from(hash.h2 >> 32));
        DocumentId(text)
    }
}

// === impl DocumentId ===

impl DocumentId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Writes the low bits of `value`, six a character, most significant first.
fn put(text: &mut [u8], mut value: u128) {
    for place in text.iter_mut().rev() {
        *place = DIGITS.get((value & 63) as usize).copied().unwrap_or(b'-');
        value >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{FileKey, Origin, file::Node};

    fn key(stream: &str, file: u8) -> IdKey {
        IdKey::new(&File {
            origin: Arc::new(Origin {
                stream: stream.to_owned(),
                ..Origin::default()
            }),
            key: FileKey([file; 16]),
            fingerprint: String::new(),
            path: String::new(),
            started: 0,
            restart_count: None,
            node: Arc::new(Node::default()),
        })
    }

    #[test]
    fn ids_sort_by_time_and_differ_in_every_part() {
        let a = key("a", 1);
        let base = a.id_of(Timestamp(1_700_000_000_000_000_000), 10, 20, 0);
        assert_eq!(
            base,
            a.id_of(Timestamp(1_700_000_000_000_000_000), 10, 20, 0)
        );
        assert!(base < a.id_of(Timestamp(1_700_000_000_000_000_001), 0, 5, 0));
        assert!(a.id_of(Timestamp(-1), 0, 5, 0) < a.id_of(Timestamp(0), 0, 5, 0));
        for other in [
            a.id_of(Timestamp(1_700_000_000_000_000_000), 11, 20, 0),
            a.id_of(Timestamp(1_700_000_000_000_000_000), 10, 21, 0),
            a.id_of(Timestamp(1_700_000_000_000_000_000), 10, 20, 1),
            key("b", 1).id_of(Timestamp(1_700_000_000_000_000_000), 10, 20, 0),
            key("a", 2).id_of(Timestamp(1_700_000_000_000_000_000), 10, 20, 0),
        ] {
            assert_ne!(base, other);
        }
        assert!(base.as_str().bytes().all(|byte| DIGITS.contains(&byte)));
    }
}
