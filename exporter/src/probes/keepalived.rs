//! Are the real servers well, and does the kernel know?
//!
//! keepalived removes a real server, or gives it weight 0, when its check fails. What it says in its log, in its notify
//! FIFO and, where it was made to write one lately, in the dump of its checkers is joined with the kernel's own table: a
//! check that fails or has not run, a real server that the one has and the other has not, a weight that can't be meant.
//! keepalived is signalled to write its dumps only where the configuration allows it (`export.keepalived_dump`): else a
//! dump is somebody else's doing. An old one counts as none.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags};

use crate::family::{Families, Family};
use crate::labels::Labels;
use crate::place::Place;
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};
use crate::probes::Settings;
use crate::probes::lvs::kernel;
use crate::probes::lvs::table::{Key, parse as parse_table};

use self::fifo::Fifo;
use self::follow::Follower;
use self::log::{Place as Placed, Server};
use self::model::{Carried, Mismatch, Model, carried};
use self::vrrp::Instances;

pub mod dump;
mod fifo;
mod follow;
pub mod log;
pub mod model;
mod request;
pub mod vrrp;

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "keepalived",
    about: "Are the real servers well, and does the kernel know?",
    families: FAMILIES,
    pace: Pace::Every(Duration::from_secs(5)),
    series_max: 50_000,
    make: |settings| Box::new(Keepalived::new(settings)),
};

const V: &[&str] = &["fwmark", "linkaddr", "protocol", "vport"];
const R: &[&str] = &[
    "endpoint", "fwmark", "linkaddr", "port", "protocol", "vport",
];
const R_KIND: &[&str] = &[
    "endpoint", "fwmark", "kind", "linkaddr", "port", "protocol", "vport",
];
const C: &[&str] = &[
    "checker", "dynamic", "endpoint", "fwmark", "linkaddr", "method", "port", "protocol", "vport",
];

const UP: Family = Family::gauge("keepalived_up", &[], "Whether a keepalived process runs.");
const VRRP: Family = Family::gauge(
    "keepalived_vrrp_state",
    &["iname"],
    "State of a VRRP instance: 0 init, 1 backup, 2 master, 3 fault.",
);
const SERVICE_ALIVE: Family = Family::gauge(
    "keepalived_virtualserver_alive",
    V,
    "Whether a virtual server is alive, by the dump.",
);
const QUORUM: Family = Family::gauge(
    "keepalived_virtualserver_quorum",
    V,
    "Weight of real servers that a virtual server needs, by the dump.",
);
const QUORUM_UP: Family = Family::gauge(
    "keepalived_virtualserver_quorum_up",
    V,
    "Whether a virtual server has enough real servers.",
);
const ALIVE: Family = Family::gauge(
    "keepalived_realserver_alive",
    R,
    "Whether keepalived takes a real server for alive.",
);
const SET: Family = Family::gauge(
    "keepalived_realserver_set",
    R,
    "Whether keepalived says it has put a real server into the kernel's table, by the dump.",
);
const FAILED: Family = Family::gauge(
    "keepalived_realserver_failed_checkers",
    R,
    "Checks of a real server that fail, by the dump.",
);
const WEIGHT: Family = Family::gauge(
    "keepalived_realserver_weight",
    R,
    "Configured weight of a real server, by the dump.",
);
const EFFECTIVE: Family = Family::gauge(
    "keepalived_realserver_effective_weight",
    R,
    "Weight that a real server should have now.",
);
const MISMATCH: Family = Family::gauge(
    "keepalived_realserver_ipvs_mismatch",
    R_KIND,
    "Whether the kernel's table differs from what keepalived says: missing_in_ipvs, unexpected_in_ipvs, weight, weight_range.",
);
const CHECKER_UP: Family = Family::gauge(
    "keepalived_checker_up",
    C,
    "Whether a health check is well.",
);
const CHECKER_ENABLED: Family = Family::gauge(
    "keepalived_checker_enabled",
    C,
    "Whether a health check runs at all.",
);
const CHECKER_RUN: Family = Family::gauge(
    "keepalived_checker_has_run",
    C,
    "Whether a health check has run yet.",
);
const CHECKER_WEIGHT: Family = Family::gauge(
    "keepalived_checker_weight",
    C,
    "What a health check adds to the weight, by the dump.",
);
const RESULTS: Family = Family::counter(
    "keepalived_misc_check_results_total",
    &["checker", "endpoint", "port", "result"],
    "Results of MISC_CHECK scripts that the log told since nodetap started: succeeded, failed, timed_out. keepalived logs changes only, unless told otherwise.",
);
const DUMP_TIME: Family = Family::gauge(
    "keepalived_dump_timestamp_seconds",
    &["file"],
    "When a dump was written, since the epoch; one older than two minutes is not used.",
);

