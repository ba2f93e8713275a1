//! Under which names do a JVM's counters appear? Those of Prometheus' own Java client (`client_java` 1.x).
//!
//! Collectors and spaces are gone through as they are there: ZGC of JDK 17 has collector 2 only and generation 1 only,
//! Shenandoah a generation without spaces. What the counters can't tell (the code cache, thread states) is left out.

use crate::family::{Families, Family, Summary, Value};
use crate::labels::Labels;

use super::perf::Perf;

use self::families::{
    APPLICATION, CLASSES, CLASSES_LOADED, CLASSES_UNLOADED, COLLECTION, COLLECTOR, COMPILATION,
    DAEMONS, LAST_PAUSE, MEMORY_COMMITTED, MEMORY_MAX, MEMORY_USED, OVERFLOW, POOL_COMMITTED,
    POOL_MAX, POOL_USED, RUNTIME, SAFEPOINT_SYNC, SAFEPOINT_TIME, SAFEPOINTS, START, THREADS,
    THREADS_PEAK, THREADS_STARTED,
};
pub use self::families::{FAMILIES, OWN};

mod families;

/// Collectors and generations that are looked for; `HotSpot` has three and two.
const INDICES: std::ops::Range<usize> = 0..8;

/// All sizes of a heap are multiples of it.
const PAGE_BYTES: u64 = 4096;

/// Which kind of collector a JVM runs: names of its pools depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collector {
    /// `-XX:+UseSerialGC`
    Serial,
    /// `-XX:+UseParallelGC`
    Parallel,
    /// `-XX:+UseG1GC`
    G1,
    /// `-XX:+UseZGC`
    Z,
    /// `-XX:+UseShenandoahGC`
    Shenandoah,
    /// Another.
    Other,
}

/// One memory pool; numbers in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool {
    /// As `java.lang.management` calls it.
    pub name: String,
    /// In use.
    pub used: u64,
    /// Committed.
    pub committed: u64,
    /// The limit; -1 for none of its own.
    pub max: Option<f64>,
}

/// The heap as a whole; numbers in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// In use.
    pub used: u64,
    /// Committed.
    pub committed: u64,
    /// The limit.
    pub max: u64,
}

/// Emits all that the counters tell. `own` are the labels of [`OWN`].
pub fn emit(perf: &Perf, own: &[(&str, &str)], out: &mut Families) {
    memory(perf, own, out);
    collections(perf, own, out);
    let labels = Labels::of(own);
    let mut count = |family: &Family, name: &str| {
        if let Some(value) = perf.count(name) {
            out.push(family, &labels, value);
        }
    };
    count(&THREADS, "java.threads.live");
    count(&DAEMONS, "java.threads.daemon");
    count(&THREADS_PEAK, "java.threads.livePeak");
    count(&THREADS_STARTED, "java.threads.started");
    count(&SAFEPOINTS, "sun.rt.safepoints");
    let both = |own: &str, shared: &str| {
        let own = perf.count(own)?;
        Some(own + perf.count(shared).unwrap_or_default())
    };
    let loaded = both("java.cls.loadedClasses", "java.cls.sharedLoadedClasses");
    let unloaded = both("java.cls.unloadedClasses", "java.cls.sharedUnloadedClasses");
    if let (Some(loaded), Some(unloaded)) = (loaded, unloaded) {
        out.push(&CLASSES, &labels, loaded.saturating_sub(unloaded));
        out.push(&CLASSES_LOADED, &labels, loaded);
        out.push(&CLASSES_UNLOADED, &labels, unloaded);
    }
    for (family, name) in [
        (&COMPILATION, "java.ci.totalTime"),
        (&SAFEPOINT_TIME, "sun.rt.safepointTime"),
        (&SAFEPOINT_SYNC, "sun.rt.safepointSyncTime"),
        (&APPLICATION, "sun.rt.applicationTime"),
    ] {
        if let Some(seconds) = perf.seconds(name) {
            out.push(family, &labels, seconds);
        }
    }
    if let Some(milliseconds) = perf.count("sun.rt.createVmBeginTime") {
        out.push(&START, &labels, milliseconds as f64 / 1000.0);
    }
    out.push(&OVERFLOW, &labels, perf.overflow_bytes);
    let text = |name: &str| perf.text(name).unwrap_or_default();
    let runtime = with(
        own,
        &[
            ("runtime", text("java.property.java.vm.name")),
            ("vendor", text("java.property.java.vm.vendor")),
            ("version", text("java.property.java.vm.version")),
        ],
    );
    out.push(&RUNTIME, &runtime, 1_u64);
}

fn with(own: &[(&str, &str)], more: &[(&str, &str)]) -> Labels {
    Labels::of(&[own, more].concat())
}

