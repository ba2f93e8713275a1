//! What if the cluster or an index takes nothing for a while? The lines wait in their files, and the others go on.

use super::{ends_well, shipper, troubled};
use crate::cluster::{Cluster, Copies, Fault, holds, must_hold};
use crate::kubelet::Rotation;
use crate::{Node, Writer, until};

/// One day in nanoseconds.
const DAY: i64 = 86_400_000_000_000;

/// Lines are written and rotated through a trouble of the whole cluster; all are there when it is over.
pub fn of_the_cluster(cluster: &mut impl Cluster, fault: &Fault, word: &str) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(100);
    let tap = shipper(node, cluster, &[]);
    let running = tap.start();
    running.settle();
    cluster.induce(fault);
    for _ in 0..3 {
        web.lines(100);
        web.rotate(Rotation::default());
    }
    let status = troubled(&running, word);
    assert!(status.sink.breaker_open, "{:?}", status.sink);
    web.lines(100);
    cluster.heal();
    ends_well(running, cluster, &[&web], Copies::One);
}

/// The write queue is full all the time: single items are refused again and again, and all get through.
pub fn queue_full(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut writers: Vec<Writer> = (0..6)
        .map(|number| node.pod("shop", &format!("web-{number}"), "app"))
        .collect();
    let tap = shipper(node, cluster, &[]);
    cluster.induce(&Fault::QueueFull);
    for writer in &mut writers {
        writer.lines(400);
    }
    let running = tap.start();
    ends_well(
        running,
        cluster,
        &writers.iter().collect::<Vec<_>>(),
        Copies::One,
    );
    cluster.heal();
}

/// Requests are too large for the cluster: they are split until they are not.
pub fn small_bodies(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut writers: Vec<Writer> = (0..3)
        .map(|number| node.pod("shop", &format!("web-{number}"), "app"))
        .collect();
    for writer in &mut writers {
        writer.fill(3_000_000);
    }
    let tap = shipper(node, cluster, &[]);
    cluster.induce(&Fault::SmallBodies);
    let running = tap.start();
    let writers: Vec<&Writer> = writers.iter().collect();
    ends_well(running, cluster, &writers, Copies::One);
    cluster.heal();
}

/// One index takes nothing: its lines wait and say why, those of other indices arrive meanwhile.
pub fn of_an_index(cluster: &mut impl Cluster, fault: impl Fn(String) -> Fault, word: &str) {
    let node = &mut Node::new();
    let mut today = node.pod("shop", "today", "app");
    let mut yesterday = node.pod("shop", "yesterday", "app");
    yesterday.shift_clock(-DAY);
    today.lines(100);
    yesterday.lines(100);
    let tap = shipper(node, cluster, &[]);
    let running = tap.start();
    running.settle();
    let time = record::Timestamp(today.time()).to_string();
    let index = format!("nodetap-{}", time[..10].replace('-', "."));
    cluster.induce(&fault(index.clone()));
    today.lines(100);
    let status = troubled(&running, word);
    assert!(
        status
            .sink
            .waiting
            .iter()
            .any(|waiting| waiting.contains(&index)),
        "which index waits is not said: {:?}",
        status.sink
    );
    yesterday.lines(300);
    until("lines of another index arrive", || {
        running.status().must_balance();
        holds(cluster, &[&yesterday], Copies::One)
    });
    today.lines(100);
    cluster.heal();
    ends_well(running, cluster, &[&today, &yesterday], Copies::One);
}

/// No new index can be made: lines of a new day wait, those of the present one arrive.
pub fn no_more_shards(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut today = node.pod("shop", "today", "app");
    let mut yesterday = node.pod("shop", "yesterday", "app");
    today.lines(100);
    let tap = shipper(node, cluster, &[]);
    let running = tap.start();
    running.settle();
    cluster.induce(&Fault::NoMoreShards);
    yesterday.shift_clock(-DAY);
    yesterday.lines(100);
    troubled(&running, "shards");
    today.lines(200);
    until("lines of the present index arrive", || {
        holds(cluster, &[&today], Copies::One)
    });
    cluster.heal();
    ends_well(running, cluster, &[&today, &yesterday], Copies::One);
    must_hold(cluster, &[&today], Copies::One);
}
