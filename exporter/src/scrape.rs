//! What is there now? Runs the probes, each on a thread of its own, and puts what they found together.
//!
//! A probe that hangs (a dead NFS mount, a kernel lock) hangs alone: the scrape goes on without it at its deadline and
//! says so. Probes with an interval of their own run whether someone scrapes or not; a scrape shows their last result.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::family::{DropReason, Families, Family};
use crate::labels::Labels;
use crate::place::Place;
use crate::probe::{Context, Entry, Pace, Probe, Reason};
use crate::probes::pod_readiness::{self, PodReadiness};
use crate::probes::readiness::verdict::Readiness;
use crate::probes::talkers::top::Top;
use crate::probes::{PROBES, Settings, jvm, readiness};
use crate::text;

/// How many scrapes may wait for one probe; more are told that it is late.
const WAITING_MAX: usize = 8;

/// How long a probe with its own interval may take before a person should look.
const PACED_DEADLINE: Duration = Duration::from_mins(1);

/// A probe thread's stack: no probe recurses, and small threads keep an idle exporter small.
const STACK_BYTES: usize = 512 << 10;

/// Whether a probe ran without failing; a subsystem that is not there is no failure.
const SUCCESS: Family = Family::gauge(
    "nodetap_probe_success",
    &["probe"],
    "Whether the probe's last run did not fail (1); a subsystem that is not on this node is no failure.",
);
const DURATION: Family = Family::gauge(
    "nodetap_probe_duration_seconds",
    &["probe"],
    "How long the probe's last run took.",
);
const AVAILABLE: Family = Family::gauge(
    "nodetap_probe_available",
    &["probe", "reason"],
    "Whether what the probe reads is there (1, reason ok), or why not (0).",
);
const LAST_RUN: Family = Family::gauge(
    "nodetap_probe_last_run_timestamp_seconds",
    &["probe"],
    "When the probe's last run ended, since the epoch.",
);
const SERIES: Family = Family::gauge(
    "nodetap_series",
    &["probe"],
    "Series that the probe has at the moment.",
);
const DROPPED: Family = Family::counter(
    "nodetap_series_dropped_total",
    &["probe", "reason"],
    "Series that were left out so that the others could be scraped: duplicate, limit, type_conflict.",
);

/// The families that the scrape itself has.
pub const FAMILIES: &[Family] = &[SUCCESS, DURATION, AVAILABLE, LAST_RUN, SERIES, DROPPED];

/// All probes of a node, running.
#[derive(Debug)]
pub struct Exporter {
    workers: Vec<Worker>,
    readiness: Arc<Readiness>,
    pod_readiness: Option<Arc<PodReadiness>>,
    jvm_agents: Arc<jvm::agents::Shared>,
    top: Arc<Top>,
    dropped: Mutex<BTreeMap<(&'static str, DropReason), u64>>,
}

/// Which probes a scrape wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `collect[]`: only these, if there are any.
    pub collect: Vec<String>,
    /// `exclude[]`: all but these.
    pub exclude: Vec<String>,
}

/// What one scrape found.
#[derive(Debug)]
pub struct Scrape {
    families: Families,
}

/// Why the exporter does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings name a probe that is not there.
    #[error("there is no probe {name:?}; there are: {known}")]
    UnknownProbe {
        /// What was named.
        name: String,
        /// All names.
        known: String,
    },
    /// A probe's thread could not be made.
    #[error("start the thread of probe {name}")]
    Thread {
        /// The probe.
        name: &'static str,
        /// Why not.
        source: io::Error,
    },
}

#[derive(Debug)]
struct Worker {
    entry: &'static Entry,
    asks: SyncSender<Ask>,
    latest: Arc<Mutex<Option<Outcome>>>,
}

struct Ask {
    deadline: Instant,
    answer: SyncSender<Outcome>,
}

