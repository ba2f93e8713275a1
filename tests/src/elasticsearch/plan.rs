//! What goes wrong, and how often? Decided by chance from a seed, or in a given order; by id where a document itself is at fault.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::seed::Random;

/// What goes wrong with one whole bulk request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mishap {
    /// Nothing.
    None,
    /// It is refused before anything is done.
    Refused {
        /// The HTTP status.
        status: u16,
        /// `Retry-After` in seconds.
        retry_after: Option<u64>,
    },
    /// It is carried out, and yet answered 503, as a proxy does that lost patience.
    RefusedThoughDone,
    /// It is carried out and answered 200 with an empty body.
    EmptyBody,
    /// It is carried out; the list of items is empty.
    NoItems,
    /// It is carried out; the list of items lacks its last third, at least one.
    FewerItems,
    /// It is carried out; the answer's JSON ends in the middle.
    HalfJson,
    /// A proxy's page with 200; nothing was carried out.
    NotJson,
    /// The connection ends before anything is done.
    CutBefore,
    /// It is carried out, then the connection ends without an answer.
    CutAfter,
    /// It is carried out, then the connection ends in the middle of the answer.
    CutWithin,
    /// It is carried out; the answer comes in drops.
    Drip,
    /// It is carried out; no answer ever comes.
    Silence,
}

/// What goes wrong with one item of a bulk request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemMishap {
    /// 429: the write queue is full.
    Busy,
    /// 503: the primary shard is not active.
    Unavailable,
    /// 503, and the document is stored all the same.
    UnavailableThoughStored,
    /// 403: the index is blocked.
    Blocked,
    /// 404: the index is not there.
    Missing,
    /// 400: the index is closed.
    Closed,
    /// 400: no shard may be made.
    ShardLimit,
    /// 401: the credentials ran out amid the request.
    Unauthorized,
    /// 500, with a name nobody knows.
    Unknown,
}

/// What a document itself is at fault for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// None.
    None,
    /// It can't be parsed as it is; as plain text it can.
    Poison,
    /// It can't be parsed, whatever is made of it.
    Deadly,
    /// It goes to the failure store as it is; as plain text it does not.
    FailureStore,
}

/// How a fake cluster fails.
#[derive(Clone, Debug)]
pub struct Plan {
    random: Random,
    seed: u64,
    script: VecDeque<Mishap>,
    requests: Vec<(Mishap, u64)>,
    items: Vec<(ItemMishap, u64)>,
    flaws: Vec<(Flaw, u64)>,
}

/// How long a dripping answer takes.
pub(super) const DRIP: Duration = Duration::from_millis(600);

// === impl Plan ===

impl Plan {
    /// A plan by which nothing fails.
    pub fn seeded(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            seed,
            script: VecDeque::new(),
            requests: Vec::new(),
            items: Vec::new(),
            flaws: Vec::new(),
        }
    }

    /// The next bulk requests fail in this order, before chance decides again.
    #[must_use]
    pub fn script(mut self, mishaps: impl IntoIterator<Item = Mishap>) -> Self {
        self.script.extend(mishaps);
        self
    }

    /// So many of a thousand bulk requests fail so.
    #[must_use]
    pub fn requests(mut self, mishap: Mishap, per_mille: u64) -> Self {
        self.requests.push((mishap, per_mille));
        self
    }

    /// So many of a thousand items fail so, each time they are sent.
    #[must_use]
    pub fn items(mut self, mishap: ItemMishap, per_mille: u64) -> Self {
        self.items.push((mishap, per_mille));
        self
    }

    /// So many of a thousand documents have this flaw; it is the same ones whenever they are sent.
    #[must_use]
    pub fn flaws(mut self, flaw: Flaw, per_mille: u64) -> Self {
        self.flaws.push((flaw, per_mille));
        self
    }

    /// What happens to the next bulk request.
    pub(super) fn next_request(&mut self) -> Mishap {
        match self.script.pop_front() {
            Some(mishap) => mishap,
            None => pick(&self.requests, self.random.below(1000)).unwrap_or(Mishap::None),
        }
    }

    /// What happens to the next item.
    pub(super) fn next_item(&mut self) -> Option<ItemMishap> {
        if self.items.is_empty() {
            return None;
        }
        pick(&self.items, self.random.below(1000))
    }

    /// The flaw of the document with an id.
    pub fn flaw(&self, id: &str) -> Flaw {
        if self.flaws.is_empty() {
            return Flaw::None;
        }
        let mut hasher = DefaultHasher::new();
        (self.seed, id).hash(&mut hasher);
        pick(&self.flaws, hasher.finish() % 1000).unwrap_or(Flaw::None)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }
}

/// The choice in whose share `at` of a thousand falls.
fn pick<T: Copy>(choices: &[(T, u64)], at: u64) -> Option<T> {
    let mut end = 0;
    choices.iter().find_map(|(choice, share)| {
        end += share;
        (at < end).then_some(*choice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_comes_first_and_chance_keeps_its_shares() {
        let mut plan = Plan::seeded(7)
            .script([Mishap::CutAfter, Mishap::None])
            .requests(Mishap::NoItems, 250)
            .requests(Mishap::Drip, 250);
        assert_eq!(plan.next_request(), Mishap::CutAfter);
        assert_eq!(plan.next_request(), Mishap::None);
        let drawn: Vec<_> = (0..4000).map(|_| plan.next_request()).collect();
        let count = |wanted| drawn.iter().filter(|own| **own == wanted).count();
        for (wanted, about) in [
            (Mishap::NoItems, 1000),
            (Mishap::Drip, 1000),
            (Mishap::None, 2000),
        ] {
            assert!(
                count(wanted).abs_diff(about) < 150,
                "{wanted:?}: {}",
                count(wanted)
            );
        }
    }

    #[test]
    fn a_flaw_stays_with_its_document() {
        let plan = Plan::seeded(7)
            .flaws(Flaw::Poison, 100)
            .flaws(Flaw::Deadly, 100);
        let flaws: Vec<_> = (0..2000).map(|id| plan.flaw(&id.to_string())).collect();
        let again: Vec<_> = (0..2000).map(|id| plan.flaw(&id.to_string())).collect();
        assert_eq!(flaws, again);
        let poison = flaws.iter().filter(|flaw| **flaw == Flaw::Poison).count();
        assert!(poison.abs_diff(200) < 80, "{poison}");
    }
}
