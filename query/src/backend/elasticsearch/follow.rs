//! Which lines have arrived since? Followed by the number that each shard gives to a change, not by time: a line may
//! become visible long after the time it has.
//!
//! Changes become visible at a refresh, and those that were under way at that moment at the next one: behind the last
//! number there may be gaps. So each look takes what is beyond the last number, and now and then a *sweep* looks once
//! more at the numbers of the last minute. What was given is remembered by its id for so long, and given once.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::new::New;
use self::shards::{Asked, Shard, search};
use super::ElasticsearchBackend;
use super::link::ElasticsearchError;
use super::pages::Row;
use super::search::{Notes, Search};
use super::translate::Plan;
use crate::Query;
use crate::backend::{BackendError, Each, Summary};

mod shards;

mod new;

/// How often shards that lines arrive at are looked at.
const POLL: Duration = Duration::from_millis(500);
/// How often all shards are looked at, new indices are found and gaps are filled.
const SWEEP: Duration = Duration::from_secs(5);
/// For so long a shard counts as one that lines arrive at.
const HOT: Duration = Duration::from_mins(1);
/// For so long gaps are looked for behind the last number. More than a usual refresh interval.
const GAPS: Duration = Duration::from_mins(1);
/// When so many ids are remembered, gaps are looked for in fewer numbers.
const SEEN_MAX: usize = 200_000;
/// How many changes before the beginning may not be visible yet.
const UNDER_WAY: i64 = 256;
/// How many rows one search gives at most.
const PAGE_ROWS: usize = 500;
/// How many ids one search gives at most.
const PAGE_IDS: usize = 5000;
/// For so long a cluster that does not answer is asked again before following ends.
const PATIENCE: Duration = Duration::from_mins(2);

/// How far someone has followed a cluster.
#[derive(Clone, Debug)]
pub struct Followed {
    shards: BTreeMap<Shard, Progress>,
    /// By the hash of their ids: the shard's index and number of what was given or is not to be given.
    seen: HashMap<u64, (u64, i64)>,
    hasher: RandomState,
    polled: Option<Instant>,
    swept: Instant,
    /// Since when the cluster does not answer.
    silent: Option<Instant>,
}

/// How far a shard was read.
#[derive(Clone, Debug)]
struct Progress {
    /// What is beyond this number was not read yet.
    read: i64,
    /// What is up to this number is not looked at any more.
    settled: i64,
    /// Its last numbers, with when they were the last.
    heads: VecDeque<(Instant, i64)>,
    hot_until: Instant,
}

/// The rows that a search shows, as far as following may meet them again.
#[derive(Debug)]
struct Shown<'a> {
    followed: &'a Followed,
    settled: HashMap<&'a str, i64>,
    seen: RefCell<Vec<(u64, (u64, i64))>>,
}

/// Searches as usual, and says where following goes on.
pub(super) fn tail(
    backend: &ElasticsearchBackend,
    query: &Query,
    now: Instant,
    each: Each<'_>,
) -> Result<Followed, BackendError> {
    let plain = Query {
        context: 0,
        ..query.clone()
    };
    let mut followed = Followed {
        shards: BTreeMap::new(),
        seen: HashMap::new(),
        hasher: RandomState::new(),
        polled: None,
        swept: now,
        silent: None,
    };
    let heads = shards::heads(backend, &shards::indices(backend)?)?;
    for (shard, head) in heads {
        let settled = head.saturating_sub(UNDER_WAY).max(-1);
        followed
            .shards
            .insert(shard, Progress::new(now, head, settled));
    }
    // What is visible now is for the search to show, even what it leaves out as too old.
    let plan = backend.plan(&query.wanted(), query.since, query.until)?;
    let visible = followed.ids(backend, &plan)?;
    for (id, number, shard) in visible {
        followed.remember(id, number, &shard);
        if let Some(progress) = followed.shards.get_mut(&shard) {
            progress.read = progress.read.max(number);
        }
    }
    let shown = Shown::new(&followed);
    match Search::begin(backend, &plain)?.noted(&shown).answer(each) {
        Ok(_) | Err(BackendError::Elasticsearch(ElasticsearchError::NoIndex { .. })) => {}
        Err(error) => return Err(error),
    }
    let seen = shown.seen.into_inner();
    followed.seen.extend(seen);
    Ok(followed)
}

// === impl Followed ===