/// What one run of a probe gave.
#[derive(Clone, Debug)]
struct Outcome {
    families: Families,
    reason: Reason,
    took: Duration,
    ended: SystemTime,
    ended_at: Instant,
}

/// A probe on its thread.
struct Runner {
    entry: &'static Entry,
    probe: Box<dyn Probe>,
    place: Arc<Place>,
    last_reason: Option<Reason>,
}

// === impl Exporter ===

impl Exporter {
    /// Starts the probes that the settings leave on.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        Selection::only(settings.off.clone()).check()?;
        Self::start_with(PROBES, settings)
    }

    fn start_with(entries: &'static [Entry], settings: &Settings) -> Result<Self, StartError> {
        let place = Arc::new(Place::new(&settings.root));
        let workers = entries
            .iter()
            .filter(|entry| !settings.off.iter().any(|name| name == entry.name))
            .map(|entry| Worker::start(entry, Arc::clone(&place), settings))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            workers,
            readiness: Arc::clone(&settings.readiness),
            pod_readiness: settings
                .ping_from_pods
                .then(|| Arc::clone(&settings.pod_readiness)),
            jvm_agents: Arc::clone(&settings.jvm_agents),
            top: Arc::clone(&settings.top),
            dropped: Mutex::new(BTreeMap::new()),
        })
    }

    /// Whether the node is ready, by its targets' answers; `None` where that probe is off.
    pub fn readiness(&self) -> Option<&Readiness> {
        self.runs(readiness::ENTRY.name).then_some(&*self.readiness)
    }

    /// Whether pods are ready, by what answers from inside them; `None` where nobody asks there.
    pub fn pod_readiness(&self) -> Option<&PodReadiness> {
        self.runs(pod_readiness::ENTRY.name)
            .then_some(self.pod_readiness.as_deref()?)
    }

    fn runs(&self, name: &str) -> bool {
        self.workers.iter().any(|worker| worker.entry.name == name)
    }

    /// The agents in JVMs that Prometheus is to scrape itself, as its HTTP service discovery reads them.
    pub fn jvm_discovery(&self) -> String {
        self.jvm_agents.discovery()
    }

    /// Who talks most, as JSON; `None` where connections are not counted by pod, or not yet.
    pub fn top(&self) -> Option<String> {
        self.top.json()
    }

    /// Runs the wanted probes, all at once, and waits for them no longer than said.
    pub fn scrape(&self, selection: &Selection, timeout: Duration) -> Scrape {
        let deadline = Instant::now() + timeout;
        let wanted: Vec<&Worker> = self
            .workers
            .iter()
            .filter(|worker| selection.wants(worker.entry.name))
            .collect();
        let answers: Vec<Option<Receiver<Outcome>>> =
            wanted.iter().map(|worker| worker.ask(deadline)).collect();
        let mut all = Families::new(usize::MAX);
        let mut own = Families::new(usize::MAX);
        for (worker, answer) in wanted.iter().zip(answers) {
            let outcome = worker.outcome(answer, deadline);
            let name = worker.entry.name;
            describe(name, outcome.as_ref(), &mut own);
            if let Some(Outcome { families, .. }) = outcome {
                all.merge_settled(families);
                self.count_dropped(name, &all.take_dropped());
            }
        }
        self.emit_dropped(&wanted, &mut own);
        let mut scrape = Scrape { families: all };
        scrape.add(own);
        scrape
    }

    fn count_dropped(&self, name: &'static str, dropped: &BTreeMap<DropReason, u64>) {
        if dropped.is_empty() {
            return;
        }
        let mut total = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, count) in dropped {
            *total.entry((name, *reason)).or_default() += count;
        }
    }

    fn emit_dropped(&self, wanted: &[&Worker], out: &mut Families) {
        let total = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        for worker in wanted {
            let name = worker.entry.name;
            for reason in DropReason::ALL {
                let count = total.get(&(name, reason)).copied().unwrap_or_default();
                let labels = Labels::of(&[("probe", name), ("reason", reason.as_str())]);
                out.push(&DROPPED, &labels, count);
            }
        }
    }
}