fn memory(perf: &Perf, own: &[(&str, &str)], out: &mut Families) {
    let heap = heap(perf);
    let labels = with(own, &[("area", "heap")]);
    out.push(&MEMORY_USED, &labels, heap.used);
    out.push(&MEMORY_COMMITTED, &labels, heap.committed);
    out.push(&MEMORY_MAX, &labels, heap.max);
    let other = with(own, &[("area", "nonheap")]);
    if let (Some(used), Some(committed)) = (
        perf.count("sun.gc.metaspace.used"),
        perf.count("sun.gc.metaspace.capacity"),
    ) {
        out.push(&MEMORY_USED, &other, used);
        out.push(&MEMORY_COMMITTED, &other, committed);
    }
    for pool in pools(perf) {
        let labels = with(own, &[("pool", &pool.name)]);
        out.push(&POOL_USED, &labels, pool.used);
        out.push(&POOL_COMMITTED, &labels, pool.committed);
        if let Some(max) = pool.max {
            out.push(&POOL_MAX, &labels, max);
        }
    }
}

fn collections(perf: &Perf, own: &[(&str, &str)], out: &mut Families) {
    let policy = perf.text("sun.gc.policy.name").unwrap_or_default();
    for index in INDICES {
        let path = |name: &str| format!("sun.gc.collector.{index}.{name}");
        let Some(raw) = perf.text(&path("name")) else {
            continue;
        };
        let gc = collection_name(raw);
        let labels = with(own, &[("gc", gc)]);
        if let (Some(count), Some(sum)) = (
            perf.count(&path("invocations")),
            perf.seconds(&path("time")),
        ) {
            let summary = Summary {
                quantiles: Vec::new(),
                sum,
                count,
            };
            out.push(&COLLECTION, &labels, Value::Summary(Box::new(summary)));
        }
        if let (Some(entry), Some(exit)) = (
            perf.seconds(&path("lastEntryTime")),
            perf.seconds(&path("lastExitTime")),
        ) {
            // Within a collection the entry is the later one.
            if exit >= entry {
                out.push(&LAST_PAUSE, &labels, exit - entry);
            }
        }
        let info = with(own, &[("gc", gc), ("raw_name", raw), ("policy", policy)]);
        out.push(&COLLECTOR, &info, 1_u64);
    }
}

/// The name in `java.lang.management` of a collector that the counters call so; JDK 8 and 11 have other words.
pub fn collection_name(raw: &str) -> &str {
    let has = |word: &str| raw.contains(word);
    if has("G1") && has("concurrent") {
        "G1 Concurrent GC"
    } else if has("G1") && has("full") {
        "G1 Old Generation"
    } else if has("G1") {
        "G1 Young Generation"
    } else if has("Parallel full") || has("PSParallelCompact") || has("PSMarkSweep") {
        "PS MarkSweep"
    } else if has("Parallel young") || has("PSScavenge") {
        "PS Scavenge"
    } else if has("Serial full") || raw == "MSC" {
        "MarkSweepCompact"
    } else if has("Serial young") || raw == "Copy" {
        "Copy"
    } else if has("ZGC minor") {
        "ZGC Minor Pauses"
    } else if has("ZGC major") {
        "ZGC Major Pauses"
    } else if raw.starts_with("Z ") {
        "ZGC Pauses"
    } else {
        // Shenandoah's count every phase; no bean of java.lang.management does.
        raw
    }
}

/// Which collector runs.
pub fn collector(perf: &Perf) -> Collector {
    let names: Vec<&str> = INDICES
        .filter_map(|index| perf.text(&format!("sun.gc.collector.{index}.name")))
        .map(collection_name)
        .collect();
    let has = |word: &str| names.iter().any(|name| name.starts_with(word));
    if has("G1") {
        Collector::G1
    } else if has("PS ") {
        Collector::Parallel
    } else if has("ZGC") {
        Collector::Z
    } else if has("Shenandoah") {
        Collector::Shenandoah
    } else if has("Copy") || has("MarkSweepCompact") {
        Collector::Serial
    } else {
        Collector::Other
    }
}

/// The heap: all generations, without the survivor space that is always empty, as JMX has it.
pub fn heap(perf: &Perf) -> Heap {
    let collector = collector(perf);
    let mut heap = Heap::default();
    for generation in INDICES {
        let path = |name: &str| format!("sun.gc.generation.{generation}.{name}");
        let count = |name: &str| perf.count(&path(name)).unwrap_or_default();
        for space in INDICES {
            heap.used += count(&format!("space.{space}.used"));
        }
        let (committed, max) = (
            unpadded(collector, count("capacity")),
            unpadded(collector, count("maxCapacity")),
        );
        heap.committed += committed;
        // Each generation of G1 and of ZGC may take the whole heap.
        heap.max = match collector {
            Collector::G1 | Collector::Z | Collector::Shenandoah => heap.max.max(max),
            Collector::Serial | Collector::Parallel | Collector::Other => heap.max + max,
        };
    }
    if matches!(collector, Collector::Serial | Collector::Parallel) {
        let survivor = perf
            .count("sun.gc.generation.0.space.1.capacity")
            .unwrap_or_default();
        heap.committed = heap.committed.saturating_sub(survivor);
        heap.max = heap.max.saturating_sub(survivor);
    }
    heap
}

