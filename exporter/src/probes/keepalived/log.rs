//! What has keepalived said? Its log lines as events, pure.
//!
//! Lines are known by what keepalived 2.x writes, behind a syslog tag (`Keepalived_healthcheckers[910]: `) or behind the
//! date of its own log file. Anything else, and anything that looks like it without that beginning, is no event.

use std::net::IpAddr;

use crate::probes::lvs::table::{Key, Protocol};

use super::vrrp;

/// A real server: its address and port.
pub type Server = (IpAddr, u16);

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// keepalived starts or ends: what was known is void.
    Restart,
    /// A real server is watched from now on; it counts as alive until a check fails.
    Watched {
        /// The virtual server.
        service: Key,
        /// The real server.
        server: Server,
    },
    /// A real server should be, or not be, among a virtual server's.
    Placed {
        /// The virtual server.
        service: Key,
        /// The real server.
        server: Server,
        /// How.
        place: Place,
    },
    /// A real server has another weight.
    Weighed {
        /// The virtual server.
        service: Key,
        /// The real server.
        server: Server,
        /// The weight.
        weight: i64,
    },
    /// A `MISC_CHECK` ended.
    Checked {
        /// The virtual server; old versions don't tell.
        service: Option<Key>,
        /// The real server.
        server: Server,
        /// The script, without its directory and arguments.
        checker: String,
        /// How it ended.
        result: CheckResult,
    },
    /// A virtual server has enough real servers, or has not.
    Quorum {
        /// The virtual server.
        service: Key,
        /// Whether it has.
        gained: bool,
    },
    /// A virtual server's real servers give way to its sorry server, or come back.
    Pool {
        /// The virtual server.
        service: Key,
        /// Whether the real servers are in.
        filled: bool,
    },
    /// A VRRP instance changed.
    State {
        /// Its name.
        instance: String,
        /// 0 init, 1 backup, 2 master, 3 fault.
        state: u8,
    },
}

/// Where a real server should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the kernel's table.
    In,
    /// Not there.
    Out,
    /// There with weight 0 (`inhibit_on_failure`).
    Inhibited,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckResult {
    /// Well.
    Succeeded,
    /// Not well.
    Failed,
    /// Not in time.
    TimedOut,
}

// === impl CheckResult ===

impl CheckResult {
    /// All of them, for counters that start at 0.
    pub const ALL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::TimedOut];

    /// The label `result`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

/// `Sat Nov 21 11:58:13 2026`
const DATE_LETTERS: usize = 24;

/// Reads a line of a log.
pub fn event(line: &str) -> Option<Event> {
    message(line).and_then(of_message)
}

/// What stands behind the syslog tag or the date.
fn message(line: &str) -> Option<&str> {
    if let Some((_, rest)) = line.split_once("Keepalived") {
        // `Keepalived[9]: `, `Keepalived_vrrp[911]: `, `Keepalived_healthcheckers 910 - - ` (RFC 5424)
        let tag_end = rest.find([':', '-'])?;
        let tag = rest.get(..tag_end)?;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "_[] ".contains(letter);
        if tag.chars().all(plain) && tag.contains(|letter: char| letter.is_ascii_digit()) {
            return Some(rest.get(tag_end..)?.trim_start_matches([':', '-', ' ']));
        }
    }
    // `Sat Nov 21 11:58:13 2026: `
    let (date, rest) = line.split_at_checked(DATE_LETTERS)?;
    let is_date = date.get(13..14) == Some(":") && date.get(16..17) == Some(":");
    is_date.then(|| rest.strip_prefix(": "))?
}

fn of_message(text: &str) -> Option<Event> {
    let first = text.split(' ').next()?;
    match first {
        "Starting" | "Stopped" => text
            .strip_prefix(first)?
            .starts_with(" Keepalived v")
            .then_some(Event::Restart),
        "Misc" => checked(text),
        "Gained" | "Lost" => Some(Event::Quorum {
            service: service(text.rsplit_once(" for VS ")?.1)?,
            gained: first == "Gained",
        }),
        "Changing" => weighed(text),
        "Activating" => {
            let rest = text.strip_prefix("Activating healthchecker for service ")?;
            let (server, service) = server_and_service(rest, " for VS ")?;
            Some(Event::Watched { service, server })
        }
        "Adding" | "Removing" | "Enabling" | "Disabling" => placed(first, text),
        _ if text.starts_with('(') => state(text),
        _ => None,
    }
}

