//! What does docs/metrics.md say? Every family of every part of this program, from the tables that they are made from.

use std::fmt::Write;

const FROM_LINES: &str = "
## Made from lines

With `up` and `collect`. Which lines count into what is told by the section `derive` of [the configuration](configuration.md);
rules of your own add families of their names, with the labels `container`, `namespace`, `pod` and those of their groups.
Lines that an earlier process had brought to their place already are not counted again. The series of a container go some
time after it.

| name | kind | labels | meaning |
|---|---|---|---|
";

const PLUMBING: &str = "
# Metrics of the node's plumbing

With `up` on the same address, and with `nodetap export` on its own (127.0.0.1:9798). `nodetap metrics` prints one scrape.

";

/// The whole of docs/metrics.md.
pub fn metrics() -> String {
    let mut out = page::metrics::markdown();
    out.push_str(FROM_LINES);
    for family in collector::derive::descriptions() {
        let (kind, labels) = (family.kind.as_str(), family.labels.join(", "));
        // Writing to a String can't fail.
        writeln!(
            out,
            "| `{}` | {kind} | {labels} | {} |",
            family.name, family.help
        )
        .unwrap_or_default();
    }
    out.push_str(PLUMBING);
    out.push_str(&exporter::manual::markdown());
    out
}
