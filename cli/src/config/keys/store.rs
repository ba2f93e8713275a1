//! How long does the embedded store keep lines?

use super::{Key, Kind, MIB, MINUTE, TIB, YEARS};
use crate::config::values;

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "store.retention_bytes",
        default: "10 GiB",
        effect: "How large the embedded store may grow on disk. The oldest lines go first, said in the log.",
        edges: "Between 1 MiB and 1 TiB, or `none`: then a full disk stops reading until there is space.",
        who: "Everyone who wants to look further back, or has a small disk.",
        kind: Kind::BytesOrNone,
        live: false,
        set: |raw, node| {
            values::bytes_or_none(node, MIB..=TIB)
                .map(|value| raw.store.retention_bytes = Some(value))
        },
    },
    Key {
        path: "store.retention_age",
        default: "none",
        effect: "How long the embedded store keeps a line, by the line's own time.",
        edges: "Between 1m and 10 years, or `none`: then only the size counts.",
        who: "Who must delete logs after a time.",
        kind: Kind::DurationOrNone,
        live: false,
        set: |raw, node| {
            values::duration_or_none(node, MINUTE..=YEARS)
                .map(|value| raw.store.retention_age = Some(value))
        },
    },
];
