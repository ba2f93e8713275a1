//! Does the network answer from inside each pod?
//!
//! The node's targets are asked from every pod's own network namespace, so that the pod's path (its veth, its policies,
//! the node's forwarding) is tested without anything in the pod. A namespace is entered by a thread that was made for
//! it and then ends: a thread can't be trusted to find back. Pods in the node's own network have the node's answer.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::family::{Families, Family};
use crate::labels::Labels;
use crate::networks::{self, Network};
use crate::place::Place;
use crate::pods::PodName;
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};
use crate::probes::Settings;
use crate::probes::readiness::round::{Answer, Pinger};
use crate::probes::readiness::target::{Target, gateways};
use crate::probes::readiness::verdict::{Readiness, Streak, Thresholds, Verdict};

/// How often each pod's targets are asked.
const INTERVAL: Duration = Duration::from_secs(3);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(800);
/// How many pods are entered at a time.
const AT_A_TIME: usize = 32;
/// More pods are not asked; kubelet starts 110 unless told otherwise.
const PODS_MAX: usize = 500;
/// More targets of a pod are not asked.
const TARGETS_MAX: usize = 16;
/// Nine seconds of silence are a failure, two answers the end of it.
const THRESHOLDS: Thresholds = Thresholds {
    fail: 3,
    recover: 2,
};
/// How old a pod's verdict may be before it is none: with all pods silent a round takes a quarter of it.
const FRESH: Duration = Duration::from_mins(1);

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "pod_readiness",
    about: "Does the network answer from inside each pod?",
    families: FAMILIES,
    pace: Pace::Every(INTERVAL),
    series_max: 50_000,
    make: |settings| Box::new(FromPods::new(settings)),
};

const P: &[&str] = &["namespace", "pod"];
const T: &[&str] = &["ip", "namespace", "pod", "role", "target"];

const READY: Family = Family::gauge(
    "readiness_pod_ready",
    P,
    "Whether /ready/NAMESPACE/POD answers 200 (1) or 503 (0).",
);
const GUARD: Family = Family::gauge(
    "readiness_pod_guard_active",
    P,
    "Whether the pod stays ready only because peers answer it while every other target is silent.",
);
const TRANSITIONS: Family = Family::counter(
    "readiness_pod_transitions_total",
    P,
    "How often the pod became ready or unready since nodetap saw it first.",
);
const ENTERED: Family = Family::gauge(
    "readiness_pod_entered",
    P,
    "Whether the pod's network namespace could be entered at the last round.",
);
const SENT: Family = Family::counter(
    "pod_ping_probes_sent_total",
    T,
    "Probes sent to the target from inside the pod's network.",
);
const RECEIVED: Family = Family::counter(
    "pod_ping_probes_received_total",
    T,
    "Those of them that were answered in time.",
);
const RTT: Family = Family::gauge("pod_ping_rtt_seconds", T, "Time to the last answer.");

const FAMILIES: &[Family] = &[READY, GUARD, TRANSITIONS, ENTERED, SENT, RECEIVED, RTT];

/// What is known of every pod; `/ready/<namespace>/<pod>` reads it.
#[derive(Debug, Default)]
pub struct PodReadiness(Mutex<BTreeMap<PodName, Arc<Readiness>>>);

#[derive(Debug)]
struct FromPods {
    is_on: bool,
    configured: Vec<Target>,
    gateways: bool,
    shared: Arc<PodReadiness>,
    pods: BTreeMap<PodName, Pod>,
    token: u64,
}

/// One pod's answers.
#[derive(Debug, Default)]
struct Pod {
    targets: BTreeMap<Target, Known>,
    entered: bool,
}

#[derive(Debug, Default)]
struct Known {
    streak: Streak,
    sent: u64,
    received: u64,
    last: Option<f64>,
}

// === impl PodReadiness ===

impl PodReadiness {
    /// What a pod's `/ready` answers; `None` where there is no such pod.
    pub fn answer(&self, namespace: &str, pod: &str, now: SystemTime) -> Option<(u16, String)> {
        let name = PodName {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
        };
        let readiness = self.lock().get(&name).cloned()?;
        Some(readiness.answer(now))
    }

