//! What does a cluster answer that fails as told? A fake that really keeps documents, and goes wrong by a plan.
//!
//! It answers as Elasticsearch 8.19 or OpenSearch 2.19 do, with their words: ids are unique in an index, a data stream's only in
//! one of its backing indices, a search finds what was there at the last refresh and nothing refreshes by itself. Where it
//! differs from them it is stricter. Every request is written down, so that a test can judge the pace.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

pub use self::journal::Exchange;
pub use self::plan::{Flaw, ItemMishap, Mishap, Plan};

mod complaint;
mod filter;
mod http;
mod indices;
mod journal;
mod mapping;
mod plan;
mod search;
mod template;
mod bulk;
mod route;
mod server;
#[cfg(test)]
mod tests;

use self::complaint::Complaint;
use self::http::{Answer, Delivery, Request};
use self::indices::{Block, Indices};
use self::server::Server;
use crate::cluster::{Access, Cluster, Engine, Fault, Stored};

/// Bodies over this many bytes get 413 under [`Fault::SmallBodies`].
const SMALL_BODY_BYTES: usize = 1 << 20;

/// A running fake; stopped when dropped.
#[derive(Debug)]
pub struct Fake {
    shared: Shared,
    server: Server,
    access: Access,
}

/// The state, as the fake and its connections share it.
#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<State>>);

/// Everything a fake knows.
#[derive(Debug)]
struct State {
    indices: Indices,
    plan: Plan,
    journal: Vec<Exchange>,
    /// Bulk requests with which something went wrong by the plan.
    mishaps: usize,
    /// Documents that were there already.
    conflicts: usize,
    /// Requests that no real server would answer with 200, or that the fake does not know.
    unexpected: Vec<String>,
    /// What the `Authorization` header must be.
    authorization: Option<String>,
    is_template_forbidden: bool,
    overload: Overload,
    is_rolling: bool,
    body_bytes_max: usize,
}

/// What a cluster has too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overload {
    /// Nothing.
    None,
    /// Memory for requests.
    Memory,
    /// Room in its write queue.
    Queue,
}

/// What a connection is to do with a request.
enum Reaction {
    Answer(Answer, Delivery),
    /// The connection ends.
    Cut,
    /// Nothing comes.
    Silence,
}

// === impl Fake ===

impl Fake {
    /// An empty cluster on a port of loopback, which lets everybody in.
    pub fn start(engine: Engine) -> Self {
        let shared = Shared(Arc::new(Mutex::new(State {
            indices: Indices::new(engine),
            plan: Plan::seeded(0),
            journal: Vec::new(),
            mishaps: 0,
            conflicts: 0,
            unexpected: Vec::new(),
            authorization: None,
            is_template_forbidden: false,
            overload: Overload::None,
            is_rolling: false,
            body_bytes_max: http::BODY_BYTES_MAX as usize,
        })));
        let server = Server::start(shared.clone());
        let access = Access {
            urls: vec![format!("http://{}", server.address())],
            ..Access::default()
        };
        Self {
            shared,
            server,
            access,
        }
    }

    /// Fails by this plan from now on.
    pub fn plan(&self, plan: Plan) {
        self.state().plan = plan;
    }

    /// The next bulk requests fail so; the plan goes on afterwards.
    pub fn script(&self, mishaps: impl IntoIterator<Item = Mishap>) {
        let mut state = self.state();
        state.plan = state.plan.clone().script(mishaps);
    }

    /// The flaw that the present plan gives to a document.
    pub fn flaw(&self, id: &str) -> Flaw {
        self.state().plan.flaw(id)
    }

    /// Lets in who has this name and password.
    pub fn require_basic(&mut self, user: &str, password: &str) {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        self.state().authorization = Some(format!("Basic {encoded}"));
        self.access.basic = Some((user.to_owned(), password.to_owned()));
    }

    /// Lets in who has this API key, in its encoded form.
    pub fn require_api_key(&mut self, key: &str) {
        self.state().authorization = Some(format!("ApiKey {key}"));
        self.access.api_key = Some(key.to_owned());
    }

    /// Whether templates may be written by whom is let in.
    pub fn forbid_templates(&self) {
        self.state().is_template_forbidden = true;
    }

    /// Whether an index is made by the first document for it.
    pub fn auto_create(&self, auto_create: bool) {
        self.state().indices.auto_create = auto_create;
    }

    /// Whether all data streams roll over after each bulk request in which something went wrong, before anybody can ask.
    pub fn roll_over_after_mishaps(&self, is_rolling: bool) {
        self.state().is_rolling = is_rolling;
    }

    /// Stores documents again under their ids, by the side door.
    pub fn copy_into(&self, name: &str, documents: &[Stored]) {
        let mut state = self.state();
        for stored in documents {
            let source = stored.source.to_string();
            let stored = state.indices.create(name, &stored.id, source.as_bytes());
            assert!(stored.is_ok(), "store by the side door: {stored:?}");
        }
    }

    /// All requests so far.
    pub fn journal(&self) -> Vec<Exchange> {
        self.state().journal.clone()
    }

