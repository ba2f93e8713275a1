//! The machine loses power: what was not synced is not there any more; or someone restores an old state.

use std::fs;
use std::path::{Path, PathBuf};

use tests::kubelet::Rotation;
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

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found)
        } else {
            found.push(path)
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
            writer.rotate(Rotation {
                max_files: 100,
                late_lines: 3,
            });
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
    busy.write();
    let running = busy.tap.start();
    running.settle();
    running.pause();
    let synced = busy.node.scratch("synced");
    copy_tree(&busy.node.state(), &synced);
    running.resume();
    busy.write();
    running.settle();
    running.pause();
    running.kill();
    // Files only grow; what was acknowledged before the copy was durable by then, the rest may be cut anywhere.
    let mut files = Vec::new();
    files_below(&busy.node.state(), &mut files);
    for path in files {
        if path.to_string_lossy().contains("redb") {
            continue;
        }
        let now = fs::metadata(&path).unwrap().len();
        let before = synced.join(path.strip_prefix(busy.node.state()).unwrap());
        let durable = fs::metadata(before).map_or(0, |file| file.len());
        if durable < now && path.to_string_lossy().contains("fresh") {
            let cut = busy.node.random().between(durable, now);
            fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(cut)
                .unwrap();
        }
    }
    // Positions are only made durable after what they stand for; so the older ones belong to the cut store.
    fs::copy(
        synced.join("state.redb"),
        busy.node.state().join("state.redb"),
    )
    .unwrap();
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
