//! Which metrics are made from lines?

use super::{Key, Kind};
use crate::config::values;

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "derive.access",
        default: "the controllers of ingress-nginx, by the usual names of their pods and containers",
        effect: "Whose lines are access logs, from which the metrics `ingress_access_*` are made: rules of globs by \
                 `namespace`, `pod` and `container`. ingress-nginx's own format, the combined format and JSON are understood.",
        edges: "`[]` reads nobody's lines as an access log.",
        who: "Whose ingress has other names, or whose applications log accesses in the combined format.",
        kind: Kind::Rules,
        live: true,
        set: |raw, node| values::access(node).map(|value| raw.derive.access = Some(value)),
    },
    Key {
        path: "derive.namespaces",
        default: "[]",
        effect: "Namespaces with a dash in their name. ingress-nginx joins namespace, service and port by dashes; these tell \
                 where a name is to be cut.",
        edges: "At most 1000 names.",
        who: "Whose ingress metrics show a wrong `namespace` or `service`.",
        kind: Kind::Texts,
        live: true,
        set: |raw, node| values::names(node, 1000).map(|value| raw.derive.namespaces = value),
    },
    Key {
        path: "derive.rules",
        default: "[]",
        effect: "Metrics of your own. Each is a section of `name`, `pattern` (a regular expression), at least one glob of \
                 `namespace`, `pod`, `container`, and perhaps `help`, `histogram: true`, `buckets` and `scale`. Named groups \
                 become labels; the group `value` is the number that a counter grows by or a histogram observes.",
        edges: "At most 50 rules with 8 labels each. A counter's name ends in `_total`.",
        who: "Who wants to alert on what only a log line tells.",
        kind: Kind::DeriveRules,
        live: true,
        set: |raw, node| values::derive_rules(node).map(|value| raw.derive.rules = value),
    },
    Key {
        path: "derive.series_max",
        default: "1000",
        effect: "How many series each rule may have, and the access logs together.",
        edges: "Between 1 and 100000. What would be more is counted in `nodetap_series_dropped_total`.",
        who: "Whose labels have more values than that, and whose Prometheus bears it.",
        kind: Kind::Count(1, 100_000),
        live: true,
        set: |raw, node| {
            values::count(node, 1..=100_000)
                .map(|value| raw.derive.series_max = Some(value as usize))
        },
    },
];
