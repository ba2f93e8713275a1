//! Brings bodies to the cluster and stays with each item until it is done.
//!
//! A parcel is a body whose items belong to one batch. What fails goes on as a smaller parcel: at once, after a pause of
//! the whole cluster, or after a pause of its index. Nothing is ever given up; what a cluster refuses for good is kept in
//! the dead-letter file before it counts as done.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use elastic::{Answer, Client, SendError};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use self::introduction::introduce;
use super::body::{Body, IndexNumber, Item};
use super::books::Books;
use super::dead_letters;
use super::pace::{Breaker, Limit};
use super::window::{self, WindowError};
use super::{Done, Layout, Order, Settings, Stuck, TemplatePolicy, lock};
use crate::clock::Clock;
use crate::ship::{BatchId, SinkStatus, Waker};

mod introduction;

mod landing;

/// Where bulk requests go; of the answer only what matters comes back. An index that has no copy to write to says so before
/// our own patience ends.
const BULK_PATH: &str = "/_bulk?timeout=20s&filter_path=items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store";

/// The thread's state.
pub(super) struct Courier {
    settings: Settings,
    client: Arc<Client>,
    tell: Sender<Done>,
    waker: Waker,
    clock: Box<dyn Clock>,
    status: Arc<Mutex<SinkStatus>>,
    stuck: Arc<Stuck>,
    names: HashMap<IndexNumber, Arc<str>>,
    books: Books,
    /// What can go, oldest first.
    ready: VecDeque<Parcel>,
    /// What waits for its index.
    held: BTreeMap<IndexNumber, Held>,
    cluster: Breaker,
    limit: Limit,
    dead_letters: dead_letters::Writer,
    /// Whether documents may go: those that come before the template would get mappings by guess.
    introduced: bool,
    introducing: FuturesUnordered<LocalBoxFuture<'static, ()>>,
    introduction_trouble: watch::Receiver<Option<String>>,
}

/// Items of one batch on their way.
#[derive(Debug)]
struct Parcel {
    batch: BatchId,
    body: Body,
    /// The indices of its items.
    indices: BTreeSet<IndexNumber>,
    /// Its indices are on trial with it.
    on_trial: bool,
}

/// An index that takes nothing for now.
#[derive(Debug, Default)]
struct Held {
    breaker: Breaker,
    parcels: VecDeque<Parcel>,
}

/// What one request came to.
struct Landed {
    parcel: Parcel,
    took: Duration,
    result: Result<Answer, SendError>,
    /// Ids that were found to be there before anything was sent.
    known: Vec<usize>,
}

// === impl Courier ===

impl Courier {
    pub(super) fn new(
        settings: Settings,
        client: Client,
        tell: Sender<Done>,
        waker: Waker,
        clock: Box<dyn Clock>,
        (status, stuck): (Arc<Mutex<SinkStatus>>, Arc<Stuck>),
    ) -> Self {
        let limit = Limit::new(settings.requests_max);
        let dead_letters = dead_letters::Writer::new(
            settings.dead_letters.clone(),
            settings.dead_letters_bytes_max,
        );
        Self {
            introduced: settings.template == TemplatePolicy::Off,
            introducing: FuturesUnordered::new(),
            introduction_trouble: watch::channel(None).1,
            settings,
            client: Arc::new(client),
            tell,
            waker,
            clock,
            status,
            stuck,
            names: HashMap::new(),
            books: Books::default(),
            ready: VecDeque::new(),
            held: BTreeMap::new(),
            cluster: Breaker::default(),
            limit,
            dead_letters,
        }
    }