const FAMILIES: &[Family] = &[
    UP,
    VRRP,
    vrrp::FAMILIES[0],
    vrrp::FAMILIES[1],
    vrrp::FAMILIES[2],
    vrrp::FAMILIES[3],
    vrrp::FAMILIES[4],
    vrrp::FAMILIES[5],
    vrrp::FAMILIES[6],
    vrrp::FAMILIES[7],
    vrrp::FAMILIES[8],
    vrrp::FAMILIES[9],
    vrrp::FAMILIES[10],
    vrrp::FAMILIES[11],
    vrrp::FAMILIES[12],
    vrrp::FAMILIES[13],
    vrrp::FAMILIES[14],
    vrrp::FAMILIES[15],
    SERVICE_ALIVE,
    QUORUM,
    QUORUM_UP,
    ALIVE,
    SET,
    FAILED,
    WEIGHT,
    EFFECTIVE,
    MISMATCH,
    CHECKER_UP,
    CHECKER_ENABLED,
    CHECKER_RUN,
    CHECKER_WEIGHT,
    RESULTS,
    DUMP_TIME,
];

/// Where keepalived's lines usually are.
const LOGS: [&str; 4] = [
    "var/log/keepalived.log",
    "var/log/syslog",
    "var/log/messages",
    "var/log/daemon.log",
];
const PID_FILES: [&str; 3] = [
    "run/keepalived.pid",
    "run/keepalived/keepalived.pid",
    "var/run/keepalived.pid",
];
/// The dump of the checkers, and the two of VRRP.
const DUMP: &str = "keepalived_check.data";
const VRRP_DUMP: &str = "keepalived.data";
const VRRP_STATS: &str = "keepalived.stats";
/// How often keepalived is made to write them, where that is allowed.
const DUMP_INTERVAL: Duration = Duration::from_secs(30);
/// A dump shows one moment; after so long the log knows better.
const DUMP_FRESH: Duration = Duration::from_mins(2);
/// keepalived writes a line to its log when it begins a dump, and the last of its processes ends a little later.
const DUMP_SLACK: Duration = Duration::from_secs(2);
const DUMP_BYTES_MAX: u64 = 16 << 20;

#[derive(Debug)]
struct Keepalived {
    logs: Vec<Follower>,
    fifo: Option<Fifo>,
    model: Model,
    vrrp: Instances,
    /// Whether keepalived may be signalled, and when it was.
    may_signal: bool,
    signalled: Option<Instant>,
    /// The dumps that were taken last, by name.
    dumped: BTreeMap<&'static str, SystemTime>,
    /// When the log was written that told of keepalived's past before we began to follow it.
    past: Option<SystemTime>,
    /// Whether that past was read.
    followed: bool,
    /// Whether a keepalived was ever seen or heard of: from then on its absence is worth a sample.
    met: bool,
}

// === impl Keepalived ===

impl Keepalived {
    fn new(settings: &Settings) -> Self {
        let logs = match &settings.keepalived_log {
            Some(path) => vec![Follower::new(path.trim_start_matches('/'))],
            None => LOGS.map(Follower::new).into(),
        };
        Self {
            logs,
            fifo: settings.keepalived_fifo.as_deref().map(Fifo::new),
            model: Model::default(),
            vrrp: Instances::default(),
            may_signal: settings.keepalived_dump,
            signalled: None,
            dumped: BTreeMap::new(),
            past: None,
            followed: false,
            met: false,
        }
    }

    fn read_logs(&mut self, place: &Place) {
        let model = &mut self.model;
        for log in &mut self.logs {
            let mut told = false;
            log.read(place, |line| {
                if let Some(event) = log::event(line) {
                    told = true;
                    model.take(event);
                }
            });
            self.met |= told;
            if told && !self.followed {
                self.past = self.past.max(log.modified(place));
            }
        }
        self.followed = true;
    }

