//! Who won an election of leaders, and who lost one? Read from what the control plane says of itself.
//!
//! The controller manager and the scheduler use client-go's leader election, whose lines stand under `leaderelection.go`,
//! in klog's text or its JSON; etcd's raft says who follows whom (`raft.node: …`). A component that gives its lease back
//! because it was told to stop has lost nothing. After a loss the controller manager and the scheduler end themselves, so
//! each loss is also a restart.

use std::sync::Arc;

use record::Origin;
use serde::Deserialize;

use super::family::{Description, Family, Kind};

/// What [`Elections::family`] gives.
pub(super) const ELECTIONS: Description = Description {
    name: "control_plane_leader_elections_total",
    kind: Kind::Counter,
    labels: &["component", "result"],
    help: "Elections of leaders that this node's member of the control plane won or lost, by its own lines.",
};

/// Where static pods of the control plane are; in other namespaces anybody can name a container etcd.
const NAMESPACE: &str = "kube-system";

/// A line's head is shorter than this: level, time, thread, file and line number.
const KLOG_HEAD_BYTES_MAX: usize = 128;

/// Who has leaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Component {
    /// Raft.
    Etcd,
    /// client-go.
    ControllerManager,
    /// client-go.
    Scheduler,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It leads now.
    Won,
    /// It led, and does so no more.
    Lost,
}

/// The counts of one node.
#[derive(Debug, Default)]
pub(super) struct Elections {
    /// By component and outcome; nothing where the component was never seen.
    counts: [Option<[u64; Outcome::ALL.len()]>; Component::ALL.len()],
}

/// What is read of a line in JSON.
#[derive(Deserialize)]
struct Json<'a> {
    #[serde(borrow, default)]
    caller: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    msg: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    err: std::borrow::Cow<'a, str>,
}

// === impl Component ===

impl Component {
    const ALL: [Self; 3] = [Self::Etcd, Self::ControllerManager, Self::Scheduler];

    /// Whose lines these are, by the container's name.
    pub(super) fn of(origin: &Origin) -> Option<Self> {
        if origin.namespace() != NAMESPACE {
            return None;
        }
        Self::ALL
            .into_iter()
            .find(|component| component.as_str() == origin.container_name())
    }

    /// The name of the container, and the label.
    fn as_str(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        }
    }
}

// === impl Outcome ===

impl Outcome {
    const ALL: [Self; 2] = [Self::Won, Self::Lost];

    fn as_str(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
}

// === impl Elections ===

impl Elections {
    /// Takes note of a component, whose counts are there from now on, at 0.
    pub(super) fn meet(&mut self, component: Component) {
        if let Some(counts) = self.counts.get_mut(component as usize) {
            counts.get_or_insert_default();
        }
    }

    /// Counts a line, if it is about an election.
    pub(super) fn count(&mut self, component: Component, message: &str) {
        let outcome = match component {
            Component::Etcd => of_etcd(message),
            Component::ControllerManager | Component::Scheduler => of_client_go(message),
        };
        let Some(outcome) = outcome else {
            return;
        };
        if let Some(counts) = self.counts.get_mut(component as usize)
            && let Some(count) = counts.get_or_insert_default().get_mut(outcome as usize)
        {
            *count += 1;
        }
    }

    /// Whether any component was seen: until then the family is not shown.
    pub(super) fn is_any(&self) -> bool {
        self.counts.iter().any(Option::is_some)
    }

