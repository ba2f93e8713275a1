//! The families that a JVM's counters become.

use crate::family::Family;

/// Labels of every family.
pub const OWN: &[&str] = &["container", "jvm", "namespace", "pod", "source"];

const AREA: &[&str] = &["area", "container", "jvm", "namespace", "pod", "source"];
const POOL: &[&str] = &["container", "jvm", "namespace", "pod", "pool", "source"];
const GC: &[&str] = &["container", "gc", "jvm", "namespace", "pod", "source"];

pub(super) const MEMORY_USED: Family = Family::gauge(
    "jvm_memory_used_bytes",
    AREA,
    "Used bytes of heap, or of what is none; from hsperfdata: as of the last collection, and of metaspace alone for what is no heap.",
);
pub(super) const MEMORY_COMMITTED: Family = Family::gauge(
    "jvm_memory_committed_bytes",
    AREA,
    "Committed bytes of heap, or of what is none.",
);
pub(super) const MEMORY_MAX: Family = Family::gauge(
    "jvm_memory_max_bytes",
    AREA,
    "Most bytes that the heap may have.",
);
pub(super) const POOL_USED: Family = Family::gauge(
    "jvm_memory_pool_used_bytes",
    POOL,
    "Used bytes of a memory pool; from hsperfdata: as of the last collection.",
);
pub(super) const POOL_COMMITTED: Family = Family::gauge(
    "jvm_memory_pool_committed_bytes",
    POOL,
    "Committed bytes of a memory pool.",
);
pub(super) const POOL_MAX: Family = Family::gauge(
    "jvm_memory_pool_max_bytes",
    POOL,
    "Most bytes that a memory pool may have; -1 where it has no limit of its own.",
);
pub(super) const COLLECTION: Family = Family::summary(
    "jvm_gc_collection_seconds",
    GC,
    "Collections, and the time they took.",
);
pub(super) const LAST_PAUSE: Family = Family::gauge(
    "jvm_gc_last_pause_seconds",
    GC,
    "How long the last collection took.",
);
pub(super) const COLLECTOR: Family = Family::gauge(
    "jvm_gc_collector_info",
    &[
        "container",
        "gc",
        "jvm",
        "namespace",
        "pod",
        "policy",
        "raw_name",
        "source",
    ],
    "1; how the JVM itself calls a collector.",
);
pub(super) const THREADS: Family = Family::gauge("jvm_threads_current", OWN, "Live threads.");
pub(super) const DAEMONS: Family = Family::gauge("jvm_threads_daemon", OWN, "Live daemon threads.");
pub(super) const THREADS_PEAK: Family = Family::gauge(
    "jvm_threads_peak",
    OWN,
    "Most threads that lived at a time.",
);
pub(super) const THREADS_STARTED: Family =
    Family::counter("jvm_threads_started_total", OWN, "Threads that started.");
pub(super) const CLASSES: Family = Family::gauge(
    "jvm_classes_currently_loaded",
    OWN,
    "Classes that are loaded.",
);
pub(super) const CLASSES_LOADED: Family =
    Family::counter("jvm_classes_loaded_total", OWN, "Classes that were loaded.");
pub(super) const CLASSES_UNLOADED: Family = Family::counter(
    "jvm_classes_unloaded_total",
    OWN,
    "Classes that were unloaded.",
);
pub(super) const COMPILATION: Family = Family::counter(
    "jvm_compilation_time_seconds_total",
    OWN,
    "Time that compilation took.",
);
pub(super) const SAFEPOINTS: Family = Family::counter(
    "jvm_safepoints_total",
    OWN,
    "How often all threads were stopped.",
);
pub(super) const SAFEPOINT_TIME: Family = Family::counter(
    "jvm_safepoint_seconds_total",
    OWN,
    "How long all threads stood.",
);
pub(super) const SAFEPOINT_SYNC: Family = Family::counter(
    "jvm_safepoint_sync_seconds_total",
    OWN,
    "How long it took until all threads stood.",
);
pub(super) const APPLICATION: Family = Family::counter(
    "jvm_application_seconds_total",
    OWN,
    "How long threads were free to run.",
);
pub(super) const START: Family = Family::gauge(
    "jvm_start_time_seconds",
    OWN,
    "Start of the JVM since the epoch.",
);
pub(super) const RUNTIME: Family = Family::gauge(
    "jvm_runtime_info",
    &[
        "container",
        "jvm",
        "namespace",
        "pod",
        "runtime",
        "source",
        "vendor",
        "version",
    ],
    "1; which JVM it is.",
);
pub(super) const OVERFLOW: Family = Family::gauge(
    "jvm_perfdata_overflow_bytes",
    OWN,
    "Bytes of counters that did not fit; more than 0: start the JVM with a larger -XX:PerfDataMemorySize.",
);

/// Every family made of counters.
pub const FAMILIES: [Family; 24] = [
    MEMORY_USED,
    MEMORY_COMMITTED,
    MEMORY_MAX,
    POOL_USED,
    POOL_COMMITTED,
    POOL_MAX,
    COLLECTION,
    LAST_PAUSE,
    COLLECTOR,
    THREADS,
    DAEMONS,
    THREADS_PEAK,
    THREADS_STARTED,
    CLASSES,
    CLASSES_LOADED,
    CLASSES_UNLOADED,
    COMPILATION,
    SAFEPOINTS,
    SAFEPOINT_TIME,
    SAFEPOINT_SYNC,
    APPLICATION,
    START,
    RUNTIME,
    OVERFLOW,
];
