//! How long did it take? Said on standard error whether or not the test's own output is shown.

use std::io::Write;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Times the steps of one test.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    test: &'static str,
    started: Instant,
    step: Instant,
}

// === impl Stopwatch ===

impl Stopwatch {
    /// Starts with the test.
    pub(crate) fn start(test: &'static str) -> Self {
        let now = Instant::now();
        Self {
            test,
            started: now,
            step: now,
        }
    }

    /// Says what is done and how long it took.
    pub(crate) fn did(&mut self, what: &str) {
        let took = self.step.elapsed();
        self.step = Instant::now();
        let (test, all) = (self.test, self.started.elapsed());
        let line = format!("real {test}: {what} in {took:.1?} ({all:.1?} in all)\n");
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("write to standard error");
    }
}

/// Polls until `condition` gives a value; panics with `what` and the last reason after `patience`.
pub(crate) fn within<T>(
    patience: Duration,
    what: &str,
    mut condition: impl FnMut() -> Result<T, String>,
) -> T {
    let started = Instant::now();
    loop {
        match condition() {
            Ok(value) => return value,
            Err(reason) if started.elapsed() > patience => {
                panic!("waited {patience:?} in vain for: {what}; last seen: {reason}")
            }
            Err(_) => std::thread::sleep(POLL),
        }
    }
}
