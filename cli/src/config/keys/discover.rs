//! Where are log files looked for?

use super::{HOUR, Key, Kind, SECOND};
use crate::config::values;

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "discover.docker_roots",
        default: "[]",
        effect: "Further Docker data roots, as globs below `--root`. `/var/lib/docker`, those of daemon.json and of a \
                 running dockerd are found without it.",
        edges: "A glob that matches nothing now is looked at again at each rescan.",
        who: "Whose platform gives each container its own disk.",
        kind: Kind::PathGlobs,
        live: false,
        set: |raw, node| {
            values::path_globs(node).map(|value| raw.discover.docker_roots = Some(value))
        },
    },
    Key {
        path: "discover.volumes",
        default: "true",
        effect: "Takes `*.log` files that containers write into emptyDir volumes.",
        edges: "`false` watches no volume directory.",
        who: "Whose volumes hold very many directories or log files that are not meant for people.",
        kind: Kind::Flag,
        live: false,
        set: |raw, node| values::flag(node).map(|value| raw.discover.volumes = Some(value)),
    },
    Key {
        path: "discover.volume_depth_max",
        default: "5",
        effect: "How many directories deep a volume is searched.",
        edges: "Between 1 and 16. That it was reached is said in the log and by `nodetap check`.",
        who: "Whose applications log into deeper trees.",
        kind: Kind::Count(1, 16),
        live: false,
        set: |raw, node| {
            values::count(node, 1..=16).map(|value| raw.discover.volume_depth_max = Some(value))
        },
    },
    Key {
        path: "discover.volume_directories_max",
        default: "4096",
        effect: "How many directories of volumes are watched in all. Each costs about 1 KiB of the kernel's memory.",
        edges: "Between 1 and 1000000. That it was reached is said in the log and by `nodetap check`.",
        who: "Who is told that it was reached.",
        kind: Kind::Count(1, 1_000_000),
        live: false,
        set: |raw, node| {
            values::count(node, 1..=1_000_000)
                .map(|value| raw.discover.volume_directories_max = Some(value))
        },
    },
    Key {
        path: "discover.host_logs",
        default: "[/var/log/*.log, /var/log/syslog, /var/log/messages]",
        effect: "Which files of the node itself are taken, as globs below `--root`; their rotated relatives belong to them.",
        edges: "`[]` takes none.",
        who: "Whose services log elsewhere below /var/log, or who does not want the node's own logs.",
        kind: Kind::PathGlobs,
        live: false,
        set: |raw, node| values::path_globs(node).map(|value| raw.discover.host_logs = Some(value)),
    },
    Key {
        path: "discover.rescan",
        default: "2m",
        effect: "How often everything is listed anew, in case the kernel lost an event.",
        edges: "Between 1s and 1h. New files are otherwise seen at once.",
        who: "Nobody, as a rule; shorter where inotify limits can't be raised.",
        kind: Kind::Duration,
        live: false,
        set: |raw, node| {
            values::duration(node, SECOND..=HOUR).map(|value| raw.discover.rescan = Some(value))
        },
    },
];
