//! How do unread files outlive their deletion?

use super::{Key, Kind, SECOND, TIB, YEARS};
use crate::config::values;

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "reserve.bytes",
        default: "1 GiB",
        effect: "How many bytes of unread files are kept, by hard links on their own file system, after their owner \
                 deleted them.",
        edges: "`0` switches the reserve off: what is deleted while nodetap is down is lost, and counted. Past the \
                budget the oldest go first, counted and shown as a gap.",
        who: "Whose disk is nearly full, or whose pods are short-lived and loud.",
        kind: Kind::Bytes,
        live: false,
        set: |raw, node| values::bytes(node, 0..=TIB).map(|value| raw.reserve.bytes = Some(value)),
    },
    Key {
        path: "reserve.age",
        default: "1d",
        effect: "How long a deleted file is kept unread, at most.",
        edges: "Between 1s and 10 years.",
        who: "Whose nodetap may be down for longer.",
        kind: Kind::Duration,
        live: false,
        set: |raw, node| {
            values::duration(node, SECOND..=YEARS).map(|value| raw.reserve.age = Some(value))
        },
    },
];
