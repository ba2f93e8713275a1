//! Which families are there? The one table that the exposition and docs/metrics.md are made from.

/// One family's constant part.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// A sentence.
    pub help: &'static str,
    /// What its values are.
    pub kind: Kind,
}

/// What a family's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They only grow.
    Counter,
    /// They go up and down.
    Gauge,
    /// How often which size was seen.
    Histogram,
}

/// The name, kind and help of every family, in the order of the exposition; docs/metrics.md is made from it.
pub const FAMILIES: &[Family] = &[
    gauge(
        "log_held_deleted_bytes",
        &[],
        "Bytes of deleted files that live on only until they are read.",
    ),
    gauge(
        "log_read_lag_bytes",
        &["namespace", "pod", "container"],
        "Bytes written by a container and not yet kept.",
    ),
    gauge(
        "log_read_lag_seconds",
        &["namespace", "pod", "container"],
        "Age of the oldest line of a container that is not yet kept; 0 when none waits.",
    ),
    gauge(
        "log_time_to_loss_seconds",
        &["namespace", "pod", "container"],
        "Time until rotation removes unread lines if nothing changes: what is left of retention divided by the rate of falling behind; +Inf while it keeps up.",
    ),
    counter(
        "log_bytes_abandoned_total",
        &["reason"],
        "Bytes that were seen and could not be read any more, by reason.",
    ),
    counter(
        "log_bytes_total",
        &["state"],
        "Bytes of log text by what became of them; seen is all of them.",
    ),
    counter(
        "log_invalid_utf8_lines_total",
        &[],
        "Lines in which bytes that were not UTF-8 were replaced.",
    ),
    counter(
        "log_lines_lost_total",
        &["reason"],
        "Gaps in streams by reason; each is one record that says how many bytes are missing there.",
    ),
    counter(
        "log_unparsed_lines_total",
        &[],
        "Lines that were not in their file's format and were kept whole.",
    ),
    gauge(
        "nodetap_build_info",
        &["version"],
        "1; the version is a label.",
    ),
    gauge(
        "nodetap_config_last_reload_success_timestamp_seconds",
        &[],
        "When the configuration was last read and right, since the epoch.",
    ),
    gauge(
        "nodetap_config_last_reload_successful",
        &[],
        "Whether the configuration was right when it was last read (1); else the one before is in force (0).",
    ),
    gauge(
        "nodetap_ledger_imbalance_bytes",
        &[],
        "Bytes that nobody can account for; anything but 0 is a defect.",
    ),
    gauge(
        "nodetap_sink_breaker_open",
        &["sink"],
        "Whether the sink takes nothing at the moment (1) or does (0).",
    ),
    gauge(
        "nodetap_sink_in_flight_bytes",
        &["sink"],
        "Bytes handed to the sink and not yet confirmed.",
    ),
    counter(
        "nodetap_sink_items_total",
        &["sink", "result"],
        "Records by what the sink made of them: taken (store) or created (Elasticsearch), known because an earlier run had brought them already, retried, dead_lettered.",
    ),
    histogram(
        "nodetap_sink_request_duration_seconds",
        &["sink"],
        "How long requests to Elasticsearch took, their answers included.",
    ),
    counter(
        "nodetap_sink_requests_total",
        &["sink", "code"],
        "Requests to Elasticsearch by the HTTP status of their answer; error where none came.",
    ),
    gauge(
        "nodetap_store_bytes",
        &[],
        "Size of the embedded store on disk.",
    ),
    gauge("nodetap_store_rows", &[], "Lines in the embedded store."),
    gauge("nodetap_streams", &[], "Streams that are followed."),
    counter(
        "process_cpu_seconds_total",
        &[],
        "User and system time of this process.",
    ),
    gauge(
        "process_max_fds",
        &[],
        "File descriptors that this process may have open.",
    ),
    gauge(
        "process_open_fds",
        &[],
        "File descriptors that this process has open.",
    ),
    gauge(
        "process_resident_memory_bytes",
        &[],
        "Resident memory of this process.",
    ),
    gauge(
        "process_start_time_seconds",
        &[],
        "Start of this process since the epoch.",
    ),
    gauge(
        "process_virtual_memory_bytes",
        &[],
        "Address space of this process.",
    ),
];

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family {
        name,
        labels,
        help,
        kind: Kind::Gauge,
    }
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family {
        name,
        labels,
        help,
        kind: Kind::Counter,
    }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family {
        name,
        labels,
        help,
        kind: Kind::Histogram,
    }
}

// === impl Kind ===

impl Kind {
    /// The format's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}
