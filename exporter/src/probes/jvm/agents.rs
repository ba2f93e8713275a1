//! What do the agents in JVMs say? Their own metrics, relayed from inside each pod's network namespace.
//!
//! Agents are found by convention: `-javaagent:` with a jar and a port that we know, or the note that our own agent leaves.
//! Each is asked on a thread of its own that enters the namespace and then ends. Whoever rather lets Prometheus scrape
//! the agents itself switches to `/sd/jvm`; there is never both.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::exposition;
use crate::family::{Families, Family};
use crate::labels::Labels;
use crate::networks;
use crate::place::Place;
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};

use super::Told;
use super::find::{Finder, Jvm};
use super::options::Endpoint;

use self::fetch::{Refusal, Request};

pub mod fetch;

mod older;

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "jvm_agents",
    about: "What do the agents in JVMs say? Their families have their own names, kinds and helps, and the JVM's labels.",
    families: &[SUCCESS, DURATION, REFUSED],
    pace: Pace::Every(Duration::from_secs(15)),
    series_max: 200_000,
    make: |settings| {
        Box::new(Agents {
            finder: Finder::default(),
            shared: Arc::clone(&settings.jvm_agents),
            told: Arc::clone(&settings.told_jvms),
            refused: [0; Refusal::ALL.len()],
        })
    },
};

const SUCCESS: Family = Family::gauge(
    "jvm_agent_scrape_success",
    &["container", "jvm", "namespace", "pod", "port"],
    "Whether the JVM's agent gave its metrics the last time.",
);
const DURATION: Family = Family::gauge(
    "jvm_agent_scrape_duration_seconds",
    &["container", "jvm", "namespace", "pod", "port"],
    "How long the JVM's agent took the last time.",
);
const REFUSED: Family = Family::counter(
    "jvm_agent_refused_total",
    &["reason"],
    "Answers of agents that were not taken: connect, late, malformed, namespace, not_local, status, too_large.",
);

/// How long one agent may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many are asked at a time.
const AT_A_TIME: usize = 8;
/// The most series of one agent.
const SERIES_MAX: usize = 20_000;
/// The most agents of a node.
const AGENTS_MAX: usize = 1_000;

/// What is done with agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Use {
    /// They are asked, and their metrics shown with ours.
    #[default]
    Relay,
    /// They are listed at `/sd/jvm` for Prometheus to scrape them itself.
    Discover,
}

/// What the probe and `/sd/jvm` share.
#[derive(Debug, Default)]
pub struct Shared {
    usage: Use,
    targets: Mutex<Vec<Target>>,
}

/// An agent for Prometheus to scrape.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    address: String,
    labels: Vec<(&'static str, String)>,
}

#[derive(Debug)]
struct Agents {
    finder: Finder,
    shared: Arc<Shared>,
    told: Arc<Told>,
    refused: [u64; Refusal::ALL.len()],
}

/// One agent to ask.
struct Agent<'a> {
    jvm: &'a Jvm,
    endpoint: Endpoint,
}

// === impl Shared ===

impl Shared {
    /// With a use other than relaying.
    pub fn new(usage: Use) -> Self {
        Self {
            usage,
            targets: Mutex::default(),
        }
    }

    /// The list for Prometheus (HTTP service discovery); empty where agents are relayed.
    pub fn discovery(&self) -> String {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let listed: Vec<String> = targets.iter().map(Target::json).collect();
        format!("[{}]", listed.join(","))
    }

    fn set(&self, targets: Vec<Target>) {
        *self.targets.lock().unwrap_or_else(PoisonError::into_inner) = targets;
    }
}

// === impl Target ===

impl Target {
    fn json(&self) -> String {
        let labels: Map<String, Value> = self
            .labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
            .collect();
        let address = Value::from(self.address.as_str());
        let labels = Value::Object(labels);
        format!("{{\"targets\":[{address}],\"labels\":{labels}}}")
    }
}

// === impl Agents ===

impl Probe for Agents {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        let place = context.place;
        let found = self
            .finder
            .look(place, context.now)
            .map_err(|error| ProbeError::of_read(error, Reason::NoFile))?;
        let mut agents: Vec<Agent<'_>> = found
            .iter()
            .flat_map(|jvm| {
                let endpoints = jvm.facts.endpoints(place);
                endpoints
                    .into_iter()
                    .map(move |endpoint| Agent { jvm, endpoint })
            })
            .collect();
        agents.truncate(AGENTS_MAX);
        match self.shared.usage {
            Use::Relay => self.relay(place, &agents, context.deadline, out),
            Use::Discover => self.list(place, &agents),
        }
        Ok(())
    }
}

