//! How full is the table of connections, and what does it drop?
//!
//! `node_nf_conntrack_*` have the names, kinds and meanings of `node_exporter`; `conntrack_stat_*_total` are the same events
//! as real counters for each CPU. They come from `/proc/net/stat/nf_conntrack`, and by ctnetlink where the kernel is
//! built without that file. The limit is one for the machine, but the kernel compares each network namespace's own count
//! with it: a pod can fill a table of its own while the node's looks empty, so every namespace is counted.

use crate::family::{Families, Family};
use crate::labels::Labels;
use crate::machine::Machine;
use crate::netlink::NetlinkError;
use crate::networks;
use crate::place::Place;
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};
use crate::probes::Settings;

use self::stat::{Cpu, EVENTS};

pub mod stat;

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "conntrack",
    about: "How full is the table of connections, and what does it drop?",
    families: FAMILIES,
    pace: Pace::Scrape,
    series_max: 20_000,
    make: |settings| Box::new(Conntrack::new(settings)),
};

const ENTRIES: Family = Family::gauge(
    "node_nf_conntrack_entries",
    &[],
    "Number of currently allocated flow entries for connection tracking.",
);
const LIMIT: Family = Family::gauge(
    "node_nf_conntrack_entries_limit",
    &[],
    "Maximum size of connection tracking table.",
);
const SOURCE: Family = Family::gauge(
    "conntrack_stat_source_info",
    &["source"],
    "1; where the conntrack_stat families come from: procfs, netlink, or none.",
);
const BUCKETS: Family = Family::gauge(
    "conntrack_buckets",
    &[],
    "Buckets of the table; chains grow when entries are many times this.",
);
const EXPECT_LIMIT: Family = Family::gauge(
    "conntrack_expect_limit",
    &[],
    "Most expected connections (FTP, SIP) that the kernel remembers.",
);
const TIMEOUT: Family = Family::gauge(
    "conntrack_timeout_seconds",
    &["protocol", "state"],
    "How long an entry stays without a packet.",
);
const ADVISED_LIMIT: Family = Family::gauge(
    "conntrack_advised_entries_limit",
    &[],
    "The limit that kube-proxy would set by its defaults: 32768 for each CPU, at least 131072. A value to compare with.",
);
const ADVISED_TIMEOUT: Family = Family::gauge(
    "conntrack_advised_timeout_seconds",
    &["protocol", "state"],
    "The time-outs that kube-proxy would set by its defaults. Values to compare with.",
);
const NAMESPACE_ENTRIES: Family = Family::gauge(
    "conntrack_netns_entries",
    &["namespace", "netns", "pod"],
    "Entries in the table of another network namespace, each of which may hold as many as the node's limit.",
);

const FAMILIES: &[Family] = &[
    ENTRIES,
    LIMIT,
    stat::NODE_FOUND,
    stat::NODE_INVALID,
    stat::NODE_IGNORE,
    stat::NODE_INSERT,
    stat::NODE_INSERT_FAILED,
    stat::NODE_DROP,
    stat::NODE_EARLY_DROP,
    stat::NODE_SEARCH_RESTART,
    stat::FOUND,
    stat::INVALID,
    stat::INSERT,
    stat::INSERT_FAILED,
    stat::DROP,
    stat::EARLY_DROP,
    stat::ERROR,
    stat::SEARCH_RESTART,
    stat::CLASH_RESOLVE,
    stat::CHAIN_TOO_LONG,
    SOURCE,
    BUCKETS,
    EXPECT_LIMIT,
    TIMEOUT,
    ADVISED_LIMIT,
    ADVISED_TIMEOUT,
    NAMESPACE_ENTRIES,
];

const SYSCTL: &str = "proc/sys/net/netfilter";

/// `--conntrack-max-per-core` of kube-proxy.
const MAX_PER_CORE: u64 = 32_768;
/// `--conntrack-min` of kube-proxy.
const LIMIT_MIN: u64 = 131_072;
/// `--conntrack-tcp-timeout-established` and `--conntrack-tcp-timeout-close-wait` of kube-proxy, in seconds.
const ADVISED_TIMEOUTS: [(&str, u64); 2] = [("established", 86_400), ("close_wait", 3_600)];

#[derive(Debug)]
struct Conntrack;

// === impl Conntrack ===

impl Conntrack {
    fn new(_settings: &Settings) -> Self {
        Self
    }
}

impl Probe for Conntrack {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        let place = context.place;
        let count = entries(place)?;
        out.push(&ENTRIES, &Labels::none(), count);
        if let Ok(limit) = place.number("proc/sys/net/netfilter/nf_conntrack_max") {
            out.push(&LIMIT, &Labels::none(), limit);
        }
        settings_of_the_kernel(place, out);
        advise(place, out);
        namespaces(place, out);
        statistics(place, out)
    }
}

/// The entries of the node's own table.
fn entries(place: &Place) -> Result<u64, ProbeError> {
    if !place.network_is_foreign() {
        return place
            .number("proc/sys/net/netfilter/nf_conntrack_count")
            .map_err(|error| ProbeError::of_read(error, Reason::NoModule));
    }
    let path = format!("{}/stat/nf_conntrack", place.network());
    let text = place
        .text(&path)
        .map_err(|error| ProbeError::of_read(error, Reason::OtherNetwork))?;
    let entries = stat::parse(&text)?.entries;
    entries.ok_or_else(|| ProbeError::malformed(format!("/{path}"), "it has no row"))
}

