//! What do the lines say in numbers? Metrics made from log lines, on their way to the sink.
//!
//! Which container counts into what is decided once per stream ([`Derive::enter`]); a line then costs an addition, and
//! more only where an access log is read or a rule was written for its container. Nothing here asks a clock or keeps a
//! line. Counters begin at 0 with the process; who counts is the collector's loop, and only records that its sink did
//! not have before.

use std::sync::Arc;
use std::time::Duration;

use record::{Entry, Origin, OutputStream, Timestamp};

use crate::discover::{self, SelectError, Selection};

pub mod family;

mod table;

mod containers;

pub mod access;

mod elections;

pub mod rule;

mod counting;

pub use self::family::{Description, Family, Histogram, Kind, Sample, Snapshot, Value};
pub use self::rule::{RawRule, Rule, RuleError};

use self::access::Requests;
use self::containers::Containers;
use self::counting::Counting;
use self::elections::{Component, Elections};
use self::rule::RULES_MAX;

#[cfg(test)]
mod tests;

/// The default of [`Settings::series_max`].
pub const SERIES_MAX_DEFAULT: usize = 1000;

/// The default of [`Settings::linger`]: longer than alerts look back for a container's lines.
pub const LINGER_DEFAULT: Duration = Duration::from_mins(15);

/// How often it is looked for what is gone or idle.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

const REDACTIONS: Description = Description {
    name: "log_redactions_total",
    kind: Kind::Counter,
    labels: &["pattern"],
    help: "Secrets that were replaced in lines, by pattern.",
};

const DROPPED: Description = Description {
    name: "nodetap_series_dropped_total",
    kind: Kind::Counter,
    labels: &["probe", "reason"],
    help: "Observations that would have made a series beyond a limit.",
};

const REFUSED: Description = Description {
    name: "nodetap_derive_refused_total",
    kind: Kind::Counter,
    labels: &["rule"],
    help: "Matches of a rule whose value is no number, or below 0.",
};

/// Every family that is made from lines whatever the configuration says; docs/metrics.md is made from it.
pub fn descriptions() -> impl Iterator<Item = Description> {
    [containers::MESSAGES, REDACTIONS]
        .into_iter()
        .chain(access::DESCRIPTIONS)
        .chain([elections::ELECTIONS, DROPPED, REFUSED])
}

/// What is derived from which containers' lines.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose lines are read as an access log. [`access_default`] is what it is unless a person says otherwise.
    pub access: Selection,
    /// Namespaces with a dash in their name, longest first: they tell where `$proxy_upstream_name` is to be split.
    pub namespaces: Vec<String>,
    /// Metrics that a person asked for.
    pub rules: Vec<Rule>,
    /// How many series each rule may have, and the access logs together.
    pub series_max: usize,
    /// How long a container's series stay after its last stream has ended.
    pub linger: Duration,
}

/// What a person can say about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSettings {
    /// Whose lines are read as an access log; without it, ingress-nginx' controllers. Empty: nobody's.
    pub access: Option<Vec<discover::RawRule>>,
    /// See [`Settings::namespaces`].
    pub namespaces: Vec<String>,
    /// See [`Settings::rules`].
    pub rules: Vec<RawRule>,
    /// See [`Settings::series_max`].
    pub series_max: Option<usize>,
}

/// Settings that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A choice of access logs.
    #[error("choose the access logs")]
    Access(#[source] SelectError),
    /// A choice by path or label: a container is all that is known here.
    #[error("choose the access logs by namespace, pod and container only")]
    AccessPath,
    /// A rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// Two rules of one name.
    #[error("name two rules {0:?}: one metric, one rule")]
    Twice(String),
}

/// Counts lines.
#[derive(Debug)]
pub struct Derive {
    access: Selection,
    namespaces: Vec<String>,
    series_max: usize,
    linger: Duration,
    containers: Containers,
    requests: Requests,
    /// Whether an access log was ever met: until then its families are not shown.
    has_access: bool,
    elections: Elections,
    rules: Vec<Counting>,
    /// What rules that are gone had dropped: a counter never falls.
    dropped_before: u64,
    swept_at: Duration,
}

