//! How does it stand, in Prometheus' words? Every family and every closed label is there from the first scrape, at 0.
//!
//! The snapshot is turned into metric families and written by the `prometheus` crate's text encoder, which escapes
//! label values. Several streams with the same labels (the files of a volume, host logs) are one series: bytes are
//! summed, of lags the longest counts and of times to loss the shortest.

use std::fmt::Write;

use collector::ledger::AbandonReason;
use prometheus::proto::MetricFamily;

use crate::process::Process;
use crate::snapshot::Snapshot;

mod families;

mod encode;

mod values;

pub use families::{FAMILIES, Family, Kind};

/// The content type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why the exposition can't be written.
pub type RenderError = prometheus::Error;

/// Writes the exposition (Prometheus text format 0.0.4).
pub fn render(snapshot: &Snapshot, process: &Process) -> Result<String, RenderError> {
    let mut values = values::values(snapshot, process);
    let families: Vec<MetricFamily> = FAMILIES
        .iter()
        .filter_map(|family| {
            let series = values
                .remove(family.name)
                .filter(|series| !series.is_empty())?;
            Some(encode::family(
                family.name,
                family.help,
                family.kind,
                series,
            ))
        })
        .collect();
    encode::text(&families)
}

/// The whole of docs/metrics.md.
pub fn markdown() -> String {
    let mut out = HEAD.to_owned();
    for family in FAMILIES {
        let Family { name, help, .. } = family;
        let (kind, labels) = (family.kind.as_str(), family.labels.join(", "));
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
Every family and every value of a closed label is there from the first scrape, at 0; those of requests only where lines
are shipped, those of the store only where they are kept.
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

#[cfg(test)]
mod tests;
