//! The disk of the state directory, or the store's, is full for a while.

use std::fs;
use std::path::Path;

use tests::tmpfs::Tmpfs;
use tests::{Loss, Node, Nodetap, Writer, until};

/// Takes all space that is left.
fn fill(folder: &Path) {
    let mut size = 1 << 20;
    let mut filler = fs::File::create(folder.join("filler")).unwrap();
    let block = vec![0_u8; size];
    while size > 0 {
        if std::io::Write::write_all(&mut filler, &block[..size]).is_err() {
            size /= 2;
        }
    }
}

fn write_beyond(
    running: &tests::Running,
    writer: &mut Writer,
    trouble: impl Fn(&tests::observe::Status) -> bool,
) {
    until("nodetap notices that the disk is full", || {
        writer.fill(100_000);
        let status = running.status();
        status.must_balance();
        if trouble(&status) {
            Ok(())
        } else {
            Err(status.summary())
        }
    });
}

#[test]
fn disk_full_on_store() {
    let mut node = Node::new();
    let store = node.state().join("store");
    let disk = Tmpfs::mount(&store, 8 << 20);
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(200);
    let running = tap.start();
    running.settle();
    fill(&store);
    write_beyond(&running, &mut web, |status| status.sink_trouble.is_some());
    // What was stored can still be read.
    assert!(tap.documents(&[])[web.stream()].len() >= 200);
    assert!(
        running.get("/healthz").is_ok(),
        "a full disk does not make the process ill"
    );
    disk.resize(256 << 20);
    fs::remove_file(store.join("filler")).unwrap();
    tap.will_hold(&[&web], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
    tap.must_hold(&[&web], Loss::None);
}

#[test]
fn disk_full_on_store_when_killed() {
    let mut node = Node::new();
    let store = node.state().join("store");
    let disk = Tmpfs::mount(&store, 8 << 20);
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(200);
    let running = tap.start();
    running.settle();
    fill(&store);
    write_beyond(&running, &mut web, |status| status.sink_trouble.is_some());
    running.kill();
    disk.resize(256 << 20);
    fs::remove_file(store.join("filler")).unwrap();
    tap.drain_all();
    tap.must_hold(&[&web], Loss::None);
}

#[test]
fn disk_full_on_state() {
    let mut node = Node::new();
    let disk = Tmpfs::mount(&node.state(), 8 << 20);
    let _store = Tmpfs::mount(&node.state().join("store"), 256 << 20);
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(200);
    let running = tap.start();
    running.settle();
    fill(&node.state());
    // New streams need new space in the state.
    let mut others = Vec::new();
    until("nodetap notices that the disk is full", || {
        for _ in 0..50 {
            let mut other = node.pod("shop", &format!("more-{}", others.len()), "app");
            other.lines(5);
            others.push(other);
        }
        web.lines(100);
        let status = running.status();
        status.must_balance();
        if status.checkpoint_trouble.is_some() {
            Ok(())
        } else {
            Err(status.summary())
        }
    });
    let mut all: Vec<&Writer> = others.iter().collect();
    all.push(&web);
    // Lines are still stored; only their positions wait.
    tap.will_hold(&all, Loss::None);
    running.kill();
    fs::remove_file(node.state().join("filler")).unwrap();
    disk.resize(64 << 20);
    tap.drain_all();
    tap.must_hold(&all, Loss::None);
}

#[test]
fn disk_full_on_state_at_the_start() {
    let mut node = Node::new();
    let _disk = Tmpfs::mount(&node.state(), 1 << 20);
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(200);
    fill(&node.state());
    let done = tap.run("up", &["--listen", "127.0.0.1:0", "--until-drained"]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(
        said.to_lowercase().contains("space"),
        "the reason is named: {said}"
    );
    fs::remove_file(node.state().join("filler")).unwrap();
    tap.drain_all();
    tap.must_hold(&[&web], Loss::None);
}
