//! The loop against a real directory and a sink in memory, stepped turn by turn.
//!
//! A simple model plays the platform: it writes, rotates as kubelet does, restarts and deletes containers, and kills us.
//! At the end every line it wrote is in the sink once, in order, or was counted as lost.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use record::file::Node;
use record::{Document, Record, Tags, Timestamp};

use super::engine::Engine;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ReserveLimits, StartPolicy};
use crate::ship::{BatchId, Doubt, Receipt, Sink, SinkStatus, Waker};
use crate::{derive, discover, parse, redact};

mod derived;

mod naming;

/// What the sink keeps over our own deaths.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Document>>>);

/// A sink in memory that may hold batches back.
struct Memory {
    kept: Kept,
    open: Vec<Document>,
    submitted: Vec<(BatchId, Vec<Document>)>,
    holds: Arc<Mutex<bool>>,
}

impl Sink for Memory {
    fn push(&mut self, _file: u64, _named: Timestamp, record: &Record<'_>) {
        self.open.push(Document::from(record));
    }
    fn open_bytes(&self) -> usize {
        self.open.len() * 100
    }
    fn batch_bytes(&self) -> usize {
        2000
    }
    fn submit(&mut self, batch: BatchId) {
        self.submitted.push((batch, std::mem::take(&mut self.open)));
    }
    fn receipts(&mut self, out: &mut Vec<Receipt>) {
        if *self.holds.lock().unwrap() {
            return;
        }
        for (batch, rows) in self.submitted.drain(..) {
            self.kept.0.lock().unwrap().extend(rows);
            out.push(Receipt {
                batch,
                dead_lettered: Vec::new(),
            });
        }
    }
    fn in_flight_bytes(&self) -> u64 {
        0
    }
    fn stored_from(&mut self, doubt: &Doubt<'_>) -> Vec<(u64, u64)> {
        let kept = self.kept.0.lock().unwrap();
        let mut rows: Vec<_> = kept
            .iter()
            .filter(|row| row.file.origin.stream == doubt.stream)
            .filter(|row| row.file.started == doubt.started)
            .filter(|row| row.offset >= doubt.from)
            .map(|row| (row.offset, row.end))
            .collect();
        rows.sort_unstable();
        rows
    }
    fn status(&self) -> SinkStatus {
        SinkStatus::default()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Killed: the sink has some of what was handed over, though nobody was told.
        let half = self.submitted.len().div_ceil(2);
        for (_, rows) in self.submitted.drain(..half) {
            self.kept.0.lock().unwrap().extend(rows);
        }
    }
}

/// A clock that can be moved forward.
#[derive(Clone)]
struct Shifted {
    real: SystemClock,
    ahead: Arc<Mutex<Duration>>,
}

impl Clock for Shifted {
    fn wall(&self) -> Timestamp {
        Timestamp(self.real.wall().0 + self.ahead.lock().unwrap().as_nanos() as i64)
    }
    fn elapsed(&self) -> Duration {
        self.real.elapsed() + *self.ahead.lock().unwrap()
    }
    fn instant(&self) -> Instant {
        self.real.instant() + *self.ahead.lock().unwrap()
    }
}

/// A node with one pod, and us on it.
struct World {
    root: tempfile::TempDir,
    kept: Kept,
    holds: Arc<Mutex<bool>>,
    clock: Shifted,
    engine: Option<Engine>,
    restart: u32,
    writer: Option<File>,
    /// After a rename the runtime writes on for a while.
    written: Vec<String>,
    rotations: u32,
    time: i64,
    lost: u64,
    redact: redact::Settings,
    derive: derive::Settings,
}

