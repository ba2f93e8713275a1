//! How fast may one stream be read, and how fast is it?

use std::time::Duration;

/// A token bucket for one stream's reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) bytes_per_second: u64,
    pub(super) left: i64,
    pub(super) filled_at: Duration,
}

/// What was written and received per second, smoothed over about ten seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    pub(super) written_per_second: f64,
    pub(super) received_per_second: f64,
    measured_at: Duration,
    written: u64,
    received: u64,
}

// === impl Allowance ===

impl Allowance {
    /// A full bucket.
    pub(super) fn of(bytes_per_second: u64, now: Duration) -> Self {
        Self {
            bytes_per_second,
            left: bytes_per_second as i64,
            filled_at: now,
        }
    }

    /// Whether nothing is left, after giving it what time has brought.
    pub(super) fn is_used_up(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.filled_at).as_secs_f64();
        let most = self.bytes_per_second as i64;
        let brought = (passed * self.bytes_per_second as f64) as i64;
        if brought > 0 {
            self.left = self.left.saturating_add(brought).min(most);
            self.filled_at = now;
        }
        self.left <= 0
    }
}

// === impl Pace ===

impl Pace {
    /// Takes the counters of now; the older a change, the less it weighs.
    pub(super) fn measure(&mut self, now: Duration, written: u64, received: u64) {
        const MEMORY_SECONDS: f64 = 10.0;
        let passed = now.saturating_sub(self.measured_at).as_secs_f64();
        if passed < 0.2 {
            return;
        }
        let weight = (passed / MEMORY_SECONDS).min(1.0);
        let rate = |old: f64, change: u64| old + weight * (change as f64 / passed - old);
        self.written_per_second = rate(
            self.written_per_second,
            written.saturating_sub(self.written),
        );
        self.received_per_second = rate(
            self.received_per_second,
            received.saturating_sub(self.received),
        );
        (self.measured_at, self.written, self.received) = (now, written, received);
    }
}
