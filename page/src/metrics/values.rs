//! What is each family's value now? Taken from one snapshot; pure.

use std::collections::BTreeMap;

use collector::Status;
use collector::status::StreamStatus;

use super::encode::{Series, Value, pair};
use crate::process::Process;
use crate::snapshot::Snapshot;

/// One series with one label.
fn labelled(label: &str, value: &str, number: f64) -> Series {
    (vec![pair(label, value)], Value::Number(number))
}

/// Every family's series, by its name.
pub(super) fn values(
    snapshot: &Snapshot,
    process: &Process,
) -> BTreeMap<&'static str, Vec<Series>> {
    let status = &snapshot.collector;
    let total = &status.total;
    let one = |value: f64| vec![(Vec::new(), Value::Number(value))];
    let perhaps = |value: Option<f64>| value.map(one).unwrap_or_default();
    let by_reason = |counts: &BTreeMap<String, u64>| {
        counts
            .iter()
            .map(|(reason, count)| labelled("reason", reason, *count as f64))
            .collect()
    };
    let states = [
        ("seen", total.seen),
        ("read", total.read),
        ("acknowledged", total.acknowledged),
        ("filtered", total.filtered),
        ("dead_lettered", total.dead_lettered),
        ("abandoned", total.abandoned),
    ];
    let mut values = BTreeMap::from([
        (
            "log_held_deleted_bytes",
            one(status.held_deleted_bytes as f64),
        ),
        (
            "log_bytes_abandoned_total",
            by_reason(&status.abandoned_bytes),
        ),
        (
            "log_bytes_total",
            states
                .map(|(state, bytes)| labelled("state", state, bytes as f64))
                .to_vec(),
        ),
        (
            "log_invalid_utf8_lines_total",
            one(status.invalid_utf8_lines as f64),
        ),
        ("log_lines_lost_total", by_reason(&status.gaps)),
        (
            "log_unparsed_lines_total",
            one(status.unparsed_lines as f64),
        ),
        (
            "nodetap_build_info",
            vec![labelled("version", &snapshot.version, 1.0)],
        ),
        (
            "nodetap_ledger_imbalance_bytes",
            one(status.imbalance_bytes as f64),
        ),
        (
            "nodetap_config_last_reload_success_timestamp_seconds",
            one(snapshot.reload.success_seconds),
        ),
        (
            "nodetap_config_last_reload_successful",
            one(f64::from(u8::from(snapshot.reload.trouble.is_none()))),
        ),
        (
            "nodetap_store_bytes",
            perhaps(snapshot.store.map(|store| store.bytes as f64)),
        ),
        (
            "nodetap_store_rows",
            perhaps(snapshot.store.map(|store| store.rows as f64)),
        ),
        ("nodetap_streams", one(status.streams.len() as f64)),
        ("process_cpu_seconds_total", perhaps(process.cpu_seconds)),
        ("process_max_fds", perhaps(process.descriptors_max)),
        ("process_open_fds", perhaps(process.open_descriptors)),
        (
            "process_resident_memory_bytes",
            perhaps(process.resident_bytes),
        ),
        ("process_start_time_seconds", perhaps(process.start_seconds)),
        (
            "process_virtual_memory_bytes",
            perhaps(process.virtual_bytes),
        ),
    ]);
    values.extend(lags(&status.streams));
    values.extend(sink(status));
    values
}

/// What the sink says of itself, under its name.
fn sink(status: &Status) -> [(&'static str, Vec<Series>); 5] {
    let sink = &status.sink;
    let name = match sink.name.as_str() {
        "" => "store",
        name => name,
    };
    let one = |value: Value| vec![(vec![pair("sink", name)], value)];
    let each = |label: &str, counts: &BTreeMap<String, u64>| {
        let series = |(value, count): (&String, &u64)| {
            (
                vec![pair(label, value), pair("sink", name)],
                Value::Number(*count as f64),
            )
        };
        counts.iter().map(series).collect::<Vec<_>>()
    };
    // The store has no items of its own to count: what it took is what the ledger says.
    let taken = || {
        BTreeMap::from([
            ("taken".to_owned(), status.total.lines),
            ("known".to_owned(), status.total.known_lines),
        ])
    };
    let items = if sink.items.is_empty() {
        each("result", &taken())
    } else {
        each("result", &sink.items)
    };
    let is_open = sink.breaker_open || (sink.name != "elasticsearch" && sink.trouble.is_some());
    let duration = if sink.duration.bounds.is_empty() {
        Vec::new()
    } else {
        one(Value::Histogram {
            bounds: sink.duration.bounds.clone(),
            counts: sink.duration.counts.clone(),
            sum: sink.duration.sum_seconds,
        })
    };
    [
        (
            "nodetap_sink_breaker_open",
            one(Value::Number(f64::from(u8::from(is_open)))),
        ),
        (
            "nodetap_sink_in_flight_bytes",
            one(Value::Number(status.sink_in_flight_bytes as f64)),
        ),
        ("nodetap_sink_items_total", items),
        ("nodetap_sink_request_duration_seconds", duration),
        ("nodetap_sink_requests_total", each("code", &sink.requests)),
    ]
}

/// Lag and time to loss, one series for each (namespace, pod, container).
fn lags(streams: &[StreamStatus]) -> [(&'static str, Vec<Series>); 3] {
    struct Lag {
        bytes: f64,
        seconds: f64,
        loss_seconds: f64,
    }
    let mut lags: BTreeMap<[&str; 3], Lag> = BTreeMap::new();
    for stream in streams {
        let origin = &stream.origin;
        let key = [
            origin.namespace(),
            origin.pod_name(),
            origin.container_name(),
        ];
        let lag = lags.entry(key).or_insert(Lag {
            bytes: 0.0,
            seconds: 0.0,
            loss_seconds: f64::INFINITY,
        });
        lag.bytes += stream.lag_bytes as f64;
        lag.seconds = lag.seconds.max(stream.lag_seconds);
        lag.loss_seconds = lag
            .loss_seconds
            .min(stream.time_to_loss_seconds.unwrap_or(f64::INFINITY));
    }
    let series = |value: fn(&Lag) -> f64| {
        lags.iter()
            .map(|([namespace, pod, container], lag)| {
                let labels = vec![
                    pair("container", container),
                    pair("namespace", namespace),
                    pair("pod", pod),
                ];
                (labels, Value::Number(value(lag)))
            })
            .collect()
    };
    [
        ("log_read_lag_bytes", series(|lag| lag.bytes)),
        ("log_read_lag_seconds", series(|lag| lag.seconds)),
        ("log_time_to_loss_seconds", series(|lag| lag.loss_seconds)),
    ]
}
