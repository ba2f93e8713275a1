//! What do the virtual servers carry, and are they the right ones?
//!
//! The kernel's IPVS by generic netlink: 64-bit counters of every service and real server, weights, connections,
//! schedulers. A mapping from virtual addresses to Kubernetes services gives them names, and shows what is mapped but not
//! programmed and what is programmed but not mapped. Without the right to netlink, and on directors with a patched
//! kernel, `/proc/net/ip_vs` still gives weights and connections; `lvs_source_info` says which it was.
//! Replies of `route` and `tunnel` destinations pass by the director: their out-counters stay 0.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::family::{Families, Family};
use crate::labels::Labels;
use crate::place::Place;
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};
use crate::probes::Settings;

use self::api::Watch;
use self::families::{
    DAEMON, FAMILIES, MAPPED, MAPPED_MISSING, MAPPING_OK, MAPPING_TIME, MAPPING_WRONG, NODE_TOTALS,
    SOURCE, TABLE_SIZE, UNMAPPED, UNPROGRAMMED, WIDE,
};
use self::kernel::Director;
use self::mapping::Mapping;
use self::table::{Counters, Key, Service};

pub mod api;
mod families;
pub mod kernel;
pub mod mapping;
mod series;
pub mod table;

/// The line of the table. Two thousand services of four real servers have 120,000 series.
pub const ENTRY: Entry = Entry {
    name: "lvs",
    about: "What do the virtual servers carry, and are they the right ones?",
    families: FAMILIES,
    pace: Pace::Scrape,
    series_max: 300_000,
    make: |settings| Box::new(Lvs::new(settings)),
};

#[derive(Debug)]
struct Lvs {
    env: String,
    path: Option<PathBuf>,
    /// Who asks the API for it, where it is not in a file.
    watch: Option<Watch>,
    /// The last mapping that could be read, and when that was.
    mapping: Option<(Arc<Mapping>, SystemTime)>,
}

// === impl Lvs ===

impl Lvs {
    fn new(settings: &Settings) -> Self {
        Self {
            env: settings.env.clone(),
            path: settings.lvs_mapping.clone(),
            watch: settings.lvs_configmap.clone().map(Watch::start),
            mapping: None,
        }
    }

    /// Reads the mapping anew; an unreadable one leaves the last.
    fn reload(&mut self, context: &Context<'_>, out: &mut Families) {
        let well = if let Some(watch) = &self.watch {
            let latest = watch.latest(context.deadline);
            self.mapping = latest.mapping;
            latest.well
        } else if let Some(path) = &self.path {
            match Mapping::read(path) {
                Ok(mapping) => {
                    let well = mapping.wrong.is_empty();
                    self.mapping = Some((Arc::new(mapping), context.now));
                    well
                }
                Err(error) => {
                    tracing::debug!(%error, path = %path.display(), "the mapping of virtual addresses can't be read");
                    false
                }
            }
        } else {
            return;
        };
        out.push(&MAPPING_OK, &Labels::none(), well);
        if let Some((mapping, read)) = &self.mapping {
            out.push(&MAPPING_WRONG, &Labels::none(), mapping.wrong.len());
            if let Ok(since) = read.duration_since(UNIX_EPOCH) {
                out.push(&MAPPING_TIME, &Labels::none(), since.as_secs_f64());
            }
        }
    }
}

impl Probe for Lvs {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        self.reload(context, out);
        let director = read(context.place, out)?;
        totals(context.place, out);
        emit(
            &director,
            &self.env,
            self.mapping.as_ref().map(|(mapping, _)| &**mapping),
            out,
        );
        Ok(())
    }
}

/// By netlink, else from the file.
fn read(place: &Place, out: &mut Families) -> Result<Director, ProbeError> {
    let path = format!("{}/ip_vs", place.network());
    let mut why = None;
    if place.netlink_is_ours() {
        match kernel::ask() {
            Ok(Some(director)) => {
                out.push(&SOURCE, &Labels::of(&[("source", "netlink")]), 1_u64);
                return Ok(director);
            }
            // A patched director may have the file and not the family.
            Ok(None) => {}
            Err(error) if error.is_forbidden() => why = Some(error),
            Err(error) => {
                return Err(ProbeError::Kernel {
                    what: "virtual servers",
                    source: std::io::Error::other(error),
                });
            }
        }
    }
    let text = place.text(&path).map_err(|error| {
        if error.is_absent() && why.is_some() {
            ProbeError::unavailable(Reason::Permission, "IPVS needs CAP_NET_ADMIN")
        } else {
            ProbeError::of_read(error, Reason::NoModule)
        }
    })?;
    out.push(&SOURCE, &Labels::of(&[("source", "procfs")]), 1_u64);
    Ok(Director {
        services: table::parse(&text)?,
        ..Director::default()
    })
}

/// The node's sums, as `node_exporter` has them.
fn totals(place: &Place, out: &mut Families) {
    let path = format!("{}/ip_vs_stats", place.network());
    let Some(totals) = place
        .text(&path)
        .ok()
        .and_then(|text| table::parse_totals(&text))
    else {
        return;
    };
    counters(&NODE_TOTALS, &Labels::none(), &totals, out);
}

