//! Who knows which alerts fire?

use elastic::Secret;

use super::{Key, Kind};
use crate::config::values;

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "alerts.alertmanager",
        default: "nothing",
        effect: "The Alertmanager that `nodetap why` and the page ask for firing alerts, silenced and inhibited ones \
                 included. `--alertmanager` goes before it.",
        edges: "`http://` or `https://`; without a port that of the scheme is meant.",
        who: "Everyone who has one.",
        kind: Kind::Url,
        live: false,
        set: |raw, node| values::url(node).map(|value| raw.alerts.alertmanager = Some(value)),
    },
    Key {
        path: "alerts.prometheus",
        default: "nothing",
        effect: "The Prometheus that is asked for the series which join alerts (which pod is on which node, which director \
                 carries which address), and for firing alerts where no Alertmanager is named. `--prometheus` goes before it.",
        edges: "As `alertmanager`. Without it alerts are joined by their own labels only.",
        who: "Everyone who uses `nodetap why`.",
        kind: Kind::Url,
        live: false,
        set: |raw, node| values::url(node).map(|value| raw.alerts.prometheus = Some(value)),
    },
    Key {
        path: "alerts.user",
        default: "nothing",
        effect: "The name we are known by at both (basic authentication).",
        edges: "Needs `password_file`.",
        who: "Whose servers ask for a name and a password.",
        kind: Kind::Name,
        live: false,
        set: |raw, node| values::user(node).map(|value| raw.alerts.user = Some(value)),
    },
    Key {
        path: "alerts.password_file",
        default: "nothing",
        effect: "The file that holds the password, in one line.",
        edges: "An absolute path, not below `--root`.",
        who: "Whose servers ask for a name and a password.",
        kind: Kind::Path,
        live: false,
        set: |raw, node| {
            values::path(node).map(|value| raw.alerts.password_file = Some(Secret::File(value)))
        },
    },
    Key {
        path: "alerts.ca_file",
        default: "nothing",
        effect: "A PEM file of certificate authorities that are trusted beside the well-known ones.",
        edges: "An absolute path, not below `--root`.",
        who: "Whose servers have certificates of their own authority.",
        kind: Kind::Path,
        live: false,
        set: |raw, node| values::path(node).map(|value| raw.alerts.ca_file = Some(value)),
    },
];
