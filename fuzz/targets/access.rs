//! A line of an access log of any content: it is understood or refused, and what is counted stays within its limit.
#![no_main]

use std::collections::BTreeSet;

use collector::derive::access::{Backend, Requests, json, parse, text};
use libfuzzer_sys::fuzz_target;
use record::Timestamp;

const SERIES_MAX: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    let mut requests = Requests::new(SERIES_MAX);
    for line in bytes.split(|byte| *byte == b'\n') {
        for read in [parse, text, json] {
            let Ok(found) = read(line) else { continue };
            assert!(found.code < 1000);
            assert!(found.upstream_codes.iter().all(|code| code < 1000));
            if let Backend::Upstream(name) = found.backend {
                assert!(!name.is_empty());
            }
        }
        requests.count(line, "own", &["my-team".to_owned()]);
    }
    let mut label_sets = 0;
    for family in requests.families(Timestamp(0)) {
        let labels: BTreeSet<_> = family.samples.iter().map(|sample| &sample.labels).collect();
        assert_eq!(labels.len(), family.samples.len(), "twice: {family:?}");
        let by_code = family.samples.iter().flat_map(|sample| &sample.labels);
        label_sets += by_code.filter(|(name, _)| &**name == "code").count();
    }
    assert!(label_sets <= SERIES_MAX);
});
