//! Is Calico well on this node? Felix and Typha as they tell themselves, BIRD's sessions, and one gauge over all.
//!
//! Felix and Typha run in the node's network: their health endpoints and, where they are on, their metrics answer on
//! loopback. Metrics are passed on under their own names (`felix_*`, `typha_*`); what every Go program has beside them
//! stays out, for it would be taken for ours. BIRD is asked over its control socket and has the names of `bird_exporter`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::exposition;
use crate::family::{Families, Family, Group, Value};
use crate::labels::Labels;
use crate::place::Place;
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};
use crate::probes::jvm::agents::fetch::{self, Refusal};

use self::bird::Daemon;

pub mod bird;

mod families;

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "calico",
    about: "Is Calico well on this node? Beside these, `felix_*` and `typha_*` with their own kinds and helps.",
    families: FAMILIES,
    pace: Pace::Every(Duration::from_secs(15)),
    series_max: 20_000,
    make: |_| Box::new(Calico::default()),
};

const HEALTHY: Family = Family::gauge(
    "calico_healthy",
    &["reason"],
    "Whether all of Calico on this node is well (1, reason ok), or the first thing that is not (0): felix_not_live, felix_not_ready, felix_not_in_sync, typha_not_live, typha_not_ready, bird_silent, bgp_session_down.",
);
const PROBE: Family = Family::gauge(
    "calico_health_probe_success",
    &["check", "component"],
    "Whether the component's own health endpoint says that it is live, or ready.",
);
const PROBE_DURATION: Family = Family::gauge(
    "calico_health_probe_duration_seconds",
    &["check", "component"],
    "How long the component's health endpoint took.",
);
const RELAYED: Family = Family::gauge(
    "calico_metrics_relayed",
    &["component"],
    "Whether the component's own metrics are on and were passed on.",
);
const REFUSED: Family = Family::counter(
    "calico_metrics_refused_total",
    &["component", "reason"],
    "Answers with metrics that were not taken: late, malformed, status, too_large. A component whose metrics are off is none.",
);

const ALL: [Family; 33] = families::all([HEALTHY, PROBE, PROBE_DURATION, RELAYED, REFUSED]);

const FAMILIES: &[Family] = &ALL;

/// How long each question may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The most series of one component; Felix has some hundred.
const SERIES_MAX: usize = 5_000;

/// Where BIRD's sockets are: Calico's two of version 1.6 (one with both families in newer images), and Debian's.
const SOCKETS: [(&str, &str); 6] = [
    ("run/calico/bird.ctl", "4"),
    ("run/calico/bird6.ctl", "6"),
    ("var/run/calico/bird.ctl", "4"),
    ("var/run/calico/bird6.ctl", "6"),
    ("run/bird/bird.ctl", "4"),
    ("run/bird/bird6.ctl", "6"),
];

/// What answers on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Component {
    /// The label, and the beginning of its families' names.
    name: &'static str,
    /// The process, as the kernel keeps its name.
    process: &'static str,
    health: u16,
    metrics: u16,
    not_live: &'static str,
    not_ready: &'static str,
}

const COMPONENTS: [Component; 2] = [
    Component {
        name: "felix",
        process: "calico-node",
        health: 9099,
        metrics: 9091,
        not_live: "felix_not_live",
        not_ready: "felix_not_ready",
    },
    Component {
        name: "typha",
        process: "calico-typha",
        health: 9098,
        metrics: 9093,
        not_live: "typha_not_live",
        not_ready: "typha_not_ready",
    },
];

/// Why an answer with metrics is not taken; one that nobody gives is no refusal.
const REFUSALS: [Refusal; 4] = [
    Refusal::Late,
    Refusal::Malformed,
    Refusal::Status,
    Refusal::TooLarge,
];

/// `felix_resync_state`: in sync with the datastore.
const IN_SYNC: f64 = 3.0;

#[derive(Debug, Default)]
struct Calico {
    refused: [[u64; REFUSALS.len()]; COMPONENTS.len()],
}

impl Probe for Calico {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        let place = context.place;
        let sockets = sockets(place);
        let here = processes(place);
        let components: Vec<(usize, Component)> = COMPONENTS
            .into_iter()
            .enumerate()
            .filter(|(_, component)| here.iter().any(|name| name == component.process))
            .collect();
        if sockets.is_empty() && components.is_empty() {
            return Err(ProbeError::unavailable(
                Reason::NoFile,
                "neither Calico nor BIRD is on this node",
            ));
        }
        let mut trouble = Vec::new();
        let is_ours = place.netlink_is_ours();
        for (index, component) in components.iter().filter(|_| is_ours) {
            self.component(*index, component, out, &mut trouble);
        }
        for (socket, ip_version) in &sockets {
            daemon(socket, ip_version, out, &mut trouble);
        }
        let reason = trouble.first().copied().unwrap_or("ok");
        let labels = Labels::of(&[("reason", reason)]);
        out.push(&HEALTHY, &labels, trouble.is_empty());
        if !is_ours && !components.is_empty() {
            return Err(ProbeError::unavailable(
                Reason::OtherNetwork,
                "Felix and Typha answer in the node's network only",
            ));
        }
        Ok(())
    }
}