    fn of(&self, name: &PodName) -> Arc<Readiness> {
        let mut pods = self.lock();
        let readiness = pods.entry(name.clone()).or_insert_with(|| {
            let whose = format!("{}/{}", name.namespace, name.pod);
            Arc::new(Readiness::new(&whose, FRESH))
        });
        Arc::clone(readiness)
    }

    /// A pod that is gone has no answer any more.
    fn keep(&self, pods: &BTreeMap<PodName, Pod>) {
        self.lock().retain(|name, _| pods.contains_key(name));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PodName, Arc<Readiness>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl FromPods ===

impl FromPods {
    fn new(settings: &Settings) -> Self {
        Self {
            is_on: settings.ping_from_pods,
            configured: settings.ping_targets.clone(),
            gateways: settings.ping_gateways,
            shared: Arc::clone(&settings.pod_readiness),
            pods: BTreeMap::new(),
            // Another than the node's own probe has: both may use raw sockets of one namespace.
            token: u64::from(std::process::id()) << 32 | 0x7064,
        }
    }

    /// The node's targets, as far as a pod can have a way to them.
    fn targets(&self, place: &Place) -> Vec<Target> {
        let mut targets = self.configured.clone();
        if self.gateways {
            let found = gateways(place).into_iter();
            targets.extend(found.filter(|gateway| {
                let is_configured = self.configured.iter().any(|target| target.ip == gateway.ip);
                !is_configured && gateway.scope == 0
            }));
        }
        targets.truncate(TARGETS_MAX);
        targets
    }

    fn emit(&self, out: &mut Families) {
        for (name, pod) in &self.pods {
            let labels = Labels::of(&[("namespace", &name.namespace), ("pod", &name.pod)]);
            let readiness = self.shared.of(name);
            let (ready, guarded) = readiness.state().unwrap_or_default();
            out.push(&READY, &labels, ready);
            out.push(&GUARD, &labels, guarded);
            out.push(&TRANSITIONS, &labels, readiness.transitions().0);
            out.push(&ENTERED, &labels, pod.entered);
            for (target, known) in &pod.targets {
                let labels = Labels::of(&[
                    ("ip", &target.ip.to_string()),
                    ("namespace", &name.namespace),
                    ("pod", &name.pod),
                    ("role", &target.role),
                    ("target", &target.name),
                ]);
                out.push(&SENT, &labels, known.sent);
                out.push(&RECEIVED, &labels, known.received);
                if let Some(seconds) = known.last {
                    out.push(&RTT, &labels, seconds);
                }
            }
        }
    }
}

impl Probe for FromPods {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        if !self.is_on {
            return Err(ProbeError::unavailable(
                Reason::NotConfigured,
                "`export.ping_from_pods` is off",
            ));
        }
        let targets = self.targets(context.place);
        let mut networks = networks::others(context.place);
        networks.retain(|network| network.pod != PodName::default());
        networks.truncate(PODS_MAX);
        let rounds = rounds(context.place, &networks, &targets, self.token);
        self.pods
            .retain(|name, _| networks.iter().any(|network| network.pod == *name));
        for (network, answers) in networks.iter().zip(rounds) {
            let pod = self.pods.entry(network.pod.clone()).or_default();
            pod.take(&targets, answers.as_deref());
            let readiness = self.shared.of(&network.pod);
            readiness.judge(pod.verdict(), context.now);
        }
        self.shared.keep(&self.pods);
        self.emit(out);
        if !networks.is_empty() && self.pods.values().all(|pod| !pod.entered) {
            return Err(ProbeError::unavailable(
                Reason::Permission,
                "no pod's network namespace may be entered: that needs CAP_SYS_ADMIN and the node's /proc",
            ));
        }
        Ok(())
    }
}

/// Asks the targets once from each namespace; nothing where one can't be entered.
fn rounds(
    place: &Place,
    networks: &[Network],
    targets: &[Target],
    token: u64,
) -> Vec<Option<Vec<Answer>>> {
    let mut rounds = Vec::with_capacity(networks.len());
    for some in networks.chunks(AT_A_TIME) {
        thread::scope(|scope| {
            let threads: Vec<_> = some
                .iter()
                .map(|network| {
                    thread::Builder::new()
                        .name("ping from a pod".to_owned())
                        .spawn_scoped(scope, move || {
                            enter(place, network)?;
                            // Its sockets belong to the namespace in which they are made.
                            Some(Pinger::new(token).round(targets, PATIENCE))
                        })
                })
                .collect();
            for thread in threads {
                let answers = thread.ok().and_then(|thread| thread.join().ok().flatten());
                rounds.push(answers);
            }
        });
    }
    rounds
}

/// Moves this thread into a pod's network namespace. The process may have ended and its number be another's by now:
/// what was opened must still be the namespace that was listed.
fn enter(place: &Place, network: &Network) -> Option<()> {
    let path = place.path(&format!("proc/{}/ns/net", network.process));
    let namespace = File::open(path).ok()?;
    let inode = rustix::fs::fstat(&namespace).ok()?.st_ino;
    if inode.to_string() != network.inode {
        return None;
    }
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).ok()
}

