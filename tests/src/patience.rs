//! How long may something take? Conditions are polled with one patience for the whole suite, never waited for blindly.

use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);

/// How long a condition may take: `NODETAP_PATIENCE` in seconds, else 60 s.
pub fn patience() -> Duration {
    std::env::var("NODETAP_PATIENCE")
        .ok()
        .and_then(|text| text.parse().ok())
        .map_or(Duration::from_mins(1), Duration::from_secs)
}

/// Polls until `condition` gives a value; panics with `what` and the last reason when patience ends.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        let asked = Instant::now();
        match condition() {
            Ok(value) => return value,
            Err(reason) if started.elapsed() > patience() => {
                panic!(
                    "waited {:?} in vain for: {what}; last seen: {reason}",
                    started.elapsed()
                )
            }
            // Asking may cost more than what is waited for; it gets a third of the time at most.
            Err(_) => std::thread::sleep(POLL.max(2 * asked.elapsed())),
        }
    }
}

/// Keeps a writer at a rate: work that ran ahead of the clock waits for it.
#[derive(Debug)]
pub struct Pace {
    started: Instant,
    bytes_per_second: f64,
    bytes: u64,
}

// === impl Pace ===

impl Pace {
    /// A pace of so many bytes a second, from now.
    pub fn new(bytes_per_second: u64) -> Self {
        Self {
            started: Instant::now(),
            bytes_per_second: bytes_per_second as f64,
            bytes: 0,
        }
    }

    /// Counts written bytes and waits until they were due.
    pub fn wrote(&mut self, bytes: u64) {
        self.bytes += bytes;
        let due = Duration::from_secs_f64(self.bytes as f64 / self.bytes_per_second);
        if let Some(ahead) = due.checked_sub(self.started.elapsed()) {
            std::thread::sleep(ahead);
        }
    }
}
