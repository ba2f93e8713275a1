//! How are the JVMs of this node, without an agent in them and without a restart?
//!
//! [`find`] finds them in /proc by what is [`mapped`], [`inside`] opens a tenant's files safely, [`perf`] reads the
//! counters that `HotSpot` keeps in a mapped file, [`reason`] says why there are none, [`names`] gives them the names of
//! Prometheus' Java client, [`agents`] relays what agents in JVMs say, and [`attach`] loads ours into one that runs.
//! Command lines and VM arguments never leave [`options`].
//!
//! A JVM whose agent is relayed, or listed for Prometheus, has its numbers from there alone: one source for each.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::family::{Families, Family};
use crate::labels::Labels;
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};

use self::find::{Facts, Finder, Jvm};

pub mod options;

pub mod inside;

pub mod perf;

pub mod reason;

pub mod mapped;

pub mod find;

mod counters;

pub mod names;

pub mod agents;

pub mod attach;

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "jvm",
    about: "How are the JVMs of this node, without an agent in them and without a restart?",
    families: &FAMILIES,
    pace: Pace::Scrape,
    series_max: 50_000,
    make: |settings| {
        Box::new(Jvms {
            finder: Finder::default(),
            told: Arc::clone(&settings.told_jvms),
            waits: !settings.off.iter().any(|name| name == agents::ENTRY.name),
        })
    },
};

/// How long the first look waits for the first round of agents, so that no JVM is shown by both.
const FIRST_ROUND: Duration = Duration::from_secs(2);

const AVAILABLE: Family = Family::gauge(
    "jvm_perfdata_available",
    &["container", "jvm", "namespace", "pod", "reason"],
    "Whether the JVM's own counters can be read (1, reason ok), or why not (0).",
);

const FAMILIES: [Family; 25] = {
    let mut all = [AVAILABLE; 25];
    let mut at = 0;
    while at < names::FAMILIES.len() {
        all[at + 1] = names::FAMILIES[at];
        at += 1;
    }
    all
};

/// Which JVMs' numbers come from their agents, relayed or scraped by Prometheus: by pid and start; unknown before the
/// first round.
#[derive(Debug, Default)]
pub struct Told {
    known: Mutex<Option<HashSet<(u32, u64)>>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Jvms {
    finder: Finder,
    told: Arc<Told>,
    /// Whether the first round of agents is still to be waited for.
    waits: bool,
}

// === impl Jvms ===

impl Probe for Jvms {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        let found = self
            .finder
            .look(context.place, context.now)
            .map_err(|error| ProbeError::of_read(error, Reason::NoFile))?;
        let has_agent = |jvm: &Jvm| !jvm.facts.endpoints(context.place).is_empty();
        if std::mem::take(&mut self.waits) && found.iter().any(has_agent) {
            let patience = Instant::now() + FIRST_ROUND;
            self.told.wait(patience.min(context.deadline));
        }
        for jvm in &found {
            emit(jvm, self.told.has(&jvm.facts), out);
        }
        Ok(())
    }
}

fn emit(jvm: &Jvm, is_told: bool, out: &mut Families) {
    let whose = jvm.whose();
    let reason = match &jvm.perf {
        Ok(_) => "ok",
        Err(reason) => reason.as_str(),
    };
    let labels = Labels::of(&[&whose[..], &[("reason", reason)]].concat());
    out.push(&AVAILABLE, &labels, jvm.perf.is_ok());
    if let (Ok(perf), false) = (&jvm.perf, is_told) {
        names::emit(
            perf,
            &[&whose[..], &[("source", "hsperfdata")]].concat(),
            out,
        );
    }
}

// === impl Jvm ===

impl Jvm {
    /// The labels that say whose it is.
    pub fn whose(&self) -> [(&'static str, &str); 4] {
        [
            ("container", &self.facts.container),
            ("jvm", &self.name),
            ("namespace", &self.facts.pod.namespace),
            ("pod", &self.facts.pod.pod),
        ]
    }
}

// === impl Told ===

impl Told {
    /// Whether a JVM's agent told of its memory the last time, or is listed for Prometheus to ask.
    pub fn has(&self, facts: &Facts) -> bool {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(|known| known.contains(&(facts.pid, facts.start_ticks)))
    }

    /// Sets all that have one.
    pub fn set(&self, told: HashSet<(u32, u64)>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        self.changed.notify_all();
    }

    /// Waits until they were set for the first time.
    fn wait(&self, until: Instant) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.saturating_duration_since(Instant::now());
        let waited = self
            .changed
            .wait_timeout_while(known, left, |known| known.is_none());
        drop(waited);
    }
}
