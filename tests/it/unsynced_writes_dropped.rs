//! The machine loses power: what was not synced is not there any more; or someone restores an old state.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use tests::fleet::{Fleet, Plan};
use tests::kubelet::Rotation;
use tests::line::Output;
use tests::power::Disk;
use tests::{Loss, Node, Nodetap, Writer};

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

struct Busy {
    node: Node,
    tap: Nodetap,
    writers: Vec<Writer>,
}

impl Busy {
    fn new() -> Self {
        let mut node = Node::new();
        let tap = Nodetap::on(&node);
        let writers = (0..3)
            .map(|n| node.pod("shop", &format!("web-{n}"), "app"))
            .collect();
        Self { node, tap, writers }
    }

    fn write(&mut self) {
        for writer in &mut self.writers {
            writer.lines(300);
            writer.begin(Output::Stdout, "one two", "one ");
            writer.rotate(Rotation {
                max_files: 100,
                late_lines: 3,
            });
            writer.piece(Output::Stdout, "two", true);
            writer.lines(200);
        }
    }

    fn all(&self) -> Vec<&Writer> {
        self.writers.iter().collect()
    }

    fn must_end_well(&self) {
        self.tap.drain_all();
        self.tap.must_hold(&self.all(), Loss::None);
    }
}

#[test]
fn unsynced_writes_dropped() {
    let mut busy = Busy::new();
    let disk = Disk::mount(
        &busy.node.scratch("disk.ext4"),
        &busy.node.state(),
        256 << 20,
    );
    let plan = Plan {
        rotation: Rotation {
            max_files: 100_000,
            late_lines: 4,
        },
        ..Plan::of(u64::MAX, 2)
    };
    let stop = AtomicBool::new(false);
    let Busy {
        node, tap, writers, ..
    } = &mut busy;
    thread::scope(|scope| {
        let fleet = Fleet::start(scope, &stop, writers, plan);
        for _ in 0..5 {
            let running = tap.start();
            // The moment is the point of this test; nothing is waited for.
            // The moment is the chance that is tried, not a wait.
            thread::sleep(Duration::from_millis(node.random().below(2500)));
            disk.cut();
            running.kill();
            disk.restore();
        }
        fleet.join();
    });
    busy.must_end_well();
}

#[test]
fn an_older_copy_of_the_whole_state_is_restored() {
    let mut busy = Busy::new();
    busy.write();
    let running = busy.tap.start();
    running.settle();
    running.stop();
    let older = busy.node.scratch("older");
    copy_tree(&busy.node.state(), &older);
    busy.write();
    let running = busy.tap.start();
    running.settle();
    running.stop();
    fs::remove_dir_all(busy.node.state()).unwrap();
    copy_tree(&older, &busy.node.state());
    busy.must_end_well();
}

#[test]
fn an_older_copy_of_the_positions_is_restored() {
    let mut busy = Busy::new();
    busy.write();
    let running = busy.tap.start();
    running.settle();
    running.stop();
    let older = busy.node.scratch("older.redb");
    fs::copy(busy.node.state().join("state.redb"), &older).unwrap();
    busy.write();
    let running = busy.tap.start();
    running.settle();
    running.stop();
    fs::copy(&older, busy.node.state().join("state.redb")).unwrap();
    busy.must_end_well();
}

#[test]
fn the_positions_are_deleted() {
    let mut busy = Busy::new();
    busy.write();
    let running = busy.tap.start();
    running.settle();
    running.stop();
    fs::remove_file(busy.node.state().join("state.redb")).unwrap();
    busy.write();
    busy.must_end_well();
}

#[test]
fn the_positions_are_damaged() {
    let mut busy = Busy::new();
    busy.write();
    let running = busy.tap.start();
    running.settle();
    running.stop();
    fs::write(busy.node.state().join("state.redb"), b"this is no database").unwrap();
    busy.write();
    busy.must_end_well();
}

#[test]
fn the_whole_state_is_deleted() {
    let mut busy = Busy::new();
    busy.write();
    let running = busy.tap.start();
    running.settle();
    running.stop();
    fs::remove_dir_all(busy.node.state()).unwrap();
    fs::create_dir(busy.node.state()).unwrap();
    busy.write();
    busy.must_end_well();
}
