//! Did every line arrive, once, and how late? A server shaped like Elasticsearch that counts instead of storing.
//!
//! It knows each record by its [`Token`](crate::token::Token): lost ones are never seen, doubled ones twice, and those
//! put together wrong lack their end mark. A `create` whose `_id` its index has already is answered 409 and not
//! counted, as Elasticsearch does. It can be made to fail: see [`Faults`]. Nothing can be searched in it.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

pub use self::faults::Faults;
pub use self::server::{serve_admin, serve_sink};

mod faults;
mod latency;
mod bulk;
mod connection;
mod server;

use self::latency::Latencies;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What happened since the start or the last reset.
        #[derive(Debug, Default)]
        struct Counters { $($(#[$doc])* $name: AtomicU64),* }

        impl Counters {
            fn json(&self) -> Map<String, Value> {
                [$((stringify!($name), &self.$name)),*]
                    .map(|(name, count)| (name.to_owned(), count.load(Relaxed).into()))
                    .into_iter()
                    .collect()
            }

            fn clear(&self) {
                $(self.$name.store(0, Relaxed);)*
            }
        }
    };
}

counters! {
    /// Connections accepted.
    connections,
    /// Requests of any kind.
    requests,
    /// Bulk requests among them.
    bulk_requests,
    /// Bytes of bulk bodies as sent.
    wire_bytes,
    /// Bytes of bulk bodies after decompression.
    body_bytes,
    /// Documents stored.
    docs,
    /// Records seen at least once.
    distinct,
    /// Further copies of records.
    duplicates,
    /// Documents without a token.
    no_token,
    /// Documents with more than one: records wrongly put together.
    many_tokens,
    /// Split records that came whole.
    split_whole,
    /// Split records that lack their end.
    split_broken,
    /// Items answered 409.
    conflicts_409,
    /// Items answered 429.
    rejected_429,
    /// Items answered 400.
    rejected_400,
    /// Bulk requests answered 503.
    answered_503,
    /// Connections reset.
    resets,
    /// Items or bodies that can't be read.
    bad_bulk,
    /// When the first new record came, in Unix microseconds.
    first_us,
    /// When the last new record came.
    last_new_us,
    /// When the last document came.
    last_doc_us,
}

/// The ids stored so far, as hashes of index and id, in as many parts as the hash's top six bits tell.
type Ids = [Mutex<HashSet<u64, BuildHasherDefault<OwnHash>>>; 64];

/// A hash is its own hash.
#[derive(Default)]
struct OwnHash(u64);

impl Hasher for OwnHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty(), "only u64 is hashed");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The server's memory, shared by its connections.
#[derive(Debug)]
pub struct Sink {
    /// How it fails.
    pub faults: Faults,
    counters: Counters,
    ids: Ids,
    /// How often each sequence number came.
    seen: Vec<AtomicU8>,
    latencies: Latencies,
    /// The first document stored, with its action.
    sample: Mutex<Vec<u8>>,
    /// The index templates that were put here, by name.
    templates: Mutex<HashMap<String, Value>>,
    version: String,
}

impl Sink {
    /// A sink for records with sequence numbers below `sequences`, which calls itself Elasticsearch `version`.
    pub fn new(faults: Faults, sequences: usize, version: String) -> Self {
        Self {
            faults,
            counters: Counters::default(),
            ids: std::array::from_fn(|_| Mutex::default()),
            seen: (0..sequences).map(|_| AtomicU8::new(0)).collect(),
            latencies: Latencies::new(),
            sample: Mutex::default(),
            templates: Mutex::default(),
            version,
        }
    }

    /// Whether `id` is new to `index`; from then on it is not.
    fn is_new_id(&self, index: &[u8], id: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        (index, id).hash(&mut hasher);
        let hash = hasher.finish();
        let mut ids = self.ids[(hash >> 58) as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ids.insert(hash)
    }

    /// The counters and latencies as JSON.
    fn stats(&self) -> Value {
        let mut stats = self.counters.json();
        for (name, share) in [
            ("lat_p50_ms", 0.5),
            ("lat_p90_ms", 0.9),
            ("lat_p99_ms", 0.99),
            ("lat_max_ms", 1.0),
        ] {
            let millis = self.latencies.percentile_micros(share) as f64 / 1000.0;
            stats.insert(name.to_owned(), millis.into());
        }
        Value::Object(stats)
    }

    /// Forgets everything but the faults.
    fn clear(&self) {
        self.counters.clear();
        self.seen.iter().for_each(|count| count.store(0, Relaxed));
        self.latencies.clear();
        for ids in &self.ids {
            ids.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        self.faults.restart();
        self.sample
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The first absent sequence numbers below `end`, at most 1,000.
    fn missing(&self, end: usize) -> Vec<usize> {
        let absent = |sequence: &usize| self.seen[*sequence].load(Relaxed) == 0;
        (0..end.min(self.seen.len()))
            .filter(absent)
            .take(1000)
            .collect()
    }
}