    /// Works until nobody can give orders any more.
    pub(super) async fn run(mut self, mut orders: UnboundedReceiver<Order>) {
        let mut under_way: FuturesUnordered<LocalBoxFuture<'static, Landed>> =
            FuturesUnordered::new();
        self.introduce();
        loop {
            self.release_held();
            while let Some(parcel) = self.next(under_way.len()) {
                under_way.push(self.send(parcel));
            }
            self.show();
            let wake_at = self.wake_at(under_way.len());
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.take(order),
                    None => break,
                },
                Some(landed) = under_way.next(), if !under_way.is_empty() => self.land(landed),
                () = sleep_until(wake_at), if wake_at.is_some() => {}
                Some(()) = self.introducing.next(), if !self.introduced => self.introduced = true,
                Ok(()) = self.introduction_trouble.changed(), if !self.introduced => {}
            }
        }
    }

    /// Makes sure of the template first.
    fn introduce(&mut self) {
        if self.introduced {
            return;
        }
        let (tell, trouble) = watch::channel(None);
        self.introduction_trouble = trouble;
        let (client, layout) = (Arc::clone(&self.client), self.settings.layout.clone());
        let introducing = introduce(client, layout, self.settings.template, tell);
        self.introducing.clear();
        self.introducing.push(Box::pin(introducing));
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Bring { batch, body, names } => {
                for (number, name) in names {
                    self.names.insert(number, Arc::from(name));
                }
                self.books.open(batch, &body);
                self.ready.push_back(Parcel::new(batch, body));
            }
            Order::Renew => {
                if let Err(error) = self.client.read_credentials() {
                    tracing::error!(%error, "cannot read credentials anew, going on with the old ones");
                }
                self.hurry();
            }
            Order::Reconnect(client) => {
                self.client = Arc::new(client);
                self.introduce();
                self.hurry();
            }
        }
    }

    /// Tries at once what waits for its pause to end.
    fn hurry(&mut self) {
        let now = Instant::now();
        self.cluster.hurry(now);
        for held in self.held.values_mut() {
            held.breaker.hurry(now);
        }
    }

    /// The next parcel that may go now.
    fn next(&mut self, under_way: usize) -> Option<Parcel> {
        let now = Instant::now();
        if !self.introduced || !self.cluster.may_send(now) {
            return None;
        }
        if under_way >= self.limit.allowed() {
            return None;
        }
        while let Some(parcel) = self.ready.pop_front() {
            if let Some(parcel) = self.hold(parcel, now) {
                self.cluster.probe();
                return Some(parcel);
            }
        }
        None
    }

    /// Sets those items aside whose index takes nothing for now. Gives what is left.
    fn hold(&mut self, mut parcel: Parcel, now: Instant) -> Option<Parcel> {
        if parcel.on_trial {
            return Some(parcel);
        }
        let closed: Vec<IndexNumber> = parcel
            .indices
            .iter()
            .copied()
            .filter(|index| {
                self.held
                    .get(index)
                    .is_some_and(|held| !held.breaker.may_send(now))
            })
            .collect();
        if closed.is_empty() {
            for index in &parcel.indices {
                if let Some(held) = self.held.get_mut(index) {
                    held.breaker.probe();
                    parcel.on_trial = true;
                }
            }
            return Some(parcel);
        }
        for index in &closed {
            let part = parcel.only(|item| item.index == *index);
            if let Some(held) = self.held.get_mut(index) {
                held.parcels.push_back(part);
            }
        }
        let rest = parcel.only(|item| !closed.contains(&item.index));
        if rest.body.items.is_empty() {
            return None;
        }
        self.hold(rest, now)
    }

    /// Lets one parcel of each index try whose pause is over.
    fn release_held(&mut self) {
        let now = Instant::now();
        for held in self.held.values_mut() {
            if held.breaker.may_send(now)
                && let Some(mut parcel) = held.parcels.pop_front()
            {
                held.breaker.probe();
                parcel.on_trial = true;
                self.ready.push_front(parcel);
            }
        }
    }

    /// When something may go that can't now.
    fn wake_at(&self, under_way: usize) -> Option<Instant> {
        if !self.introduced || under_way >= self.limit.allowed() {
            return None;
        }
        if self.cluster.is_open() {
            return self
                .cluster
                .wake_at()
                .filter(|_| !self.ready.is_empty() || !self.held.is_empty());
        }
        self.held
            .values()
            .filter(|held| !held.parcels.is_empty())
            .filter_map(|held| held.breaker.wake_at())
            .min()
    }

    fn name(&self, index: IndexNumber) -> &str {
        self.names.get(&index).map_or("?", |name| name)
    }

    fn say(&self, done: Done) {
        if self.tell.send(done).is_err() {
            tracing::debug!("nobody waits for receipts any more");
        }
    }

    fn count_request(&self, code: &str, seconds: f64) {
        let mut status = lock(&self.status);
        match status.requests.get_mut(code) {
            Some(count) => *count += 1,
            None => {
                status.requests.insert(code.to_owned(), 1);
            }
        }
        status.duration.observe(seconds);
    }

    fn count_items(&self, result: &str, items: u64) {
        if let Some(count) = lock(&self.status).items.get_mut(result) {
            *count += items;
        }
    }

    /// Shows what waits and why.
    fn show(&self) {
        let waits = |(index, held): (&IndexNumber, &Held)| {
            let items: usize = held
                .parcels
                .iter()
                .map(|parcel| parcel.body.items.len())
                .sum();
            let why = held.breaker.trouble().unwrap_or_default();
            format!("{} lines for {}: {why}", items, self.name(*index))
        };
        let is_stuck =
            |(index, held): (&IndexNumber, &Held)| held.breaker.is_lasting().then_some(*index);
        self.stuck
            .set(self.held.iter().filter_map(is_stuck).collect());
        let waiting: Vec<String> = self.held.iter().map(waits).collect();
        let introduction = self.introduction_trouble.borrow().clone();
        let cluster = self.cluster.trouble().map(str::to_owned);
        let mut status = lock(&self.status);
        status.breaker_open = self.cluster.is_open() || !waiting.is_empty();
        status.trouble = cluster
            .or(introduction)
            .or_else(|| waiting.first().cloned());
        status.waiting = waiting;
    }

    /// One request, and before it a look at what is there already where that is in doubt.
    fn send(&self, parcel: Parcel) -> LocalBoxFuture<'static, Landed> {
        let client = Arc::clone(&self.client);
        let looks = self.settings.layout == Layout::DataStream;
        let names: Vec<(IndexNumber, Arc<str>)> = parcel
            .indices
            .iter()
            .filter_map(|index| Some((*index, Arc::clone(self.names.get(index)?))))
            .collect();
        Box::pin(async move {
            let began = Instant::now();
            let mut known = Vec::new();
            if looks && parcel.body.items.iter().any(|item| item.doubtful) {
                match already_there(&client, &parcel.body, &names).await {
                    Ok(found) => known = found,
                    Err(WindowError::Send(error)) => {
                        return Landed::of(parcel, began, Err(error), known);
                    }
                    Err(WindowError::Answer(mut answer)) => {
                        // Not understood is not a success.
                        if answer.is_success() {
                            answer.status = 502;
                        }
                        return Landed::of(parcel, began, Ok(answer), known);
                    }
                }
            }
            let body = if known.is_empty() {
                parcel.body.bytes.clone()
            } else {
                let unknown = |(place, item): (usize, &Item)| {
                    known.binary_search(&place).is_err().then_some(*item)
                };
                parcel
                    .body
                    .part(parcel.body.items.iter().enumerate().filter_map(unknown))
                    .bytes
            };
            if body.is_empty() {
                let nothing = Answer {
                    status: 200,
                    retry_after: None,
                    body: b"{\"items\":[]}"[..].into(),
                };
                return Landed::of(parcel, began, Ok(nothing), known);
            }
            let result = client.send_lines(BULK_PATH, body).await;
            Landed::of(parcel, began, result, known)
        })
    }
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier")
            .field("ready", &self.ready.len())
            .finish_non_exhaustive()
    }
}

