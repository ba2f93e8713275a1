//! What does a large director cost? 2,000 virtual servers of four real ones, from the kernel's bytes to Prometheus' text.

use std::time::Instant;

use exporter::family::Families;
use exporter::probes::lvs;
use exporter::text;

use super::{Settings, median, millis};
use crate::director::Director;
use crate::report::{Outcome, Target};

const SERVICES: u32 = 2_000;

/// Measures one scrape's work without the kernel's own.
pub(super) fn measure(settings: &Settings) -> anyhow::Result<Outcome> {
    let mut kernel = Director::new(SERVICES)?;
    let (mut reading, mut making, mut writing, mut whole) = (vec![], vec![], vec![], vec![]);
    let (mut series, mut bytes) = (0, 0);
    for _ in 0..settings.repetitions.max(1) {
        let start = Instant::now();
        let director = lvs::kernel::read(&mut kernel)?.unwrap_or_default();
        reading.push(millis(start.elapsed()));
        let made = Instant::now();
        let mut families = Families::new(usize::MAX);
        lvs::emit(&director, "prod", None, &mut families);
        families.settle();
        making.push(millis(made.elapsed()));
        let written = Instant::now();
        series = families.series();
        bytes = 0;
        for group in families.into_groups() {
            let mut out = String::new();
            text::write(&group, &mut out);
            bytes += out.len();
        }
        writing.push(millis(written.elapsed()));
        whole.push(millis(start.elapsed()));
    }
    let mut outcome = Outcome::new("director");
    outcome.measure(
        "from the kernel's bytes to the text",
        median(&mut whole),
        "ms",
        Target::AtMost(150.0),
    );
    for (what, values) in [
        ("of that: reading", &mut reading),
        ("of that: making series", &mut making),
        ("of that: writing text", &mut writing),
    ] {
        outcome.measure(what, median(values), "ms", Target::None);
    }
    outcome.fact("services", SERVICES);
    outcome.fact("kernel_bytes", kernel.bytes());
    outcome.fact("series", series);
    outcome.fact("text_bytes", bytes);
    Ok(outcome)
}
