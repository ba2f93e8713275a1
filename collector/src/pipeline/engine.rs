//! The loop's state and its turn.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::followed::Followed;
use super::stream::{Hands, QUANTUM_BYTES, Stream};
use super::{LOOK_INTERVAL, StartError};
use crate::checkpoint::Checkpoint;
use crate::clock::Clock;
use crate::config::Config;
use crate::derive::Derive;
use crate::discover::{DirId, Discovery};
use crate::ledger::{AbandonReason, Ledger};
use crate::parse::{ParseCounts, Scratch};
use crate::redact::Redactor;
use crate::reserve::{self, Reserve};
use crate::ship::{BatchId, Sink, Waker};

/// How often waiting groups, deleted files and rates are seen to.
const SETTLE_INTERVAL: Duration = LOOK_INTERVAL.1;

/// Everything the loop knows.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, in any combination"
)]
pub(super) struct Engine {
    pub(super) config: Config,
    pub(super) clock: Box<dyn Clock>,
    pub(super) waker: Waker,
    pub(super) sink: Box<dyn Sink>,
    pub(super) discovery: Discovery,
    pub(super) checkpoint: Checkpoint,
    pub(super) reserve: Reserve,
    /// Streams by their place here; a place is reused once its stream has ended.
    pub(super) streams: Vec<Option<Stream>>,
    pub(super) free: Vec<usize>,
    pub(super) by_name: HashMap<String, usize>,
    /// What each directory has: file names to streams.
    pub(super) directories: HashMap<DirId, HashMap<OsString, usize>>,
    /// Streams that are looked at without waiting for events.
    pub(super) hot: Vec<usize>,
    /// Streams of which something went into the open batch.
    pub(super) touched: Vec<usize>,
    pub(super) batch: BatchId,
    pub(super) batch_since: Option<Duration>,
    /// What went out with each batch: streams and file numbers.
    pub(super) batches: HashMap<BatchId, Vec<(usize, u64)>>,
    /// Files whose state is to be written.
    pub(super) dirty: BTreeSet<(usize, u64)>,
    /// Numbers of files that the state can forget.
    pub(super) forgotten: Vec<u64>,
    /// Reserve links to remove once the state no longer names them.
    pub(super) released: Vec<std::path::PathBuf>,
    /// An identity must be durable before anything of its text is sent.
    pub(super) urgent: bool,
    pub(super) next_number: u64,
    /// Counters of streams that have ended.
    pub(super) retired: Ledger,
    pub(super) retired_counts: ParseCounts,
    pub(super) gaps: HashMap<AbandonReason, (u64, u64)>,
    pub(super) checkpoint_trouble: Option<String>,
    pub(super) redactor: Redactor,
    pub(super) derive: Derive,
    pub(super) buffer: Vec<u8>,
    pub(super) scratch: Scratch,
    /// The state was made by this process and the first scan is not over.
    pub(super) first_scan: bool,
    /// The first scan is not over.
    pub(super) starting: bool,
    pub(super) draining: bool,
    pub(super) stopping: bool,
    pub(super) scanned_at: Duration,
    pub(super) settled_at: Duration,
    pub(super) committed_at: Duration,
    pub(super) retry_commit_at: Duration,
    pub(super) turned_at: Duration,
    /// When growing files were looked at last, and how soon they are again.
    pub(super) looked_at: Duration,
    pub(super) look_pause: Duration,
    /// Whether the last turn left something to read at once.
    pub(super) more: bool,
}

// === impl Engine ===