const CONTAINER: &str = "var/log/pods/shop_order-1_11111111-2222-3333-4444-555555555555/app";

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("var/log")).unwrap();
        let clock = Shifted {
            real: SystemClock::new(),
            ahead: Arc::new(Mutex::new(Duration::ZERO)),
        };
        let mut world = Self {
            root,
            kept: Kept::default(),
            holds: Arc::new(Mutex::new(false)),
            clock,
            engine: None,
            restart: 0,
            writer: None,
            written: Vec::new(),
            rotations: 0,
            time: 1_700_000_000_000_000_000,
            lost: 0,
            redact: redact::Settings::default(),
            derive: derive::Settings::unset(),
        };
        world.start();
        world
    }

    fn start(&mut self) {
        let sink = Memory {
            kept: self.kept.clone(),
            open: Vec::new(),
            submitted: Vec::new(),
            holds: Arc::clone(&self.holds),
        };
        self.start_with(Box::new(sink));
    }

    fn start_with(&mut self, sink: Box<dyn Sink>) {
        let engine = Engine::new(
            self.config(),
            sink,
            Waker::new().unwrap(),
            Box::new(self.clock.clone()),
        );
        self.engine = Some(engine.unwrap());
    }

    fn config(&self) -> Config {
        let mut discover = discover::Settings::new(self.root.path());
        discover.host_logs = vec!["/var/log/*.log".to_owned()];
        Config {
            discover,
            parse: parse::Settings::default(),
            redact: self.redact.clone(),
            derive: self.derive.clone(),
            node: Arc::new(Node::default()),
            state: self.root.path().join("state"),
            start: StartPolicy::Beginning,
            rate_limit: None,
            in_flight_bytes_max: 1 << 20,
            reserve: ReserveLimits {
                links: true,
                bytes_max: 1 << 30,
                age_max: Duration::from_hours(24),
            },
            batch_delay: Duration::from_millis(10),
            checkpoint_interval: Duration::from_millis(50),
            until_drained: false,
        }
    }

    fn kill(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            self.lost += engine.status().total.abandoned;
        }
    }

    fn turn(&mut self) {
        if let Some(engine) = &mut self.engine {
            engine.turn();
        }
    }

    fn pass(&mut self, time: Duration) {
        *self.clock.ahead.lock().unwrap() += time;
        self.turn();
        self.turn();
    }

    fn directory(&self) -> PathBuf {
        self.root.path().join(CONTAINER)
    }

    fn live(&self) -> PathBuf {
        self.directory().join(format!("{}.log", self.restart))
    }

    fn write(&mut self, lines: usize, partial: bool) {
        fs::create_dir_all(self.directory()).unwrap();
        let path = self.live();
        if self.writer.is_none() {
            let opened = OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .unwrap();
            self.writer = Some(opened);
        }
        for _ in 0..lines {
            self.time += 1_000;
            let text = format!("line {}", self.written.len());
            let mut out = Vec::new();
            let time = Timestamp(self.time);
            if partial {
                let (head, tail) = text.split_at(3);
                writeln!(out, "{time} stdout P {head}").unwrap();
                writeln!(out, "{time} stdout F {tail}").unwrap();
            } else {
                writeln!(out, "{time} stdout F {text}").unwrap();
            }
            self.writer.as_mut().unwrap().write_all(&out).unwrap();
            self.written.push(text);
        }
    }

    /// Kubelet's own order: remove the oldest, compress the set aside, rename the live one; the runtime writes on into
    /// the renamed file until it opens a new one.
    fn rotate(&mut self, late_lines: usize) {
        if !self.live().exists() {
            return;
        }
        let prefix = format!("{}.log.", self.restart);
        let mut aside: Vec<PathBuf> = fs::read_dir(self.directory())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with(&prefix)
            })
            .collect();
        aside.sort();
        while aside.len() > 3 {
            fs::remove_file(aside.remove(0)).unwrap();
        }
        for path in aside
            .iter()
            .filter(|path| path.extension().unwrap() != "gz")
        {
            compress(path);
        }
        self.rotations += 1;
        let dated = self
            .directory()
            .join(format!("{prefix}20261121-{:06}", self.rotations));
        fs::rename(self.live(), dated).unwrap();
        self.write(late_lines, false);
        self.writer = None;
        self.write(1, false);
    }

    fn restart_container(&mut self) {
        let old = self.restart.checked_sub(1);
        self.writer = None;
        self.restart += 1;
        self.write(1, false);
        if let Some(old) = old {
            let prefix = format!("{old}.log");
            for entry in fs::read_dir(self.directory()).unwrap() {
                let path = entry.unwrap().path();
                if path
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with(&prefix)
                {
                    fs::remove_file(path).unwrap();
                }
            }
        }
    }

    fn delete_pod(&mut self) {
        self.writer = None;
        self.restart += 1;
        let pod = self.directory().parent().unwrap().to_owned();
        if pod.exists() {
            fs::remove_dir_all(pod).unwrap();
        }
    }

    /// Reads to the end and gives what the sink has, in exact order.
    fn drain(&mut self) -> Vec<String> {
        *self.holds.lock().unwrap() = false;
        if self.engine.is_none() {
            self.start();
        }
        for _ in 0..60 {
            self.pass(Duration::from_millis(500));
        }
        let mut rows: BTreeMap<(i64, u64, u32), Document> = BTreeMap::new();
        for row in self
            .kept
            .0
            .lock()
            .unwrap()
            .iter()
            .filter(|row| !row.tags.contains(Tags::GAP))
        {
            let before = rows.insert((row.file.started, row.offset, row.part), row.clone());
            assert!(before.is_none(), "doubled: {row:?} and {before:?}");
        }
        rows.into_values().map(|row| row.message).collect()
    }

    fn check(mut self) {
        let found = self.drain();
        let status = self.engine.as_mut().unwrap().status();
        assert_eq!(status.imbalance_bytes, 0, "{status:#?}");
        assert_eq!(status.total.abandoned + self.lost, 0, "{status:#?}");
        assert_eq!(found, self.written);
        assert!(status.drained, "{status:#?}");
    }
}