impl Agents {
    /// Lists the agents that Prometheus can reach; from then on it has those JVMs' numbers from them.
    fn list(&self, place: &Place, agents: &[Agent<'_>]) {
        let mut listed = HashSet::new();
        let mut targets = Vec::new();
        for agent in agents {
            if let Some(target) = agent.target(place) {
                targets.push(target);
                listed.insert((agent.jvm.facts.pid, agent.jvm.facts.start_ticks));
            }
        }
        self.shared.set(targets);
        self.told.set(listed);
    }

    fn relay(&mut self, place: &Place, agents: &[Agent<'_>], until: Instant, out: &mut Families) {
        let mut relayed = HashSet::new();
        for some in agents.chunks(AT_A_TIME) {
            let deadline = until.min(Instant::now() + TIMEOUT);
            let answers: Vec<_> = thread::scope(|scope| {
                let asked: Vec<_> = some
                    .iter()
                    .map(|agent| {
                        let request = agent.request(place, deadline);
                        scope.spawn(move || fetch::fetch(&request))
                    })
                    .collect();
                asked.into_iter().map(|thread| thread.join().ok()).collect()
            });
            for (agent, answer) in some.iter().zip(answers) {
                if self.take(agent, answer, out) {
                    relayed.insert((agent.jvm.facts.pid, agent.jvm.facts.start_ticks));
                }
            }
        }
        self.told.set(relayed);
        for (refusal, count) in Refusal::ALL.iter().zip(self.refused) {
            let labels = Labels::of(&[("reason", refusal.as_str())]);
            out.push(&REFUSED, &labels, count);
        }
    }

    /// Emits what an agent said; whether it tells of the JVM's memory, as its own counters would.
    fn take(
        &mut self,
        agent: &Agent<'_>,
        answer: Option<(Result<String, Refusal>, Duration)>,
        out: &mut Families,
    ) -> bool {
        let (body, took) = answer.unwrap_or((Err(Refusal::Connect), Duration::ZERO));
        let whose = agent.jvm.whose();
        let own = [&whose[..], &[("source", "agent")]].concat();
        let groups = body.and_then(|body| {
            let mut groups = exposition::parse(&body, &own, SERIES_MAX).map_err(|error| {
                tracing::debug!(pid = agent.jvm.facts.pid, %error, "an agent's metrics make no sense");
                Refusal::Malformed
            })?;
            groups.iter_mut().for_each(older::rename);
            Ok(groups)
        });
        let port = agent.endpoint.port.to_string();
        let labels = Labels::of(&[&whose[..], &[("port", &port)]].concat());
        out.push(&SUCCESS, &labels, groups.is_ok());
        out.push(&DURATION, &labels, took.as_secs_f64());
        match groups {
            Ok(groups) => {
                let has_memory = groups
                    .iter()
                    .any(|group| group.name == "jvm_memory_used_bytes");
                for group in groups {
                    out.insert(group);
                }
                has_memory
            }
            Err(refusal) => {
                let at = Refusal::ALL.iter().position(|known| *known == refusal);
                if let Some(count) = at.and_then(|at| self.refused.get_mut(at)) {
                    *count += 1;
                }
                false
            }
        }
    }
}

// === impl Agent ===

impl Agent<'_> {
    fn request(&self, place: &Place, deadline: Instant) -> Request {
        Request {
            place: place.clone(),
            pid: self.jvm.facts.pid,
            start_ticks: self.jvm.facts.start_ticks,
            endpoint: self.endpoint.clone(),
            deadline,
        }
    }

    /// Where Prometheus reaches it; none of an agent that listens on loopback only.
    fn target(&self, place: &Place) -> Option<Target> {
        let host = match self.endpoint.host.as_deref() {
            None | Some("0.0.0.0" | "::") => {
                networks::addresses(place, &format!("proc/{}/net", self.jvm.facts.pid))
                    .into_iter()
                    .find(|address| !address.is_loopback())?
            }
            Some(host) => host
                .parse()
                .ok()
                .filter(|address: &std::net::IpAddr| !address.is_loopback())?,
        };
        let labels = [&self.jvm.whose()[..], &[("source", "agent")]].concat();
        let labels = labels
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()));
        Some(Target {
            address: std::net::SocketAddr::new(host, self.endpoint.port).to_string(),
            labels: labels.collect(),
        })
    }
}

#[cfg(test)]
mod tests;
