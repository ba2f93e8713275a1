//! What goes wrong on purpose? Shares of requests and items, chosen by a seed, that can be changed while it runs.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::chance::splitmix64;
use crate::clock::now_micros;

/// How the sink fails. Shares are kept as parts of 2^32.
#[derive(Debug, Default)]
pub struct Faults {
    seed: u64,
    items_429: AtomicU64,
    items_400: AtomicU64,
    requests_503: AtomicU64,
    resets_before: AtomicU64,
    resets_after: AtomicU64,
    delay_millis: AtomicU64,
    down_until_micros: AtomicU64,
    requests: AtomicU64,
    items: AtomicU64,
}

/// What happens to one bulk request before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is answered.
    Answered,
    /// It is answered 503, nothing stored.
    Unavailable,
    /// The connection is reset, nothing stored.
    ResetBefore,
    /// It is stored, then the connection is reset without an answer.
    ResetAfter,
}

/// What happens to one item of a bulk request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemFate {
    /// It is stored.
    Stored,
    /// 429, not stored.
    Rejected,
    /// 400, not stored: a mapping conflict.
    Refused,
}

impl Faults {
    /// No faults yet; `seed` chooses whom later ones hit.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// Sets one fault by its name; false when name or value are none.
    ///
    /// `fail429`, `fail400`: share of items; `fail503`, `reset-before`, `reset-after`: share of bulk requests;
    /// `delay-ms`: wait before every bulk answer.
    pub fn set(&self, name: &str, value: &str) -> bool {
        let share = match name {
            "fail429" => &self.items_429,
            "fail400" => &self.items_400,
            "fail503" => &self.requests_503,
            "reset-before" => &self.resets_before,
            "reset-after" => &self.resets_after,
            "delay-ms" => {
                return value
                    .parse()
                    .map(|n| self.delay_millis.store(n, Relaxed))
                    .is_ok();
            }
            _ => return false,
        };
        match value.parse::<f64>() {
            Ok(part) if (0.0..=1.0).contains(&part) => {
                share.store((part * 4_294_967_296.0) as u64, Relaxed);
                true
            }
            _ => false,
        }
    }

    /// Cuts connections and refuses new ones for `duration`.
    pub fn go_down(&self, duration: Duration) {
        self.down_until_micros
            .store(now_micros() + duration.as_micros() as u64, Relaxed);
    }

    /// Whether connections are refused now.
    pub fn is_down(&self) -> bool {
        now_micros() < self.down_until_micros.load(Relaxed)
    }

    /// The wait before each bulk answer.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_millis.load(Relaxed))
    }

    /// Begins the choices anew.
    pub(super) fn restart(&self) {
        self.requests.store(0, Relaxed);
        self.items.store(0, Relaxed);
    }

    pub(super) fn next_request(&self) -> Fate {
        let number = self.requests.fetch_add(1, Relaxed);
        if self.hits(1, number, &self.resets_before) {
            Fate::ResetBefore
        } else if self.hits(2, number, &self.requests_503) {
            Fate::Unavailable
        } else if self.hits(3, number, &self.resets_after) {
            Fate::ResetAfter
        } else {
            Fate::Answered
        }
    }

    pub(super) fn next_item(&self) -> ItemFate {
        if self.items_429.load(Relaxed) + self.items_400.load(Relaxed) == 0 {
            return ItemFate::Stored;
        }
        let number = self.items.fetch_add(1, Relaxed);
        if self.hits(11, number, &self.items_429) {
            ItemFate::Rejected
        } else if self.hits(12, number, &self.items_400) {
            ItemFate::Refused
        } else {
            ItemFate::Stored
        }
    }

    fn hits(&self, salt: u64, number: u64, share: &AtomicU64) -> bool {
        let choice = splitmix64(self.seed ^ salt ^ number.wrapping_mul(0x9E37_79B9)) & 0xffff_ffff;
        choice < share.load(Relaxed)
    }
}
