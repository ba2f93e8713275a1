//! What did Prometheus' Java client call the JVM's families before its version 1.0?
//!
//! Agents of that time (the public JMX exporter before 1.0 among them) are relayed under today's names, so that one
//! dashboard shows all. The meanings did not change.

use std::borrow::Cow;

use crate::family::{Group, Kind};

/// Then, the kind then, now.
const NAMES: [(&str, Kind, &str); 10] = [
    (
        "jvm_classes_loaded",
        Kind::Gauge,
        "jvm_classes_currently_loaded",
    ),
    ("jvm_info", Kind::Gauge, "jvm_runtime_info"),
    (
        "jvm_memory_bytes_committed",
        Kind::Gauge,
        "jvm_memory_committed_bytes",
    ),
    (
        "jvm_memory_bytes_init",
        Kind::Gauge,
        "jvm_memory_init_bytes",
    ),
    ("jvm_memory_bytes_max", Kind::Gauge, "jvm_memory_max_bytes"),
    (
        "jvm_memory_bytes_used",
        Kind::Gauge,
        "jvm_memory_used_bytes",
    ),
    (
        "jvm_memory_pool_bytes_committed",
        Kind::Gauge,
        "jvm_memory_pool_committed_bytes",
    ),
    (
        "jvm_memory_pool_bytes_init",
        Kind::Gauge,
        "jvm_memory_pool_init_bytes",
    ),
    (
        "jvm_memory_pool_bytes_max",
        Kind::Gauge,
        "jvm_memory_pool_max_bytes",
    ),
    (
        "jvm_memory_pool_bytes_used",
        Kind::Gauge,
        "jvm_memory_pool_used_bytes",
    ),
];

/// Gives a family today's name.
pub(super) fn rename(group: &mut Group) {
    let known = NAMES
        .iter()
        .find(|(then, kind, _)| *then == group.name && *kind == group.kind);
    if let Some((_, _, now)) = known {
        group.name = Cow::Borrowed(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition;

    #[test]
    fn an_older_client_s_families_have_today_s_names() {
        let text = "# TYPE jvm_memory_bytes_used gauge\njvm_memory_bytes_used{area=\"heap\"} 1\n\
                    # TYPE jvm_info gauge\njvm_info{vendor=\"x\"} 1\n\
                    # TYPE jvm_classes_loaded counter\njvm_classes_loaded 1\n\
                    # TYPE orders_jvm_info gauge\norders_jvm_info 1\n";
        let mut groups = exposition::parse(text, &[], 10).unwrap();
        groups.iter_mut().for_each(rename);
        let mut names: Vec<&str> = groups.iter().map(|group| group.name.as_ref()).collect();
        names.sort_unstable();
        let wanted = [
            "jvm_classes_loaded",
            "jvm_memory_used_bytes",
            "jvm_runtime_info",
            "orders_jvm_info",
        ];
        assert_eq!(names, wanted);
    }
}
