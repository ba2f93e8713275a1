//! What should be in the kernel's table? Events and dumps as one picture, pure.

use std::collections::BTreeMap;

use super::dump::Dump;
use super::log::{CheckResult, Event, Place, Server};
use crate::probes::lvs::table::{Key, Service};

/// The method of checks that are scripts.
pub const MISC_CHECK: &str = "MISC_CHECK";

/// More real servers, checkers and instances than these are not remembered: a log is foreign text.
const OBJECTS_MAX: usize = 20_000;

/// The largest weight that a script with `misc_dynamic` can mean; the kernel takes any.
const DYNAMIC_WEIGHT_MAX: i64 = 253;

/// What keepalived is known to have.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Virtual servers.
    pub services: BTreeMap<Key, ServiceState>,
    /// Real servers.
    pub servers: BTreeMap<(Key, Server), ServerState>,
    /// Health checkers, by method and script; the virtual server is unknown where old versions don't tell it.
    pub checkers: BTreeMap<(Option<Key>, Server, String, String), CheckerState>,
    /// Results of scripts since we began to read.
    pub results: BTreeMap<(Server, String, CheckResult), u64>,
    /// VRRP instances.
    pub instances: BTreeMap<String, u8>,
}

/// A virtual server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceState {
    /// How much weight it needs.
    pub quorum: Option<u64>,
    /// Whether it has that.
    pub quorum_up: Option<bool>,
    /// Whether it is alive.
    pub alive: Option<bool>,
    /// Whether its sorry server stands for the real ones.
    pub sorry: bool,
}

/// A real server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerState {
    /// Where it should be.
    pub place: Place,
    /// The weight it should have, where that is known.
    pub weight: Option<i64>,
    /// The weight it is configured with.
    pub configured: Option<i64>,
    /// How many of its checks fail.
    pub failed_checkers: Option<u64>,
    /// Whether keepalived says that it has set it.
    pub set: Option<bool>,
}

/// A health checker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckerState {
    /// Whether it is well.
    pub up: bool,
    /// Whether it runs at all.
    pub enabled: bool,
    /// Whether it has run yet.
    pub has_run: bool,
    /// Whether its exit code sets the weight; unknown to the log.
    pub dynamic: Option<bool>,
    /// What it adds to the weight; unknown to the log.
    pub weight: Option<i64>,
}

/// How the kernel differs from what should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mismatch {
    /// keepalived has it in, the kernel has not.
    MissingInIpvs,
    /// keepalived has it out, the kernel has it with a weight.
    UnexpectedInIpvs,
    /// Both have it, with different weights.
    Weight,
    /// Its weight can't be meant.
    WeightRange,
}

// === impl Mismatch ===

impl Mismatch {
    /// All of them, each exported for every real server.
    pub const ALL: [Self; 4] = [
        Self::MissingInIpvs,
        Self::UnexpectedInIpvs,
        Self::Weight,
        Self::WeightRange,
    ];

    /// The label `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingInIpvs => "missing_in_ipvs",
            Self::UnexpectedInIpvs => "unexpected_in_ipvs",
            Self::Weight => "weight",
            Self::WeightRange => "weight_range",
        }
    }
}

// === impl Model ===

impl Model {
    /// Takes one event.
    pub fn take(&mut self, event: Event) {
        match event {
            Event::Restart => {
                // Results are counters of ours and go on.
                let results = std::mem::take(&mut self.results);
                *self = Self {
                    results,
                    ..Self::default()
                };
            }
            Event::Watched { service, server } => {
                self.services.entry(service).or_default();
                self.place(service, server, Place::In);
            }
            Event::Placed {
                service,
                server,
                place,
            } => self.place(service, server, place),
            Event::Weighed {
                service,
                server,
                weight,
            } => {
                if let Some(state) = self.server(service, server) {
                    state.weight = Some(weight);
                }
            }
            Event::Checked {
                service,
                server,
                checker,
                result,
            } => self.check(service, server, checker, result),
            Event::Quorum { service, gained } => {
                self.services.entry(service).or_default().quorum_up = Some(gained);
            }
            Event::Pool { service, filled } => {
                self.services.entry(service).or_default().sorry = !filled;
            }
            Event::State { instance, state } => {
                if self.instances.len() < OBJECTS_MAX {
                    self.instances.insert(instance, state);
                }
            }
        }
    }

    fn server(&mut self, service: Key, server: Server) -> Option<&mut ServerState> {
        if self.servers.len() >= OBJECTS_MAX {
            return self.servers.get_mut(&(service, server));
        }
        let state = self.servers.entry((service, server));
        Some(state.or_insert(ServerState {
            place: Place::In,
            weight: None,
            configured: None,
            failed_checkers: None,
            set: None,
        }))
    }

