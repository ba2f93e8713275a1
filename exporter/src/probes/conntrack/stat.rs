//! What happened in the table? The kernel's counters for each CPU, from its file or by ctnetlink.
//!
//! Columns are known by their header: kernels have had 16 and 17 of them, and since 5.9 `clashres` stands where
//! `searched` did, since 5.15 `chainlength` where `delete_list` did. The column `entries` is the namespace's total on
//! every row, never to be summed. Layouts: `net/netfilter/nf_conntrack_standalone.c`, `nfnetlink_conntrack.h`.

use crate::family::Family;
use crate::netlink::{Attributes, Netlink, NetlinkError, Protocol};
use crate::probe::ProbeError;

/// How many kinds of events there are.
pub const EVENT_COUNT: usize = 11;

/// More rows than any machine has CPUs.
const CPUS_MAX: usize = 8192;

/// One kind of event.
#[derive(Debug)]
pub struct Event {
    /// The column's header.
    pub column: &'static str,
    /// `CTA_STATS_*`
    pub attribute: u16,
    /// The sum, as `node_exporter` has it.
    pub node: Option<&'static Family>,
    /// The counter for each CPU.
    pub per_cpu: Option<&'static Family>,
}

/// The counters of one CPU, in the order of [`EVENTS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// Its number.
    pub number: u32,
    /// What it counted; `None` where the kernel does not.
    pub counts: [Option<u64>; EVENT_COUNT],
}

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Entries of the network namespace.
    pub entries: Option<u64>,
    /// One for each row.
    pub cpus: Vec<Cpu>,
}

macro_rules! node {
    ($name:ident, $family:literal, $help:literal) => {
        pub(super) const $name: Family = Family::gauge($family, &[], $help);
    };
}

node!(
    NODE_FOUND,
    "node_nf_conntrack_stat_found",
    "Number of searched entries which were successful."
);
node!(
    NODE_INVALID,
    "node_nf_conntrack_stat_invalid",
    "Number of packets seen which can not be tracked."
);
node!(
    NODE_IGNORE,
    "node_nf_conntrack_stat_ignore",
    "Number of packets seen which are already connected to a conntrack entry."
);
node!(
    NODE_INSERT,
    "node_nf_conntrack_stat_insert",
    "Number of entries inserted into the list."
);
node!(
    NODE_INSERT_FAILED,
    "node_nf_conntrack_stat_insert_failed",
    "Number of entries for which list insertion was attempted but failed."
);
node!(
    NODE_DROP,
    "node_nf_conntrack_stat_drop",
    "Number of packets dropped due to conntrack failure."
);
node!(
    NODE_EARLY_DROP,
    "node_nf_conntrack_stat_early_drop",
    "Number of dropped conntrack entries to make room for new ones, if maximum table size was reached."
);
node!(
    NODE_SEARCH_RESTART,
    "node_nf_conntrack_stat_search_restart",
    "Number of conntrack table lookups which had to be restarted due to hashtable resizes."
);

macro_rules! per_cpu {
    ($name:ident, $family:literal, $help:literal) => {
        pub(super) const $name: Family = Family::counter($family, &["cpu"], $help);
    };
}

per_cpu!(
    FOUND,
    "conntrack_stat_found_total",
    "Look-ups that found an entry where none was expected (since Linux 5.9 only clashes count)."
);
per_cpu!(
    INVALID,
    "conntrack_stat_invalid_total",
    "Packets that belong to no connection and can't begin one."
);
per_cpu!(
    INSERT,
    "conntrack_stat_insert_total",
    "Entries inserted by user space (since Linux 5.9; all entries before)."
);
per_cpu!(
    INSERT_FAILED,
    "conntrack_stat_insert_failed_total",
    "Entries that could not be inserted, mostly because two packets raced: each costs a packet."
);
per_cpu!(
    DROP,
    "conntrack_stat_drop_total",
    "Packets dropped because an entry could not be made or inserted."
);
per_cpu!(
    EARLY_DROP,
    "conntrack_stat_early_drop_total",
    "Entries evicted before their time because the table was full."
);
per_cpu!(
    ERROR,
    "conntrack_stat_error_total",
    "ICMP errors that were malformed or belong to no connection."
);
per_cpu!(
    SEARCH_RESTART,
    "conntrack_stat_search_restart_total",
    "Look-ups begun anew because an entry moved meanwhile."
);
per_cpu!(
    CLASH_RESOLVE,
    "conntrack_stat_clash_resolve_total",
    "Races between packets of one flow that were resolved without a loss."
);
per_cpu!(
    CHAIN_TOO_LONG,
    "conntrack_stat_chain_too_long_total",
    "Insertions refused because a bucket's chain was too long."
);