/// A size without the bytes by which G1 keeps it from being 0: 8 for each space.
fn unpadded(collector: Collector, bytes: u64) -> u64 {
    if collector == Collector::G1 {
        bytes & !(PAGE_BYTES - 1)
    } else {
        bytes
    }
}

/// How many collections there were, and how many seconds they took.
pub fn collected(perf: &Perf) -> (u64, f64) {
    INDICES.fold((0, 0.0), |(count, seconds), index| {
        let path = format!("sun.gc.collector.{index}");
        (
            count
                + perf
                    .count(&format!("{path}.invocations"))
                    .unwrap_or_default(),
            seconds + perf.seconds(&format!("{path}.time")).unwrap_or_default(),
        )
    })
}

/// The memory pools.
pub fn pools(perf: &Perf) -> Vec<Pool> {
    let collector = collector(perf);
    let mut pools: Vec<Pool> = Vec::new();
    for generation in INDICES {
        for space in INDICES {
            let path = format!("sun.gc.generation.{generation}.space.{space}");
            let Some(pool) = pool(perf, &path, collector, generation) else {
                continue;
            };
            match pools.iter_mut().find(|known| known.name == pool.name) {
                // Of two survivor spaces one is empty.
                Some(known) => {
                    known.used += pool.used;
                    known.committed = known.committed.max(pool.committed);
                    known.max = larger(known.max, pool.max);
                }
                None => pools.push(pool),
            }
        }
    }
    pools.extend(outside(perf, "sun.gc.metaspace", "Metaspace"));
    let class_space = outside(
        perf,
        "sun.gc.compressedclassspace",
        "Compressed Class Space",
    );
    pools.extend(class_space.map(|pool| {
        Pool {
            max: perf
                .count("sun.gc.compressedclassspace.maxCapacity")
                .map(|max| max as f64),
            ..pool
        }
    }));
    pools
}

fn pool(perf: &Perf, path: &str, collector: Collector, generation: usize) -> Option<Pool> {
    let count = |name: &str| perf.count(&format!("{path}.{name}"));
    let raw = perf.text(&format!("{path}.name"))?;
    let name = match (collector, raw) {
        (Collector::G1, "eden") => "G1 Eden Space".to_owned(),
        (Collector::G1, "s0" | "s1") => "G1 Survivor Space".to_owned(),
        (Collector::G1, _) => "G1 Old Gen".to_owned(),
        (Collector::Parallel, "eden") => "PS Eden Space".to_owned(),
        (Collector::Parallel, "s0" | "s1") => "PS Survivor Space".to_owned(),
        (Collector::Parallel, _) => "PS Old Gen".to_owned(),
        (Collector::Serial, "eden") => "Eden Space".to_owned(),
        (Collector::Serial, "s0" | "s1") => "Survivor Space".to_owned(),
        (Collector::Serial, _) => "Tenured Gen".to_owned(),
        (Collector::Z, _) if perf.text("sun.gc.generation.0.name").is_none() => "ZHeap".to_owned(),
        (Collector::Z, _) if generation == 0 => "ZGC Young Generation".to_owned(),
        (Collector::Z, _) => "ZGC Old Generation".to_owned(),
        (Collector::Shenandoah, _) => "Shenandoah".to_owned(),
        (Collector::Other, raw) => raw.to_owned(),
    };
    let max = match (collector, raw) {
        (Collector::G1, "eden" | "s0" | "s1") => Some(-1.0),
        _ => count("maxCapacity").map(|max| unpadded(collector, max) as f64),
    };
    Some(Pool {
        name,
        used: count("used")?,
        committed: unpadded(collector, count("capacity")?),
        max,
    })
}

/// A pool that is no heap. Its `maxCapacity` is what is reserved, not a limit.
fn outside(perf: &Perf, path: &str, name: &str) -> Option<Pool> {
    let count = |name: &str| perf.count(&format!("{path}.{name}"));
    Some(Pool {
        name: name.to_owned(),
        used: count("used")?,
        committed: count("capacity")?,
        max: None,
    })
}

/// The larger of two limits.
fn larger(one: Option<f64>, two: Option<f64>) -> Option<f64> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.max(two)),
        (one, two) => one.or(two),
    }
}

#[cfg(test)]
mod tests;