/// What the scrape says of a probe; `None` is one that did not answer in time.
fn describe(name: &str, outcome: Option<&Outcome>, out: &mut Families) {
    let probe = Labels::of(&[("probe", name)]);
    let reason = outcome.map_or(Reason::Late, |outcome| outcome.reason);
    let labels = Labels::of(&[("probe", name), ("reason", reason.as_str())]);
    out.push(&SUCCESS, &probe, !reason.is_failure());
    out.push(&AVAILABLE, &labels, reason == Reason::Ok);
    let Some(outcome) = outcome else {
        return;
    };
    out.push(&DURATION, &probe, outcome.took.as_secs_f64());
    out.push(&SERIES, &probe, outcome.families.series());
    if let Ok(since) = outcome.ended.duration_since(UNIX_EPOCH) {
        out.push(&LAST_RUN, &probe, since.as_secs_f64());
    }
}

// === impl Selection ===

impl Selection {
    /// These and no others; all when there are none.
    pub fn only(names: Vec<String>) -> Self {
        Self {
            collect: names,
            exclude: Vec::new(),
        }
    }

    /// Whether a probe is wanted.
    pub fn wants(&self, name: &str) -> bool {
        (self.collect.is_empty() || self.collect.iter().any(|wanted| wanted == name))
            && !self.exclude.iter().any(|unwanted| unwanted == name)
    }

    /// Refuses names that no probe has.
    pub fn check(&self) -> Result<(), StartError> {
        let known = || PROBES.iter().map(|entry| entry.name);
        let names = self.collect.iter().chain(&self.exclude);
        match names
            .clone()
            .find(|name| !known().any(|known| known == name.as_str()))
        {
            Some(name) => Err(StartError::UnknownProbe {
                name: name.clone(),
                known: known().collect::<Vec<_>>().join(", "),
            }),
            None => Ok(()),
        }
    }
}

// === impl Scrape ===

impl Scrape {
    /// Adds families of the process that shows this scrape. Its own stay, whatever a relayed agent says under their
    /// names.
    pub fn add(&mut self, mut families: Families) {
        families.settle();
        let scraped = std::mem::replace(&mut self.families, families);
        self.families.merge_settled(scraped);
    }

    /// The exposition, a family at a time, so that a large one is never in memory twice.
    pub fn into_chunks(self) -> impl Iterator<Item = String> + Send {
        self.families.into_groups().map(|group| {
            let mut out = String::new();
            text::write(&group, &mut out);
            out
        })
    }

    /// The whole exposition.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for group in self.families.groups() {
            text::write(group, &mut out);
        }
        out
    }

    /// What was found.
    pub fn families(&self) -> &Families {
        &self.families
    }

    /// What was found, to be shown with other families.
    pub fn into_families(self) -> Families {
        self.families
    }
}

// === impl Worker ===

impl Worker {
    fn start(
        entry: &'static Entry,
        place: Arc<Place>,
        settings: &Settings,
    ) -> Result<Self, StartError> {
        let (asks, inbox) = sync_channel(WAITING_MAX);
        let latest = Arc::new(Mutex::new(None));
        let runner = Runner {
            entry,
            probe: (entry.make)(settings),
            place,
            last_reason: None,
        };
        let shown = Arc::clone(&latest);
        thread::Builder::new()
            .name(format!("probe {}", entry.name))
            .stack_size(STACK_BYTES)
            .spawn(move || runner.run(&inbox, &shown))
            .map_err(|source| StartError::Thread {
                name: entry.name,
                source,
            })?;
        Ok(Self {
            entry,
            asks,
            latest,
        })
    }

