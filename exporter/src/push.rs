//! How do samples get to where no scrape can reach? Everything that a scrape would show, pushed by Prometheus remote
//! write 1.0 at an interval.
//!
//! One thread scrapes, another brings. Between them is a queue of requests with a limit of bytes: when the receiver is
//! away for longer than it holds, the oldest go and are counted. What the receiver can't take now (no answer, 429, 5xx)
//! is tried again with growing pauses; what it refuses (any other 4xx) is counted and left. The order is kept, for
//! receivers take a series' samples in the order of their times only.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::family::{Families, Family};
use crate::http::{Client, HttpError, Request, Server};
use crate::labels::Labels;
use crate::scrape::{Exporter, Selection};
use crate::serve::Own;

use self::encode::Parcel;

pub mod encode;

const SAMPLES: Family = Family::counter(
    "nodetap_push_samples_total",
    &["result"],
    "Samples by what became of them: sent, refused by the receiver, dropped because it was away for too long.",
);
const FAILURES: Family = Family::counter(
    "nodetap_push_failures_total",
    &[],
    "Requests that are tried again: no answer, or one that says later.",
);
const PENDING: Family = Family::gauge(
    "nodetap_push_pending_bytes",
    &[],
    "Bytes that wait to be pushed.",
);
const LAST: Family = Family::gauge(
    "nodetap_push_last_success_timestamp_seconds",
    &[],
    "When the receiver took something last, since the epoch; 0 before it ever did.",
);

/// The families that pushing has.
pub const FAMILIES: &[Family] = &[SAMPLES, FAILURES, PENDING, LAST];

/// How long a receiver may think.
const TIMEOUT: Duration = Duration::from_secs(30);
/// What it says is read so far.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Pauses between two tries.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Nobody may make us wait for longer.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);
const HEADERS: &[(&str, &str)] = &[
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "snappy"),
    ("x-prometheus-remote-write-version", "0.1.0"),
];

/// Where to, how often, and how much may wait.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The receiver; its address is the whole URL.
    pub server: Server,
    /// How often.
    pub interval: Duration,
    /// What may wait, in bytes.
    pub buffer_bytes_max: usize,
    /// Labels for every series that has none of that name.
    pub labels: Vec<(String, String)>,
}

/// What has been pushed.
#[derive(Debug, Default)]
pub struct Push {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Parcel>,
    bytes: usize,
    sent: u64,
    refused: u64,
    dropped: u64,
    failures: u64,
    last: Option<SystemTime>,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Sent,
    Refused,
    Later(Option<Duration>),
}

// === impl Push ===

impl Push {
    /// Pushes for ever, from two threads of its own. `own` are the process's own families.
    pub fn start(
        self: &Arc<Self>,
        exporter: Arc<Exporter>,
        own: Own,
        settings: Settings,
    ) -> std::io::Result<()> {
        let settings = Arc::new(settings);
        let (push, told) = (Arc::clone(self), Arc::clone(&settings));
        thread::Builder::new()
            .name("push scrape".to_owned())
            .spawn(move || {
                loop {
                    let began = Instant::now();
                    let mut scrape = exporter.scrape(&Selection::default(), told.interval);
                    let mut families = Families::new(usize::MAX);
                    own(&mut families);
                    scrape.add(families);
                    let since = SystemTime::now().duration_since(UNIX_EPOCH);
                    let time_ms = since.map_or(0, |since| since.as_millis() as i64);
                    for parcel in encode::parcels(scrape.families(), &told.labels, time_ms) {
                        push.enqueue(parcel, told.buffer_bytes_max);
                    }
                    pause(told.interval.saturating_sub(began.elapsed()));
                }
            })?;
        let push = Arc::clone(self);
        thread::Builder::new()
            .name("push".to_owned())
            .spawn(move || push.bring(&settings.server))?;
        Ok(())
    }