fn counters(families: &[Family; 5], labels: &Labels, counters: &Counters, out: &mut Families) {
    let values = [
        counters.conns,
        counters.inpkts,
        counters.outpkts,
        counters.inbytes,
        counters.outbytes,
    ];
    for (family, value) in families.iter().zip(values) {
        out.push(family, labels, value);
    }
}

/// The labels that a service and its real servers share.
#[derive(Clone, Debug)]
struct Names {
    env: String,
    linkaddr: String,
    vport: String,
    protocol: String,
    fwmark: String,
    namespace: String,
    service: String,
}

// === impl Names ===

impl Names {
    fn with(&self, endpoint: &str, port: &str, more: &[(&str, &str)]) -> Labels {
        let mut pairs = vec![
            ("endpoint", endpoint),
            ("env", &self.env),
            ("fwmark", &self.fwmark),
            ("linkaddr", &self.linkaddr),
            ("namespace", &self.namespace),
            ("port", port),
            ("protocol", &self.protocol),
            ("service", &self.service),
            ("vport", &self.vport),
        ];
        pairs.extend(more);
        Labels::of(&pairs)
    }
}

/// Emits a director. Pure.
pub fn emit(director: &Director, env: &str, mapping: Option<&Mapping>, out: &mut Families) {
    if let Some(buckets) = director.table_buckets {
        out.push(&TABLE_SIZE, &Labels::none(), buckets);
        let wide = director.services.iter().all(|service| service.wide);
        out.push(&WIDE, &Labels::none(), wide);
    }
    for daemon in &director.daemons {
        let id = daemon.id.to_string();
        let labels = Labels::of(&[
            ("interface", &daemon.interface),
            ("state", daemon.state),
            ("syncid", &id),
        ]);
        out.push(&DAEMON, &labels, 1_u64);
    }
    let mut programmed = HashSet::new();
    let mut unmapped = 0_u64;
    let mut known = Vec::with_capacity(director.services.len());
    for service in &director.services {
        let index = match (&service.key, mapping) {
            (Key::Address { protocol, ip, port }, Some(mapping)) => {
                mapping.of(*ip, *port, *protocol)
            }
            _ => None,
        };
        let named = index.and_then(|index| mapping?.entries.get(index));
        unmapped += u64::from(named.is_none());
        if let Some(index) = index {
            programmed.insert(index);
            missing_endpoints(service, env, mapping, index, out);
        }
        let names = names(&service.key, env, named);
        known.push((names.with("", "", &[]), names, service));
    }
    series::emit(known, out);
    if let Some(mapping) = mapping {
        out.push(&UNMAPPED, &Labels::none(), unmapped);
        let unprogrammed = mapping.entries.len() - programmed.len();
        out.push(&UNPROGRAMMED, &Labels::none(), unprogrammed);
        emit_mapping(mapping, director, env, out);
    }
}

fn names(key: &Key, env: &str, named: Option<&mapping::Entry>) -> Names {
    let (linkaddr, vport, protocol, fwmark) = match key {
        Key::Address { protocol, ip, port } => (
            ip.to_string(),
            port.to_string(),
            protocol.to_string(),
            String::new(),
        ),
        Key::Mark { mark, .. } => (
            String::new(),
            String::new(),
            String::new(),
            mark.to_string(),
        ),
    };
    Names {
        env: env.to_owned(),
        linkaddr,
        vport,
        protocol,
        fwmark,
        namespace: named
            .map(|entry| entry.namespace.clone())
            .unwrap_or_default(),
        service: named.map(|entry| entry.service.clone()).unwrap_or_default(),
    }
}

/// How many of the listed real servers the kernel does not carry.
fn missing_endpoints(
    service: &Service,
    env: &str,
    mapping: Option<&Mapping>,
    index: usize,
    out: &mut Families,
) {
    let Some(entry) = mapping.and_then(|mapping| mapping.entries.get(index)) else {
        return;
    };
    if entry.endpoints.is_empty() {
        return;
    }
    let carried: HashSet<(IpAddr, u16)> = service
        .destinations
        .iter()
        .map(|found| (found.ip, found.port))
        .collect();
    let missing = entry
        .endpoints
        .iter()
        .filter(|endpoint| !carried.contains(endpoint))
        .count();
    let labels = names(&service.key, env, Some(entry)).with("", "", &[]);
    out.push(&MAPPED_MISSING, &labels, missing);
}

/// The mapping itself; a name that only the kernel could resolve has the kernel's port.
fn emit_mapping(mapping: &Mapping, director: &Director, env: &str, out: &mut Families) {
    let mut resolved: BTreeMap<usize, u16> = BTreeMap::new();
    for service in &director.services {
        if let Key::Address { protocol, ip, port } = service.key
            && let Some(index) = mapping.of(ip, port, protocol)
        {
            resolved.insert(index, port);
        }
    }
    for (index, entry) in mapping.entries.iter().enumerate() {
        let names = Names {
            env: env.to_owned(),
            linkaddr: entry.ip.to_string(),
            vport: resolved
                .get(&index)
                .map_or_else(|| entry.port.label(), ToString::to_string),
            protocol: entry.protocol.to_string(),
            fwmark: String::new(),
            namespace: entry.namespace.clone(),
            service: entry.service.clone(),
        };
        out.push(&MAPPED, &names.with("", "", &[]), 1_u64);
    }
}

#[cfg(test)]
mod tests;
