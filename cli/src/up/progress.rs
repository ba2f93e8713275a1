//! How is it going? One line on the terminal that replaces itself, out of the way of our own log.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use page::Snapshot;
use page::units::{bytes_text, seconds_text};

/// How often the line is written anew.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// Back to the start of the line, and erase it (ECMA-48 EL).
const ERASE: &[u8] = b"\r\x1b[K";

/// Whether a progress line stands on the terminal now; our own log erases it before it writes.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// The counters at a moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    lines: u64,
    bytes: u64,
}

/// The progress line.
#[derive(Debug)]
pub(super) struct Progress {
    last: Option<Sample>,
}

/// stderr, from which the progress line is taken away first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogWriter;

// === impl Progress ===

impl Progress {
    /// A progress line, if stderr is a terminal.
    pub(super) fn on_terminal() -> Option<Self> {
        io::stderr().is_terminal().then_some(Self { last: None })
    }

    /// Replaces the line.
    pub(super) fn show(&mut self, snapshot: &Snapshot, now: Instant) {
        let sample = Sample {
            at: now,
            lines: snapshot.collector.total.lines,
            bytes: snapshot.collector.total.read,
        };
        let text = line(snapshot, self.last.replace(sample), sample);
        let mut stderr = io::stderr().lock();
        SHOWN.store(true, Ordering::Relaxed);
        // A terminal that went away is no reason to stop collecting.
        drop(
            stderr
                .write_all(ERASE)
                .and_then(|()| stderr.write_all(text.as_bytes())),
        );
        drop(stderr.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        erase(&mut io::stderr().lock());
    }
}

/// `1.2k lines/s · 340 KiB/s · behind 2 MiB (1.5s) · 120 streams · store 3 MiB`
fn line(snapshot: &Snapshot, last: Option<Sample>, now: Sample) -> String {
    let status = &snapshot.collector;
    let seconds = last.map_or(0.0, |last| (now.at - last.at).as_secs_f64());
    let rate = |now: u64, before: Option<u64>| match before {
        Some(before) if seconds > 0.0 => now.saturating_sub(before) as f64 / seconds,
        _ => 0.0,
    };
    let lines = rate(now.lines, last.map(|last| last.lines));
    let bytes = rate(now.bytes, last.map(|last| last.bytes));
    let lag_bytes = status.unread_bytes + status.in_flight_bytes;
    let lag_seconds = status
        .streams
        .iter()
        .map(|stream| stream.lag_seconds)
        .fold(0.0, f64::max);
    let behind = match lag_bytes {
        0 => "nothing waits".to_owned(),
        bytes => format!(
            "behind {} ({})",
            bytes_text(bytes),
            seconds_text(lag_seconds)
        ),
    };
    let store = snapshot.store.map_or_else(String::new, |store| {
        format!(" · store {}", bytes_text(store.bytes))
    });
    let trouble = status
        .sink_trouble
        .as_deref()
        .map_or_else(String::new, |trouble| format!(" · WAITING: {trouble}"));
    let line = format!(
        "{} lines/s · {}/s · {behind} · {} streams{store}{trouble}",
        short(lines),
        bytes_text(bytes as u64),
        status.streams.len()
    );
    line.chars()
        .filter(|char| !char.is_control())
        .take(160)
        .collect()
}

/// `950`, `1.2k`, `3.4M`
fn short(value: f64) -> String {
    match value {
        small if small < 1e3 => format!("{small:.0}"),
        middle if middle < 1e6 => format!("{:.1}k", middle / 1e3),
        large => format!("{:.1}M", large / 1e6),
    }
}

fn erase(out: &mut impl Write) {
    if SHOWN.swap(false, Ordering::Relaxed) {
        drop(out.write_all(ERASE));
    }
}

// === impl LogWriter ===

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr().lock();
        erase(&mut stderr);
        stderr.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(0.0), "0");
        assert_eq!(short(999.4), "999");
        assert_eq!(short(1234.0), "1.2k");
        assert_eq!(short(3_400_000.0), "3.4M");
    }
}