/// What the lines of one stream count into.
#[derive(Debug)]
pub struct Tap {
    place: usize,
    /// The namespace of the container, where its lines are an access log.
    access: Option<Arc<str>>,
    /// Which part of the control plane writes it.
    component: Option<Component>,
    rules: Vec<usize>,
}

/// The rules for whose lines are an access log, unless a person says otherwise: ingress-nginx' controllers, by the names
/// that its own manifests, its chart and the usual distributions give them.
pub fn access_default() -> Vec<discover::RawRule> {
    let rule = |pod: &str, container: &str| discover::RawRule {
        pod: Some(pod.to_owned()),
        container: Some(container.to_owned()),
        ..discover::RawRule::default()
    };
    vec![
        rule("*ingress-nginx-controller-*", "*controller*"),
        rule("*nginx-ingress-controller-*", "*controller*"),
    ]
}

// === impl Settings ===

impl Settings {
    /// Checks what a person said; gives every problem, not the first one.
    pub fn new(raw: &RawSettings) -> Result<Self, Vec<SettingsError>> {
        let mut problems = Vec::new();
        let chosen = raw.access.clone().unwrap_or_else(access_default);
        if chosen
            .iter()
            .any(|rule| rule.path.is_some() || rule.label.is_some())
        {
            problems.push(SettingsError::AccessPath);
        }
        let access = match Selection::new(&chosen, &[]) {
            Ok(access) => access,
            Err(found) => {
                problems.extend(found.into_iter().map(SettingsError::Access));
                Selection::default()
            }
        };
        let mut rules: Vec<Rule> = Vec::new();
        for rule in raw.rules.iter().take(RULES_MAX) {
            match Rule::new(rule) {
                Ok(rule) if rules.iter().any(|other| other.name() == rule.name()) => {
                    problems.push(SettingsError::Twice(rule.name().to_owned()));
                }
                Ok(rule) => rules.push(rule),
                Err(found) => problems.extend(found.into_iter().map(SettingsError::Rule)),
            }
        }
        if raw.rules.len() > RULES_MAX {
            problems.push(RuleError::TooMany.into());
        }
        let mut namespaces = raw.namespaces.clone();
        namespaces.sort_by_key(|name| std::cmp::Reverse(name.len()));
        if problems.is_empty() {
            Ok(Self {
                access,
                namespaces,
                rules,
                series_max: raw.series_max.unwrap_or(SERIES_MAX_DEFAULT),
                linger: LINGER_DEFAULT,
            })
        } else {
            Err(problems)
        }
    }

    /// What holds when nobody said anything.
    pub fn unset() -> Self {
        Self {
            access: Selection::new(&access_default(), &[]).unwrap_or_default(),
            namespaces: Vec::new(),
            rules: Vec::new(),
            series_max: SERIES_MAX_DEFAULT,
            linger: LINGER_DEFAULT,
        }
    }
}

// === impl Derive ===

