//! Does the network behind this node answer?
//!
//! Every second each target is asked once: the default gateways of both families, and what is configured (the core
//! switch, a name server, peers). What the answers were is shown over a window of a minute and as counters, so that loss
//! does not depend on who scrapes how often; what they mean for the node is `/ready`'s answer.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::family::{Distribution, Families, Family, Value};
use crate::labels::Labels;
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};
use crate::probes::Settings;

use self::round::{Answer, Fault, Method, Pinger};
use self::target::{Target, gateways};
use self::verdict::{Readiness, Streak, Thresholds, Verdict};

pub mod echo;
pub mod round;
pub mod target;
pub mod verdict;

/// How often each target is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long an answer may take. It is less than the interval, so that rounds don't run into each other.
const PATIENCE: Duration = Duration::from_millis(800);
/// So many probes are the window: a minute.
const WINDOW: usize = 60;
/// More targets are not asked; each costs a packet a second.
const TARGETS_MAX: usize = 64;
/// Five seconds of silence are a failure, two answers the end of it.
const THRESHOLDS: Thresholds = Thresholds {
    fail: 5,
    recover: 2,
};
/// The first upper bound in seconds; each further one is twice the last.
const BOUND_FIRST: f64 = 5e-5;
const BOUNDS: usize = 17;

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "readiness",
    about: "Does the network behind this node answer?",
    families: FAMILIES,
    pace: Pace::Every(INTERVAL),
    series_max: 5_000,
    make: |settings| Box::new(Pings::new(settings)),
};

const T: &[&str] = &["ip", "ip_version", "method", "role", "target"];

const UP: Family = Family::gauge(
    "ping_up",
    T,
    "Whether the target answered one of the last 60 probes.",
);
const LOSS: Family = Family::gauge(
    "ping_loss_ratio",
    T,
    "Which part of the last 60 probes had no answer, 0 to 1.",
);
const BEST: Family = Family::gauge(
    "ping_rtt_best_seconds",
    T,
    "Shortest time to an answer among the last 60 probes.",
);
const WORST: Family = Family::gauge(
    "ping_rtt_worst_seconds",
    T,
    "Longest time to an answer among the last 60 probes.",
);
const MEAN: Family = Family::gauge(
    "ping_rtt_mean_seconds",
    T,
    "Mean time to an answer among the last 60 probes.",
);
const DEVIATION: Family = Family::gauge(
    "ping_rtt_std_deviation_seconds",
    T,
    "Standard deviation of the time to an answer among the last 60 probes.",
);
const SENT: Family = Family::counter("ping_probes_sent_total", T, "Probes sent to the target.");
const RECEIVED: Family = Family::counter(
    "ping_probes_received_total",
    T,
    "Probes that were answered in time.",
);
const DUPLICATES: Family = Family::counter(
    "ping_probes_duplicate_total",
    T,
    "Answers beyond the first to the same probe.",
);
const DURATION: Family =
    Family::histogram("ping_response_duration_seconds", T, "Time to an answer.");
const ERRORS: Family = Family::counter(
    "ping_probe_errors_total",
    &["method", "reason", "target"],
    "Probes that could not be sent: permission, send.",
);
const METHOD: Family = Family::gauge(
    "ping_method_info",
    &["method", "target"],
    "1; how the target is asked: icmp_dgram, icmp_raw, or tcp.",
);
const READY: Family = Family::gauge(
    "readiness_ready",
    &[],
    "Whether /ready answers 200 (1) or 503 (0).",
);
const CHECK: Family = Family::gauge(
    "readiness_check_ready",
    &["check"],
    "Whether a role is well: one of its targets answers.",
);
const GUARD: Family = Family::gauge(
    "readiness_guard_active",
    &[],
    "Whether the node stays ready only because its peers answer while every other target is silent.",
);
const TRANSITIONS: Family = Family::counter(
    "readiness_transitions_total",
    &[],
    "How often the node became ready or unready since nodetap started.",
);
const CHANGED: Family = Family::gauge(
    "readiness_last_change_timestamp_seconds",
    &[],
    "When readiness changed last, since the epoch.",
);
const REQUESTS: Family = Family::counter(
    "readiness_http_requests_total",
    &["code"],
    "Answers of /ready.",
);

