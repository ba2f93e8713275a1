//! What does BIRD say of its protocols? Asked over its control socket, read as text.
//!
//! The socket speaks lines: four digits and a space end a reply, four digits and a hyphen go on, a space stands for the
//! digits of the line before (BIRD's `doc/reply_codes`). The text is that of `birdc show protocols all`: Calico's BIRD
//! is of version 1.6, which has one daemon for each family of addresses; since 2.0 one has both, in channels.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest reply to one question, in bytes: a protocol has about a kilobyte.
const REPLY_BYTES_MAX: usize = 4 << 20;
/// The most protocols, or channels of them, that are taken.
const CHANNELS_MAX: usize = 2_000;
/// The longest name that is taken for a label, in bytes.
const WORD_BYTES_MAX: usize = 128;
/// The shortest time that a socket can be told to wait.
const PATIENCE_MIN: Duration = Duration::from_millis(1);

const SECONDS_A_DAY: i64 = 86_400;

/// 1970-01-01, in days since the first of March of the year 0.
const EPOCH_DAYS: i64 = 719_468;

/// What one daemon says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Daemon {
    /// As in `2.0.12`.
    pub version: String,
    /// As in `10.0.0.1`.
    pub router_id: String,
    /// Each protocol, once for each of its channels.
    pub channels: Vec<Channel>,
}

/// A protocol, or one of its channels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Channel {
    /// As in `Mesh_10_0_0_2`.
    pub name: String,
    /// As in `BGP`.
    pub proto: String,
    /// `4`, `6`, or nothing where the protocol has no routes.
    pub ip_version: String,
    /// Whether its state is `up`.
    pub up: bool,
    /// The first word of what it says beside that: `Established`, `Active`.
    pub state: String,
    /// Whether somebody turned it off: it is down and has nothing to say.
    pub disabled: bool,
    /// Since when it has its state, in seconds.
    pub uptime: Option<f64>,
    /// The filter of what comes in.
    pub import_filter: String,
    /// The filter of what goes out.
    pub export_filter: String,
    /// Routes: imported, filtered, exported, preferred.
    pub routes: [Option<u64>; 4],
    /// Import updates, import withdraws, export updates, export withdraws; of each received, rejected, filtered,
    /// ignored, accepted.
    pub changes: [[Option<u64>; 5]; 4],
}

