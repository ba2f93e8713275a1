//! Who talks most? The remote addresses of the last pass, as the JSON of `/debug/conntrack/top`.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::tally::{End, Tally};

/// So many remote addresses are told.
const REMOTES_TOLD: usize = 100;

/// What the last pass found; passes write it, `/debug/conntrack/top` reads it.
#[derive(Debug, Default)]
pub struct Top {
    json: Mutex<Option<String>>,
}

// === impl Top ===

impl Top {
    /// The last pass, `None` before the first and where there is none.
    pub fn json(&self) -> Option<String> {
        self.json
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts a pass into the place of the last.
    pub fn put(&self, tally: &Tally, whole: bool, ended: SystemTime) {
        let remotes: Vec<_> = tally
            .remotes(REMOTES_TOLD)
            .into_iter()
            .map(|(ip, end, entries)| {
                let direction = match end {
                    End::Source => "src",
                    End::Target => "dst",
                };
                json!({"address": ip, "direction": direction, "entries": entries})
            })
            .collect();
        let mut pods: Vec<_> = tally.pods().collect();
        pods.sort_by_key(|(_, ends)| std::cmp::Reverse(ends.from + ends.to));
        let pods: Vec<_> = pods
            .into_iter()
            .take(REMOTES_TOLD)
            .map(|(pod, ends)| json!({"namespace": pod.namespace, "pod": pod.pod, "src": ends.from, "dst": ends.to}))
            .collect();
        let since = ended.duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = json!({
            "timestamp_seconds": since.as_secs(),
            "entries": tally.entries(),
            "truncated": !whole,
            "undercount_max": tally.undercount(),
            "remotes": remotes,
            "pods": pods,
        });
        *self.json.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("{text}\n"));
    }
}