impl Followed {
    /// Gives the hits that have become visible, each once. Asks no more often than is good for the cluster.
    pub(super) fn follow(
        &mut self,
        backend: &ElasticsearchBackend,
        query: &Query,
        now: Instant,
        each: Each<'_>,
    ) -> Result<Summary, BackendError> {
        let mut summary = Summary::default();
        let began = Instant::now();
        if self.polled.is_some_and(|polled| now < polled + POLL) {
            return Ok(summary);
        }
        let plan = backend.plan(&query.wanted(), query.since, query.until)?;
        let mut new = New::of(&plan, &mut summary, each);
        let mut looked = self.look(backend, now, &mut new);
        new.give();
        // A slow cluster is asked less often.
        self.polled = Some(now + 2 * began.elapsed());
        if let Err(BackendError::Elasticsearch(error)) = &looked
            && error.may_pass()
        {
            let since = *self.silent.get_or_insert(now);
            if now.duration_since(since) < PATIENCE {
                tracing::warn!(%error, "cannot follow for the moment");
                looked = Ok(());
            }
        } else {
            self.silent = None;
        }
        looked.map(|()| summary)
    }

    /// Takes what is new, and sweeps when it is time.
    fn look(
        &mut self,
        backend: &ElasticsearchBackend,
        now: Instant,
        new: &mut New<'_, '_>,
    ) -> Result<(), BackendError> {
        let sweeps = self.swept + SWEEP <= now;
        if sweeps {
            self.find_shards(backend, now)?;
        }
        self.take_new(backend, now, sweeps, new)?;
        if sweeps {
            self.fill_gaps(backend, new)?;
            self.settle(now);
            self.swept = now;
        }
        Ok(())
    }

    /// Learns of new indices, of those that are gone, and of the last number of each shard.
    fn find_shards(
        &mut self,
        backend: &ElasticsearchBackend,
        now: Instant,
    ) -> Result<(), BackendError> {
        let heads = shards::heads(backend, &shards::indices(backend)?)?;
        let mut before = std::mem::take(&mut self.shards);
        for (shard, head) in heads {
            // All of a new index is new.
            let mut progress = before
                .remove(&shard)
                .unwrap_or_else(|| Progress::new(now, -1, -1));
            let known = progress.heads.back().map_or(-1, |(_, known)| *known);
            if known < head {
                progress.hot_until = now + HOT;
            } else if head < known {
                // Another copy that lags, or a new index of the same name: numbers begin anew.
                let anew = head < progress.settled;
                if anew {
                    progress = Progress::new(now, -1, -1);
                }
            }
            progress.heads.push_back((now, head));
            self.shards.insert(shard, progress);
        }
        Ok(())
    }

    /// Takes what is beyond the last numbers, from all shards or from those that lines arrive at.
    fn take_new(
        &mut self,
        backend: &ElasticsearchBackend,
        now: Instant,
        from_all: bool,
        new: &mut New<'_, '_>,
    ) -> Result<(), BackendError> {
        let mut due: Vec<Shard> = self
            .shards
            .iter()
            .filter(|(_, progress)| from_all || now < progress.hot_until)
            .map(|(shard, _)| shard.clone())
            .collect();
        while !due.is_empty() && !new.ended {
            let asked: Vec<Asked<'_>> = due
                .iter()
                .map(|shard| Asked {
                    shard,
                    body: self.body(shard, new.plan, None),
                })
                .collect();
            let mut more = Vec::new();
            shards::ask(backend, &asked, &mut |at, found| {
                let Some(shard) = due.get(at) else {
                    return Ok(());
                };
                for hit in &found.hits.hits {
                    self.take(shard, &hit.row(), now, new);
                }
                if found.hits.hits.len() == PAGE_ROWS {
                    more.push(shard.clone());
                }
                Ok(())
            })?;
            due = more;
        }
        Ok(())
    }

    /// Takes a row that was not read before.
    fn take(&mut self, shard: &Shard, row: &Row<'_>, now: Instant, new: &mut New<'_, '_>) {
        let number = row.sequence.unwrap_or(-1);
        if let Some(progress) = self.shards.get_mut(shard) {
            progress.read = progress.read.max(number);
            progress.hot_until = now + HOT;
        }
        let id = self.hash(row.id);
        if self.seen.contains_key(&id) {
            return;
        }
        self.remember(id, number, shard);
        new.take(row);
    }

