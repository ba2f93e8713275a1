//! What if the cluster is away while the platform goes on? Files rotate, pods are deleted, nodetap itself is killed.

use std::os::unix::fs::MetadataExt;

use super::{ends_well, shipper, troubled};
use crate::cluster::{Cluster, Copies, Fault};
use crate::kubelet::Rotation;
use crate::patience::Pace;
use crate::{Node, Writer, until};

/// How quickly a pod writes.
const BYTES_PER_SECOND: u64 = 20_000;

/// Waits until the reserve holds the file that has the live name, so that it can be deleted.
fn reserved(writer: &Writer) {
    until("the reserve holds the log", || {
        let file = std::fs::metadata(writer.live()).map_err(|error| error.to_string())?;
        if file.nlink() > 1 {
            Ok(())
        } else {
            Err("it has one name only".to_owned())
        }
    });
}

/// Files rotate out of their pod's directory, pods are deleted, and nodetap is killed amid it; nothing is lost.
///
/// `rounds` rotations make the outage as long as it is to be, about three quarters of a second each.
pub fn while_files_rotate_and_pods_are_deleted(
    cluster: &mut impl Cluster,
    fault: &Fault,
    more: &[&str],
    rounds: usize,
) {
    let node = &mut Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    let mut jobs: Vec<Writer> = (0..4)
        .map(|number| node.pod("jobs", &format!("job-{number}"), "run"))
        .collect();
    web.lines(100);
    for job in &mut jobs {
        job.lines(50);
    }
    let tap = shipper(node, cluster, more);
    let running = tap.start();
    running.settle();
    cluster.induce(fault);
    web.lines(10);
    troubled(&running, "");
    let mut pace = Pace::new(BYTES_PER_SECOND);
    for _ in 0..rounds {
        let before = web.bytes();
        web.lines(60);
        pace.wrote(web.bytes() - before);
        reserved(&web);
        // With two further rotations a file is gone from its directory.
        web.rotate(Rotation {
            max_files: 3,
            late_lines: 3,
        });
    }
    web.lines(20);
    reserved(&web);
    for job in &mut jobs {
        job.lines(50);
        reserved(job);
    }
    jobs[0].delete_pod();
    jobs[1].delete_pod();
    running.kill();
    // Nobody reads, nobody takes.
    web.lines(50);
    jobs[2].lines(50);
    jobs[2].delete_pod();
    let running = tap.start();
    jobs[3].lines(50);
    jobs[3].delete_pod();
    web.lines(50);
    troubled(&running, "");
    cluster.heal();
    let mut writers: Vec<&Writer> = jobs.iter().collect();
    writers.push(&web);
    ends_well(running, cluster, &writers, Copies::One);
}
