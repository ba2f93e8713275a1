//! What becomes of lines that are refused for good?

use super::{Key, Kind, MIB, TIB};
use crate::config::values;

pub(super) const KEYS: &[Key] = &[Key {
    path: "dead_letters.bytes",
    default: "1 GiB",
    effect: "How large the files of lines may grow that Elasticsearch refuses for good, in the directory `dead-letters` of the \
             state. `nodetap dead-letters` lists them and sends them again.",
    edges: "Between 1 MiB and 1 TiB. Past it the oldest file of them is removed, which the log says as an error.",
    who: "Who lets refused lines pile up for long.",
    kind: Kind::Bytes,
    live: false,
    set: |raw, node| {
        values::bytes(node, MIB..=TIB).map(|value| raw.dead_letters.bytes = Some(value))
    },
}];
