//! A pod writes its last lines and is deleted while nodetap is not running: the reserve has them.

use std::os::unix::fs::MetadataExt;

use tests::{Loss, Node, Nodetap, Running, Writer, until};

/// A running nodetap that has met the pod before, so that what it knows of it is durable.
fn met(tap: &Nodetap, pod: &Writer) -> Running {
    let running = tap.start();
    running.settle();
    until("the reserve holds the log", || {
        let file = std::fs::metadata(pod.live()).map_err(|error| error.to_string())?;
        if file.nlink() > 1 {
            Ok(())
        } else {
            Err("it has one name only".to_owned())
        }
    });
    running.stop();
    let running = tap.start();
    running.settle();
    running
}

#[test]
fn pod_deleted_while_down() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut pod = node.pod("jobs", "job-1", "run");
    pod.lines(200);
    let running = met(&tap, &pod);
    running.kill();
    pod.lines(300);
    pod.delete_pod();
    let running = tap.start();
    tap.will_hold(&[&pod], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
    tap.must_hold(&[&pod], Loss::None);
}

#[test]
fn pod_deleted_while_down_over_the_budget() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node).config("reserve:\n  bytes: 64 KiB\n");
    let mut pod = node.pod("jobs", "job-1", "run").short();
    pod.lines(100);
    let running = met(&tap, &pod);
    running.kill();
    pod.fill(2_000_000);
    pod.delete_pod();
    let running = tap.start();
    let status = running.settle();
    status.must_balance();
    running.stop();
    tap.must_hold(&[&pod], Loss::OfDeletedFiles);
    if tap.holds(&[&pod], Loss::None).is_err() {
        assert!(
            status.total.abandoned > 0,
            "lines are missing and none is counted"
        );
        assert!(
            !tap.gaps().is_empty(),
            "lines are missing and no gap says so"
        );
    }
}