fn compress(path: &Path) {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let mut out =
        flate2::write::GzEncoder::new(File::create(&name).unwrap(), flate2::Compression::fast());
    out.write_all(&fs::read(path).unwrap()).unwrap();
    out.finish().unwrap();
    fs::rename(&name, format!("{}.gz", path.display())).unwrap();
    fs::remove_file(path).unwrap();
}

#[test]
fn lines_rotations_and_archives_come_once_and_in_order() {
    let mut world = World::new();
    for _ in 0..6 {
        world.write(10, false);
        world.turn();
        world.rotate(2);
        world.turn();
    }
    world.check();
}

#[test]
fn what_was_written_before_a_stop_is_read() {
    let mut world = World::new();
    world.write(3, false);
    world.pass(Duration::from_millis(300));
    world.write(3, false);
    let engine = world.engine.take().unwrap();
    assert!(engine.finish(Duration::from_secs(5)).saved);
    assert_eq!(world.kept.0.lock().unwrap().len(), 6);
}

#[test]
fn several_rotations_while_down() {
    let mut world = World::new();
    world.write(10, false);
    world.pass(Duration::from_secs(1));
    world.kill();
    world.rotate(1);
    world.write(5, true);
    world.rotate(0);
    world.rotate(1);
    world.check();
}

#[test]
fn a_pod_that_is_deleted_while_we_are_down_is_read_from_the_reserve() {
    let mut world = World::new();
    world.write(3, false);
    world.pass(Duration::from_secs(1));
    world.kill();
    world.write(3, false);
    world.delete_pod();
    world.check();
}

#[test]
fn killed_before_the_receipt_nothing_is_lost_or_doubled() {
    let mut world = World::new();
    *world.holds.lock().unwrap() = true;
    world.write(100, true);
    for _ in 0..5 {
        world.pass(Duration::from_millis(20));
    }
    world.kill();
    world.rotate(0);
    world.check();
}

#[test]
fn archived_unreceived_and_deleted_before_we_were_killed() {
    let mut world = World::new();
    *world.holds.lock().unwrap() = true;
    world.write(20, false);
    world.turn();
    world.rotate(1);
    world.turn();
    world.turn();
    world.rotate(0);
    world.turn();
    world.turn();
    world.delete_pod();
    world.kill();
    world.check();
}