    /// Reads the notify FIFO, where there is one for us.
    fn read_fifo(&mut self, place: &Place) {
        let model = &mut self.model;
        let mut told = false;
        let read = self.fifo.as_mut().map(|fifo| {
            fifo.read(place, |event| {
                told = true;
                model.take(event);
            })
        });
        if let Some(Err(error)) = read {
            tracing::debug!(%error, "keepalived's notify FIFO can't be read");
        }
        self.met |= told;
    }

    /// Takes the dumps that are new, fresh, and not older than the past that the log has just told.
    fn read_dumps(&mut self, context: &Context<'_>, pid: u64, out: &mut Families) {
        if let Some(text) = self.fresh_dump(context, pid, DUMP, out) {
            self.model.replace(dump::parse(&text));
        }
        if let Some(text) = self.fresh_dump(context, pid, VRRP_DUMP, out) {
            self.vrrp.describe(&text);
            for (instance, state) in self.vrrp.states() {
                self.model.take(log::Event::State {
                    instance: instance.to_owned(),
                    state,
                });
            }
        }
        if let Some(text) = self.fresh_dump(context, pid, VRRP_STATS, out) {
            self.vrrp.count(&text);
        }
    }

    fn fresh_dump(
        &mut self,
        context: &Context<'_>,
        pid: u64,
        name: &'static str,
        out: &mut Families,
    ) -> Option<String> {
        // keepalived may have a /tmp of its own.
        let (text, written) = dump_text(context.place, &format!("proc/{pid}/root/tmp/{name}"))
            .or_else(|_| dump_text(context.place, &format!("tmp/{name}")))
            .ok()?;
        if let Ok(since) = written.duration_since(UNIX_EPOCH) {
            let labels = Labels::of(&[("file", name)]);
            out.push(&DUMP_TIME, &labels, since.as_secs_f64());
        }
        let age = context.now.duration_since(written).unwrap_or_default();
        let past = self.past.is_some_and(|past| written + DUMP_SLACK < past);
        let is_new = age <= DUMP_FRESH && !past && self.dumped.get(name) != Some(&written);
        is_new.then(|| {
            self.dumped.insert(name, written);
            text
        })
    }

    /// Makes keepalived write its dumps, to be read the next time; they are written in pieces.
    fn ask_for_dumps(&mut self, place: &Place, pid: u64) {
        let is_due = self
            .signalled
            .is_none_or(|last| DUMP_INTERVAL <= last.elapsed());
        if self.may_signal && is_due {
            self.signalled = Some(Instant::now());
            if let Err(error) = request::dumps(place, pid) {
                tracing::warn!(%error, pid, "keepalived can't be made to write its dumps");
            }
        }
    }
}

impl Probe for Keepalived {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        let place = context.place;
        let pid = running(place);
        self.read_logs(place);
        self.read_fifo(place);
        match pid {
            Some(pid) => {
                self.read_dumps(context, pid, out);
                self.ask_for_dumps(place, pid);
            }
            None => self.vrrp = Instances::default(),
        }
        self.met |= pid.is_some();
        if !self.met {
            return Err(ProbeError::unavailable(
                Reason::NoFile,
                "no keepalived runs here, and no log tells of one",
            ));
        }
        out.push(&UP, &Labels::none(), pid.is_some());
        let table = pid.and_then(|_| kernel_table(place));
        emit(&self.model, table.as_ref(), out);
        self.vrrp.emit(out);
        Ok(())
    }
}

/// The process of a pid file, if it is keepalived.
fn running(place: &Place) -> Option<u64> {
    PID_FILES.iter().find_map(|file| {
        let pid = place.number(file).ok()?;
        is_keepalived(place, pid).then_some(pid)
    })
}

fn is_keepalived(place: &Place, pid: u64) -> bool {
    place
        .text(&format!("proc/{pid}/comm"))
        .is_ok_and(|name| name.trim() == "keepalived")
}

/// What the kernel carries; `None` where that can't be known.
fn kernel_table(place: &Place) -> Option<Carried> {
    if place.netlink_is_ours()
        && let Ok(Some(director)) = kernel::ask()
    {
        return Some(carried(&director.services));
    }
    let text = place.text(&format!("{}/ip_vs", place.network())).ok()?;
    Some(carried(&parse_table(&text).ok()?))
}

