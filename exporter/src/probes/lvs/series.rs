//! Which series does a director have? Its services and real servers, a family after the other.

use std::collections::BTreeMap;

use crate::family::{Families, Family, Value};
use crate::labels::Labels;

use super::families::{
    ENDPOINT_ACTIVE, ENDPOINT_INACTIVE, ENDPOINT_INFO, ENDPOINT_PERSISTENT, ENDPOINT_STATS,
    ENDPOINT_THRESHOLD, ENDPOINT_WEIGHT, SERVICE_ACTIVE, SERVICE_ENDPOINTS, SERVICE_INFO,
    SERVICE_STATS, SERVICE_TIMEOUT,
};
use super::table::{Counters, Destination, FLAG_PERSISTENT, Service};
use super::{Names, counters};

/// Services and real servers, in the order of their labels so that nothing is sorted again for each family.
///
/// A mark may have a service for each family of addresses; their labels are the same, so they are one series.
pub(super) fn emit(mut known: Vec<(Labels, Names, &Service)>, out: &mut Families) {
    known.sort_by(|(one, ..), (two, ..)| one.cmp(two));
    let mut sums: BTreeMap<&Labels, Sum> = BTreeMap::new();
    for (labels, names, service) in &known {
        let sum = sums.entry(labels).or_default();
        if let Some(found) = &service.counters {
            sum.add(found);
        }
        sum.endpoints += service.destinations.len() as u64;
        let active = service.destinations.iter().filter(|found| found.weight > 0);
        sum.active += active.count() as u64;
        let family = if service.key.is_ipv6() {
            "ipv6"
        } else {
            "ipv4"
        };
        let more = [
            ("family", family),
            ("flags", &service.flag_names()),
            ("persistence_engine", &service.persistence_engine),
            ("scheduler", &service.scheduler),
        ];
        out.push(&SERVICE_INFO, &names.with("", "", &more), 1_u64);
        if let Some(seconds) = service.timeout_seconds
            && service.flags & FLAG_PERSISTENT != 0
        {
            out.push(&SERVICE_TIMEOUT, labels, seconds);
        }
    }
    for (labels, sum) in sums {
        if let Some(found) = &sum.counters {
            counters(&SERVICE_STATS, labels, found, out);
        }
        out.push(&SERVICE_ENDPOINTS, labels, sum.endpoints);
        out.push(&SERVICE_ACTIVE, labels, sum.active);
    }
    let mut endpoints: Vec<Endpoint<'_>> = known
        .iter()
        .flat_map(|(_, names, service)| {
            let destinations = service.destinations.iter();
            destinations.map(move |found| Endpoint::new(names, found))
        })
        .collect();
    endpoints.sort_by(|one, two| one.labels.cmp(&two.labels));
    emit_endpoints(&endpoints, out);
}

/// A real server with its labels, which all its families share.
struct Endpoint<'a> {
    labels: Labels,
    info: Labels,
    /// For families with a label of their own.
    names: &'a Names,
    ip: String,
    port: String,
    found: &'a Destination,
}

// === impl Endpoint ===

impl<'a> Endpoint<'a> {
    fn new(names: &'a Names, found: &'a Destination) -> Self {
        let (ip, port) = (found.ip.to_string(), found.port.to_string());
        let info = [
            ("forward_method", found.forward.as_str()),
            ("tunnel_type", found.tunnel),
        ];
        Self {
            labels: names.with(&ip, &port, &[]),
            info: names.with(&ip, &port, &info),
            names,
            ip,
            port,
            found,
        }
    }
}

#[derive(Debug, Default)]
struct Sum {
    counters: Option<Counters>,
    endpoints: u64,
    active: u64,
}

// === impl Sum ===

impl Sum {
    fn add(&mut self, more: &Counters) {
        let sum = self.counters.get_or_insert_default();
        sum.conns = sum.conns.wrapping_add(more.conns);
        sum.inpkts = sum.inpkts.wrapping_add(more.inpkts);
        sum.outpkts = sum.outpkts.wrapping_add(more.outpkts);
        sum.inbytes = sum.inbytes.wrapping_add(more.inbytes);
        sum.outbytes = sum.outbytes.wrapping_add(more.outbytes);
    }
}

/// A family after the other: a large director has eight thousand real servers.
fn emit_endpoints(endpoints: &[Endpoint<'_>], out: &mut Families) {
    let mut all = |family: &Family, value: &dyn Fn(&Destination) -> Option<Value>| {
        let series = endpoints.iter().filter_map(|endpoint| {
            let value = value(endpoint.found)?;
            Some((endpoint.labels.clone(), value))
        });
        out.extend(family, series);
    };
    let carried: [fn(&Counters) -> u64; 5] = [
        |counters| counters.conns,
        |counters| counters.inpkts,
        |counters| counters.outpkts,
        |counters| counters.inbytes,
        |counters| counters.outbytes,
    ];
    for (family, carried) in ENDPOINT_STATS.iter().zip(carried) {
        all(family, &|found| {
            found
                .counters
                .as_ref()
                .map(|counters| carried(counters).into())
        });
    }
    all(&ENDPOINT_WEIGHT, &|found| {
        Some((found.weight as f64).into())
    });
    all(&ENDPOINT_ACTIVE, &|found| Some(found.active.into()));
    all(&ENDPOINT_INACTIVE, &|found| Some(found.inactive.into()));
    all(&ENDPOINT_PERSISTENT, &|found| {
        found.persistent.map(Value::from)
    });
    let infos = endpoints
        .iter()
        .map(|endpoint| (endpoint.info.clone(), 1_u64.into()));
    out.extend(&ENDPOINT_INFO, infos);
    for endpoint in endpoints {
        emit_thresholds(endpoint, out);
    }
}

/// Without an upper threshold there is none at all.
fn emit_thresholds(endpoint: &Endpoint<'_>, out: &mut Families) {
    let Endpoint {
        names,
        ip,
        port,
        found,
        ..
    } = endpoint;
    if found.upper_threshold.is_none_or(|upper| upper == 0) {
        return;
    }
    let bounds = [
        ("upper", found.upper_threshold),
        ("lower", found.lower_threshold),
    ];
    for (bound, value) in bounds {
        if let Some(value) = value {
            let labels = names.with(ip, port, &[("bound", bound)]);
            out.push(&ENDPOINT_THRESHOLD, &labels, value);
        }
    }
}