    /// Asks for a result, unless an earlier one is to be shown.
    fn ask(&self, deadline: Instant) -> Option<Receiver<Outcome>> {
        if self.entry.pace != Pace::Scrape && self.latest().is_some() {
            return None;
        }
        let (answer, outcome) = sync_channel(1);
        self.asks.try_send(Ask { deadline, answer }).ok()?;
        Some(outcome)
    }

    fn outcome(&self, answer: Option<Receiver<Outcome>>, deadline: Instant) -> Option<Outcome> {
        match answer {
            Some(answer) => {
                let left = deadline.saturating_duration_since(Instant::now());
                answer.recv_timeout(left).ok()
            }
            // A probe whose last result is that old hangs; old numbers are none.
            None => self.latest().filter(|outcome| match self.entry.pace {
                Pace::Scrape => true,
                Pace::Every(interval) => outcome.ended_at.elapsed() <= interval + PACED_DEADLINE,
            }),
        }
    }

    fn latest(&self) -> Option<Outcome> {
        self.latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

// === impl Runner ===

impl Runner {
    fn run(mut self, inbox: &Receiver<Ask>, latest: &Mutex<Option<Outcome>>) {
        let mut due = Instant::now();
        loop {
            let ask = match self.entry.pace {
                Pace::Scrape => match inbox.recv() {
                    Ok(ask) => Some(ask),
                    Err(_) => return,
                },
                Pace::Every(interval) => {
                    let left = due.saturating_duration_since(Instant::now());
                    let ask = match inbox.recv_timeout(left) {
                        Ok(ask) => Some(ask),
                        Err(RecvTimeoutError::Timeout) => None,
                        Err(RecvTimeoutError::Disconnected) => return,
                    };
                    due = Instant::now() + interval;
                    ask
                }
            };
            let deadline = ask
                .as_ref()
                .map_or_else(|| Instant::now() + PACED_DEADLINE, |ask| ask.deadline);
            // Nobody waits for it any more.
            if ask.is_some() && deadline <= Instant::now() {
                continue;
            }
            let outcome = self.once(deadline);
            if self.entry.pace != Pace::Scrape {
                *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
            }
            if let Some(ask) = ask {
                // Whoever asked may have gone at the deadline.
                drop(ask.answer.try_send(outcome));
            }
        }
    }

    fn once(&mut self, deadline: Instant) -> Outcome {
        let began = Instant::now();
        let mut families = Families::new(self.entry.series_max);
        let context = Context {
            place: &self.place,
            now: SystemTime::now(),
            deadline,
        };
        let probe = &mut self.probe;
        // A defect in one probe must not end its thread: it would look like a hanging one for ever.
        let result = catch_unwind(AssertUnwindSafe(|| probe.collect(&context, &mut families)));
        let (reason, detail) = match result {
            Ok(Ok(())) => (Reason::Ok, String::new()),
            Ok(Err(error)) => (error.reason(), chain(&error)),
            Err(_) => (Reason::Failed, "the probe panicked".to_owned()),
        };
        families.settle();
        self.say(reason, &detail);
        Outcome {
            families,
            reason,
            took: began.elapsed(),
            ended: SystemTime::now(),
            ended_at: Instant::now(),
        }
    }

    /// Logs a probe's state when it changes, not at each run.
    fn say(&mut self, reason: Reason, detail: &str) {
        let before = self.last_reason.replace(reason);
        if before == Some(reason) {
            return;
        }
        let probe = self.entry.name;
        match reason {
            Reason::Ok if before.is_some() => tracing::info!(probe, "the probe works again"),
            Reason::Ok => {}
            _ if reason.is_failure() => tracing::warn!(probe, detail, "the probe failed"),
            _ => tracing::debug!(probe, detail, "the probe has nothing to read"),
        }
    }
}

/// Every cause, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String can't fail.
        write!(out, ": {cause}").unwrap_or_default();
        source = cause.source();
    }
    out
}

#[cfg(test)]
mod tests;