/// Every kind of event.
pub const EVENTS: [Event; EVENT_COUNT] = [
    event("found", 2, Some(&NODE_FOUND), Some(&FOUND)),
    event("invalid", 4, Some(&NODE_INVALID), Some(&INVALID)),
    event("ignore", 5, Some(&NODE_IGNORE), None),
    event("insert", 8, Some(&NODE_INSERT), Some(&INSERT)),
    event(
        "insert_failed",
        9,
        Some(&NODE_INSERT_FAILED),
        Some(&INSERT_FAILED),
    ),
    event("drop", 10, Some(&NODE_DROP), Some(&DROP)),
    event("early_drop", 11, Some(&NODE_EARLY_DROP), Some(&EARLY_DROP)),
    event("icmp_error", 12, None, Some(&ERROR)),
    event(
        "search_restart",
        13,
        Some(&NODE_SEARCH_RESTART),
        Some(&SEARCH_RESTART),
    ),
    event("clashres", 14, None, Some(&CLASH_RESOLVE)),
    event("chainlength", 15, None, Some(&CHAIN_TOO_LONG)),
];

const fn event(
    column: &'static str,
    attribute: u16,
    node: Option<&'static Family>,
    per_cpu: Option<&'static Family>,
) -> Event {
    Event {
        column,
        attribute,
        node,
        per_cpu,
    }
}

/// Reads `/proc/net/stat/nf_conntrack`; pure. Numbers are hexadecimal, a row for each possible CPU.
pub fn parse(text: &str) -> Result<Stat, ProbeError> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace()
        .collect();
    if !header.contains(&"entries") {
        return Err(wrong("the first line has no column `entries`"));
    }
    let mut stat = Stat::default();
    for (number, line) in (0..).zip(lines).take(CPUS_MAX) {
        let mut cpu = Cpu {
            number,
            ..Cpu::default()
        };
        let mut columns = 0;
        for (name, field) in header.iter().zip(line.split_ascii_whitespace()) {
            let value = u64::from_str_radix(field, 16)
                .map_err(|error| wrong(&format!("row {number}, column {name}: {error}")))?;
            columns += 1;
            if *name == "entries" {
                stat.entries = Some(value);
            } else if let Some(index) = EVENTS.iter().position(|event| event.column == *name)
                && let Some(count) = cpu.counts.get_mut(index)
            {
                *count = Some(value);
            }
        }
        if columns < header.len() {
            return Err(wrong(&format!("row {number} has {columns} columns only")));
        }
        stat.cpus.push(cpu);
    }
    Ok(stat)
}

fn wrong(why: &str) -> ProbeError {
    ProbeError::malformed("/proc/net/stat/nf_conntrack", why)
}

/// Asks ctnetlink for the same counters; needs `CAP_NET_ADMIN`.
pub fn ask() -> Result<Vec<Cpu>, NetlinkError> {
    /// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS_CPU`
    const GET_STATS_CPU: u16 = 0x104;
    let mut netlink = Netlink::open(Protocol::Netfilter)?;
    let mut cpus = Vec::new();
    netlink.ask(GET_STATS_CPU, true, vec![0; 4], |message| {
        if cpus.len() < CPUS_MAX {
            cpus.extend(cpu(message.body));
        }
    })?;
    cpus.sort_unstable_by_key(|cpu| cpu.number);
    Ok(cpus)
}

/// Reads one CPU's message; pure. The CPU's number stands in the header (`nfgenmsg.res_id`), all in network order.
pub fn cpu(body: &[u8]) -> Option<Cpu> {
    let header: &[u8; 4] = body.first_chunk()?;
    let mut cpu = Cpu {
        number: u32::from(u16::from_be_bytes([header[2], header[3]])),
        ..Cpu::default()
    };
    for (kind, payload) in Attributes::of(body.get(4..)?) {
        let value = payload.try_into().map(u32::from_be_bytes).ok();
        if let Some(index) = EVENTS.iter().position(|event| event.attribute == kind)
            && let Some(count) = cpu.counts.get_mut(index)
        {
            *count = value.map(u64::from);
        }
    }
    Some(cpu)
}