/// Why a daemon says nothing.
#[derive(Debug, thiserror::Error)]
pub enum BirdError {
    /// It can't be reached, or takes too long.
    #[error("ask BIRD")]
    Ask(#[from] io::Error),
    /// It answers with an error of its own, or with no text.
    #[error("understand BIRD: {0}")]
    Malformed(&'static str),
}

/// Asks the daemon behind a socket. `ip_version` is that of all its routes, or nothing where channels tell.
pub fn ask(socket: &Path, ip_version: &str, deadline: Instant) -> Result<Daemon, BirdError> {
    let mut stream = UnixStream::connect(socket)?;
    let greeting = reply(&mut stream, deadline)?;
    if !greeting.starts_with("0001") {
        return Err(BirdError::Malformed("no greeting"));
    }
    // From here on it refuses whatever would change something.
    question(&mut stream, "restrict", deadline)?;
    let status = question(&mut stream, "show status", deadline)?;
    let protocols = question(&mut stream, "show protocols all", deadline)?;
    Ok(parse(&status, &protocols, ip_version))
}

fn question(stream: &mut UnixStream, text: &str, deadline: Instant) -> Result<String, BirdError> {
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(format!("{text}\n").as_bytes())?;
    reply(stream, deadline)
}

/// Reads up to the line that ends a reply.
fn reply(stream: &mut UnixStream, deadline: Instant) -> Result<String, BirdError> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    // Where the last unfinished line begins.
    let mut line = 0;
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let count = match stream.read(&mut piece) {
            Ok(0) => return Err(BirdError::Malformed("it ends in the middle")),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        if bytes.len() > REPLY_BYTES_MAX {
            return Err(BirdError::Malformed("too long"));
        }
        while let Some(rest) = bytes.get(line..)
            && let Some(end) = rest.iter().position(|byte| *byte == b'\n')
        {
            if is_last(rest) {
                // 8 and 9 are errors of run time and of syntax.
                return match rest.first() {
                    Some(b'8' | b'9') => Err(BirdError::Malformed("it refuses the question")),
                    _ => Ok(String::from_utf8_lossy(&bytes).into_owned()),
                };
            }
            line += end + 1;
        }
    }
}

fn is_last(line: &[u8]) -> bool {
    line.get(..4)
        .is_some_and(|code| code.iter().all(u8::is_ascii_digit))
        && line.get(4) == Some(&b' ')
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left > PATIENCE_MIN {
        Ok(left)
    } else {
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// Reads both replies; pure.
pub fn parse(status: &str, protocols: &str, ip_version: &str) -> Daemon {
    let after = |words: &str| {
        let found = status.lines().find_map(|line| line.split_once(words));
        word(found.map_or("", |(_, rest)| rest))
    };
    let now = status
        .lines()
        .find_map(|line| line.split_once("Current server time is "))
        .and_then(|(_, time)| moment(time.trim()));
    let mut daemon = Daemon {
        version: after("BIRD "),
        router_id: after("Router ID is "),
        channels: Vec::new(),
    };
    // The second generation tells of each channel; there the socket says nothing of the family.
    let ip_version = if protocols.contains("Channel ipv") {
        ""
    } else {
        ip_version
    };
    for line in protocols.lines() {
        if daemon.channels.len() >= CHANNELS_MAX {
            break;
        }
        if let Some(head) = line.strip_prefix("1002-") {
            let mut channel = protocol(head, now);
            ip_version.clone_into(&mut channel.ip_version);
            daemon.channels.push(channel);
        } else if let Some(last) = daemon.channels.last_mut() {
            let line = line.strip_prefix("1006-").unwrap_or(line).trim();
            match channel_version(line) {
                Some(version) if last.ip_version.is_empty() => {
                    version.clone_into(&mut last.ip_version);
                }
                Some(version) => {
                    let next = last.next(version);
                    daemon.channels.push(next);
                }
                None => last.detail(line),
            }
        }
    }
    daemon
}

/// The line of a protocol: name, kind, table, state, since when (one word or two), and what it says.
fn protocol(line: &str, now: Option<f64>) -> Channel {
    let mut words = line.split_ascii_whitespace().peekable();
    let (name, proto, _table) = (words.next(), words.next(), words.next());
    let state = words.next();
    let mut since = words.next().unwrap_or_default().to_owned();
    if let Some(time) = words.next_if(|word| since.contains('-') && is_clock(word)) {
        since = format!("{since} {time}");
    }
    let info = words.next();
    Channel {
        name: word(name.unwrap_or_default()),
        proto: word(proto.unwrap_or_default()),
        up: state == Some("up"),
        state: word(info.unwrap_or_default()),
        disabled: state == Some("down") && info.is_none(),
        uptime: now.and_then(|now| uptime(&since, now)),
        ..Channel::default()
    }
}

/// `Channel ipv4`
fn channel_version(line: &str) -> Option<&'static str> {
    match line.strip_prefix("Channel ")? {
        "ipv4" => Some("4"),
        "ipv6" => Some("6"),
        _ => None,
    }
}

fn is_clock(word: &str) -> bool {
    word.contains(':') && word.starts_with(|letter: char| letter.is_ascii_digit())
}

/// The first word, no longer than a label should be.
fn word(text: &str) -> String {
    let word = text.split_ascii_whitespace().next().unwrap_or_default();
    let end = word.floor_char_boundary(WORD_BYTES_MAX);
    word.get(..end).unwrap_or_default().to_owned()
}

/// How long ago it was, by the daemon's own clock and time zone: `20:53:35.442` of the last day, a date, or both.
fn uptime(since: &str, now: f64) -> Option<f64> {
    let then = match clock(since) {
        Some(clock) => {
            let today = now.div_euclid(SECONDS_A_DAY as f64) * SECONDS_A_DAY as f64;
            let then = today + clock;
            if then > now {
                then - SECONDS_A_DAY as f64
            } else {
                then
            }
        }
        None => moment(since)?,
    };
    // The daemon says milliseconds; what is behind them is noise of the subtraction.
    Some(((now - then).max(0.0) * 1e3).round() / 1e3)
}

/// `2026-11-21 20:53:44.095`, or its midnight where there is only a date; in seconds since 1970 of that time zone.
fn moment(text: &str) -> Option<f64> {
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00"));
    let mut parts = date.splitn(3, '-');
    let mut part = || parts.next()?.parse::<i64>().ok();
    let (year, month, day) = (part()?, part()?, part()?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days from the civil calendar, with the year beginning in March, so that the leap day is its last one.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some(((days - EPOCH_DAYS) * SECONDS_A_DAY) as f64 + clock(time)?)
}

/// `20:53:44.095` or `20:53`, in seconds since midnight.
fn clock(text: &str) -> Option<f64> {
    let mut parts = text.splitn(3, ':');
    let hours: u32 = parts.next()?.parse().ok()?;
    let minutes: u32 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next().unwrap_or("0").parse().ok()?;
    let fits = hours < 24 && minutes < 60 && (0.0..61.0).contains(&seconds);
    fits.then(|| f64::from(hours * 3600 + minutes * 60) + seconds)
}

// === impl Channel ===

impl Channel {
    /// A further channel of the same protocol.
    fn next(&self, ip_version: &str) -> Self {
        Self {
            name: self.name.clone(),
            proto: self.proto.clone(),
            ip_version: ip_version.to_owned(),
            up: self.up,
            state: self.state.clone(),
            disabled: self.disabled,
            uptime: self.uptime,
            ..Self::default()
        }
    }

    fn detail(&mut self, line: &str) {
        const CHANGES: [&str; 4] = [
            "Import updates",
            "Import withdraws",
            "Export updates",
            "Export withdraws",
        ];
        let Some((name, rest)) = line.split_once(':') else {
            return;
        };
        match name {
            "Input filter" => self.import_filter = word(rest),
            "Output filter" => self.export_filter = word(rest),
            "Routes" => {
                for part in rest.split(',') {
                    let mut words = part.split_ascii_whitespace();
                    let count = words.next().and_then(|count| count.parse().ok());
                    let at = match words.next() {
                        Some("imported") => 0,
                        Some("filtered") => 1,
                        Some("exported") => 2,
                        Some("preferred") => 3,
                        _ => continue,
                    };
                    if let Some(place) = self.routes.get_mut(at) {
                        *place = count;
                    }
                }
            }
            _ => {
                let at = CHANGES.iter().position(|known| *known == name);
                if let Some(changes) = at.and_then(|at| self.changes.get_mut(at)) {
                    for (place, word) in changes.iter_mut().zip(rest.split_ascii_whitespace()) {
                        *place = word.parse().ok();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
