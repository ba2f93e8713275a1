//! How are the JVMs of this node, without an agent in them and without a restart?
//!
//! [`find`] finds them in /proc by what is [`mapped`], [`inside`] opens a tenant's files safely, [`perf`] reads the
//! counters that `HotSpot` keeps in a mapped file, [`reason`] says why there are none, [`names`] gives them the names of
//! Prometheus' Java client, [`agents`] relays what agents in JVMs say, and [`attach`] loads ours into one that runs.
//! Command lines and VM arguments never leave [`options`].
//!
//! A JVM whose agent is relayed has its numbers from there alone: one source for each.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

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
            relayed: Arc::clone(&settings.relayed_jvms),
        })
    },
};

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

/// Which JVMs have an agent that is relayed: by pid and start.
#[derive(Debug, Default)]
pub struct Relayed(Mutex<HashSet<(u32, u64)>>);

#[derive(Debug)]
struct Jvms {
    finder: Finder,
    relayed: Arc<Relayed>,
}

// === impl Jvms ===

impl Probe for Jvms {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        let found = self
            .finder
            .look(context.place, context.now)
            .map_err(|error| ProbeError::of_read(error, Reason::NoFile))?;
        for jvm in &found {
            emit(jvm, self.relayed.has(&jvm.facts), out);
        }
        Ok(())
    }
}

fn emit(jvm: &Jvm, is_relayed: bool, out: &mut Families) {
    let whose = jvm.whose();
    let reason = match &jvm.perf {
        Ok(_) => "ok",
        Err(reason) => reason.as_str(),
    };
    let labels = Labels::of(&[&whose[..], &[("reason", reason)]].concat());
    out.push(&AVAILABLE, &labels, jvm.perf.is_ok());
    if let (Ok(perf), false) = (&jvm.perf, is_relayed) {
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

// === impl Relayed ===

impl Relayed {
    /// Whether a JVM's agent gave its memory the last time.
    pub fn has(&self, facts: &Facts) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&(facts.pid, facts.start_ticks))
    }

    /// Sets all that have one.
    pub fn set(&self, relayed: HashSet<(u32, u64)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = relayed;
    }
}