// === impl Pod ===

impl Pod {
    /// Takes one round's answers. A pod that can't be entered keeps what is known of it: we are at fault, not its network.
    fn take(&mut self, targets: &[Target], answers: Option<&[Answer]>) {
        self.entered = answers.is_some();
        self.targets.retain(|target, _| targets.contains(target));
        for (target, answer) in targets.iter().zip(answers.unwrap_or_default()) {
            let known = self.targets.entry(target.clone()).or_default();
            let took = answer.outcome.unwrap_or_default();
            known.sent += u64::from(answer.outcome.is_ok());
            known.received += u64::from(took.is_some());
            known.last = took.or(known.last);
            known.streak.take(took.is_some(), THRESHOLDS);
            // A gateway that never answered this pod decides nothing.
            known.streak.gates |= !target.automatic || known.streak.well;
        }
    }

    fn verdict(&self) -> Verdict {
        let judged = self.targets.iter();
        Verdict::of(judged.map(|(target, known)| (target, &known.streak)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use crate::probes::readiness::round::Method;

    use super::*;

    fn answer(took: Option<f64>) -> Answer {
        Answer {
            method: Method::IcmpRaw,
            outcome: Ok(took),
            duplicates: 0,
        }
    }

    fn switch() -> Target {
        Target::new("switch", "192.0.2.1".parse().unwrap(), "core_switch", None)
    }

    #[test]
    fn a_pod_that_can_not_be_entered_keeps_what_is_known_of_it() {
        let targets = [switch()];
        let mut pod = Pod::default();
        for _ in 0..2 {
            pod.take(&targets, Some(&[answer(Some(0.001))]));
        }
        assert!(pod.verdict().ready && pod.entered);
        for _ in 0..9 {
            pod.take(&targets, None);
        }
        assert!(pod.verdict().ready && !pod.entered);
        for _ in 0..3 {
            pod.take(&targets, Some(&[answer(None)]));
        }
        assert!(!pod.verdict().ready);
        assert_eq!(pod.targets[&targets[0]].received, 2);
        assert_eq!(pod.targets[&targets[0]].sent, 5);
    }

    #[test]
    fn a_process_of_another_namespace_is_not_entered() {
        let root = tempfile::tempdir().unwrap();
        symlink("/proc", root.path().join("proc")).unwrap();
        let network = Network {
            inode: "1".to_owned(),
            process: "self".to_owned(),
            pod: PodName::default(),
        };
        assert_eq!(enter(&Place::new(root.path()), &network), None);
    }

    #[test]
    fn nobody_knows_a_pod_that_is_gone() {
        let shared = PodReadiness::default();
        let name = PodName {
            namespace: "shop".to_owned(),
            pod: "web-1".to_owned(),
        };
        let now = SystemTime::UNIX_EPOCH;
        shared.of(&name).judge(Pod::default().verdict(), now);
        let (code, _) = shared.answer("shop", "web-1", now).unwrap();
        assert_eq!(code, 200);
        assert_eq!(shared.answer("shop", "web-2", now), None);
        shared.keep(&BTreeMap::new());
        assert_eq!(shared.answer("shop", "web-1", now), None);
    }

    #[test]
    fn nothing_is_entered_unless_asked_for() {
        let mut probe = FromPods::new(&Settings::new("/"));
        let context = Context {
            place: &Place::new("/"),
            now: SystemTime::UNIX_EPOCH,
            deadline: std::time::Instant::now(),
        };
        let mut out = Families::new(10);
        let error = probe.collect(&context, &mut out).unwrap_err();
        assert_eq!(error.reason(), Reason::NotConfigured);
        assert_eq!(out.series(), 0);
    }
}
