//! Where did every byte go? Counters that must balance, per stream and summed.
//!
//! Always: seen = acknowledged + filtered + dead-lettered + abandoned + in flight + unread. The first five only grow
//! by events, `unread` is what remains on disk; [`Ledger::imbalance`] compares both sides.

use serde::{Deserialize, Serialize};

/// Bytes of one stream, or of all, since this process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Bytes known to have been written (of uncompressed text), beyond what an earlier process had acknowledged.
    pub seen: u64,
    /// Bytes read and parsed.
    pub read: u64,
    /// Bytes whose records the sink has.
    pub acknowledged: u64,
    /// Bytes passed over on purpose: by the start policy, NUL holes.
    pub filtered: u64,
    /// Bytes whose records the sink refused for good.
    pub dead_lettered: u64,
    /// Bytes that were seen and can't be read any more.
    pub abandoned: u64,
    /// Records handed to the sink.
    pub lines: u64,
    /// Lines that a restart found in the store already.
    pub known_lines: u64,
}

/// Why bytes were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbandonReason {
    /// The file was deleted before it was read to its end.
    Deleted,
    /// The file was deleted while this program was not running.
    DeletedWhileDown,
    /// The file was cut (copytruncate) before it was read to its end.
    Truncated,
    /// What is held of deleted files went over the budget.
    ReserveBudget,
    /// The file can't be read.
    Unreadable,
    /// A compressed file is damaged.
    DamagedArchive,
    /// Rotation went past the last known text while this program was not running; how much that was nobody knows.
    RotatedAway,
}

// === impl Ledger ===

impl Ledger {
    /// Adds another's counters to these.
    pub fn add(&mut self, other: &Self) {
        self.seen += other.seen;
        self.read += other.read;
        self.acknowledged += other.acknowledged;
        self.filtered += other.filtered;
        self.dead_lettered += other.dead_lettered;
        self.abandoned += other.abandoned;
        self.lines += other.lines;
        self.known_lines += other.known_lines;
    }

    /// Bytes that can't be accounted for; anything but 0 is a defect of ours.
    ///
    /// `in_flight` and `unread` are measured now, from the files' own offsets.
    pub fn imbalance(&self, in_flight: u64, unread: u64) -> i64 {
        let accounted = self.acknowledged
            + self.filtered
            + self.dead_lettered
            + self.abandoned
            + in_flight
            + unread;
        self.seen as i64 - accounted as i64
    }
}

// === impl AbandonReason ===

impl AbandonReason {
    /// Every reason, for metrics that start at 0.
    pub const ALL: [Self; 7] = [
        Self::Deleted,
        Self::DeletedWhileDown,
        Self::Truncated,
        Self::ReserveBudget,
        Self::Unreadable,
        Self::DamagedArchive,
        Self::RotatedAway,
    ];

    /// The reason as a label and in gap records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::DeletedWhileDown => "deleted_while_down",
            Self::Truncated => "truncated",
            Self::ReserveBudget => "reserve_budget",
            Self::Unreadable => "unreadable",
            Self::DamagedArchive => "damaged_archive",
            Self::RotatedAway => "rotated_away",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_nobody_counted_shows() {
        let ledger = Ledger {
            seen: 100,
            acknowledged: 60,
            abandoned: 10,
            ..Ledger::default()
        };
        assert_eq!(ledger.imbalance(20, 10), 0);
        assert_eq!(ledger.imbalance(20, 9), 1);
    }
}