fn placed(first: &str, text: &str) -> Option<Event> {
    if let Some((_, name)) = text.split_once(" alive servers ") {
        return Some(Event::Pool {
            service: service(name.rsplit_once(" for VS ")?.1)?,
            filled: first == "Adding",
        });
    }
    let rest = text.strip_prefix(first)?.strip_prefix(" service ")?;
    let (between, place) = match first {
        "Adding" => (" to VS ", Place::In),
        "Removing" => (" from VS ", Place::Out),
        "Enabling" => (" of VS ", Place::In),
        _ => (" of VS ", Place::Inhibited),
    };
    let (server, service) = server_and_service(rest, between)?;
    Some(Event::Placed {
        service,
        server,
        place,
    })
}

fn weighed(text: &str) -> Option<Event> {
    let rest = text.strip_prefix("Changing weight from ")?;
    let (weights, rest) = rest.split_once(" for ")?;
    let (_, weight) = weights.split_once(" to ")?;
    let (_, rest) = rest.split_once("service ")?;
    let (server, service) = server_and_service(rest, " of VS ")?;
    Some(Event::Weighed {
        service,
        server,
        weight: weight.parse().ok()?,
    })
}

/// `Misc check for [[10.1.0.11]:tcp:80 VS [10.99.0.1]:tcp:80] by [/etc/check] failed …`; before 2.1
/// `Misc check to [10.1.0.11] for [/etc/check] failed`.
fn checked(text: &str) -> Option<Event> {
    let (service, server, rest) = if let Some(rest) = text.strip_prefix("Misc check for [") {
        let (of, rest) = rest.split_once("] by [")?;
        let (server, service) = server_and_service(of, " VS ")?;
        (Some(service), server, rest)
    } else {
        let rest = text.strip_prefix("Misc check to [")?;
        let (ip, rest) = rest.split_once("] for [")?;
        (None, (ip.parse().ok()?, 0), rest)
    };
    let (script, outcome) = rest.split_once("] ")?;
    let result = if outcome.starts_with("succeeded") {
        CheckResult::Succeeded
    } else if outcome.starts_with("timed out") {
        CheckResult::TimedOut
    } else if outcome.starts_with("failed") {
        CheckResult::Failed
    } else {
        return None;
    };
    Some(Event::Checked {
        service,
        server,
        checker: base_name(script),
        result,
    })
}

fn state(text: &str) -> Option<Event> {
    let (instance, rest) = text.strip_prefix('(')?.split_once(") Entering ")?;
    let state = vrrp::state(rest.split(' ').next()?)?;
    Some(Event::State {
        instance: instance.to_owned(),
        state,
    })
}

/// A script's name without its directory and arguments: arguments may be secrets.
pub fn base_name(script: &str) -> String {
    let script = script.trim_matches('\'');
    let program = script.split([' ', '\'']).next().unwrap_or_default();
    program.rsplit('/').next().unwrap_or_default().to_owned()
}

/// `[10.1.0.11]:tcp:80 BETWEEN [10.99.0.1]:tcp:80`, with a full stop behind it or not.
pub fn server_and_service(text: &str, between: &str) -> Option<(Server, Key)> {
    let (server, name) = text.split_once(between)?;
    let (ip, _, port) = socket(server)?;
    Some(((ip, port), service(name)?))
}

/// A virtual server as keepalived names it: `[10.99.0.1]:tcp:80`, `FWM 7`.
pub fn service(text: &str) -> Option<Key> {
    let text = text.trim().trim_end_matches('.');
    if let Some(mark) = text.strip_prefix("FWM ") {
        // keepalived does not tell the family; the kernel's is taken when the two are joined.
        let mark = mark.split(' ').next()?.parse().ok()?;
        return Some(Key::Mark { mark, ipv6: false });
    }
    let (ip, protocol, port) = socket(text)?;
    Some(Key::Address {
        protocol: Protocol::named(protocol)?,
        ip,
        port,
    })
}

/// `[10.1.0.11]:tcp:80`, `[10.1.0.13]:none:0`
fn socket(text: &str) -> Option<(IpAddr, &str, u16)> {
    let (ip, rest) = text.trim().strip_prefix('[')?.split_once("]:")?;
    let (protocol, port) = rest.split_once(':')?;
    Some((ip.parse().ok()?, protocol, port.parse().ok()?))
}
