//! What time is it? Handed in, so that a test can make it jump.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use record::Timestamp;

/// The two clocks of a machine.
pub trait Clock: Send {
    /// The wall clock; it may jump.
    fn wall(&self) -> Timestamp;
    /// Time since some fixed moment; it never goes back.
    fn elapsed(&self) -> Duration;
    /// The same time in the form that the standard library's deadlines have.
    fn instant(&self) -> Instant;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

// === impl SystemClock ===

impl SystemClock {
    /// Clocks whose [`Clock::elapsed`] starts now.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Timestamp(since.as_nanos() as i64),
            Err(before) => Timestamp(-(before.duration().as_nanos() as i64)),
        }
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}