    /// Every outcome of every component that was seen.
    pub(super) fn family(&self) -> Family {
        let mut samples = ELECTIONS.samples();
        for (component, counts) in Component::ALL.iter().zip(&self.counts) {
            let component = Arc::from(component.as_str());
            for (outcome, count) in Outcome::ALL.iter().zip(counts.iter().flatten()) {
                samples.number(&[&component, &Arc::from(outcome.as_str())], *count as f64);
            }
        }
        samples.family()
    }
}

/// What a line of a client-go component says; pure.
///
/// `I1121 12:02:32.453614       1 leaderelection.go:271] successfully acquired lease …`; newer ones quote the sentence
/// and begin it with a capital letter.
fn of_client_go(line: &str) -> Option<Outcome> {
    const FILE: &str = "leaderelection.go:";
    if line.starts_with('{') {
        if !line.contains(FILE) {
            return None;
        }
        let line: Json<'_> = serde_json::from_str(line).ok()?;
        return line
            .caller
            .contains(FILE)
            .then(|| of_sentence(&line.msg, &line.err))?;
    }
    let (head, rest) = line.split_once("] ")?;
    if head.len() > KLOG_HEAD_BYTES_MAX || !head.contains(FILE) {
        return None;
    }
    let rest = rest.strip_prefix('"').unwrap_or(rest);
    of_sentence(rest, rest)
}

/// What a sentence of client-go's leader election means; `why` is where its error stands.
fn of_sentence(sentence: &str, why: &str) -> Option<Outcome> {
    let begins = |words: &str| {
        let start = sentence.get(..words.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(words))
    };
    if begins("successfully acquired lease") {
        return Some(Outcome::Won);
    }
    // Go's `context.Canceled`: it was told to stop.
    let was_told = why
        .trim_end()
        .trim_end_matches('"')
        .ends_with("context canceled")
        || sentence.trim_end().ends_with("context canceled");
    (begins("failed to renew lease") && !was_told).then_some(Outcome::Lost)
}

/// What a line of etcd says; pure. Each member tells of its own view: `raft.node: ID elected leader ID at term N`,
/// `… lost leader ID at term N`, `… changed leader from ID to ID at term N`.
fn of_etcd(line: &str) -> Option<Outcome> {
    const RAFT: &str = "raft.node: ";
    if line.starts_with('{') {
        if !line.contains(RAFT) {
            return None;
        }
        let line: Json<'_> = serde_json::from_str(line).ok()?;
        return of_raft(line.msg.strip_prefix(RAFT)?);
    }
    // etcd before 3.4, or with `--logger=capnslog`.
    of_raft(line.split_once(" raft: raft.node: ")?.1)
}

fn of_raft(sentence: &str) -> Option<Outcome> {
    let mut words = sentence.split(' ');
    let own = words.next()?;
    let (before, after) = match (words.next()?, words.next()?, words.next()?) {
        ("elected", "leader", new) => (None, Some(new)),
        ("lost", "leader", old) => (Some(old), None),
        ("changed", "leader", "from") => {
            let old = words.next()?;
            (Some(old), words.nth(1))
        }
        _ => return None,
    };
    match (before == Some(own), after == Some(own)) {
        (false, true) => Some(Outcome::Won),
        (true, false) => Some(Outcome::Lost),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines of kube-controller-manager and kube-scheduler v1.34.4; the last four are written by hand after newer
    /// versions' sources.
    const CLIENT_GO: &[(&str, Option<Outcome>)] = &[
        (
            "I1121 12:02:32.448031       1 leaderelection.go:257] attempting to acquire leader lease kube-system/kube-scheduler...",
            None,
        ),
        (
            "I1121 12:08:39.382434       1 leaderelection.go:271] successfully acquired lease kube-system/kube-controller-manager",
            Some(Outcome::Won),
        ),
        (
            "E1121 12:06:57.715684       1 leaderelection.go:448] error retrieving resource lock kube-system/kube-scheduler: Get \"https://127.0.0.1:6443/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler?timeout=5s\": dial tcp 127.0.0.1:6443: connect: connection refused",
            None,
        ),
        (
            "I1121 12:06:59.713446       1 leaderelection.go:297] failed to renew lease kube-system/kube-scheduler: context deadline exceeded",
            Some(Outcome::Lost),
        ),
        (
            "E1121 12:06:59.714518       1 server.go:319] \"Leaderelection lost\"",
            None,
        ),
        (
            "I1121 12:08:39.383839       1 event.go:389] \"Event occurred\" object=\"kube-system/x\" message=\"leaderelection.go:1] successfully acquired lease\"",
            None,
        ),
        (
            "I1121 12:06:59.713446       1 leaderelection.go:297] failed to renew lease kube-system/kube-scheduler: context canceled",
            None,
        ),
        (
            "I1121 12:06:59.713446       1 leaderelection.go:297] \"Failed to renew lease\" lock=\"kube-system/kube-scheduler\" err=\"context canceled\"",
            None,
        ),
        (
            "I1121 12:06:59.713446       1 leaderelection.go:297] \"Failed to renew lease\" lock=\"kube-system/kube-scheduler\" err=\"context deadline exceeded\"",
            Some(Outcome::Lost),
        ),
        (
            r#"{"ts":1795262859713.4,"caller":"leaderelection/leaderelection.go:271","msg":"successfully acquired lease kube-system/kube-scheduler","v":0}"#,
            Some(Outcome::Won),
        ),
    ];

    /// Lines of etcd 3.4.23; the last ones are written by hand after its source.
    const ETCD: &[(&str, Option<Outcome>)] = &[
        (
            r#"{"level":"info","ts":"2026-11-21T12:02:26.895Z","caller":"raft/raft.go:771","msg":"b71f75320dc06a6c became leader at term 2"}"#,
            None,
        ),
        (
            r#"{"level":"info","ts":"2026-11-21T12:02:26.895Z","caller":"raft/node.go:327","msg":"raft.node: b71f75320dc06a6c elected leader b71f75320dc06a6c at term 2"}"#,
            Some(Outcome::Won),
        ),
        (
            r#"{"level":"info","caller":"raft/node.go:327","msg":"raft.node: b71f75320dc06a6c elected leader 8e9e05c52164694d at term 2"}"#,
            None,
        ),
        (
            r#"{"level":"info","caller":"raft/node.go:331","msg":"raft.node: b71f75320dc06a6c lost leader b71f75320dc06a6c at term 3"}"#,
            Some(Outcome::Lost),
        ),
        (
            r#"{"level":"info","caller":"raft/node.go:331","msg":"raft.node: b71f75320dc06a6c lost leader 8e9e05c52164694d at term 3"}"#,
            None,
        ),
        (
            r#"{"level":"info","caller":"raft/node.go:329","msg":"raft.node: b71f75320dc06a6c changed leader from b71f75320dc06a6c to 8e9e05c52164694d at term 3"}"#,
            Some(Outcome::Lost),
        ),
        (
            "2019-03-01 10:11:12.131415 I | raft: raft.node: b71f75320dc06a6c changed leader from 8e9e05c52164694d to b71f75320dc06a6c at term 3",
            Some(Outcome::Won),
        ),
        (
            r#"{"level":"warn","msg":"apply request took too long","request":"raft.node: a lost leader a"}"#,
            None,
        ),
    ];

    #[test]
    fn what_the_control_plane_says_of_its_elections() {
        for (line, wanted) in CLIENT_GO {
            assert_eq!(of_client_go(line), *wanted, "{line}");
        }
        for (line, wanted) in ETCD {
            assert_eq!(of_etcd(line), *wanted, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_ends_without_a_panic(line in "(I1 |leaderelection.go:1|\\] |\"|\\{|\\}|successfully acquired lease|failed to renew lease|raft.node: | raft: |a |lost |leader |[äx\\\\:]){0,12}") {
            prop_assert!(of_client_go(&line).is_none() || line.contains("leaderelection.go:"));
            prop_assert!(of_etcd(&line).is_none() || line.contains("raft.node: "));
        }
    }
}
