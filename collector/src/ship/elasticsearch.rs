//! Ships to Elasticsearch or OpenSearch: bulk requests made by hand, each item followed until it is done.
//!
//! A document's id is made from where its line stands, and it is only ever created: what is there already is a success, so
//! that anything may be sent again at any time. The pipeline's thread writes bodies; a thread of its own sends them.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use elastic::{Client, SetupError};
use record::{File, Record, Timestamp};
use tokio::sync::mpsc::{UnboundedSender, WeakUnboundedSender, unbounded_channel};

use self::body::{Body, Builder, IndexNumber};
use self::courier::Courier;
use super::{BatchId, Doubt, Receipt, Sink, SinkStatus, Waker};
use crate::clock::Clock;

mod layout;

pub mod dead_letters;

pub mod template;

pub mod verdict;

mod body;

mod pace;

mod plain;

mod books;

mod window;

mod courier;

pub use layout::Layout;
pub use template::TemplatePolicy;

/// How to ship.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to, and who we are there.
    pub cluster: elastic::Settings,
    /// Into which indices.
    pub layout: Layout,
    /// What to do about the index template.
    pub template: TemplatePolicy,
    /// A batch is sent at this size, in bytes of body before compression.
    pub batch_bytes: usize,
    /// How many requests may be under way at once, at most.
    pub requests_max: usize,
    /// The directory of documents that are refused for good.
    pub dead_letters: PathBuf,
    /// How large it may grow, in bytes; past it the oldest files go.
    pub dead_letters_bytes_max: u64,
}

/// Why shipping does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings make no connection.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The kernel gives no thread.
    #[error("start the shipping thread")]
    Thread(#[source] io::Error),
}

/// Elasticsearch or OpenSearch as a sink.
#[derive(Debug)]
pub struct Elasticsearch {
    builder: Builder,
    batch_bytes: usize,
    orders: Option<UnboundedSender<Order>>,
    done: Receiver<Done>,
    spare: Vec<Vec<u8>>,
    in_flight_bytes: u64,
    status: Arc<Mutex<SinkStatus>>,
    stuck: Arc<Stuck>,
    thread: Option<JoinHandle<()>>,
}

/// The indices that have taken nothing for several attempts.
#[derive(Debug, Default)]
struct Stuck {
    any: AtomicBool,
    indices: Mutex<BTreeSet<IndexNumber>>,
}

/// What the courier is told.
#[derive(Debug)]
enum Order {
    /// Bring this.
    Bring {
        batch: BatchId,
        body: Body,
        names: Vec<(IndexNumber, String)>,
    },
    /// Read the credentials anew.
    Renew,
    /// Go on with another connection.
    Reconnect(Client),
}

/// What the courier tells.
#[derive(Debug)]
enum Done {
    /// So many bytes less are kept; more, where an item had to be written anew.
    Freed(i64),
    /// All of a batch is done.
    Receipt(Receipt),
    /// Memory to write into again.
    Spare(Vec<u8>),
}

/// How many emptied bodies are kept for their allocated memory.
const SPARE_BODIES_MAX: usize = 3;

/// Reaches a running sink from outside of the pipeline.
#[derive(Clone, Debug)]
pub struct Remote {
    orders: WeakUnboundedSender<Order>,
}

// === impl Elasticsearch ===

impl Elasticsearch {
    /// Starts the thread that sends. Whether the cluster answers shows in [`Sink::status`]; nothing waits for it here.
    pub fn start(
        settings: Settings,
        waker: Waker,
        clock: Box<dyn Clock>,
    ) -> Result<Self, StartError> {
        let client = Client::new(&settings.cluster)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let (orders, incoming) = unbounded_channel();
        let (tell, done) = channel();
        let status = Arc::new(Mutex::new(books::empty()));
        let builder = Builder::new(settings.layout.clone(), settings.batch_bytes);
        let batch_bytes = settings.batch_bytes;
        let stuck = Arc::new(Stuck::default());
        let shown = (Arc::clone(&status), Arc::clone(&stuck));
        let thread = thread::Builder::new()
            .name("elasticsearch".into())
            .spawn(move || {
                let courier = Courier::new(settings, client, tell, waker, clock, shown);
                runtime.block_on(courier.run(incoming));
            })
            .map_err(StartError::Thread)?;
        Ok(Self {
            builder,
            batch_bytes,
            orders: Some(orders),
            done,
            spare: Vec::new(),
            in_flight_bytes: 0,
            status,
            stuck,
            thread: Some(thread),
        })
    }