impl Engine {
    /// Opens everything and looks once at what is there.
    pub(super) fn new(
        config: Config,
        sink: Box<dyn Sink>,
        waker: Waker,
        clock: Box<dyn Clock>,
    ) -> Result<Self, StartError> {
        let now = clock.wall();
        let (checkpoint, files) = Checkpoint::open(&config.state, now)?;
        let discovery = Discovery::new(config.discover.clone())?;
        let token = format!("{:x}", checkpoint.created().0);
        let reserve = Reserve::new(&config.discover.root, config.reserve.links, token);
        let is_new = checkpoint.created() == now;
        let next_number = files.keys().next_back().map_or(1, |last| last + 1);
        let mut engine = Self {
            clock,
            waker,
            sink,
            discovery,
            checkpoint,
            reserve,
            streams: Vec::new(),
            free: Vec::new(),
            by_name: HashMap::new(),
            directories: HashMap::new(),
            hot: Vec::new(),
            touched: Vec::new(),
            batch: BatchId(1),
            batch_since: None,
            batches: HashMap::new(),
            dirty: BTreeSet::new(),
            forgotten: Vec::new(),
            released: Vec::new(),
            urgent: false,
            next_number,
            retired: Ledger::default(),
            retired_counts: ParseCounts::default(),
            gaps: HashMap::new(),
            checkpoint_trouble: None,
            redactor: Redactor::new(config.redact.clone()),
            derive: Derive::new(config.derive.clone()),
            buffer: Vec::new(),
            scratch: Scratch::default(),
            first_scan: is_new,
            starting: true,
            draining: false,
            stopping: false,
            scanned_at: Duration::ZERO,
            settled_at: Duration::ZERO,
            committed_at: Duration::ZERO,
            retry_commit_at: Duration::ZERO,
            turned_at: Duration::ZERO,
            looked_at: Duration::ZERO,
            look_pause: LOOK_INTERVAL.0,
            more: true,
            config,
        };
        let bases = files
            .values()
            .filter_map(|state| reserve::base_of(&state.source))
            .collect();
        let links = files
            .values()
            .filter_map(|state| state.reserve.clone())
            .collect();
        engine.reserve.sweep(&links, &bases);
        engine.remember(files);
        engine.scan();
        engine.give_up_unmet();
        engine.first_scan = false;
        engine.starting = false;
        engine.draining = engine.config.until_drained;
        Ok(engine)
    }

    /// Goes on with another configuration, as [`super::Handle::reconfigure`] says.
    pub(super) fn reconfigure(&mut self, config: Config) {
        self.discovery.select(config.discover.select);
        let is_other_node = self.config.node != config.node;
        self.config.parse = config.parse;
        self.config.node = config.node;
        self.config.start = config.start;
        self.redactor.reconfigure(config.redact);
        self.derive.reconfigure(config.derive);
        self.config.rate_limit = config.rate_limit;
        let (rate_limit, now) = (config.rate_limit, self.clock.elapsed());
        for stream in self.streams.iter_mut().flatten() {
            stream.limit_rate(rate_limit, now);
            self.derive.renew(&mut stream.tap, &stream.origin);
            if is_other_node {
                for file in &mut stream.files {
                    file.rename_node(&self.config.node);
                }
            }
        }
        self.scan();
    }

    /// One turn: look, read, hand over, take receipts, remember.
    pub(super) fn turn(&mut self) {
        self.turned_at = self.clock.elapsed();
        self.waker.clear();
        self.receive();
        self.look();
        self.read();
        self.submit_due();
        let now = self.clock.elapsed();
        if now.saturating_sub(self.settled_at) >= SETTLE_INTERVAL {
            self.settled_at = now;
            self.settle();
        }
        self.commit_due();
    }

    /// Takes in what changed on disk.
    pub(super) fn look(&mut self) {
        let now = self.clock.instant();
        let changes = self.discovery.events(now);
        for listing in changes.listings {
            self.meet(listing);
        }
        for (dir, name) in changes.grown {
            if let Some(stream) = self.stream_of(dir, &name) {
                self.heat(stream);
            }
        }
        for (dir, name) in changes.closed {
            if let Some(stream) = self.stream_of(dir, &name) {
                self.note_closed(stream, &name);
                self.heat(stream);
            }
        }
        let since = self.clock.elapsed().saturating_sub(self.scanned_at);
        if changes.overflow || since >= self.discovery.rescan_after() {
            self.scan();
        }
    }

    /// Looks at everything.
    fn scan(&mut self) {
        let listings = self.discovery.scan(self.clock.instant());
        for listing in listings {
            self.meet(listing);
        }
        let now = self.clock.elapsed();
        for index in 0..self.streams.len() {
            self.close_idle(index, now);
        }
        self.scanned_at = now;
    }

    fn stream_of(&self, dir: DirId, name: &std::ffi::OsStr) -> Option<usize> {
        self.directories.get(&dir)?.get(name).copied()
    }

