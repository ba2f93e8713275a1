//! What does a node cost that writes all the time, a little, or hardly at all?

use std::time::Duration;

use super::{Load, Settings, Trial, measure as add, outcome_of};
use crate::report::{Outcome, Target};

/// Files that grow on a quiet node, and how fast all of them together.
const SLOW_FILES: u64 = 10;
const SLOW_RATE: u64 = 200;
/// What is left of the start is over after this.
const SETTLE: Duration = Duration::from_secs(15);

/// Containers of a busy node.
pub(super) const CONTAINERS: u64 = 30;

/// The load of a busy node.
pub(super) fn busy(settings: &Settings) -> Load {
    Load {
        containers: CONTAINERS,
        rate: settings.rate,
        duration: settings.duration,
        rotates: true,
    }
}

/// Measures a busy node with rotation.
pub(in crate::scenario) fn measure(settings: &Settings) -> anyhow::Result<Outcome> {
    let trial = Trial::growing("sink-live", settings, CONTAINERS, &busy(settings))?;
    let result = trial.run()?;
    let mut outcome = outcome_of("sink-live", &result);
    for (what, pointer, unit, target) in [
        (
            "written to arrived, the median",
            "/sink/lat_p50_ms",
            "ms",
            150.0,
        ),
        (
            "written to arrived, 99 of 100",
            "/sink/lat_p99_ms",
            "ms",
            400.0,
        ),
        (
            "processor",
            "/cpu_seconds_per_million_lines",
            "CPU-seconds per million lines",
            2.0,
        ),
        ("resident, at most", "/peak_resident_mib", "MiB", 96.0),
    ] {
        add(
            &mut outcome,
            what,
            &result,
            pointer,
            unit,
            Target::AtMost(target),
        );
    }
    Ok(outcome)
}

/// Measures a few files that grow slowly.
pub(in crate::scenario) fn measure_slow(settings: &Settings) -> anyhow::Result<Outcome> {
    quiet("sink-slow", settings, SLOW_FILES, Target::AtMost(0.3))
}

/// Measures the same beside thousands of files that don't grow.
pub(in crate::scenario) fn measure_idle(settings: &Settings) -> anyhow::Result<Outcome> {
    let files = settings.idle_files + SLOW_FILES;
    quiet("sink-idle", settings, files, Target::None)
}

fn quiet(
    scenario: &'static str,
    settings: &Settings,
    files: u64,
    processor: Target,
) -> anyhow::Result<Outcome> {
    let load = Load {
        containers: SLOW_FILES,
        rate: SLOW_RATE,
        duration: settings.duration,
        rotates: false,
    };
    let trial = Trial {
        settle: SETTLE,
        ..Trial::growing(scenario, settings, files, &load)?
    };
    let result = trial.run()?;
    let mut outcome = outcome_of(scenario, &result);
    for (what, pointer, unit, target) in [
        ("processor", "/window_cpu_percent", "% of a core", processor),
        ("resident", "/window_resident_mib", "MiB", Target::None),
        (
            "resident, the peak since the start",
            "/peak_resident_mib",
            "MiB",
            Target::None,
        ),
        (
            "written to arrived, the median",
            "/sink/lat_p50_ms",
            "ms",
            Target::None,
        ),
        (
            "written to arrived, 99 of 100",
            "/sink/lat_p99_ms",
            "ms",
            Target::None,
        ),
    ] {
        add(&mut outcome, what, &result, pointer, unit, target);
    }
    Ok(outcome)
}
