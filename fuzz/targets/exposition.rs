//! Another exporter's text of any content: nothing panics, and no more comes out than was allowed.
#![no_main]

use exporter::exposition;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(groups) = exposition::parse(text, &[("pod", "web-1")], 100) {
        let series: usize = groups.iter().map(|group| group.series.len()).sum();
        assert!(series <= 100);
    }
});