fn settings_of_the_kernel(place: &Place, out: &mut Families) {
    let single = [
        ("proc/sys/net/netfilter/nf_conntrack_buckets", &BUCKETS),
        (
            "proc/sys/net/netfilter/nf_conntrack_expect_max",
            &EXPECT_LIMIT,
        ),
    ];
    for (path, family) in single {
        if let Ok(value) = place.number(path) {
            out.push(family, &Labels::none(), value);
        }
    }
    for name in place.names(SYSCTL).unwrap_or_default() {
        let Some((protocol, state)) = timeout_name(&name) else {
            continue;
        };
        if let Ok(seconds) = place.number(&format!("{SYSCTL}/{name}")) {
            let labels = Labels::of(&[("protocol", protocol), ("state", state)]);
            out.push(&TIMEOUT, &labels, seconds);
        }
    }
}

/// Takes apart `nf_conntrack_tcp_timeout_established`: protocol, state (empty for a protocol's only time-out).
fn timeout_name(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix("nf_conntrack_")?;
    let (protocol, state) = rest.split_once("_timeout")?;
    // These limit fragments and event delivery, not entries.
    if protocol == "frag6" || protocol == "events_retry" {
        return None;
    }
    Some((protocol, state.strip_prefix('_').unwrap_or(state)))
}

fn advise(place: &Place, out: &mut Families) {
    if let Some(machine) = Machine::read(place) {
        let limit = (machine.cpus as u64 * MAX_PER_CORE).max(LIMIT_MIN);
        out.push(&ADVISED_LIMIT, &Labels::none(), limit);
    }
    for (state, seconds) in ADVISED_TIMEOUTS {
        let labels = Labels::of(&[("protocol", "tcp"), ("state", state)]);
        out.push(&ADVISED_TIMEOUT, &labels, seconds);
    }
}

/// Counts the entries of each other network namespace in which a process lives.
fn namespaces(place: &Place, out: &mut Families) {
    for network in networks::others(place) {
        let path = format!("proc/{}/net/stat/nf_conntrack", network.process);
        let Ok(text) = place.text(&path) else {
            continue;
        };
        let Some(entries) = stat::parse(&text).ok().and_then(|found| found.entries) else {
            continue;
        };
        let labels = Labels::of(&[
            ("namespace", &network.pod.namespace),
            ("netns", &network.inode),
            ("pod", &network.pod.pod),
        ]);
        out.push(&NAMESPACE_ENTRIES, &labels, entries);
    }
}

/// The events, from the file or else by netlink.
fn statistics(place: &Place, out: &mut Families) -> Result<(), ProbeError> {
    let path = format!("{}/stat/nf_conntrack", place.network());
    let (source, cpus) = match place.text(&path) {
        Ok(text) => ("procfs", stat::parse(&text)?.cpus),
        Err(error) if !error.is_absent() => {
            emit_source("none", out);
            return Err(ProbeError::of_read(error, Reason::NoFile));
        }
        Err(_) if !place.netlink_is_ours() => {
            emit_source("none", out);
            return Err(ProbeError::unavailable(
                Reason::OtherNetwork,
                format!(
                    "/{path} is not there, and we are in another network namespace than the node"
                ),
            ));
        }
        Err(_) => match stat::ask() {
            Ok(cpus) => ("netlink", cpus),
            Err(error) => {
                emit_source("none", out);
                return Err(refused(error));
            }
        },
    };
    emit_source(source, out);
    emit_events(&cpus, out);
    Ok(())
}

fn emit_source(source: &str, out: &mut Families) {
    out.push(&SOURCE, &Labels::of(&[("source", source)]), 1_u64);
}

fn emit_events(cpus: &[Cpu], out: &mut Families) {
    for (index, event) in EVENTS.iter().enumerate() {
        let counts = || {
            cpus.iter()
                .filter_map(|cpu| Some((cpu.number, *cpu.counts.get(index)?.as_ref()?)))
        };
        if let Some(family) = event.per_cpu {
            for (number, count) in counts() {
                let labels = Labels::of(&[("cpu", &number.to_string())]);
                out.push(family, &labels, count);
            }
        }
        if let Some(family) = event.node {
            let sum: Option<u64> = counts()
                .map(|(_, count)| count)
                .reduce(|one, two| one + two);
            if let Some(sum) = sum {
                out.push(family, &Labels::none(), sum);
            }
        }
    }
}

/// What it means that ctnetlink gave no answer.
fn refused(error: NetlinkError) -> ProbeError {
    if error.is_forbidden() {
        ProbeError::unavailable(
            Reason::Permission,
            "conntrack's statistics need CAP_NET_ADMIN, for this kernel has no /proc/net/stat/nf_conntrack",
        )
    } else if error.is_unknown() {
        ProbeError::unavailable(Reason::NoModule, "nf_conntrack_netlink is not loaded")
    } else {
        ProbeError::Kernel {
            what: "conntrack statistics",
            source: std::io::Error::other(error),
        }
    }
}

#[cfg(test)]
mod tests;
