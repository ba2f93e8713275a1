//! Which lines are taken, and how are they read?

use super::{KIB, Key, Kind, MIB, TIB};
use crate::config::values;

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "collect.start",
        default: "beginning",
        effect: "Where a file is begun that no position is known for and that is older than the state directory.",
        edges: "`end` skips what is there; an age, as in `1h`, skips files that were not written to since then. What is \
                skipped is counted as filtered. Files that appear later are always read from their first byte.",
        who: "Who installs nodetap on a node with old logs and does not want them.",
        kind: Kind::Start,
        live: true,
        set: |raw, node| values::start(node).map(|value| raw.collect.start = Some(value)),
    },
    Key {
        path: "collect.line_bytes_max",
        default: "1 MiB",
        effect: "The longest line kept as one record, pieces joined. A longer one becomes numbered parts, none dropped.",
        edges: "Between 1 KiB and 16 MiB. Memory: a container with an unfinished line holds up to this much for each \
                of its outputs.",
        who: "Who prints larger JSON documents in one line.",
        kind: Kind::Bytes,
        live: true,
        set: |raw, node| {
            values::bytes(node, KIB..=16 * MIB)
                .map(|value| raw.collect.line_bytes_max = Some(value))
        },
    },
    Key {
        path: "collect.multiline",
        default: "off",
        effect: "Groups the lines of a stack trace into one record, by the lines' own times, so that a replay groups \
                 them the same.",
        edges: "`java`, `python`, `go`, `node`, `dotnet`, or `auto` for all of them. A group waits for its end, so its \
                last line is seen about a second later.",
        who: "Who searches for what stands inside of stack traces.",
        kind: Kind::Choice(values::MULTILINE),
        live: true,
        set: |raw, node| values::multiline(node).map(|value| raw.collect.multiline = Some(value)),
    },
    Key {
        path: "collect.app",
        default: "false",
        effect: "Keeps a message that is a JSON object also as the field `app`, so that `app.user:anna` finds it. The \
                 message stays as it was.",
        edges: "Costs about as much again in space for such lines.",
        who: "Whose applications log JSON.",
        kind: Kind::Flag,
        live: true,
        set: |raw, node| values::flag(node).map(|value| raw.collect.app = Some(value)),
    },
    Key {
        path: "collect.rate_limit",
        default: "none",
        effect: "How many bytes per second are read from one container, at most. The rest waits in its file.",
        edges: "Between 1 KiB/s and 1 TiB/s. It delays and never drops; a container that stays above it falls behind \
                until its files are rotated away, which `log_time_to_loss_seconds` tells in advance.",
        who: "Whose node has one very loud container and little CPU.",
        kind: Kind::RateOrNone,
        live: true,
        set: |raw, node| {
            values::rate_or_none(node, KIB..=TIB).map(|value| raw.collect.rate_limit = Some(value))
        },
    },
    Key {
        path: "collect.include",
        default: "[]",
        effect: "Takes only what matches one of these rules, each a section of globs by `namespace`, `pod`, `container`, \
                 `label` (`name=value`) and `path`, all of which must match.",
        edges: "Empty takes everything. Decided before a file is opened. Labels are those of Docker's containers; a pod's are \
                not known when its file appears, so a rule with `label` never matches one.",
        who: "Who wants the logs of a few namespaces only.",
        kind: Kind::Rules,
        live: true,
        set: |raw, node| values::rules(node).map(|value| raw.collect.include = Some(value)),
    },
    Key {
        path: "collect.exclude",
        default: "[]",
        effect: "Takes nothing that matches one of these rules; goes before `collect.include`.",
        edges: "Empty excludes nothing. What is excluded is shown by `nodetap sources`.",
        who: "Who has containers whose logs nobody reads.",
        kind: Kind::Rules,
        live: true,
        set: |raw, node| values::rules(node).map(|value| raw.collect.exclude = Some(value)),
    },
];
