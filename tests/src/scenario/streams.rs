//! What of data streams, where an id is unique in each backing index only? What is in doubt is asked for before it is sent again.

use super::{ends_well, shipper};
use crate::cluster::{Cluster, Copies};
use crate::{Node, Writer, until};

/// The data stream of a namespace's containers.
pub fn of_namespace(namespace: &str) -> String {
    format!("logs-nodetap.container-{namespace}")
}

/// Lets a data stream begin a new backing index; the old one's ids are forgotten by it.
pub fn roll_over(cluster: &mut impl Cluster, stream: &str) {
    let (status, answer) = cluster.ask("POST", &format!("/{stream}/_rollover"), None);
    assert_eq!(status, 200, "{answer}");
}

/// Waits until the cluster has carried out what it was sent before its client went away.
fn quiet(cluster: &mut impl Cluster) {
    let mut before = Vec::new();
    until("the cluster is at rest", || {
        before.push(cluster.documents().len());
        match before.as_slice() {
            [.., a, b, c] if a == b && b == c => Ok(()),
            _ => Err(format!("{} documents", before[before.len() - 1])),
        }
    });
}

/// nodetap is killed under load again and again, and the stream rolls over each time before it is back: no line is doubled.
pub fn rolled_over_while_down(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut writers: Vec<Writer> = (0..3)
        .map(|number| node.pod("shop", &format!("web-{number}"), "app"))
        .collect();
    let tap = shipper(node, cluster, &["mode: data_stream"]);
    for _ in 0..5 {
        let running = tap.start();
        for writer in &mut writers {
            writer.lines(200);
        }
        until("lines arrive", || {
            let created = running.status().sink.items("created");
            if created > 0 {
                Ok(())
            } else {
                Err("none was created".to_owned())
            }
        });
        running.kill();
        quiet(cluster);
        roll_over(cluster, &of_namespace("shop"));
    }
    let running = tap.start();
    ends_well(
        running,
        cluster,
        &writers.iter().collect::<Vec<_>>(),
        Copies::One,
    );
    let documents = cluster.documents();
    let mut indices: Vec<&str> = documents.iter().map(|stored| &*stored.index).collect();
    indices.sort_unstable();
    indices.dedup();
    assert!(indices.len() > 1, "it never rolled over: {indices:?}");
}

/// Containers of several namespaces and a host's text: each goes to its own data stream.
pub fn one_for_each_namespace(cluster: &mut impl Cluster) {
    let node = &mut Node::new();
    let mut shop = node.pod("shop", "web-1", "app");
    let mut bank = node.pod("bank", "web-1", "app");
    let mut docker = node.docker("old");
    for writer in [&mut shop, &mut bank, &mut docker] {
        writer.lines(40);
    }
    let tap = shipper(node, cluster, &["mode: data_stream"]);
    let running = tap.start();
    ends_well(running, cluster, &[&shop, &bank, &docker], Copies::One);
    for stored in cluster.documents() {
        let field = |name: &str| {
            let value = stored.source["data_stream"][name].as_str();
            value.unwrap_or_default().to_owned()
        };
        let name = format!(
            "{}-{}-{}",
            field("type"),
            field("dataset"),
            field("namespace")
        );
        assert!(
            stored.index.starts_with(&format!(".ds-{name}-")),
            "{name} is in {}",
            stored.index
        );
    }
}
