//! Is the node ready? What the answers of the targets mean, with hysteresis, and what `/ready` says.
//!
//! Targets with one role stand for each other: a role is well while one of its targets answers. An automatic target (a
//! default gateway) counts only once it has answered, for many gateways never answer a ping. While a target with the
//! role `peer` answers, roles that all failed at once don't make the node unready: the network works, what fell silent
//! is the switch's answering, and a cluster must not lose every endpoint over that.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::target::{PEER, Target};

/// How old a verdict may be before it is none: the probe that makes it hangs.
const FRESH: Duration = Duration::from_secs(15);

/// What a target did lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streak {
    /// Answers in a row.
    pub answered: u32,
    /// Silences in a row.
    pub silent: u32,
    /// Whether it counts as well.
    pub well: bool,
    /// Whether it gates.
    pub gates: bool,
}

/// When a target changes its state.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// So many silences in a row, and it has failed.
    pub fail: u32,
    /// So many answers in a row, and it is well again.
    pub recover: u32,
}

/// What is said of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is ready.
    pub ready: bool,
    /// Each role that gates, and whether it is well.
    pub checks: BTreeMap<String, bool>,
    /// Whether it would be unready without its peers.
    pub guarded: bool,
    /// Why, a line each.
    pub lines: Vec<String>,
}

/// The verdict that rounds write and `/ready` reads.
#[derive(Debug)]
pub struct Readiness {
    /// The node, or a pod as `namespace/pod`; for our log.
    whose: String,
    /// How old a verdict may be before it is none.
    fresh: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    verdict: Option<(Verdict, SystemTime)>,
    changed: Option<SystemTime>,
    transitions: u64,
    requests: BTreeMap<u16, u64>,
}

// === impl Streak ===

impl Streak {
    /// Takes one round's result. Nothing has failed before it was silent often enough.
    pub fn take(&mut self, answered: bool, thresholds: Thresholds) {
        if answered {
            self.answered = self.answered.saturating_add(1);
            self.silent = 0;
            if self.answered >= thresholds.recover {
                self.well = true;
            }
        } else {
            self.silent = self.silent.saturating_add(1);
            self.answered = 0;
            if self.silent >= thresholds.fail {
                self.well = false;
            }
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// Judges; pure.
    pub fn of<'a>(targets: impl Iterator<Item = (&'a Target, &'a Streak)>) -> Self {
        let mut checks: BTreeMap<String, bool> = BTreeMap::new();
        let mut lines = Vec::new();
        let mut peer_answers = false;
        for (target, streak) in targets {
            let state = match (streak.gates, streak.well) {
                (_, true) => "answers".to_owned(),
                (true, false) => format!("silent for {} probes", streak.silent),
                (false, false) => "has never answered, so it decides nothing".to_owned(),
            };
            lines.push(format!(
                "{} {} ({}) {state}",
                target.role, target.name, target.ip
            ));
            if target.role == PEER {
                peer_answers |= streak.well;
            } else if streak.gates {
                *checks.entry(target.role.clone()).or_default() |= streak.well;
            }
        }
        let all_well = checks.values().all(|well| *well);
        let all_failed = checks.values().all(|well| !*well);
        let guarded = !all_well && all_failed && peer_answers;
        if guarded {
            lines.push("guard: peers answer while every target is silent".to_owned());
        }
        Self {
            ready: all_well || guarded,
            checks,
            guarded,
            lines,
        }
    }
}

// === impl Readiness ===

impl Default for Readiness {
    fn default() -> Self {
        Self::new("node", FRESH)
    }
}

impl Readiness {
    /// No verdict yet.
    pub fn new(whose: &str, fresh: Duration) -> Self {
        Self {
            whose: whose.to_owned(),
            fresh,
            inner: Mutex::default(),
        }
    }

    /// Writes a round's verdict. The first one is no transition.
    pub fn judge(&self, verdict: Verdict, now: SystemTime) {
        let mut inner = self.lock();
        let before = inner.verdict.as_ref().map(|(known, _)| known.ready);
        if before != Some(verdict.ready) {
            inner.changed = Some(now);
            if before.is_some() {
                inner.transitions += 1;
                tracing::warn!(whose = %self.whose, ready = verdict.ready, why = %verdict.lines.join("; "), "readiness changed");
            }
        }
        inner.verdict = Some((verdict, now));
    }

