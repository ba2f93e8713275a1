//! Whose connections fill the table, and do any of them stand there that should bypass it?
//!
//! Off unless configured: it reads the whole table (`export.conntrack_top`, or `export.conntrack_bypass` with the
//! subnets whose traffic is not to be tracked). One pass by ctnetlink, or by `/proc/net/nf_conntrack` where we are in
//! another network namespace than the node, once a minute at most, outside of the scrape, with a limit of entries and of
//! time. After a dear pass the next one waits until this costs no more than one hundredth of a core.
//! Remote addresses are never series: `/debug/conntrack/top` shows those with the most entries.
//! Layouts: `linux/netfilter/nfnetlink_conntrack.h`, `net/netfilter/nf_conntrack_standalone.c`.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::family::{Families, Family};
use crate::labels::Labels;
use crate::netlink::{Netlink, NetlinkError, Protocol};
use crate::networks;
use crate::place::{Place, ReadError};
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};
use crate::probes::Settings;
use crate::subnet::Subnet;

use self::connection::Connection;
use self::tally::Tally;
use self::top::Top;

pub mod connection;
pub mod tally;
pub mod top;

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "talkers",
    about: "Whose connections fill the table, and do any stand there that should bypass it?",
    families: FAMILIES,
    pace: Pace::Every(INTERVAL),
    series_max: 5_000,
    make: |settings| Box::new(Talkers::new(settings)),
};

const POD: Family = Family::gauge(
    "conntrack_pod_entries",
    &["direction", "namespace", "pod"],
    "Entries of connections that a pod opened (src) or that were opened to it (dst); those of no pod of this node have empty names.",
);
const STATE: Family = Family::gauge(
    "conntrack_state_entries",
    &["protocol", "state"],
    "Entries by protocol and state; where a protocol has no states: unreplied, replied, assured.",
);
const BYPASS: Family = Family::gauge(
    "conntrack_bypass_entries",
    &["subnet"],
    "Entries from or to a configured subnet, whose packets should pass by connection tracking; anything but 0 is a hole in the rules.",
);
const DURATION: Family = Family::gauge(
    "conntrack_dump_duration_seconds",
    &[],
    "How long the last pass through the table took.",
);
const ENTRIES: Family = Family::gauge(
    "conntrack_dump_entries",
    &[],
    "Entries that the last pass through the table read.",
);
const TRUNCATED: Family = Family::gauge(
    "conntrack_dump_truncated",
    &[],
    "Whether the last pass ended at its limit of entries or time (1), so that its numbers are too low.",
);
const TIME: Family = Family::gauge(
    "conntrack_dump_last_success_timestamp_seconds",
    &[],
    "When the table was last read, since the epoch.",
);

const FAMILIES: &[Family] = &[POD, STATE, BYPASS, DURATION, ENTRIES, TRUNCATED, TIME];

