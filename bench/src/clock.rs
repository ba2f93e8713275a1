//! What time is it, and how much of it did this process work?

use std::time::{SystemTime, UNIX_EPOCH};

use record::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// The wall clock.
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(since_epoch.as_nanos() as i64)
}

/// The wall clock in microseconds since the Unix epoch, as it stands in the generator's tokens.
pub fn now_micros() -> u64 {
    now().0 as u64 / 1000
}

/// The processor time of this process so far, all threads, user and system, in seconds.
pub fn own_cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