impl Derive {
    /// Nothing counted yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            access: settings.access,
            namespaces: settings.namespaces,
            containers: Containers::default(),
            requests: Requests::new(settings.series_max),
            series_max: settings.series_max,
            linger: settings.linger,
            has_access: false,
            elections: Elections::default(),
            rules: settings.rules.into_iter().map(Counting::new).collect(),
            dropped_before: 0,
            swept_at: Duration::ZERO,
        }
    }

    /// Takes other settings. What was counted stays where it is still asked for in the same words; every stream needs a
    /// new tap ([`Derive::renew`]).
    pub fn reconfigure(&mut self, settings: Settings) {
        let mut before = std::mem::take(&mut self.rules);
        for rule in settings.rules {
            let same = before.iter().position(|old| old.rule.raw() == rule.raw());
            self.rules.push(match same {
                Some(at) => before.swap_remove(at),
                None => Counting::new(rule),
            });
        }
        self.dropped_before += before.iter().map(|rule| rule.dropped).sum::<u64>();
        self.access = settings.access;
        self.namespaces = settings.namespaces;
        self.series_max = settings.series_max;
        self.requests.limit(settings.series_max);
        self.linger = settings.linger;
    }

    /// Decides what a stream's lines count into. Its levels are there from now on, at 0.
    pub fn enter(&mut self, origin: &Origin) -> Tap {
        let mut tap = Tap {
            place: self.containers.enter(origin),
            access: None,
            component: Component::of(origin),
            rules: Vec::new(),
        };
        if let Some(component) = tap.component {
            self.elections.meet(component);
        }
        self.renew(&mut tap, origin);
        tap
    }

    /// Decides it again, after the settings changed.
    pub fn renew(&mut self, tap: &mut Tap, origin: &Origin) {
        let is_access = self.access.includes(origin);
        self.has_access |= is_access;
        tap.access = is_access.then(|| Arc::from(origin.namespace()));
        tap.rules.clear();
        for (index, rule) in self.rules.iter_mut().enumerate() {
            if rule.rule.wants(origin) {
                rule.meet(tap.place, self.series_max);
                tap.rules.push(index);
            }
        }
    }

    /// Says that a stream has ended; its series go once they were there long enough to be scraped.
    pub fn leave(&mut self, tap: &Tap, now: Duration) {
        self.containers.leave(tap.place, now);
    }

    /// Counts one line. What it costs a stream without rules is an addition.
    pub fn count(&mut self, tap: &Tap, entry: &Entry<'_>) {
        if entry.part > 1 {
            // A line that was cut counts once.
            return;
        }
        self.containers.count(tap.place, entry.level);
        if let Some(own) = &tap.access
            // nginx logs requests to its standard output; what is on the other one speaks of nginx itself.
            && entry.output != OutputStream::Stderr
        {
            self.requests
                .count(entry.message.as_bytes(), own, &self.namespaces);
        }
        if let Some(component) = tap.component {
            self.elections.count(component, entry.message);
        }
        for index in &tap.rules {
            if let Some(rule) = self.rules.get_mut(*index) {
                rule.count(tap.place, entry.message, self.series_max);
            }
        }
    }

    /// Lets go of what is gone or idle for long. Cheap when nothing is due.
    pub fn sweep(&mut self, now: Duration) {
        if now.saturating_sub(self.swept_at) < SWEEP_INTERVAL {
            return;
        }
        self.swept_at = now;
        let gone = self.containers.sweep(now, self.linger);
        if !gone.is_empty() {
            for rule in &mut self.rules {
                rule.forget(&gone);
            }
        }
        self.requests.sweep(now);
    }

    /// Everything as it is now; `redactions` says how often each pattern was replaced.
    pub fn snapshot(&self, now: Timestamp, redactions: &[(Arc<str>, u64)]) -> Snapshot {
        let mut redacted = REDACTIONS.samples();
        for (pattern, count) in redactions {
            redacted.number(&[pattern], *count as f64);
        }
        let mut families = vec![self.containers.family(), redacted.family()];
        if self.has_access {
            families.extend(self.requests.families(now));
        }
        if self.elections.is_any() {
            families.push(self.elections.family());
        }
        let dropped: u64 = self.rules.iter().map(|rule| rule.dropped).sum();
        let dropped = self.dropped_before + dropped + self.requests.dropped();
        let mut over = DROPPED.samples();
        over.number(&[&Arc::from("derive"), &Arc::from("cap")], dropped as f64);
        families.push(over.family());
        let mut refused = REFUSED.samples();
        for rule in &self.rules {
            refused.number(&[&Arc::from(rule.rule.name())], rule.refused as f64);
        }
        families.push(refused.family());
        families.extend(self.rules.iter().map(|rule| rule.family(&self.containers)));
        Snapshot { families }
    }
}
