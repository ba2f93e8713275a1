//! How does it stand, in Prometheus' words? Every family and every closed label is there from the first scrape, at 0.
//!
//! The snapshot is turned into metric families and written by the `prometheus` crate's text encoder, which escapes
//! label values. Several streams with the same labels (the files of a volume, host logs) are one series: bytes are
//! summed, of lags the longest counts and of times to loss the shortest.

use std::collections::BTreeMap;
use std::fmt::Write;

use collector::ledger::AbandonReason;
use collector::status::StreamStatus;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

use crate::process::Process;
use crate::snapshot::Snapshot;

/// The content type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The label `sink` of the embedded store.
const SINK: &str = "store";

/// The name, kind and help of every family, in the order of the exposition; docs/metrics.md is made from it.
pub const FAMILIES: &[Family] = &[
    gauge(
        "log_held_deleted_bytes",
        "Bytes of deleted files that live on only until they are read.",
    ),
    gauge(
        "log_read_lag_bytes",
        "Bytes written by a container and not yet kept.",
    ),
    gauge(
        "log_read_lag_seconds",
        "Age of the oldest line of a container that is not yet kept; 0 when none waits.",
    ),
    gauge(
        "log_time_to_loss_seconds",
        "Time until rotation removes unread lines if nothing changes: what is left of retention divided by the rate of falling behind; +Inf while it keeps up.",
    ),
    counter(
        "log_bytes_abandoned_total",
        "Bytes that were seen and could not be read any more, by reason.",
    ),
    counter(
        "log_bytes_total",
        "Bytes of log text by what became of them; seen is all of them.",
    ),
    counter(
        "log_invalid_utf8_lines_total",
        "Lines in which bytes that were not UTF-8 were replaced.",
    ),
    counter(
        "log_lines_lost_total",
        "Gaps in streams by reason; each is one record that says how many bytes are missing there.",
    ),
    counter(
        "log_unparsed_lines_total",
        "Lines that were not in their file's format and were kept whole.",
    ),
    gauge("nodetap_build_info", "1; the version is a label."),
    gauge(
        "nodetap_ledger_imbalance_bytes",
        "Bytes that nobody can account for; anything but 0 is a defect.",
    ),
    gauge(
        "nodetap_sink_breaker_open",
        "Whether the sink takes nothing at the moment (1) or does (0).",
    ),
    gauge(
        "nodetap_sink_in_flight_bytes",
        "Bytes handed to the sink and not yet confirmed.",
    ),
    counter(
        "nodetap_sink_items_total",
        "Records by what the sink made of them: taken, or known because an earlier run had kept them already.",
    ),
    gauge("nodetap_store_bytes", "Size of the embedded store on disk."),
    gauge("nodetap_store_rows", "Lines in the embedded store."),
    gauge("nodetap_streams", "Streams that are followed."),
    counter(
        "process_cpu_seconds_total",
        "User and system time of this process.",
    ),
    gauge(
        "process_max_fds",
        "File descriptors that this process may have open.",
    ),
    gauge(
        "process_open_fds",
        "File descriptors that this process has open.",
    ),
    gauge(
        "process_resident_memory_bytes",
        "Resident memory of this process.",
    ),
    gauge(
        "process_start_time_seconds",
        "Start of this process since the epoch.",
    ),
    gauge(
        "process_virtual_memory_bytes",
        "Address space of this process.",
    ),
];

/// One family's constant part.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// A sentence.
    pub help: &'static str,
    /// Whether it only grows.
    pub counts: bool,
}

type Series = (Vec<LabelPair>, f64);

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        help,
        counts: false,
    }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        help,
        counts: true,
    }
}

/// Writes the exposition (Prometheus text format 0.0.4).
pub fn render(snapshot: &Snapshot, process: &Process) -> Result<String, prometheus::Error> {
    let mut values = values(snapshot, process);
    let families: Vec<MetricFamily> = FAMILIES
        .iter()
        .filter_map(|family| {
            let series = values
                .remove(family.name)
                .filter(|series| !series.is_empty())?;
            Some(family_of(family, series))
        })
        .collect();
    let mut out = Vec::with_capacity(64 << 10);
    TextEncoder::new().encode(&families, &mut out)?;
    // The encoder writes Rust's `inf`; the format's own spelling is `+Inf`. A label can't end a line, so only values match.
    Ok(String::from_utf8_lossy(&out).replace(" inf\n", " +Inf\n"))
}

