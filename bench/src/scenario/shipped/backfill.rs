//! What does a line cost from the page cache to its acknowledgement, beside the least that any program needs for it?

use super::{Settings, Trial, measure as add, number, outcome_of};
use crate::clock::own_cpu_seconds;
use crate::limit;
use crate::report::{Outcome, Target};
use crate::scenario::stored::tree;
use crate::tree::live_logs;

const PER_MILLION: &str = "CPU-seconds per million lines";

/// One way to send: its configuration and its promises.
struct Way {
    configuration: &'static str,
    gzip: Option<u32>,
    what: &'static str,
    ratio: &'static str,
    cpu_seconds_max: f64,
    ratio_max: f64,
}

const WAYS: [Way; 2] = [
    Way {
        configuration: "elasticsearch: {gzip: 0}\n",
        gzip: None,
        what: "without compression",
        ratio: "without compression, by the limit loop",
        cpu_seconds_max: 0.7,
        ratio_max: 4.0,
    },
    Way {
        configuration: "elasticsearch: {gzip: 1}\n",
        gzip: Some(1),
        what: "with gzip 1",
        ratio: "with gzip 1, by the limit loop with gzip 1",
        cpu_seconds_max: 1.1,
        ratio_max: 1.5,
    },
];

/// Measures 50 files that were written before the start, each way.
pub(in crate::scenario) fn measure(settings: &Settings) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::new("sink-backfill");
    for way in &WAYS {
        let (node, written) = tree(settings)?;
        let paths = live_logs(&node.logs())?;
        let before = own_cpu_seconds();
        let passed = limit::run(&paths, way.gzip)?;
        let bare = (own_cpu_seconds() - before) / (passed.lines as f64 / 1e6);
        let trial = Trial {
            configuration: way.configuration,
            ..Trial::new("sink-backfill", settings, node, written.records)
        };
        let result = trial.run()?;
        let cost = number(&result, "/cpu_seconds_per_million_lines");
        outcome.measure(
            way.what,
            cost,
            PER_MILLION,
            Target::AtMost(way.cpu_seconds_max),
        );
        outcome.measure(way.ratio, cost / bare, "", Target::AtMost(way.ratio_max));
        let resident = Target::AtMost(96.0);
        let peak = "/peak_resident_mib";
        add(
            &mut outcome,
            "resident, at most",
            &result,
            peak,
            "MiB",
            resident,
        );
        let speed = "/lines_per_second";
        add(
            &mut outcome,
            "by the clock",
            &result,
            speed,
            "lines/s",
            Target::None,
        );
        let own = outcome_of("sink-backfill", &result);
        outcome.measures.extend(own.measures);
        outcome.fact(way.what, own.facts);
    }
    Ok(outcome)
}