// === impl Calico ===

impl Calico {
    /// Asks one component how it is, and for its metrics.
    fn component(
        &mut self,
        index: usize,
        component: &Component,
        out: &mut Families,
        trouble: &mut Vec<&'static str>,
    ) {
        let checks = [
            ("liveness", component.not_live),
            ("readiness", component.not_ready),
        ];
        for (check, reason) in checks {
            let began = Instant::now();
            let path = format!("/{check}");
            let well = fetch::get(loopback(component.health), &path, began + TIMEOUT)
                .is_ok_and(|(status, _)| (200..300).contains(&status));
            let labels = Labels::of(&[("check", check), ("component", component.name)]);
            out.push(&PROBE, &labels, well);
            out.push(&PROBE_DURATION, &labels, began.elapsed().as_secs_f64());
            if !well {
                trouble.push(reason);
            }
        }
        let relayed = metrics(component);
        let labels = Labels::of(&[("component", component.name)]);
        out.push(&RELAYED, &labels, relayed.is_ok());
        match relayed {
            Ok(groups) => {
                if groups.iter().any(is_out_of_sync) {
                    trouble.push("felix_not_in_sync");
                }
                for group in groups {
                    out.insert(group);
                }
            }
            Err(refusal) => {
                let counts = self.refused.get_mut(index).into_iter().flatten();
                for (known, count) in REFUSALS.iter().zip(counts) {
                    *count += u64::from(*known == refusal);
                }
            }
        }
        let counts = self.refused.get(index).into_iter().flatten();
        for (refusal, count) in REFUSALS.iter().zip(counts) {
            let labels = Labels::of(&[("component", component.name), ("reason", refusal.as_str())]);
            out.push(&REFUSED, &labels, *count);
        }
    }
}

/// What a component says of itself: its own families and no others.
fn metrics(component: &Component) -> Result<Vec<Group>, Refusal> {
    let deadline = Instant::now() + TIMEOUT;
    let (status, text) = fetch::get(loopback(component.metrics), "/metrics", deadline)?;
    if status != 200 {
        return Err(Refusal::Status);
    }
    let mut groups = exposition::parse(&text, &[], SERIES_MAX).map_err(|error| {
        tracing::debug!(component = component.name, %error, "metrics are not understood");
        Refusal::Malformed
    })?;
    groups.retain(|group| {
        let rest = group.name.strip_prefix(component.name);
        rest.is_some_and(|rest| rest.starts_with('_'))
    });
    Ok(groups)
}

fn is_out_of_sync(group: &Group) -> bool {
    let is_in_sync = |value: &Value| match value {
        Value::Whole(state) => *state as f64 >= IN_SYNC,
        Value::Number(state) => *state >= IN_SYNC,
        Value::Distribution(_) | Value::Summary(_) => true,
    };
    group.name == "felix_resync_state" && group.series.iter().any(|(_, value)| !is_in_sync(value))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Asks the BIRD behind one socket.
fn daemon(socket: &Path, ip_version: &str, out: &mut Families, trouble: &mut Vec<&'static str>) {
    match bird::ask(socket, ip_version, Instant::now() + TIMEOUT) {
        Ok(daemon) => {
            families::emit(&daemon, ip_version, out);
            if is_any_session_down(&daemon) {
                trouble.push("bgp_session_down");
            }
        }
        Err(error) => {
            tracing::debug!(socket = %socket.display(), error = &error as &dyn std::error::Error, "BIRD does not answer");
            families::silent(ip_version, out);
            trouble.push("bird_silent");
        }
    }
}

fn is_any_session_down(daemon: &Daemon) -> bool {
    daemon.channels.iter().any(|channel| {
        let is_well = channel.up && channel.state == "Established";
        channel.proto == "BGP" && !channel.disabled && !is_well
    })
}

/// The sockets that are there, each once though two paths lead to it. BIRD of the second generation has both families
/// behind one: then its channels tell which is which.
fn sockets(place: &Place) -> Vec<(PathBuf, &'static str)> {
    let mut found: Vec<(PathBuf, &'static str)> = Vec::new();
    let mut seen = Vec::new();
    for (path, ip_version) in SOCKETS {
        let path = place.path(path);
        let Ok(real) = path.canonicalize() else {
            continue;
        };
        if !seen.contains(&real) {
            seen.push(real);
            found.push((path, ip_version));
        }
    }
    found
}

/// The names of all processes, as the kernel keeps them.
fn processes(place: &Place) -> Vec<String> {
    let names = place.names("proc").unwrap_or_default();
    names
        .iter()
        .filter(|name| name.starts_with(|letter: char| letter.is_ascii_digit()))
        .filter_map(|name| place.text(&format!("proc/{name}/comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}

#[cfg(test)]
mod tests;