    /// Has a stream looked at in each turn for a while.
    pub(super) fn heat(&mut self, index: usize) {
        const HOT: Duration = Duration::from_secs(2);
        let until = self.clock.elapsed() + HOT;
        if let Some(stream) = self.stream_mut(index) {
            stream.hot_until = until;
            if !stream.listed {
                stream.listed = true;
                self.hot.push(index);
                self.more = true;
            }
        }
    }

    pub(super) fn stream_mut(&mut self, index: usize) -> Option<&mut Stream> {
        self.streams.get_mut(index).and_then(Option::as_mut)
    }

    /// A stream, and what reading it needs from the loop.
    pub(super) fn hands(&mut self, index: usize) -> Option<(&mut Stream, Hands<'_>)> {
        let now = self.clock.wall();
        let stream = self.streams.get_mut(index).and_then(Option::as_mut)?;
        let hands = Hands {
            sink: &mut *self.sink,
            buffer: &mut self.buffer,
            scratch: &mut self.scratch,
            settings: &self.config.parse,
            redactor: &mut self.redactor,
            derive: &mut self.derive,
            now,
            quantum_bytes: QUANTUM_BYTES,
        };
        Some((stream, hands))
    }

    pub(super) fn file_mut(&mut self, index: usize, number: u64) -> Option<&mut Followed> {
        self.stream_mut(index)?
            .files
            .iter_mut()
            .find(|file| file.number == number)
    }

    /// Every stream that has not ended.
    pub(super) fn all(&self) -> impl Iterator<Item = &Stream> {
        self.streams.iter().flatten()
    }

    /// Whether there is room for more on the way to the sink.
    pub(super) fn has_room(&self) -> bool {
        self.sink.in_flight_bytes() < self.config.in_flight_bytes_max
    }

    /// Sleeps until something happens or is due.
    pub(super) fn sleep(&mut self) {
        let pause = self.pause();
        if pause.is_zero() {
            return;
        }
        // While files grow, their events would wake us for each write; the next look comes soon enough.
        let events = self.hot.is_empty() || !self.has_room();
        let timeout = Timespec {
            tv_sec: pause.as_secs() as i64,
            tv_nsec: i64::from(pause.subsec_nanos()),
        };
        let discovery = self.discovery.fd();
        let mut fds = vec![PollFd::new(&self.waker, PollFlags::IN)];
        if events {
            fds.push(PollFd::from_borrowed_fd(discovery.as_fd(), PollFlags::IN));
        }
        if let Err(error) = poll(&mut fds, Some(&timeout))
            && error != rustix::io::Errno::INTR
        {
            tracing::warn!(%error, "cannot wait for events");
        }
    }

    /// How long there is nothing to do unless something happens.
    fn pause(&self) -> Duration {
        if self.more && self.has_room() {
            return Duration::ZERO;
        }
        let now = self.clock.elapsed();
        let left = |at: Duration| at.saturating_sub(now);
        let mut pause = left(self.scanned_at + self.discovery.rescan_after());
        if !self.hot.is_empty() {
            pause = pause.min(left(self.looked_at + self.look_pause));
        }
        if let Some(since) = self.batch_since {
            pause = pause.min(left(since + self.config.batch_delay));
        }
        if !self.dirty.is_empty() || !self.forgotten.is_empty() {
            let due = self.committed_at + self.config.checkpoint_interval;
            pause = pause.min(left(due.max(self.retry_commit_at)));
        }
        if let Some(at) = self.discovery.wake_at() {
            pause = pause.min(at.saturating_duration_since(self.clock.instant()));
        }
        // Never quite zero here: what is due is done by one turn, and a turn takes time.
        pause.max(Duration::from_millis(1))
    }

    /// Lets go of a stream that has nothing left; its counters stay in the sum.
    pub(super) fn forget_stream(&mut self, index: usize) {
        let Some(stream) = self.streams.get_mut(index).and_then(Option::take) else {
            return;
        };
        self.derive.leave(&stream.tap, self.clock.elapsed());
        self.by_name.remove(&stream.origin.stream);
        self.retired.add(&stream.ledger);
        let counts = stream.assembler.counts();
        self.retired_counts.invalid_utf8 += counts.invalid_utf8;
        self.retired_counts.unparsed += counts.unparsed;
        self.free.push(index);
        self.hot.retain(|other| *other != index);
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("streams", &self.by_name.len())
            .finish_non_exhaustive()
    }
}
