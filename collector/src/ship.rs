//! Who takes the records? A sink encodes them into batches at once and gives a receipt for each batch later.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use record::{File, Record, Timestamp};
use rustix::event::{EventfdFlags, eventfd};

mod report;

pub mod embedded;

pub mod elasticsearch;

pub use report::{Histogram, SinkStatus};

/// Names a batch; grows by one with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

/// Says that a batch needs nothing more from us: each of its records is durable or dead-lettered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The batch.
    pub batch: BatchId,
    /// Records that the sink refused for good and kept aside, as (file number of the pipeline, bytes of text).
    pub dead_lettered: Vec<(u64, u64)>,
}

/// A part of a file of which nobody knows whether an earlier process handed it over.
#[derive(Clone, Copy, Debug)]
pub struct Doubt<'a> {
    /// The pipeline's number for the file.
    pub file: u64,
    /// `log.stream`
    pub stream: &'a str,
    /// `log.file.started`
    pub started: i64,
    /// Where the part begins: what is before it is received.
    pub from: u64,
    /// Where it ends: what is behind it was not there yet.
    pub until: u64,
}

/// Where records go. Calls never block for the sink's sake; a sink works in its own threads and wakes the pipeline.
pub trait Sink: Send {
    /// Encodes a record into the open batch. `file` is the pipeline's number for the record's file; `named` is the time
    /// that its id and its index are made from, the same at each replay: the line's own, or for untimed text a durable one.
    fn push(&mut self, file: u64, named: Timestamp, record: &Record<'_>);

    /// Size of the open batch in bytes; 0 when it is empty.
    fn open_bytes(&self) -> usize;

    /// The size at which the open batch should be handed over.
    fn batch_bytes(&self) -> usize;

    /// Hands the open batch over under a name.
    fn submit(&mut self, batch: BatchId);

    /// Takes the receipts that have come, in any order.
    fn receipts(&mut self, out: &mut Vec<Receipt>);

    /// Bytes handed over and not yet received.
    fn in_flight_bytes(&self) -> u64;

    /// Says that an earlier process may have handed over records of this part of a file without our knowing, and asks
    /// what of it is there, as sorted (offset, end). A sink that knows doubles by their ids has nothing to tell.
    fn stored_from(&mut self, doubt: &Doubt<'_>) -> Vec<(u64, u64)>;

    /// Whether records of a file would only wait, because the place where they belong takes nothing for now. Such a file is
    /// not read on, so that it does not use up the memory that others need.
    fn holds(&self, _number: u64, _file: &File) -> bool {
        false
    }

    /// How it does.
    fn status(&self) -> SinkStatus;

    /// Reads anew what may have changed outside (credentials).
    fn renew(&mut self) {}
}

/// Wakes the pipeline's loop from another thread.
#[derive(Clone, Debug)]
pub struct Waker {
    fd: Arc<OwnedFd>,
}

// === impl Waker ===

impl Waker {
    /// A waker with nothing pending.
    pub fn new() -> Result<Self, rustix::io::Errno> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { fd: Arc::new(fd) })
    }

    /// Ends the loop's present or next sleep.
    pub fn wake(&self) {
        // The counter can only be full when a wake-up is pending, which is all that is wanted.
        if let Err(error) = rustix::io::write(&*self.fd, &1_u64.to_ne_bytes()) {
            tracing::trace!(%error, "wake-up already pending");
        }
    }

    /// Takes the pending wake-ups back.
    pub fn clear(&self) {
        let mut count = [0; 8];
        if let Err(error) = rustix::io::read(&*self.fd, &mut count) {
            tracing::trace!(%error, "no wake-up pending");
        }
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