    /// What `/ready` answers, and counts that it did. 503 also before the first round and when rounds have stopped.
    pub fn answer(&self, now: SystemTime) -> (u16, String) {
        let mut inner = self.lock();
        let (code, text) = match &inner.verdict {
            None => (503, "not known yet\n".to_owned()),
            Some((_, judged))
                if now
                    .duration_since(*judged)
                    .is_ok_and(|age| self.fresh < age) =>
            {
                (503, "the probe of the targets hangs\n".to_owned())
            }
            Some((verdict, _)) => {
                let word = if verdict.ready { "ready" } else { "not ready" };
                let code = if verdict.ready { 200 } else { 503 };
                (code, format!("{word}\n{}\n", verdict.lines.join("\n")))
            }
        };
        *inner.requests.entry(code).or_default() += 1;
        (code, text)
    }

    /// Whether it is ready, and whether only by its guard; `None` before the first round.
    pub fn state(&self) -> Option<(bool, bool)> {
        let inner = self.lock();
        let (verdict, _) = inner.verdict.as_ref()?;
        Some((verdict.ready, verdict.guarded))
    }

    /// How often it changed, and when last.
    pub fn transitions(&self) -> (u64, Option<SystemTime>) {
        let inner = self.lock();
        (inner.transitions, inner.changed)
    }

    /// Answers given, by code.
    pub fn requests(&self) -> BTreeMap<u16, u64> {
        let mut requests = BTreeMap::from([(200, 0), (503, 0)]);
        requests.extend(&self.lock().requests);
        requests
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const THRESHOLDS: Thresholds = Thresholds {
        fail: 3,
        recover: 2,
    };

    fn target(name: &str, role: &str) -> Target {
        Target::new(name, "192.0.2.1".parse().unwrap(), role, None)
    }

    fn streak(well: bool, gates: bool) -> Streak {
        Streak {
            well,
            gates,
            ..Streak::default()
        }
    }

    fn verdict(targets: &[(Target, Streak)]) -> Verdict {
        Verdict::of(targets.iter().map(|(target, streak)| (target, streak)))
    }

    #[test]
    fn one_lost_packet_changes_nothing() {
        let mut streak = Streak::default();
        let mut seen = String::new();
        for answered in [
            true, true, false, false, true, false, false, false, true, false, true, true,
        ] {
            streak.take(answered, THRESHOLDS);
            seen.push(if streak.well { '+' } else { '-' });
        }
        assert_eq!(seen, "-++++++----+");
    }

    #[test]
    fn a_role_is_well_while_one_of_its_targets_answers() {
        let one = (target("a", "core_switch"), streak(true, true));
        let other = (target("b", "core_switch"), streak(false, true));
        let dns = (target("c", "dns"), streak(false, true));
        assert!(verdict(&[one.clone(), other.clone()]).ready);
        let found = verdict(&[one, other, dns]);
        assert!(!found.ready);
        assert_eq!(
            found.checks,
            BTreeMap::from([("core_switch".to_owned(), true), ("dns".to_owned(), false)])
        );
    }

    #[test]
    fn a_gateway_that_never_answered_decides_nothing() {
        let found = verdict(&[(target("a", "gateway"), streak(false, false))]);
        assert!(found.ready && found.checks.is_empty(), "{found:?}");
    }

    #[test]
    fn peers_guard_against_a_switch_that_stopped_answering() {
        let switch = (target("a", "core_switch"), streak(false, true));
        let dns = |well| (target("d", "dns"), streak(well, true));
        let peer = |well| (target("p", PEER), streak(well, true));
        let found = verdict(&[switch.clone(), peer(true)]);
        assert!(found.ready && found.guarded, "{found:?}");
        assert!(
            !verdict(&[switch.clone(), peer(false)]).ready,
            "the node is cut off"
        );
        assert!(
            !verdict(&[switch, dns(true), peer(true)]).ready,
            "not everything is silent"
        );
    }

    #[test]
    fn what_ready_answers() {
        let readiness = Readiness::default();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(readiness.answer(at(0)).0, 503, "before the first round");
        let well = verdict(&[(target("a", "core_switch"), streak(true, true))]);
        let failed = verdict(&[(target("a", "core_switch"), streak(false, true))]);
        readiness.judge(well.clone(), at(1));
        assert_eq!(readiness.answer(at(2)).0, 200);
        assert_eq!(readiness.transitions(), (0, Some(at(1))));
        readiness.judge(failed, at(3));
        let (code, text) = readiness.answer(at(4));
        assert_eq!(code, 503);
        assert!(text.contains("core_switch a (192.0.2.1) silent"), "{text}");
        readiness.judge(well, at(5));
        assert_eq!(readiness.transitions(), (2, Some(at(5))));
        assert_eq!(readiness.answer(at(60)).0, 503, "rounds have stopped");
        assert_eq!(readiness.requests(), BTreeMap::from([(200, 1), (503, 3)]));
    }
}