// === impl Parcel ===

impl Parcel {
    fn new(batch: BatchId, body: Body) -> Self {
        let indices = body.items.iter().map(|item| item.index).collect();
        Self {
            batch,
            body,
            indices,
            on_trial: false,
        }
    }

    /// A parcel of its own for some of the items.
    fn only(&self, wanted: impl Fn(&Item) -> bool) -> Self {
        let items = self.body.items.iter().copied().filter(|item| wanted(item));
        Self::new(self.batch, self.body.part(items))
    }
}

// === impl Landed ===

impl Landed {
    fn of(
        parcel: Parcel,
        began: Instant,
        result: Result<Answer, SendError>,
        known: Vec<usize>,
    ) -> Self {
        Self {
            parcel,
            took: began.elapsed(),
            result,
            known,
        }
    }
}

/// The places of those doubtful items that are there already, ascending.
async fn already_there(
    client: &Client,
    body: &Body,
    names: &[(IndexNumber, Arc<str>)],
) -> Result<Vec<usize>, WindowError> {
    let mut places = Vec::new();
    for (index, name) in names {
        let doubtful: Vec<(usize, &str)> = body
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.doubtful && item.index == *index)
            .map(|(place, item)| (place, body.id(item)))
            .collect();
        if doubtful.is_empty() {
            continue;
        }
        let ids: Vec<&str> = doubtful.iter().map(|(_, id)| *id).collect();
        let known = window::known(client, name, &ids).await?;
        places.extend(
            doubtful
                .iter()
                .filter(|(_, id)| known.contains(*id))
                .map(|(place, _)| *place),
        );
    }
    places.sort_unstable();
    Ok(places)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