const INTERVAL: Duration = Duration::from_mins(1);
/// A pass may cost so much of the time between two: one hundredth of a core.
const PAUSE_FACTOR: u32 = 100;
/// More entries than these are not read.
const ENTRIES_MAX: u64 = 2_000_000;
/// Nor for longer.
const PASS_TIME_MAX: Duration = Duration::from_secs(10);
/// A line of the listing has some two hundred bytes.
const LINE_BYTES_MAX: u64 = 4 << 10;

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET`
const GET: u16 = 0x101;
/// `IPCTNL_MSG_CT_NEW`, what the answers are.
const NEW: u16 = 0x100;

#[derive(Debug)]
struct Talkers {
    by_pod: bool,
    subnets: Vec<Subnet>,
    top: Arc<Top>,
    last: Option<Pass>,
}

/// One pass through the table.
#[derive(Debug)]
struct Pass {
    tally: Tally,
    whole: bool,
    took: Duration,
    ended: SystemTime,
    ended_at: Instant,
}

// === impl Talkers ===

impl Talkers {
    fn new(settings: &Settings) -> Self {
        Self {
            by_pod: settings.conntrack_top,
            subnets: settings.conntrack_bypass.clone(),
            top: Arc::clone(&settings.top),
            last: None,
        }
    }

    /// Whether the last pass was so dear that it has to do for now.
    fn rests(&self) -> bool {
        self.last
            .as_ref()
            .is_some_and(|last| last.ended_at.elapsed() < last.took * PAUSE_FACTOR)
    }

    fn pass(&self, context: &Context<'_>) -> Result<Pass, ProbeError> {
        let began = Instant::now();
        let owners = if self.by_pod {
            networks::owners(context.place)
        } else {
            HashMap::new()
        };
        let mut tally = Tally::new(owners, self.subnets.clone());
        let whole = read(context.place, &mut tally, began + PASS_TIME_MAX)?;
        Ok(Pass {
            tally,
            whole,
            took: began.elapsed(),
            ended: context.now,
            ended_at: Instant::now(),
        })
    }

    fn emit(&self, pass: &Pass, out: &mut Families) {
        let none = Labels::none();
        if self.by_pod {
            for (pod, counts) in pass.tally.pods() {
                for (direction, count) in [("dst", counts.to), ("src", counts.from)] {
                    let labels = Labels::of(&[
                        ("direction", direction),
                        ("namespace", &pod.namespace),
                        ("pod", &pod.pod),
                    ]);
                    out.push(&POD, &labels, count);
                }
            }
            for (protocol, state, count) in pass.tally.states() {
                let labels = Labels::of(&[("protocol", protocol), ("state", state)]);
                out.push(&STATE, &labels, count);
            }
        }
        for (subnet, count) in pass.tally.subnets() {
            let labels = Labels::of(&[("subnet", &subnet.to_string())]);
            out.push(&BYPASS, &labels, count);
        }
        out.push(&DURATION, &none, pass.took.as_secs_f64());
        out.push(&ENTRIES, &none, pass.tally.entries());
        out.push(&TRUNCATED, &none, !pass.whole);
        if let Ok(since) = pass.ended.duration_since(UNIX_EPOCH) {
            out.push(&TIME, &none, since.as_secs_f64());
        }
    }
}

impl Probe for Talkers {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        if !self.by_pod && self.subnets.is_empty() {
            return Err(ProbeError::unavailable(
                Reason::NotConfigured,
                "neither export.conntrack_top nor export.conntrack_bypass is set",
            ));
        }
        if !self.rests() {
            let pass = self.pass(context)?;
            if self.by_pod {
                self.top.put(&pass.tally, pass.whole, pass.ended);
            }
            self.last = Some(pass);
        }
        if let Some(last) = &self.last {
            self.emit(last, out);
        }
        Ok(())
    }
}

/// Reads the node's table, entry by entry. Whether all of it was read.
fn read(place: &Place, tally: &mut Tally, limit: Instant) -> Result<bool, ProbeError> {
    if !place.netlink_is_ours() {
        let path = format!("{}/nf_conntrack", place.network());
        return listed(place, &path, tally, limit)
            .map_err(|error| ProbeError::of_read(error, Reason::OtherNetwork));
    }
    dumped(tally, limit).map_err(|error| {
        if error.is_forbidden() {
            ProbeError::unavailable(
                Reason::Permission,
                "the table of connections needs CAP_NET_ADMIN",
            )
        } else if error.is_unknown() {
            ProbeError::unavailable(Reason::NoModule, "nf_conntrack_netlink is not loaded")
        } else {
            ProbeError::Kernel {
                what: "the table of connections",
                source: std::io::Error::other(error),
            }
        }
    })
}

fn dumped(tally: &mut Tally, limit: Instant) -> Result<bool, NetlinkError> {
    let mut netlink = Netlink::open(Protocol::Netfilter)?;
    let entries = Cell::new(0_u64);
    netlink.ask_while(
        GET,
        true,
        vec![0; 4],
        |message| {
            if message.kind == NEW
                && let Some(found) = Connection::of_message(message.body)
            {
                tally.add(&found);
                entries.set(entries.get() + 1);
            }
        },
        || entries.get() < ENTRIES_MAX && Instant::now() < limit,
    )
}

fn listed(place: &Place, path: &str, tally: &mut Tally, limit: Instant) -> Result<bool, ReadError> {
    let wrap = |source| ReadError {
        path: path.to_owned(),
        source,
    };
    let mut file = BufReader::new(File::open(place.path(path)).map_err(wrap)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut file)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .map_err(wrap)?;
        if read == 0 {
            return Ok(true);
        }
        if let Some(found) = std::str::from_utf8(&line)
            .ok()
            .and_then(Connection::of_line)
        {
            tally.add(&found);
        }
        if tally.entries() >= ENTRIES_MAX || limit <= Instant::now() {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests;
