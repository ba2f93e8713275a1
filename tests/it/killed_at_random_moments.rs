//! SIGKILL comes when it wants, while files are written, rotated and compressed.

use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use tests::fleet::{Fleet, Plan};
use tests::kubelet::Rotation;
use tests::{Loss, Node, Nodetap, Writer};

/// How often: `NODETAP_KILLS`, else a number that fits a coffee-less wait.
fn kills() -> u32 {
    std::env::var("NODETAP_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(15)
}

#[test]
fn killed_at_random_moments() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut writers: Vec<Writer> = (0..4)
        .map(|n| node.pod("shop", &format!("web-{n}"), "app"))
        .collect();
    // Nothing is deleted here: what is missing is our own fault.
    let plan = Plan {
        rotation: Rotation {
            max_files: 100_000,
            late_lines: 4,
        },
        ..Plan::of(u64::MAX, 1)
    };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let fleet = Fleet::start(scope, &stop, &mut writers, plan);
        for _ in 0..kills() {
            let running = tap.start();
            // The moment is the point of this test; nothing is waited for.
            // The moment is the chance that is tried, not a wait.
            thread::sleep(Duration::from_millis(node.random().below(500)));
            running.kill();
        }
        fleet.join();
    });
    tap.drain_all();
    tap.must_hold(&writers.iter().collect::<Vec<_>>(), Loss::None);
    // A last look by a process that finds nothing to do.
    let running = tap.start();
    let status = running.settle();
    status.must_have_lost_nothing();
    assert_eq!(
        status.total.lines, 0,
        "all was stored, and yet something was stored again"
    );
    running.stop();
    tap.must_hold(&writers.iter().collect::<Vec<_>>(), Loss::None);
}