    fn place(&mut self, service: Key, server: Server, place: Place) {
        if let Some(state) = self.server(service, server) {
            state.place = place;
        }
    }

    fn check(&mut self, service: Option<Key>, server: Server, script: String, result: CheckResult) {
        if self.checkers.len() >= OBJECTS_MAX || self.results.len() >= OBJECTS_MAX {
            return;
        }
        for known in CheckResult::ALL {
            let count = self
                .results
                .entry((server, script.clone(), known))
                .or_default();
            *count += u64::from(known == result);
        }
        let key = (service, server, MISC_CHECK.to_owned(), script);
        let state = self.checkers.entry(key).or_insert(CheckerState {
            up: false,
            enabled: true,
            has_run: true,
            dynamic: None,
            weight: None,
        });
        state.up = result == CheckResult::Succeeded;
        state.has_run = true;
    }

    /// Takes a dump: it knows all that the log knows, but for what was counted.
    pub fn replace(&mut self, dump: Dump) {
        self.services.clear();
        self.servers.clear();
        self.checkers.clear();
        for found in dump.services.into_iter().take(OBJECTS_MAX) {
            let sorry = found.quorum_up == Some(false);
            let state = ServiceState {
                quorum: found.quorum,
                quorum_up: found.quorum_up,
                alive: found.alive,
                sorry,
            };
            self.services.insert(found.key, state);
            for server in found.servers {
                if self.servers.len() >= OBJECTS_MAX {
                    break;
                }
                let place = match (server.alive, server.inhibited) {
                    (true, _) => Place::In,
                    (false, true) => Place::Inhibited,
                    (false, false) => Place::Out,
                };
                let state = ServerState {
                    place,
                    weight: server.effective_weight,
                    configured: server.weight,
                    failed_checkers: server.failed_checkers,
                    set: Some(server.set),
                };
                self.servers.insert((found.key, server.server), state);
            }
        }
        for found in dump.checkers.into_iter().take(OBJECTS_MAX) {
            let key = (
                Some(found.service),
                found.server,
                found.method,
                found.script,
            );
            let state = CheckerState {
                up: found.up,
                enabled: found.enabled,
                has_run: found.has_run,
                dynamic: Some(found.dynamic),
                weight: found.weight,
            };
            self.checkers.insert(key, state);
        }
    }

    /// How a real server stands in the kernel, compared with how it should.
    pub fn mismatches(&self, key: &Key, server: Server, carried: &Carried) -> Vec<Mismatch> {
        let mut found = Vec::new();
        let Some(state) = self.servers.get(&(*key, server)) else {
            return found;
        };
        let in_kernel = carried.get(&(*key, server)).copied();
        let sorry = self.services.get(key).is_some_and(|service| service.sorry);
        // While the sorry server stands in, the real ones are out, whatever their checks say.
        let place = if sorry { Place::Out } else { state.place };
        match (place, in_kernel) {
            (Place::In | Place::Inhibited, None) => found.push(Mismatch::MissingInIpvs),
            (Place::Out, Some(weight)) if weight > 0 => found.push(Mismatch::UnexpectedInIpvs),
            (Place::Inhibited, Some(weight)) if weight != 0 => found.push(Mismatch::Weight),
            (Place::In, Some(weight)) if state.weight.is_some_and(|wanted| wanted != weight) => {
                found.push(Mismatch::Weight);
            }
            _ => {}
        }
        let weights = [state.weight, in_kernel].into_iter().flatten();
        let is_dynamic = self.checkers.iter().any(|((service, of, ..), checker)| {
            service.as_ref() == Some(key) && *of == server && checker.dynamic == Some(true)
        });
        // Configured weights may be larger; those that a script gave may not.
        let changed = state.configured != state.weight || is_dynamic;
        if changed
            && weights
                .into_iter()
                .any(|weight| !(0..=DYNAMIC_WEIGHT_MAX).contains(&weight))
        {
            found.push(Mismatch::WeightRange);
        }
        found
    }
}

/// The weights of the real servers that the kernel carries.
pub type Carried = BTreeMap<(Key, Server), i64>;

/// What the kernel carries, by names that don't tell the family of a mark: keepalived doesn't.
pub fn carried(services: &[Service]) -> Carried {
    let mut out = Carried::new();
    for service in services {
        let key = match service.key {
            Key::Mark { mark, .. } => Key::Mark { mark, ipv6: false },
            address @ Key::Address { .. } => address,
        };
        for found in &service.destinations {
            out.insert((key, (found.ip, found.port)), found.weight);
        }
    }
    out
}