    /// Looks once more at numbers behind the last, for lines that were not visible when those after them were.
    fn fill_gaps(
        &mut self,
        backend: &ElasticsearchBackend,
        new: &mut New<'_, '_>,
    ) -> Result<(), BackendError> {
        let mut missing: BTreeMap<Shard, Vec<i64>> = BTreeMap::new();
        for (id, number, shard) in self.ids(backend, new.plan)? {
            let read = self.shards.get(&shard).map_or(-1, |progress| progress.read);
            if number <= read && !self.seen.contains_key(&id) {
                missing.entry(shard).or_default().push(number);
            }
        }
        for (shard, numbers) in missing {
            for numbers in numbers.chunks(PAGE_ROWS) {
                let asked = Asked {
                    shard: &shard,
                    body: self.body(&shard, new.plan, Some(numbers)),
                };
                shards::ask(backend, &[asked], &mut |_, found| {
                    for hit in &found.hits.hits {
                        let row = hit.row();
                        let id = self.hash(row.id);
                        if !self.seen.contains_key(&id) {
                            self.remember(id, row.sequence.unwrap_or(-1), &shard);
                            new.take(&row);
                        }
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Forgets what is old enough that no gap is left behind it.
    fn settle(&mut self, now: Instant) {
        let crowded = SEEN_MAX < self.seen.len();
        let mut settled: HashMap<u64, i64> = HashMap::new();
        for (shard, progress) in &mut self.shards {
            while let Some((since, head)) = progress.heads.front().copied() {
                let old = GAPS <= now.duration_since(since);
                let keeps = progress.heads.len() < 3;
                if keeps || !(old || crowded) {
                    break;
                }
                progress.heads.pop_front();
                progress.settled = progress.settled.max(head.min(progress.read));
                // What did not match need not be passed over again.
                progress.read = progress.read.max(head);
            }
            settled.insert(self.hasher.hash_one(shard), progress.settled);
        }
        self.seen.retain(|_, (shard, number)| {
            settled.get(shard).is_some_and(|settled| *settled < *number)
        });
    }

    /// The ids of the hits beyond what is settled, with their numbers and shards.
    fn ids(
        &self,
        backend: &ElasticsearchBackend,
        plan: &Plan,
    ) -> Result<Vec<(u64, i64, Shard)>, BackendError> {
        let mut all = Vec::new();
        let mut due: Vec<(Shard, i64)> = self
            .shards
            .iter()
            .map(|(shard, progress)| (shard.clone(), progress.settled))
            .collect();
        while !due.is_empty() {
            let asked: Vec<Asked<'_>> = due
                .iter()
                .map(|(shard, after)| Asked {
                    shard,
                    body: search(plan, &json!({ "gt": after }), PAGE_IDS, false),
                })
                .collect();
            let mut more = Vec::new();
            shards::ask(backend, &asked, &mut |at, found| {
                let Some((shard, after)) = due.get(at) else {
                    return Ok(());
                };
                let mut last = *after;
                for hit in &found.hits.hits {
                    let row = hit.row();
                    last = row.sequence.unwrap_or(last);
                    all.push((self.hash(row.id), last, shard.clone()));
                }
                if found.hits.hits.len() == PAGE_IDS && *after < last {
                    more.push((shard.clone(), last));
                }
                Ok(())
            })?;
            due = more;
        }
        Ok(all)
    }

    /// The search for a shard's new rows, or for those with certain numbers.
    fn body(&self, shard: &Shard, plan: &Plan, numbers: Option<&[i64]>) -> Value {
        match numbers {
            None => {
                let read = self.shards.get(shard).map_or(-1, |progress| progress.read);
                search(plan, &json!({ "gt": read }), PAGE_ROWS, true)
            }
            Some(numbers) => {
                let (first, last) = (numbers.first(), numbers.last());
                let mut body = search(plan, &json!({ "gte": first, "lte": last }), PAGE_ROWS, true);
                if let Some(filters) = body["query"]["bool"]["filter"].as_array_mut() {
                    filters.push(json!({ "terms": { "_seq_no": numbers } }));
                }
                body
            }
        }
    }

    fn hash(&self, id: &str) -> u64 {
        self.hasher.hash_one(id)
    }

    fn remember(&mut self, id: u64, number: i64, shard: &Shard) {
        self.seen.insert(id, (self.hasher.hash_one(shard), number));
    }
}

// === impl Progress ===

impl Progress {
    fn new(now: Instant, head: i64, settled: i64) -> Self {
        Self {
            read: head,
            settled,
            heads: VecDeque::from([(now, head)]),
            hot_until: now + HOT,
        }
    }
}

// === impl Shown ===

impl<'a> Shown<'a> {
    fn new(followed: &'a Followed) -> Self {
        let mut settled: HashMap<&str, i64> = HashMap::new();
        for (shard, progress) in &followed.shards {
            let own = settled.entry(&shard.index).or_insert(progress.settled);
            *own = progress.settled.min(*own);
        }
        Self {
            followed,
            settled,
            seen: RefCell::default(),
        }
    }
}

impl Notes for Shown<'_> {
    fn note(&self, row: &Row<'_>) {
        let number = row.sequence.unwrap_or(-1);
        let settled = self.settled.get(row.index).copied().unwrap_or(-1);
        if settled < number {
            // Which shard of its index it is in is not known; it is forgotten with the first one's numbers.
            let shard = self
                .followed
                .shards
                .keys()
                .find(|shard| shard.index == row.index);
            let shard = shard.map_or(0, |shard| self.followed.hasher.hash_one(shard));
            let id = self.followed.hash(row.id);
            self.seen.borrow_mut().push((id, (shard, number)));
        }
    }
}

// === impl ElasticsearchError ===

impl ElasticsearchError {
    /// Whether asking later may help.
    fn may_pass(&self) -> bool {
        match self {
            Self::Send(_) => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}
