//! Which families are there? The part of docs/metrics.md that is made from the table of probes.

use std::fmt::Write;

use crate::family::Family;
use crate::probes::PROBES;
use crate::{push, scrape};

/// A section for each probe, with a row for each family.
pub fn markdown() -> String {
    let mut out = String::from(
        "## The scrape itself\n\nOne series for each probe. Counters start at 0 with the process.\n\n",
    );
    table(scrape::FAMILIES, &mut out);
    out.push_str("\n## Pushing\n\nWhere `export.push_url` is set.\n\n");
    table(push::FAMILIES, &mut out);
    for entry in PROBES {
        // Writing to a String can't fail.
        write!(out, "\n## Probe `{}`\n\n{}\n\n", entry.name, entry.about).unwrap_or_default();
        table(entry.families, &mut out);
    }
    out
}

fn table(families: &[Family], out: &mut String) {
    out.push_str("| name | kind | labels | meaning |\n|---|---|---|---|\n");
    for family in families {
        let labels = family.labels.join(", ");
        writeln!(
            out,
            "| `{}` | {} | {labels} | {} |",
            family.name,
            family.kind.as_str(),
            family.help
        )
        .unwrap_or_default();
    }
}
