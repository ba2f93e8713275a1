//! What is lost or doubled when nodetap is killed, or when Elasticsearch is down or refuses?

use super::live::{CONTAINERS, busy};
use super::{Settings, Trial, outcome_of};
use crate::report::{Outcome, Target};
use crate::scenario::stored::tree;

/// Records of the scenarios whose sink takes its time over each request.
const FAULTY_RECORDS: u64 = 100_000;
const FAULTY_FILES: u64 = 50;

/// Measures a busy node on which nodetap is killed twice.
pub(in crate::scenario) fn measure_crash(settings: &Settings) -> anyhow::Result<Outcome> {
    let mut trial = Trial::growing("sink-crash", settings, CONTAINERS, &busy(settings))?;
    trial.kills = vec![settings.duration / 4, settings.duration * 3 / 5];
    finish(&trial)
}

/// Measures a kill while nodetap catches up.
pub(in crate::scenario) fn measure_crash_backfill(settings: &Settings) -> anyhow::Result<Outcome> {
    let (node, written) = tree(settings)?;
    let mut trial = Trial::new("sink-crash-backfill", settings, node, written.records);
    trial.kill_share = Some(0.3);
    finish(&trial)
}

/// Measures a busy node whose Elasticsearch is down for a third of the time, while logs are rotated.
pub(in crate::scenario) fn measure_outage(settings: &Settings) -> anyhow::Result<Outcome> {
    let mut trial = Trial::growing("sink-outage", settings, CONTAINERS, &busy(settings))?;
    trial.outage = Some((settings.duration / 6, settings.duration / 3));
    finish(&trial)
}

/// Measures an Elasticsearch that is slow and refuses single items, whole requests and connections.
pub(in crate::scenario) fn measure_faults(settings: &Settings) -> anyhow::Result<Outcome> {
    let faults = [
        "fail429=0.0002",
        "fail503=0.02",
        "reset-before=0.01",
        "delay-ms=5",
    ];
    let folder = super::fresh_folder(settings, "sink-faults")?;
    let node = super::Node::new(&settings.nodetap, &folder);
    let written = super::Workload::new(&node.logs(), FAULTY_FILES).prefill(FAULTY_RECORDS)?;
    finish(&Trial {
        faults: &faults,
        ..Trial::new("sink-faults", settings, node, written.records)
    })
}

fn finish(trial: &Trial<'_>) -> anyhow::Result<Outcome> {
    let result = trial.run()?;
    let mut outcome = outcome_of(trial.scenario, &result);
    for (what, pointer, unit) in [
        (
            "processor",
            "/cpu_seconds_per_million_lines",
            "CPU-seconds per million lines",
        ),
        ("resident, at most", "/peak_resident_mib", "MiB"),
        ("answered 409", "/sink/conflicts_409", "items"),
    ] {
        super::measure(&mut outcome, what, &result, pointer, unit, Target::None);
    }
    Ok(outcome)
}