    /// A way to this sink for whoever reloads the configuration.
    pub fn remote(&self) -> Option<Remote> {
        let orders = self.orders.as_ref()?.downgrade();
        Some(Remote { orders })
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders
            && orders.send(order).is_err()
        {
            lock(&self.status).trouble = Some("the shipping thread has ended".to_owned());
        }
    }
}

// === impl Stuck ===

impl Stuck {
    fn set(&self, indices: BTreeSet<IndexNumber>) {
        self.any.store(!indices.is_empty(), Ordering::Release);
        *lock(&self.indices) = indices;
    }
}

// === impl Remote ===

impl Remote {
    /// Goes on with another connection: hosts, certificate authority, credentials, timeout, compression. What waits for the
    /// old one is tried at once.
    pub fn reconnect(&self, cluster: &elastic::Settings) -> Result<(), SetupError> {
        let client = Client::new(cluster)?;
        if let Some(orders) = self.orders.upgrade()
            && orders.send(Order::Reconnect(client)).is_err()
        {
            tracing::debug!("the shipping thread has ended already");
        }
        Ok(())
    }
}

impl Sink for Elasticsearch {
    fn push(&mut self, file: u64, named: Timestamp, record: &Record<'_>) {
        self.builder.push(file, named, record);
    }

    fn open_bytes(&self) -> usize {
        self.builder.len()
    }

    fn batch_bytes(&self) -> usize {
        self.batch_bytes
    }

    fn submit(&mut self, batch: BatchId) {
        let spare = self.spare.pop().unwrap_or_default();
        let (body, names) = self.builder.take(spare);
        self.in_flight_bytes += body.len();
        self.order(Order::Bring { batch, body, names });
    }

    fn receipts(&mut self, out: &mut Vec<Receipt>) {
        for done in self.done.try_iter() {
            match done {
                Done::Freed(bytes) => {
                    self.in_flight_bytes = self.in_flight_bytes.saturating_add_signed(-bytes);
                }
                Done::Receipt(receipt) => out.push(receipt),
                Done::Spare(body) if self.spare.len() < SPARE_BODIES_MAX => self.spare.push(body),
                Done::Spare(_) => {}
            }
        }
    }

    fn in_flight_bytes(&self) -> u64 {
        self.in_flight_bytes
    }

    fn stored_from(&mut self, doubt: &Doubt<'_>) -> Vec<(u64, u64)> {
        // Index mode needs no look: the id meets its first copy in the same index.
        self.builder.doubt(doubt.file, doubt.until);
        Vec::new()
    }

    fn holds(&self, number: u64, file: &File) -> bool {
        self.stuck.any.load(Ordering::Acquire)
            && self
                .builder
                .expected(number, file)
                .is_some_and(|index| lock(&self.stuck.indices).contains(&index))
    }

    fn status(&self) -> SinkStatus {
        let mut status = lock(&self.status).clone();
        status.in_flight_bytes = self.in_flight_bytes;
        status
    }

    fn renew(&mut self) {
        self.order(Order::Renew);
    }
}

impl Drop for Elasticsearch {
    fn drop(&mut self) {
        // The courier ends when nobody can tell it anything any more; what is under way is given up and sent again.
        self.orders = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the shipping thread panicked");
        }
    }
}

/// A lock whose content is whole even if its holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