const FAMILIES: &[Family] = &[
    UP,
    LOSS,
    BEST,
    WORST,
    MEAN,
    DEVIATION,
    SENT,
    RECEIVED,
    DUPLICATES,
    DURATION,
    ERRORS,
    METHOD,
    READY,
    CHECK,
    GUARD,
    TRANSITIONS,
    CHANGED,
    REQUESTS,
];

/// What is known of one target.
#[derive(Debug, Default)]
struct Known {
    method: Option<Method>,
    window: VecDeque<Option<f64>>,
    sent: u64,
    received: u64,
    duplicates: u64,
    errors: BTreeMap<Fault, u64>,
    buckets: [u64; BOUNDS],
    sum: f64,
    streak: Streak,
}

#[derive(Debug)]
struct Pings {
    configured: Vec<Target>,
    gateways: bool,
    readiness: Arc<Readiness>,
    remembered: Remembered,
    pinger: Pinger,
    known: HashMap<Target, Known>,
}

/// Which automatic targets have ever answered; survives a restart, or a node that starts while its gateway is silent
/// would be ready.
#[derive(Debug)]
struct Remembered {
    file: Option<PathBuf>,
    answered: BTreeSet<String>,
}

// === impl Pings ===

impl Pings {
    fn new(settings: &Settings) -> Self {
        // Our process's number and start tell our answers from those to another nodetap on this machine.
        let started = std::time::SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let token = u64::from(std::process::id()) << 32 ^ started.as_nanos() as u64;
        Self {
            configured: settings.ping_targets.clone(),
            gateways: settings.ping_gateways,
            readiness: Arc::clone(&settings.readiness),
            remembered: Remembered::read(
                settings.state.as_ref().map(|state| state.join("answered")),
            ),
            pinger: Pinger::new(token),
            known: HashMap::new(),
        }
    }

    fn take(&mut self, target: &Target, answer: Answer) {
        let known = self.known.entry(target.clone()).or_default();
        known.take(answer);
        if target.automatic {
            if known.streak.well {
                self.remembered.add(&target.name);
            }
            known.streak.gates = self.remembered.answered.contains(&target.name);
        } else {
            known.streak.gates = true;
        }
    }
}

impl Probe for Pings {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        let mut targets = self.configured.clone();
        if self.gateways {
            let found = gateways(context.place);
            targets.extend(
                found.into_iter().filter(|gateway| {
                    !self.configured.iter().any(|target| target.ip == gateway.ip)
                }),
            );
        }
        targets.truncate(TARGETS_MAX);
        let answers = self.pinger.round(&targets, PATIENCE);
        for (target, answer) in targets.iter().zip(answers) {
            self.take(target, answer);
        }
        // A gateway that is no longer one is forgotten.
        self.known.retain(|target, _| targets.contains(target));
        let judged = targets
            .iter()
            .filter_map(|target| Some((target, &self.known.get(target)?.streak)));
        let verdict = Verdict::of(judged);
        self.readiness.judge(verdict.clone(), context.now);
        emit_verdict(&self.readiness, &verdict, out);
        for target in &targets {
            if let Some(known) = self.known.get(target) {
                known.emit(target, out);
            }
        }
        if targets.is_empty() {
            return Err(ProbeError::unavailable(
                Reason::NotConfigured,
                "no target is configured, and there is no default gateway",
            ));
        }
        Ok(())
    }
}

fn emit_verdict(readiness: &Readiness, verdict: &Verdict, out: &mut Families) {
    out.push(&READY, &Labels::none(), verdict.ready);
    out.push(&GUARD, &Labels::none(), verdict.guarded);
    for (check, well) in &verdict.checks {
        out.push(&CHECK, &Labels::of(&[("check", check)]), *well);
    }
    let (transitions, changed) = readiness.transitions();
    out.push(&TRANSITIONS, &Labels::none(), transitions);
    if let Some(since) = changed.and_then(|changed| changed.duration_since(UNIX_EPOCH).ok()) {
        out.push(&CHANGED, &Labels::none(), since.as_secs_f64());
    }
    for (code, count) in readiness.requests() {
        out.push(
            &REQUESTS,
            &Labels::of(&[("code", &code.to_string())]),
            count,
        );
    }
}

