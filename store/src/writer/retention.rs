//! What must go? Whole sealed files, the oldest first, by bytes and by age; said in the log and to the caller.

use record::Timestamp;

use super::{Maintained, WriteError, Writer, age};
use crate::manifest::Sealed;

/// The time that a file's age is told by: its newest row's, unless that lies beyond its sealing.
fn newest(sealed: &Sealed) -> Timestamp {
    Timestamp(sealed.time.1.min(sealed.made_at))
}

// === impl Writer ===

impl Writer {
    /// Removes what is too old or too much.
    pub(super) fn retain(
        &mut self,
        now: Timestamp,
        done: &mut Maintained,
    ) -> Result<(), WriteError> {
        if self.options.retention_age.is_none() && self.options.retention_bytes.is_none() {
            return Ok(());
        }
        let fresh: u64 = self.closed.iter().map(|closed| closed.bytes).sum::<u64>()
            + self.fresh.as_ref().map_or(0, |fresh| fresh.whole_bytes);
        let mut bytes = fresh
            + self
                .manifest
                .sealed
                .iter()
                .map(|sealed| sealed.bytes)
                .sum::<u64>();
        let mut oldest: Vec<&Sealed> = self.manifest.sealed.iter().collect();
        oldest.sort_by_key(|sealed| newest(sealed));
        let mut removed: Vec<Sealed> = Vec::new();
        for sealed in oldest {
            let old = self
                .options
                .retention_age
                .is_some_and(|limit| age(newest(sealed), now) > limit);
            let much = self
                .options
                .retention_bytes
                .is_some_and(|limit| bytes > limit);
            if !old && !much {
                break;
            }
            bytes -= sealed.bytes;
            removed.push(sealed.clone());
        }
        // What is being merged now is removed in the next round.
        if removed.is_empty() || self.worker.is_some() {
            return Ok(());
        }
        let mut manifest = self.manifest.clone();
        manifest.sealed.retain(|sealed| !removed.contains(sealed));
        manifest.write(&self.dir)?;
        self.manifest = manifest;
        for sealed in removed {
            done.rows_removed += sealed.rows;
            done.bytes_removed += sealed.bytes;
            let range = (Timestamp(sealed.time.0), Timestamp(sealed.time.1));
            done.removed_range = Some(match done.removed_range {
                None => range,
                Some((from, until)) => (from.min(range.0), until.max(range.1)),
            });
            tracing::info!(
                path = sealed.path,
                rows = sealed.rows,
                bytes = sealed.bytes,
                from = %range.0,
                until = %range.1,
                "retention removed the oldest rows"
            );
            self.graves
                .push_front((self.dir.join(&sealed.path), Timestamp(i64::MIN)));
        }
        self.bury(now);
        Ok(())
    }
}
