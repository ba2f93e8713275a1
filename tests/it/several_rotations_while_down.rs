//! Files are rotated, compressed and removed while nodetap is not running.

use tests::kubelet::Rotation;
use tests::{Loss, Node, Nodetap};

#[test]
fn several_rotations_while_down() {
    let mut node = Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    let tap = Nodetap::on(&node);
    web.lines(500);
    let running = tap.start();
    running.settle();
    web.lines(50);
    running.kill();
    for _ in 0..4 {
        web.lines(300);
        web.rotate(Rotation {
            max_files: 6,
            late_lines: 5,
        });
    }
    web.lines(100);
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
    tap.must_hold(&[&web], Loss::None);
}

#[test]
fn more_rotations_while_down_than_files_are_kept() {
    let mut node = Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    // Without the reserve, so that what is deleted is gone.
    let tap = Nodetap::on(&node).config("reserve:\n  bytes: 0\n");
    web.lines(200);
    let running = tap.start();
    running.settle();
    running.stop();
    web.lines(100);
    for _ in 0..6 {
        web.rotate(Rotation {
            max_files: 4,
            late_lines: 2,
        });
        web.lines(100);
    }
    let running = tap.start();
    tap.will_hold(&[&web], Loss::OfDeletedFiles);
    let status = running.settle();
    status.must_balance();
    running.stop();
    let gaps = tap.gaps();
    assert!(!gaps.is_empty(), "lines are missing and no gap says so");
    assert!(
        gaps.iter().all(|gap| !gap.head.is_empty()),
        "a gap says what is missing: {gaps:?}"
    );
}
