//! What must hold against any cluster, fake or real? Each scenario is one function that runs from an empty cluster to the end.
//!
//! Faults that no real server can be brought to are tried in `tests/it` with the fake alone.

use crate::cluster::{Cluster, Copies, must_hold, will_hold};
use crate::observe::Status;
use crate::{Node, Nodetap, Running, Writer, until};

pub mod indices;
pub mod outage;
pub mod refusal;
pub mod streams;
pub mod trouble;

/// `nodetap collect` on a node, shipping to a cluster that is emptied first.
pub fn shipper(node: &Node, cluster: &mut impl Cluster, more: &[&str]) -> Nodetap {
    cluster.clear();
    Nodetap::on(node).ships_to(&cluster.access(), more, "")
}

/// Waits until the program says what hinders it, in words that contain `word`.
pub fn troubled(running: &Running, word: &str) -> Status {
    until("nodetap says what hinders it", || {
        let status = running.status();
        status.must_balance();
        match &status.sink_trouble {
            Some(trouble) if trouble.contains(word) => Ok(status),
            _ => Err(status.summary()),
        }
    })
}

/// The end of most scenarios: everything is acknowledged, nothing given up, and the cluster holds the truth.
pub fn ends_well(
    running: Running,
    cluster: &mut impl Cluster,
    writers: &[&Writer],
    copies: Copies,
) {
    // What was written just now may not have been noticed yet.
    will_hold(cluster, writers, copies);
    let status = running.settle();
    status.must_have_lost_nothing();
    assert_eq!(status.total.dead_lettered, 0, "dead letters: {status:?}");
    running.stop();
    must_hold(cluster, writers, copies);
}
