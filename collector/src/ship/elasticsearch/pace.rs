//! When may the next request go? Pauses that grow, a breaker, and a number of requests that adapts.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

/// The pause after a first failure.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause of a cluster or an index that answers.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest pause of a cluster that can't be reached: trying costs nobody anything, and when it is back each second of
/// pause is a second's delay for all lines.
pub(super) const UNREACHABLE_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Stops sending while it does no good, and lets one request try at a time.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    until: Option<Instant>,
    probing: bool,
    trouble: Option<String>,
}

/// How many requests may be under way. Grows by one a round while more could be sent, halves when the cluster has too
/// much to do, and gives way when answers take longer than they used to.
#[derive(Debug)]
pub(super) struct Limit {
    allowed: f64,
    most: f64,
    usual_seconds: Option<f64>,
}

// === impl Breaker ===

impl Breaker {
    /// Notes a failure; the next attempt is after a pause of at most `longest`.
    pub(super) fn trip(&mut self, now: Instant, longest: Duration, trouble: String) {
        self.wait(now, None, longest, trouble);
    }

    /// Notes a failure after which the cluster asked for a pause, maybe.
    pub(super) fn trip_as_asked(
        &mut self,
        now: Instant,
        retry_after: Option<Duration>,
        trouble: String,
    ) {
        self.wait(now, retry_after, PAUSE_MAX, trouble);
    }

    fn wait(&mut self, now: Instant, asked: Option<Duration>, longest: Duration, trouble: String) {
        // Requests that were under way together fail together: that is one failure.
        let again = self.until.is_some_and(|until| now < until) && !self.probing;
        if !again {
            self.failures = self.failures.saturating_add(1);
        }
        self.probing = false;
        let pause = asked.unwrap_or_else(|| jittered(self.failures, longest));
        let until = now + pause;
        self.until = Some(self.until.map_or(until, |old| old.max(until)));
        self.trouble = Some(trouble);
    }

    /// Notes a success. Gives whether it was open.
    pub(super) fn reset(&mut self) -> bool {
        let was_open = self.until.is_some();
        *self = Self::default();
        was_open
    }

    /// Whether sending pauses or is being tried.
    pub(super) fn is_open(&self) -> bool {
        self.until.is_some()
    }

    /// Whether it has failed several times in a row.
    pub(super) fn is_lasting(&self) -> bool {
        const FAILURES: u32 = 3;
        self.failures >= FAILURES
    }

    /// Whether a request may go. While open, one may when the pause is over.
    pub(super) fn may_send(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| !self.probing && now >= until)
    }

    /// Notes that the one that tries has gone.
    pub(super) fn probe(&mut self) {
        self.probing = self.until.is_some();
    }

    /// Ends a pause.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.until = self.until.map(|until| until.min(now));
    }

    /// When something may go again, if that is only a matter of time.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.until.filter(|_| !self.probing)
    }

    /// How long it stays open from now on.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        self.until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Why it is open.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// The pause after so many failures in a row: doubles, and differs by up to half, so that nodes don't come together.
fn jittered(failures: u32, longest: Duration) -> Duration {
    let doubled = PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let longest = doubled.min(longest);
    // Seeded by the system at each call; quality does not matter here.
    let random = RandomState::new().build_hasher().finish();
    let share = 0.5 + 0.5 * (random >> 11) as f64 / (1_u64 << 53) as f64;
    longest.mul_f64(share)
}

// === impl Limit ===

impl Limit {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1) as f64;
        Self {
            allowed: most.min(2.0),
            most,
            usual_seconds: None,
        }
    }

    /// How many may be under way now.
    pub(super) fn allowed(&self) -> usize {
        self.allowed as usize
    }

    /// Takes how long a good answer took, for a request of so many bytes; `wanted` if more could have been sent.
    pub(super) fn succeeded(&mut self, took: Duration, wanted: bool) {
        const WEIGHT: f64 = 0.1;
        const SLOWER: f64 = 2.0;
        let seconds = took.as_secs_f64();
        let usual = *self.usual_seconds.get_or_insert(seconds);
        self.usual_seconds = Some(usual + WEIGHT * (seconds - usual));
        if seconds > SLOWER * usual {
            self.allowed = (self.allowed - 0.5).max(1.0);
        } else if wanted {
            self.allowed = (self.allowed + 1.0 / self.allowed).min(self.most);
        }
    }

    /// The cluster has too much to do, or did not answer.
    pub(super) fn failed(&mut self) {
        self.allowed = (self.allowed / 2.0).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_and_one_request_tries() {
        let mut breaker = Breaker::default();
        let mut now = Instant::now();
        assert!(breaker.may_send(now));
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            breaker.trip(now, PAUSE_MAX, "busy".into());
            assert!(!breaker.may_send(now));
            let at = breaker.wake_at().unwrap();
            longest = longest.max(at - now);
            now = at;
            assert!(breaker.may_send(now));
            breaker.probe();
            assert!(
                !breaker.may_send(now),
                "a second one went beside the one that tries"
            );
        }
        assert!(
            longest > Duration::from_secs(15) && longest <= PAUSE_MAX,
            "{longest:?}"
        );
        assert!(breaker.reset());
        assert!(breaker.may_send(now) && !breaker.is_open());
    }

    #[test]
    fn a_cluster_that_cannot_be_reached_is_tried_every_few_seconds() {
        let mut breaker = Breaker::default();
        let mut now = Instant::now();
        for _ in 0..20 {
            breaker.trip(now, UNREACHABLE_PAUSE_MAX, "down".into());
            assert!(breaker.pause(now) <= UNREACHABLE_PAUSE_MAX);
            now += breaker.pause(now);
            breaker.probe();
        }
    }

    #[test]
    fn requests_that_fail_together_count_once() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..8 {
            breaker.trip(now, PAUSE_MAX, "busy".into());
        }
        assert_eq!(breaker.failures, 1);
    }

    #[test]
    fn the_cluster_may_ask_for_a_longer_pause() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        breaker.trip_as_asked(now, Some(Duration::from_mins(2)), "busy".into());
        assert!(!breaker.may_send(now + Duration::from_secs(119)));
        assert!(breaker.may_send(now + Duration::from_mins(2)));
    }

    #[test]
    fn the_number_of_requests_adapts() {
        let mut limit = Limit::new(8);
        let quick = Duration::from_millis(10);
        for _ in 0..100 {
            limit.succeeded(quick, true);
        }
        assert_eq!(limit.allowed(), 8);
        limit.failed();
        assert_eq!(limit.allowed(), 4);
        limit.succeeded(quick * 10, true);
        assert_eq!(limit.allowed(), 3);
        for _ in 0..9 {
            limit.failed();
        }
        assert_eq!(limit.allowed(), 1);
        limit.succeeded(quick, false);
        assert_eq!(limit.allowed(), 1);
    }
}