    /// Emits what has been pushed.
    pub fn emit(&self, out: &mut Families) {
        let state = self.lock();
        for (result, count) in [
            ("dropped", state.dropped),
            ("refused", state.refused),
            ("sent", state.sent),
        ] {
            out.push(&SAMPLES, &Labels::of(&[("result", result)]), count);
        }
        out.push(&FAILURES, &Labels::none(), state.failures);
        out.push(&PENDING, &Labels::none(), state.bytes);
        let since = state
            .last
            .and_then(|last| last.duration_since(UNIX_EPOCH).ok());
        let seconds = since.unwrap_or_default().as_secs_f64();
        out.push(&LAST, &Labels::none(), seconds);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request; where there is no room, the oldest go.
    fn enqueue(&self, parcel: Parcel, bytes_max: usize) {
        let mut state = self.lock();
        state.bytes += parcel.body.len();
        state.queue.push_back(parcel);
        while bytes_max < state.bytes
            && let Some(oldest) = state.queue.pop_front()
        {
            state.bytes -= oldest.body.len();
            state.dropped += oldest.samples;
        }
        drop(state);
        self.news.notify_one();
    }

    fn bring(&self, server: &Server) {
        let mut client = None;
        let mut failed = 0;
        loop {
            let parcel = self.take();
            let verdict = match send(&mut client, server, &parcel) {
                Ok((status, retry_after)) => verdict(status, retry_after),
                Err(error) => {
                    if failed == 0 {
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::warn!(%error, cause, "metrics can't be pushed");
                    }
                    Verdict::Later(None)
                }
            };
            if let Some(wanted) = self.settle(parcel, verdict) {
                pause(wanted.min(RETRY_AFTER_MAX).max(backoff(failed)));
                failed += 1;
            } else {
                failed = 0;
            }
        }
    }

    /// Waits for a request. It leaves the queue, but its bytes still count.
    fn take(&self) -> Parcel {
        let mut state = self.lock();
        loop {
            if let Some(parcel) = state.queue.pop_front() {
                return parcel;
            }
            state = self
                .news
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts what became of a request; one for later goes back to its place. How long the receiver wants to be left
    /// alone, if it is for later.
    fn settle(&self, parcel: Parcel, verdict: Verdict) -> Option<Duration> {
        let mut state = self.lock();
        match verdict {
            Verdict::Sent => {
                state.sent += parcel.samples;
                state.last = Some(SystemTime::now());
            }
            Verdict::Refused => state.refused += parcel.samples,
            Verdict::Later(wanted) => {
                state.failures += 1;
                state.queue.push_front(parcel);
                return Some(wanted.unwrap_or_default());
            }
        }
        state.bytes = state.bytes.saturating_sub(parcel.body.len());
        None
    }
}

fn send(
    client: &mut Option<Client>,
    server: &Server,
    parcel: &Parcel,
) -> Result<(u16, Option<Duration>), HttpError> {
    let client = match client {
        Some(client) => client,
        none => none.insert(Client::new()?),
    };
    let request = Request {
        path: "",
        body: Some(parcel.body.clone()),
        headers: HEADERS,
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    let answer = client.ask(server, request)?;
    if !matches!(answer.status, 200..=299) {
        let says: String = String::from_utf8_lossy(&answer.body)
            .chars()
            .take(200)
            .collect();
        tracing::debug!(status = answer.status, says, "metrics are not taken");
    }
    Ok((answer.status, answer.retry_after))
}

/// What a status means, by the specification of remote write 1.0.
fn verdict(status: u16, retry_after: Option<Duration>) -> Verdict {
    match status {
        200..=299 => Verdict::Sent,
        // Credentials are renewed, and a proxy's 408 is nobody's refusal.
        401 | 403 | 408 | 429 | 500.. => Verdict::Later(retry_after),
        _ => Verdict::Refused,
    }
}

/// Half a second, doubled each time.
fn backoff(failed: u32) -> Duration {
    PAUSE_MIN.saturating_mul(1 << failed.min(10)).min(PAUSE_MAX)
}

/// A thread of its own may sleep: there is nothing else that it could hear.
fn pause(duration: Duration) {
    thread::park_timeout(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(bytes: usize) -> Parcel {
        Parcel {
            body: vec![0; bytes],
            samples: bytes as u64,
        }
    }

    #[test]
    fn the_oldest_go_when_the_receiver_is_away() {
        let push = Push::default();
        for bytes in [10, 20, 30, 40] {
            push.enqueue(parcel(bytes), 75);
        }
        let counts = |state: &State| (state.dropped, state.bytes);
        assert_eq!(counts(&push.lock()), (30, 70));
        let first = push.take();
        assert_eq!(first.samples, 30);
        let wanted = Some(Duration::from_secs(7));
        assert_eq!(push.settle(first, Verdict::Later(wanted)), wanted);
        assert_eq!(push.take().samples, 30, "it keeps its place");
        assert_eq!(push.settle(parcel(30), Verdict::Sent), None);
        let last = push.take();
        assert_eq!(push.settle(last, Verdict::Refused), None);
        let state = push.lock();
        let counts = (state.sent, state.refused, state.failures, state.bytes);
        assert_eq!(counts, (30, 40, 1, 0));
    }

    #[test]
    fn what_is_tried_again() {
        let after = Some(Duration::from_secs(1));
        for (status, wanted) in [
            (200, Verdict::Sent),
            (204, Verdict::Sent),
            (302, Verdict::Refused),
            (400, Verdict::Refused),
            (401, Verdict::Later(after)),
            (413, Verdict::Refused),
            (429, Verdict::Later(after)),
            (503, Verdict::Later(after)),
        ] {
            assert_eq!(verdict(status, after), wanted, "{status}");
        }
        let pauses: Vec<u128> = (0..9).map(|failed| backoff(failed).as_millis()).collect();
        assert_eq!(
            pauses,
            [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
        );
    }
}
