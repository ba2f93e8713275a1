//! Where do lines go, and what waits there and why? What `nodetap sources` says of the sink and the configuration.

use std::io::{self, Write};

use page::snapshot::Snapshot;
use page::units::bytes_text;

use crate::table::visible;

/// A few lines, and none where lines are kept in the store and nothing waits.
pub(super) fn describe(snapshot: &Snapshot, out: &mut impl Write) -> io::Result<()> {
    let sink = &snapshot.collector.sink;
    let before = &snapshot.reload.needs_restart;
    if !before.is_empty() {
        writeln!(
            out,
            "changed, and in force after a restart: {}",
            visible(&before.join(", "))
        )?;
    }
    if sink.name == "elasticsearch" {
        let results: Vec<String> = sink
            .items
            .iter()
            .map(|(result, count)| format!("{count} {}", result.replace('_', " ")))
            .collect();
        writeln!(
            out,
            "shipped to Elasticsearch: {}; {} on their way",
            results.join(", "),
            bytes_text(sink.in_flight_bytes)
        )?;
        for waiting in &sink.waiting {
            writeln!(out, "  waits: {}", visible(waiting))?;
        }
    }
    if !before.is_empty() || sink.name == "elasticsearch" {
        writeln!(out)?;
    }
    Ok(())
}