    /// How many documents there are.
    pub fn count(&self) -> usize {
        self.state().indices.count()
    }

    /// How many documents were sent that were there already.
    pub fn conflicts(&self) -> usize {
        self.state().conflicts
    }

    /// How many bulk requests went wrong by the plan.
    pub fn mishaps(&self) -> usize {
        self.state().mishaps
    }

    /// Insists that nothing was asked that the fake does not know or that a real server would refuse as malformed.
    pub fn must_have_understood_all(&self) {
        let unexpected = self.state().unexpected.clone();
        assert!(unexpected.is_empty(), "asked amiss: {unexpected:?}");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Cluster for Fake {
    fn engine(&self) -> Engine {
        self.state().indices.engine
    }

    fn access(&self) -> Access {
        self.access.clone()
    }

    fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: body.map_or_else(Vec::new, |body| body.to_string().into_bytes()),
            wire_bytes: 0,
        };
        let answer = route::answer(&mut self.state(), &request);
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        (answer.status, body)
    }

    fn documents(&mut self) -> Vec<Stored> {
        let state = self.state();
        let names = state.indices.resolve("*").unwrap_or_default();
        state.indices.search(&names, false)
    }

    fn clear(&mut self) {
        let mut state = self.state();
        let engine = state.indices.engine;
        state.indices = Indices::new(engine);
        state.journal.clear();
    }

    fn induce(&mut self, fault: &Fault) {
        let block = |index: &str, block: Block| {
            let mut state = self.state();
            let index = state
                .indices
                .index_mut(index)
                .unwrap_or_else(|| panic!("no index {index}"));
            index.block = Some(block);
        };
        match fault {
            Fault::Stopped => self.server.stop(),
            Fault::Killed => self.server.kill(),
            Fault::Busy => self.state().overload = Overload::Memory,
            Fault::QueueFull => self.state().overload = Overload::Queue,
            Fault::SmallBodies => self.state().body_bytes_max = SMALL_BODY_BYTES,
            Fault::NoMoreShards => {
                let mut state = self.state();
                let count = state.indices.resolve("*").map_or(0, |names| names.len());
                state.indices.shards_max = Some(count);
            }
            Fault::Closed { index } => block(index, Block::Closed),
            Fault::WriteBlocked { index } => block(index, Block::Write),
            Fault::FloodStage { index } => block(index, Block::FloodStage),
        }
    }

    fn heal(&mut self) {
        let mut state = self.state();
        state.overload = Overload::None;
        state.body_bytes_max = http::BODY_BYTES_MAX as usize;
        state.indices.shards_max = None;
        state.indices.unblock();
        drop(state);
        self.server.resume();
    }
}

// === impl Shared ===

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of one connection's thread has been reported; the others go on.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides and does what a request asks for; gives its number in the journal.
    fn react(&self, request: &Request) -> (usize, Reaction) {
        let mut state = self.state();
        let is_bulk = request.path.ends_with("/_bulk");
        let number = state.journal.len();
        state.journal.push(Exchange {
            at: Instant::now(),
            method: request.method.clone(),
            target: format!("{}?{}", request.path, request.query),
            body_bytes: request.body.len(),
            wire_bytes: request.wire_bytes,
            is_bulk,
            status: None,
        });
        (number, state.react(request, is_bulk))
    }

    fn answered(&self, number: usize, status: u16) {
        if let Some(exchange) = self.state().journal.get_mut(number) {
            exchange.status = Some(status);
        }
    }
}

// === impl State ===

impl State {
    fn react(&mut self, request: &Request, is_bulk: bool) -> Reaction {
        let whole = |answer| Reaction::Answer(answer, Delivery::Whole);
        let complain =
            |complaint: Complaint| whole(Answer::json(complaint.status, &complaint.body()));
        if self.authorization.is_some()
            && self.authorization.as_deref() != request.header("authorization")
        {
            return complain(Complaint::unauthenticated());
        }
        if request.body.len() > self.body_bytes_max {
            let (headers, body) = (Vec::new(), Vec::new());
            return whole(Answer {
                status: 413,
                headers,
                body,
            });
        }
        if !is_bulk {
            return whole(route::answer(self, request));
        }
        if self.overload == Overload::Memory {
            return complain(Complaint::no_memory(
                self.indices.engine,
                request.body.len(),
            ));
        }
        let mishap = self.plan.next_request();
        self.mishaps += usize::from(mishap != Mishap::None);
        if mishap == Mishap::CutBefore {
            return Reaction::Cut;
        }
        let answer = bulk::answer(self, request, mishap);
        if self.is_rolling && (mishap != Mishap::None || bulk::has_errors(&answer)) {
            self.indices.roll_over_all();
        }
        match mishap {
            Mishap::CutAfter => Reaction::Cut,
            Mishap::CutWithin => Reaction::Answer(answer, Delivery::Half),
            Mishap::Silence => Reaction::Silence,
            Mishap::Drip => {
                let pieces = 20;
                let rest = plan::DRIP / pieces as u32;
                Reaction::Answer(answer, Delivery::Drip { pieces, rest })
            }
            _ => whole(answer),
        }
    }
}
