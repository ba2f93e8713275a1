//! Ships into the embedded store: one thread appends batches, makes them durable and tidies the store up.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use record::{Record, Timestamp};
use store::{Batch, Writer};

use super::{BatchId, Doubt, Receipt, Sink, SinkStatus, Waker};
use crate::chain::Chain;
use crate::clock::Clock;

/// A batch is handed over at this size, in bytes of text: large enough for columns, small against the memory budget.
const BATCH_BYTES: usize = 2 << 20;
/// How often the store is asked whether there is something to seal, merge or remove.
const MAINTAIN_INTERVAL: Duration = Duration::from_millis(500);
/// How long to wait after an error (a full disk), at first and at most.
const RETRY_DELAY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How many emptied batches are kept for their allocated memory.
const SPARE_BATCHES_MAX: usize = 2;

/// The embedded store as a sink.
#[derive(Debug)]
pub struct Embedded {
    open: Batch,
    spare: Vec<Batch>,
    sender: Option<Sender<Handed>>,
    receiver: Receiver<Handed>,
    in_flight_bytes: u64,
    writer: Arc<Mutex<Writer>>,
    trouble: Arc<Mutex<Option<String>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A batch on its way, or back.
#[derive(Debug)]
struct Handed {
    id: BatchId,
    batch: Batch,
    bytes: u64,
}

// === impl Embedded ===

impl Embedded {
    /// Starts the store's thread.
    pub fn start(writer: Writer, waker: Waker, clock: Box<dyn Clock>) -> std::io::Result<Self> {
        let (sender, work) = channel();
        let (done, receiver) = channel();
        let writer = Arc::new(Mutex::new(writer));
        let trouble = Arc::new(Mutex::new(None));
        let stopping = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            writer: Arc::clone(&writer),
            trouble: Arc::clone(&trouble),
            stopping: Arc::clone(&stopping),
            work,
            done,
            waker,
            clock,
        };
        let thread = thread::Builder::new()
            .name("store".into())
            .spawn(move || worker.run())?;
        Ok(Self {
            open: Batch::new(),
            spare: Vec::new(),
            sender: Some(sender),
            receiver,
            in_flight_bytes: 0,
            writer,
            trouble,
            stopping,
            thread: Some(thread),
        })
    }
}

impl Sink for Embedded {
    fn push(&mut self, _file: u64, _named: Timestamp, record: &Record<'_>) {
        self.open.push(record);
    }

    fn open_bytes(&self) -> usize {
        if self.open.rows() == 0 {
            0
        } else {
            self.open.bytes().max(1)
        }
    }

    fn batch_bytes(&self) -> usize {
        BATCH_BYTES
    }

    fn submit(&mut self, id: BatchId) {
        let batch = mem::replace(&mut self.open, self.spare.pop().unwrap_or_default());
        let bytes = batch.bytes() as u64;
        self.in_flight_bytes += bytes;
        let handed = Handed { id, batch, bytes };
        if let Some(sender) = &self.sender
            && sender.send(handed).is_err()
        {
            set(
                &self.trouble,
                Some("the store's thread has ended".to_owned()),
            );
        }
    }

    fn receipts(&mut self, out: &mut Vec<Receipt>) {
        for handed in self.receiver.try_iter() {
            self.in_flight_bytes -= handed.bytes;
            if self.spare.len() < SPARE_BATCHES_MAX {
                self.spare.push(handed.batch);
            }
            out.push(Receipt {
                batch: handed.id,
                dead_lettered: Vec::new(),
            });
        }
    }

    fn in_flight_bytes(&self) -> u64 {
        self.in_flight_bytes
    }

    fn stored_from(&mut self, doubt: &Doubt<'_>) -> Vec<(u64, u64)> {
        match lock(&self.writer).stored_from(doubt.stream, doubt.started, doubt.from) {
            Ok(rows) => rows,
            Err(error) => {
                // Reading goes on: a doubled line is better than a lost one.
                tracing::error!(stream = %doubt.stream, %error, "cannot look up what is stored: lines may double");
                Vec::new()
            }
        }
    }

    fn status(&self) -> SinkStatus {
        SinkStatus {
            name: "store".to_owned(),
            trouble: lock(&self.trouble).clone(),
            in_flight_bytes: self.in_flight_bytes,
            ..SinkStatus::default()
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        self.sender = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's thread panicked");
        }
    }
}

/// The store's thread.
struct Worker {
    writer: Arc<Mutex<Writer>>,
    trouble: Arc<Mutex<Option<String>>>,
    stopping: Arc<AtomicBool>,
    work: Receiver<Handed>,
    done: Sender<Handed>,
    waker: Waker,
    clock: Box<dyn Clock>,
}

// === impl Worker ===

impl Worker {
    fn run(self) {
        let mut maintained = Instant::now();
        loop {
            let first = match self.work.recv_timeout(MAINTAIN_INTERVAL) {
                Ok(handed) => Some(handed),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Some(first) = first {
                let mut handed = vec![first];
                handed.extend(self.work.try_iter());
                if !self.store(handed) {
                    break;
                }
            }
            if maintained.elapsed() >= MAINTAIN_INTERVAL {
                self.maintain();
                maintained = Instant::now();
            }
        }
    }

    /// Stores batches and gives them back. Tries for ever; `false` when it was told to stop before it could.
    fn store(&self, mut handed: Vec<Handed>) -> bool {
        let mut delay = RETRY_DELAY.0;
        let mut appended = 0;
        loop {
            let outcome = {
                let mut writer = lock(&self.writer);
                let mut outcome = Ok(());
                for one in handed.iter_mut().skip(appended) {
                    outcome = writer.append(&mut one.batch);
                    if outcome.is_err() {
                        break;
                    }
                    appended += 1;
                }
                outcome.and_then(|()| writer.sync())
            };
            match outcome {
                Ok(()) => break,
                Err(error) => {
                    let text = Chain(&error).to_string();
                    if lock(&self.trouble).as_deref() != Some(&text) {
                        tracing::error!(
                            error = %text,
                            "cannot write to the store: reading pauses, the files hold the lines, trying again"
                        );
                    }
                    set(&self.trouble, Some(text));
                }
            }
            if self.stopping.load(Ordering::Acquire) {
                return false;
            }
            thread::sleep(delay);
            // Retention may be what frees the space that is missing.
            self.maintain();
            delay = (delay * 2).min(RETRY_DELAY.1);
        }
        if lock(&self.trouble).take().is_some() {
            tracing::info!("the store can be written again");
        }
        let delivered = handed.into_iter().all(|one| self.done.send(one).is_ok());
        self.waker.wake();
        delivered
    }

    fn maintain(&self) {
        match lock(&self.writer).maintain(self.clock.wall()) {
            Ok(maintained) => {
                if maintained.rows_removed > 0 {
                    tracing::info!(
                        bytes = maintained.bytes_removed,
                        rows = maintained.rows_removed,
                        "oldest lines removed by retention"
                    );
                }
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "cannot tidy the store up, trying again");
            }
        }
    }
}

/// A lock whose content is whole even if its holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set(trouble: &Mutex<Option<String>>, text: Option<String>) {
    *lock(trouble) = text;
}