#[test]
fn a_host_log_that_is_copied_and_cut_loses_nothing() {
    let mut world = World::new();
    let path = world.root.path().join("var/log/app.log");
    let append = |text: &str| {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append("banner\none\ntwo\n");
    world.pass(Duration::from_secs(1));
    fs::copy(&path, world.root.path().join("var/log/app.log.1")).unwrap();
    world.turn();
    OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(0)
        .unwrap();
    append("banner\nthree\n");
    world.pass(Duration::from_secs(1));
    append("four\n");
    let expect = ["banner", "one", "two", "banner", "three", "four"];
    world.written = expect.map(str::to_owned).into();
    world.check();
}

#[test]
fn a_host_log_that_begins_alike_after_each_rotation() {
    let mut world = World::new();
    let path = world.root.path().join("var/log/app.log");
    let mut expect = Vec::new();
    for round in 0..4 {
        for place in (1..4).rev() {
            let from = world.root.path().join(format!("var/log/app.log.{place}"));
            if from.exists() {
                fs::rename(
                    &from,
                    world
                        .root
                        .path()
                        .join(format!("var/log/app.log.{}", place + 1)),
                )
                .unwrap();
            }
        }
        if path.exists() {
            fs::rename(&path, world.root.path().join("var/log/app.log.1")).unwrap();
        }
        fs::write(&path, "banner\n").unwrap();
        expect.push("banner".to_owned());
        if round % 2 == 0 {
            world.turn();
        }
        world.pass(Duration::from_secs(11));
        if round == 1 {
            world.kill();
            world.start();
        }
    }
    fs::write(&path, "banner\nlast\n").unwrap();
    expect.push("last".to_owned());
    world.written = expect;
    world.check();
}

#[derive(Clone, Debug)]
enum Action {
    Write(usize),
    Partial(usize),
    Rotate(usize),
    RestartContainer,
    DeletePod,
    Turn,
    Pass,
    Hold(bool),
    Kill,
    Start,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        4 => (1_usize..30).prop_map(Action::Write),
        2 => (1_usize..5).prop_map(Action::Partial),
        3 => (0_usize..3).prop_map(Action::Rotate),
        1 => Just(Action::RestartContainer),
        1 => Just(Action::DeletePod),
        6 => Just(Action::Turn),
        2 => Just(Action::Pass),
        1 => any::<bool>().prop_map(Action::Hold),
        1 => Just(Action::Kill),
        2 => Just(Action::Start),
    ];
    prop::collection::vec(action, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 400, ..ProptestConfig::default() })]

    /// While we run, whatever the platform does loses nothing; while we are down it may only rotate and write.
    #[test]
    fn any_sequence_of_the_platforms_actions(actions in actions()) {
        let mut world = World::new();
        let mut rotations_down = 0;
        for action in actions {
            let is_down = world.engine.is_none();
            match action {
                Action::Write(lines) => world.write(lines, false),
                Action::Partial(lines) => world.write(lines, true),
                // Kubelet keeps a few files; more rotations while we are down lose text that we never saw.
                Action::Rotate(late) if !is_down || rotations_down < 2 => {
                    rotations_down += u32::from(is_down);
                    world.turn();
                    world.rotate(late);
                    world.turn();
                }
                Action::RestartContainer if !is_down => {
                    world.turn();
                    world.restart_container();
                    world.turn();
                }
                Action::DeletePod if !is_down => {
                    world.turn();
                    world.delete_pod();
                }
                Action::Start if is_down => {
                    world.start();
                    rotations_down = 0;
                }
                Action::Rotate(_)
                | Action::RestartContainer
                | Action::DeletePod
                | Action::Start => {}
                Action::Turn => world.turn(),
                Action::Pass => world.pass(Duration::from_secs(3)),
                Action::Hold(holds) => *world.holds.lock().unwrap() = holds,
                Action::Kill => world.kill(),
            }
        }
        world.check();
    }
}
