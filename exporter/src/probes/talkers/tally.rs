//! How many of which kind? Counts of one pass, in bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::networks::Owner;
use crate::pods::PodName;
use crate::subnet::Subnet;

use super::connection::{Connection, STATES};

/// So many remote addresses are counted at a time. Whoever has more than one of so many entries is never lost.
const REMOTES_MAX: usize = 50_000;

/// What one pass counted.
#[derive(Debug)]
pub struct Tally {
    owners: HashMap<IpAddr, Owner>,
    pods: BTreeMap<PodName, Ends>,
    states: BTreeMap<(&'static str, &'static str), u64>,
    subnets: Vec<(Subnet, u64)>,
    remotes: HashMap<(IpAddr, End), u64>,
    /// By how much a remote address may have been counted too low.
    undercount: u64,
    entries: u64,
}

/// Connections of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// That it opened.
    pub from: u64,
    /// That were opened to it.
    pub to: u64,
}

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// It opened the connection.
    Source,
    /// It was connected to.
    Target,
}

// === impl Tally ===

impl Tally {
    /// Nothing counted yet. Without owners no pod is told, nor any remote address.
    pub fn new(owners: HashMap<IpAddr, Owner>, subnets: Vec<Subnet>) -> Self {
        let mut pods = BTreeMap::new();
        for owner in owners.values() {
            if let Owner::Pod(pod) = owner {
                pods.insert(pod.clone(), Ends::default());
            }
        }
        pods.insert(PodName::default(), Ends::default());
        let states = STATES
            .iter()
            .flat_map(|(protocol, states)| states.iter().map(|state| ((*protocol, *state), 0)));
        Self {
            owners,
            pods,
            states: states.collect(),
            subnets: subnets.into_iter().map(|subnet| (subnet, 0)).collect(),
            remotes: HashMap::new(),
            undercount: 0,
            entries: 0,
        }
    }

    /// Counts an entry.
    pub fn add(&mut self, found: &Connection) {
        self.entries += 1;
        *self
            .states
            .entry((found.protocol, found.state))
            .or_default() += 1;
        for (subnet, count) in &mut self.subnets {
            let ends = [found.from, found.asked, found.to];
            *count += u64::from(ends.into_iter().any(|ip| subnet.contains(ip)));
        }
        if self.owners.is_empty() {
            return;
        }
        for (ip, end) in [(found.from, End::Source), (found.to, End::Target)] {
            let nobody = PodName::default();
            let pod = match self.owners.get(&ip) {
                Some(Owner::Pod(pod)) => pod,
                Some(Owner::Node) | None => &nobody,
            };
            if let Some(counts) = self.pods.get_mut(pod) {
                match end {
                    End::Source => counts.from += 1,
                    End::Target => counts.to += 1,
                }
            }
            if !self.owners.contains_key(&ip) && !ip.is_loopback() {
                self.count_remote((ip, end));
            }
        }
    }

    /// Misra and Gries, "Finding repeated elements" (1982): when there is no room, everybody loses one.
    fn count_remote(&mut self, remote: (IpAddr, End)) {
        if let Some(count) = self.remotes.get_mut(&remote) {
            *count += 1;
        } else if self.remotes.len() < REMOTES_MAX {
            self.remotes.insert(remote, 1);
        } else {
            self.undercount += 1;
            self.remotes.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }

    /// Entries that were counted.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Every pod, and the nameless rest.
    pub fn pods(&self) -> impl Iterator<Item = (&PodName, Ends)> {
        self.pods.iter().map(|(pod, ends)| (pod, *ends))
    }

    /// Protocol, state, entries.
    pub fn states(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        self.states
            .iter()
            .map(|((protocol, state), count)| (*protocol, *state, *count))
    }

    /// Each subnet and how many entries touch it.
    pub fn subnets(&self) -> impl Iterator<Item = (Subnet, u64)> {
        self.subnets.iter().copied()
    }

    /// The remote addresses with the most entries, most first.
    pub fn remotes(&self, wanted: usize) -> Vec<(IpAddr, End, u64)> {
        let mut all: Vec<_> = self
            .remotes
            .iter()
            .map(|((ip, end), count)| (*ip, *end, *count))
            .collect();
        all.sort_unstable_by_key(|(ip, end, count)| (std::cmp::Reverse(*count), *ip, *end));
        all.truncate(wanted);
        all
    }

    /// By how much each of them may have been counted too low.
    pub fn undercount(&self) -> u64 {
        self.undercount
    }
}
