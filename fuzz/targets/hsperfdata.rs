//! A JVM's counters of any bytes: nothing panics, and whatever is read can be shown as metrics.
#![no_main]

use exporter::family::Families;
use exporter::probes::jvm::{names, perf};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(perf) = perf::parse(bytes.to_vec()) {
        assert!(perf.len() <= bytes.len());
        let mut families = Families::new(10_000);
        names::emit(&perf, &[("jvm", "app.Main")], &mut families);
        families.settle();
    }
});