/// Reads a dump. /tmp is everybody's: only a plain file of root's, with one name, is keepalived's.
fn dump_text(place: &Place, path: &str) -> io::Result<(String, SystemTime)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(place.path(path), flags, Mode::empty())?);
    let found = file.metadata()?;
    let owner = fs::metadata(place.path("."))?.uid();
    if !found.is_file() || found.nlink() != 1 || found.uid() != owner {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut bytes = Vec::new();
    file.take(DUMP_BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok((text, found.modified()?))
}

/// Emits what is known; without the kernel's table nothing is compared.
fn emit(model: &Model, carried: Option<&Carried>, out: &mut Families) {
    for (instance, state) in &model.instances {
        let labels = Labels::of(&[("iname", instance)]);
        out.push(&VRRP, &labels, u64::from(*state));
    }
    for (key, state) in &model.services {
        let labels = labels(key, None, &[]);
        if let Some(alive) = state.alive {
            out.push(&SERVICE_ALIVE, &labels, alive);
        }
        if let Some(quorum) = state.quorum {
            out.push(&QUORUM, &labels, quorum);
        }
        if let Some(up) = state.quorum_up {
            out.push(&QUORUM_UP, &labels, up);
        }
    }
    for ((key, server), state) in &model.servers {
        let of = labels(key, Some(*server), &[]);
        out.push(&ALIVE, &of, state.place == Placed::In);
        let optional = [
            (&SET, state.set.map(f64::from)),
            (&FAILED, state.failed_checkers.map(|failed| failed as f64)),
            (&WEIGHT, state.configured.map(|weight| weight as f64)),
            (&EFFECTIVE, state.weight.map(|weight| weight as f64)),
        ];
        for (family, value) in optional {
            if let Some(value) = value {
                out.push(family, &of, value);
            }
        }
        if let Some(carried) = carried {
            let found = model.mismatches(key, *server, carried);
            for kind in Mismatch::ALL {
                let labels = labels(key, Some(*server), &[("kind", kind.as_str())]);
                out.push(&MISMATCH, &labels, found.contains(&kind));
            }
        }
    }
    emit_checkers(model, out);
}

fn emit_checkers(model: &Model, out: &mut Families) {
    for ((service, server, method, script), state) in &model.checkers {
        let more = [
            ("checker", script.as_str()),
            (
                "dynamic",
                state
                    .dynamic
                    .map_or("", |dynamic| if dynamic { "true" } else { "false" }),
            ),
            ("method", method.as_str()),
        ];
        let unknown = Key::Mark {
            mark: 0,
            ipv6: false,
        };
        let of = labels(service.as_ref().unwrap_or(&unknown), Some(*server), &more);
        out.push(&CHECKER_UP, &of, state.up);
        out.push(&CHECKER_ENABLED, &of, state.enabled);
        out.push(&CHECKER_RUN, &of, state.has_run);
        if let Some(weight) = state.weight {
            out.push(&CHECKER_WEIGHT, &of, weight as f64);
        }
    }
    for (((ip, port), script, result), count) in &model.results {
        let labels = Labels::of(&[
            ("checker", script.as_str()),
            ("endpoint", &ip.to_string()),
            ("port", &port.to_string()),
            ("result", result.as_str()),
        ]);
        out.push(&RESULTS, &labels, *count);
    }
}

/// The labels of a virtual or a real server. The mark 0 is no virtual server.
fn labels(key: &Key, server: Option<Server>, more: &[(&str, &str)]) -> Labels {
    let (linkaddr, vport, protocol, fwmark) = match key {
        Key::Address { protocol, ip, port } => (
            ip.to_string(),
            port.to_string(),
            protocol.to_string(),
            String::new(),
        ),
        Key::Mark { mark: 0, .. } => Default::default(),
        Key::Mark { mark, .. } => (
            String::new(),
            String::new(),
            String::new(),
            mark.to_string(),
        ),
    };
    let (endpoint, port) = server.map_or_else(Default::default, |(ip, port)| {
        (ip.to_string(), port.to_string())
    });
    let mut pairs = vec![
        ("fwmark", fwmark.as_str()),
        ("linkaddr", &linkaddr),
        ("protocol", &protocol),
        ("vport", &vport),
    ];
    if server.is_some() {
        pairs.extend([("endpoint", endpoint.as_str()), ("port", port.as_str())]);
    }
    pairs.extend(more);
    Labels::of(&pairs)
}

#[cfg(test)]
mod tests;
