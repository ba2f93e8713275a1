//! Which snapshots do tests show?

use std::sync::Arc;

use collector::Status;
use collector::discover::Report;
use collector::ledger::{AbandonReason, Ledger};
use collector::status::StreamStatus;
use record::{Container, Origin, Pod};

use super::{Reload, Snapshot, StoreSize};

/// How far each stream is behind.
pub(crate) const LAG_BYTES: u64 = 1000;

/// A well process with one stream for each (namespace, pod, container).
pub(crate) fn snapshot(names: &[(&str, &str, &str)]) -> Snapshot {
    let zeros = || {
        AbandonReason::ALL
            .iter()
            .map(|reason| (reason.as_str().to_owned(), 0))
            .collect()
    };
    let status = Status {
        streams: names.iter().map(|names| stream(*names)).collect(),
        total: Ledger {
            seen: 5000,
            read: 4000,
            acknowledged: 4000,
            lines: 40,
            ..Ledger::default()
        },
        in_flight_bytes: 0,
        unread_bytes: 1000,
        imbalance_bytes: 0,
        abandoned_bytes: zeros(),
        gaps: zeros(),
        held_deleted_bytes: 0,
        sink_in_flight_bytes: 0,
        sink_trouble: None,
        sink: collector::ship::SinkStatus::default(),
        checkpoint_trouble: None,
        invalid_utf8_lines: 0,
        unparsed_lines: 0,
        found: Report::default(),
        drained: false,
        turned_seconds_ago: 0.1,
    };
    Snapshot {
        version: "0.1.0".to_owned(),
        host: "node-1".to_owned(),
        state: "/var/lib/nodetap".to_owned(),
        store: Some(StoreSize {
            bytes: 1 << 20,
            rows: 40,
        }),
        reload: Reload::successful(1.0),
        collector: Arc::new(status),
    }
}

/// The same with a change of the collector's status.
pub(crate) fn changed(snapshot: &Snapshot, change: impl FnOnce(&mut Status)) -> Snapshot {
    let mut status = Status::clone(&snapshot.collector);
    change(&mut status);
    Snapshot {
        collector: Arc::new(status),
        ..snapshot.clone()
    }
}

fn stream((namespace, pod, container): (&str, &str, &str)) -> StreamStatus {
    let origin = Origin {
        stream: format!("uid/{container}"),
        pod: Some(Pod {
            namespace: namespace.to_owned(),
            name: pod.to_owned(),
            ..Pod::default()
        }),
        container: Some(Container {
            name: container.to_owned(),
            ..Container::default()
        }),
        ..Origin::default()
    };
    StreamStatus {
        origin: Arc::new(origin),
        files: Vec::new(),
        ledger: Ledger::default(),
        in_flight_bytes: 0,
        unread_bytes: LAG_BYTES,
        lag_bytes: LAG_BYTES,
        lag_seconds: 2.0,
        time_to_loss_seconds: None,
        drained: false,
        limited: false,
    }
}
