//! Counters that JVMs of five collectors wrote, as metrics.

use std::fs;
use std::path::Path;

use super::*;
use crate::probes::jvm::perf;
use crate::text;

const COLLECTORS: [(&str, Collector); 5] = [
    ("g1", Collector::G1),
    ("parallel", Collector::Parallel),
    ("serial", Collector::Serial),
    ("shenandoah", Collector::Shenandoah),
    ("z", Collector::Z),
];

fn captured(name: &str) -> Perf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hsperfdata");
    perf::parse(fs::read(folder.join(name)).unwrap()).unwrap()
}

#[test]
fn golden_metrics_of_every_collector() {
    let mut families = Families::new(10_000);
    for (name, wanted) in COLLECTORS {
        let perf = captured(name);
        assert_eq!(collector(&perf), wanted);
        emit(
            &perf,
            &[("pod", name), ("source", "hsperfdata")],
            &mut families,
        );
    }
    families.settle();
    assert!(families.take_dropped().is_empty());
    let mut found = String::new();
    for group in families.groups() {
        text::write(group, &mut found);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hsperfdata/metrics.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &found).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == found,
        "metrics differ from {}; UPDATE_GOLDEN=1 writes it anew:\n{found}",
        path.display()
    );
    // The program's arguments and the options of the JVM, which its counters hold.
    for hidden in ["secret", "Xmx", "logback"] {
        assert!(!found.contains(hidden), "{hidden} in\n{found}");
    }
}

#[test]
fn the_heap_as_jmx_has_it() {
    // What JMX said of the same JVMs (-Xmx128m): one survivor space is not counted.
    for (name, wanted) in [
        ("g1", 134_217_728),
        ("serial", 129_761_280),
        ("shenandoah", 134_217_728),
        ("z", 134_217_728),
    ] {
        assert_eq!(heap(&captured(name)).max, wanted, "{name}");
    }
}

#[test]
fn names_of_older_jvms() {
    for (raw, wanted) in [
        ("PSScavenge", "PS Scavenge"),
        ("PSParallelCompact", "PS MarkSweep"),
        ("MSC", "MarkSweepCompact"),
        ("Copy", "Copy"),
        ("G1 incremental collections", "G1 Young Generation"),
        ("G1 stop-the-world full collections", "G1 Old Generation"),
        ("ZGC minor collection pauses", "ZGC Minor Pauses"),
        ("something new", "something new"),
    ] {
        assert_eq!(collection_name(raw), wanted);
    }
}

#[test]
fn counters_without_a_frequency_have_no_seconds() {
    let mut families = Families::new(100);
    emit(&Perf::default(), &[], &mut families);
    assert!(
        families
            .groups()
            .all(|group| !group.name.contains("seconds"))
    );
}