/// The whole of docs/metrics.md.
pub fn markdown() -> String {
    let mut out = HEAD.to_owned();
    for Family { name, help, counts } in FAMILIES {
        let kind = if *counts { "counter" } else { "gauge" };
        let labels = match *name {
            "log_read_lag_bytes" | "log_read_lag_seconds" | "log_time_to_loss_seconds" => {
                "namespace, pod, container"
            }
            "log_bytes_abandoned_total" | "log_lines_lost_total" => "reason",
            "log_bytes_total" => "state",
            "nodetap_sink_items_total" => "sink, result",
            "nodetap_sink_breaker_open" | "nodetap_sink_in_flight_bytes" => "sink",
            "nodetap_build_info" => "version",
            _ => "",
        };
        // Writing to a String can't fail.
        writeln!(out, "| `{name}` | {kind} | {labels} | {help} |").unwrap_or_default();
    }
    out.push_str(REASONS_HEAD);
    for reason in AbandonReason::ALL {
        writeln!(out, "- `{}`", reason.as_str()).unwrap_or_default();
    }
    out
}

const HEAD: &str = "\
# Metrics

`GET /metrics`, Prometheus text format 0.0.4, on the address of `listen` (127.0.0.1:9797 unless told otherwise).
Every family and every value of a closed label is there from the first scrape, at 0.
Counters start at 0 with the process.

Several streams with the same labels are one series (the files of one volume, the node's own logs, whose labels are
empty): bytes are summed, of lags the longest counts and of times to loss the shortest.
`log_bytes_total` balances: seen = acknowledged + filtered + dead_lettered + abandoned + what is in flight or unread;
`nodetap_ledger_imbalance_bytes` is what is left over.

| name | kind | labels | meaning |
|---|---|---|---|
";

const REASONS_HEAD: &str = "
## Reasons of `log_bytes_abandoned_total` and `log_lines_lost_total`

";

fn family_of(family: &Family, series: Vec<Series>) -> MetricFamily {
    let mut out = MetricFamily::default();
    out.set_name(family.name.to_owned());
    out.set_help(family.help.to_owned());
    out.set_field_type(if family.counts {
        MetricType::COUNTER
    } else {
        MetricType::GAUGE
    });
    let metrics = series.into_iter().map(|(labels, value)| {
        let mut metric = Metric::default();
        metric.set_label(labels);
        if family.counts {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        metric
    });
    out.set_metric(metrics.collect());
    out
}

fn values(snapshot: &Snapshot, process: &Process) -> BTreeMap<&'static str, Vec<Series>> {
    let status = &snapshot.collector;
    let total = &status.total;
    let one = |value: f64| vec![(Vec::new(), value)];
    let perhaps = |value: Option<f64>| value.map(one).unwrap_or_default();
    let by_reason = |counts: &BTreeMap<String, u64>| {
        counts
            .iter()
            .map(|(reason, count)| (vec![pair("reason", reason)], *count as f64))
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
    let items = [("taken", total.lines), ("known", total.known_lines)].map(|(result, count)| {
        (
            vec![pair("result", result), pair("sink", SINK)],
            count as f64,
        )
    });
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
                .map(|(state, bytes)| (vec![pair("state", state)], bytes as f64))
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
            vec![(vec![pair("version", &snapshot.version)], 1.0)],
        ),
        (
            "nodetap_ledger_imbalance_bytes",
            one(status.imbalance_bytes as f64),
        ),
        (
            "nodetap_sink_breaker_open",
            vec![(
                vec![pair("sink", SINK)],
                f64::from(u8::from(status.sink_trouble.is_some())),
            )],
        ),
        (
            "nodetap_sink_in_flight_bytes",
            vec![(vec![pair("sink", SINK)], status.sink_in_flight_bytes as f64)],
        ),
        ("nodetap_sink_items_total", items.to_vec()),
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
    for (name, series) in lags(&status.streams) {
        values.insert(name, series);
    }
    values
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
                (labels, value(lag))
            })
            .collect()
    };
    [
        ("log_read_lag_bytes", series(|lag| lag.bytes)),
        ("log_read_lag_seconds", series(|lag| lag.seconds)),
        ("log_time_to_loss_seconds", series(|lag| lag.loss_seconds)),
    ]
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

#[cfg(test)]
mod tests;