// === impl Known ===

impl Known {
    fn take(&mut self, answer: Answer) {
        self.method = Some(answer.method);
        self.duplicates += answer.duplicates;
        for fault in Fault::ALL {
            self.errors.entry(fault).or_default();
        }
        let took = match answer.outcome {
            Ok(took) => {
                self.sent += 1;
                took
            }
            Err(fault) => {
                *self.errors.entry(fault).or_default() += 1;
                None
            }
        };
        if let Some(seconds) = took {
            self.received += 1;
            self.sum += seconds;
            let mut bound = BOUND_FIRST;
            for count in &mut self.buckets {
                *count += u64::from(seconds <= bound);
                bound *= 2.0;
            }
        }
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(took);
        self.streak.take(took.is_some(), THRESHOLDS);
    }

    fn emit(&self, target: &Target, out: &mut Families) {
        let method = self.method.map_or("", Method::as_str);
        let ip = target.ip.to_string();
        let labels = Labels::of(&[
            ("ip", &ip),
            ("ip_version", if target.ip.is_ipv6() { "6" } else { "4" }),
            ("method", method),
            ("role", &target.role),
            ("target", &target.name),
        ]);
        let times: Vec<f64> = self.window.iter().filter_map(|took| *took).collect();
        let count = times.len() as f64;
        out.push(&UP, &labels, !times.is_empty());
        out.push(
            &LOSS,
            &labels,
            1.0 - count / self.window.len().max(1) as f64,
        );
        if !times.is_empty() {
            let mean = times.iter().sum::<f64>() / count;
            let variance = times.iter().map(|took| (took - mean).powi(2)).sum::<f64>() / count;
            out.push(
                &BEST,
                &labels,
                times.iter().copied().fold(f64::INFINITY, f64::min),
            );
            out.push(&WORST, &labels, times.iter().copied().fold(0.0, f64::max));
            out.push(&MEAN, &labels, mean);
            out.push(&DEVIATION, &labels, variance.sqrt());
        }
        out.push(&SENT, &labels, self.sent);
        out.push(&RECEIVED, &labels, self.received);
        out.push(&DUPLICATES, &labels, self.duplicates);
        let bounds = std::iter::successors(Some(BOUND_FIRST), |bound| Some(bound * 2.0));
        let distribution = Distribution {
            buckets: bounds.zip(self.buckets).collect(),
            sum: self.sum,
            count: self.received,
        };
        out.push(
            &DURATION,
            &labels,
            Value::Distribution(Box::new(distribution)),
        );
        for (fault, count) in &self.errors {
            let labels = Labels::of(&[
                ("method", method),
                ("reason", fault.as_str()),
                ("target", &target.name),
            ]);
            out.push(&ERRORS, &labels, *count);
        }
        let labels = Labels::of(&[("method", method), ("target", &target.name)]);
        out.push(&METHOD, &labels, 1_u64);
    }
}

// === impl Remembered ===

impl Remembered {
    fn read(file: Option<PathBuf>) -> Self {
        let text = file
            .as_ref()
            .and_then(|file| fs::read_to_string(file).ok())
            .unwrap_or_default();
        Self {
            file,
            answered: text.lines().map(str::to_owned).take(TARGETS_MAX).collect(),
        }
    }

    fn add(&mut self, name: &str) {
        if !self.answered.insert(name.to_owned()) {
            return;
        }
        let Some(file) = &self.file else {
            return;
        };
        let mut text = String::new();
        for name in &self.answered {
            text.push_str(name);
            text.push('\n');
        }
        let made = file.parent().map_or(Ok(()), fs::create_dir_all);
        if let Err(error) = made.and_then(|()| fs::write(file, text)) {
            tracing::warn!(%error, file = %file.display(), "cannot remember which gateways answer");
        }
    }
}

#[cfg(test)]
mod tests;
