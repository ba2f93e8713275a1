//! Which keys are there? The one table that reading, checking and the manual are made from.

use std::time::Duration;

use super::document::Node;
use super::raw::RawConfig;
use super::values::{self, Read};

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Its path, sections separated by dots.
    pub path: &'static str,
    /// What holds when it is not set, as it would be written.
    pub default: &'static str,
    /// What it does.
    pub effect: &'static str,
    /// What its least, greatest and special values mean.
    pub edges: &'static str,
    /// Who should change it.
    pub who: &'static str,
    /// Reads its value into the configuration.
    pub(super) set: fn(&mut RawConfig, &Node) -> Read<()>,
}

/// One section: its name and the question it answers.
#[derive(Debug)]
pub struct Section {
    /// Its key.
    pub name: &'static str,
    /// What its keys are about.
    pub about: &'static str,
}

/// Every section, in the order of the manual.
pub const SECTIONS: &[Section] = &[
    Section {
        name: "collect",
        about: "Which lines are taken, and how they are read.",
    },
    Section {
        name: "discover",
        about: "Where log files are looked for, beside the pods' own directory.",
    },
    Section {
        name: "reserve",
        about: "How unread files outlive their deletion.",
    },
    Section {
        name: "store",
        about: "How long the embedded store keeps lines.",
    },
];

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const YEARS: Duration = Duration::from_hours(24 * 3660);

/// Every key, in the order of the manual.
pub const KEYS: &[Key] = &[
    Key {
        path: "node",
        default: "the variable NODE_NAME, else nothing",
        effect: "The field `kubernetes.node.name` of every document.",
        edges: "At most 253 bytes. Without it the field is left out.",
        who: "Who runs a Kubernetes node outside of a pod. In a pod, NODE_NAME comes from the downward API.",
        set: |raw, node| values::name(node).map(|value| raw.node = Some(value)),
    },
    Key {
        path: "host",
        default: "the machine's host name",
        effect: "The field `host.name` of every document.",
        edges: "At most 253 bytes.",
        who: "Who runs nodetap in a container whose host name is not the node's.",
        set: |raw, node| values::name(node).map(|value| raw.host = Some(value)),
    },
    Key {
        path: "cluster",
        default: "nothing",
        effect: "The field `orchestrator.cluster.name` of every document: which of several clusters a line is from.",
        edges: "At most 253 bytes. Without it the field is left out.",
        who: "Everyone who has more than one cluster.",
        set: |raw, node| values::name(node).map(|value| raw.cluster = Some(value)),
    },
    Key {
        path: "listen",
        default: "127.0.0.1:9797",
        effect: "Where the page, `/metrics`, `/healthz` and `/api` are served. `--listen` goes before it.",
        edges: "Port 0 takes a free port, which is written to the file `listen` in the state directory. Any address \
                that is not loopback shows the names of pods to whoever can reach it.",
        who: "Who scrapes from another machine.",
        set: |raw, node| values::address(node).map(|value| raw.listen = Some(value)),
    },
    Key {
        path: "grace",
        default: "10s",
        effect: "How long a stop (SIGTERM, SIGINT) waits for what was read to be kept. Positions are written in any case.",
        edges: "0s stops at once: what was not kept is read again at the next start. At most 10m.",
        who: "Who has changed terminationGracePeriodSeconds; keep it a few seconds below that.",
        set: |raw, node| {
            values::duration(node, Duration::ZERO..=10 * MINUTE)
                .map(|value| raw.grace = Some(value))
        },
    },
    Key {
        path: "collect.start",
        default: "beginning",
        effect: "Where a file is begun that no position is known for and that is older than the state directory.",
        edges: "`end` skips what is there; an age, as in `1h`, skips files that were not written to since then. What is \
                skipped is counted as filtered. Files that appear later are always read from their first byte.",
        who: "Who installs nodetap on a node with old logs and does not want them.",
        set: |raw, node| values::start(node).map(|value| raw.collect.start = Some(value)),
    },
    Key {
        path: "collect.line_bytes_max",
        default: "1 MiB",
        effect: "The longest line kept as one record, pieces joined. A longer one becomes numbered parts, none dropped.",
        edges: "Between 1 KiB and 16 MiB. Memory: a container with an unfinished line holds up to this much for each \
                of its outputs.",
        who: "Who prints larger JSON documents in one line.",
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
        set: |raw, node| values::multiline(node).map(|value| raw.collect.multiline = Some(value)),
    },
    Key {
        path: "collect.app",
        default: "false",
        effect: "Keeps a message that is a JSON object also as the field `app`, so that `app.user:anna` finds it. The \
                 message stays as it was.",
        edges: "Costs about as much again in space for such lines.",
        who: "Whose applications log JSON.",
        set: |raw, node| values::flag(node).map(|value| raw.collect.app = Some(value)),
    },
    Key {
        path: "collect.rate_limit",
        default: "none",
        effect: "How many bytes per second are read from one container, at most. The rest waits in its file.",
        edges: "Between 1 KiB/s and 1 TiB/s. It delays and never drops; a container that stays above it falls behind \
                until its files are rotated away, which `log_time_to_loss_seconds` tells in advance.",
        who: "Whose node has one very loud container and little CPU.",
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
        set: |raw, node| values::rules(node).map(|value| raw.collect.include = Some(value)),
    },
    Key {
        path: "collect.exclude",
        default: "[]",
        effect: "Takes nothing that matches one of these rules; goes before `collect.include`.",
        edges: "Empty excludes nothing. What is excluded is shown by `nodetap sources`.",
        who: "Who has containers whose logs nobody reads.",
        set: |raw, node| values::rules(node).map(|value| raw.collect.exclude = Some(value)),
    },
    Key {
        path: "discover.docker_roots",
        default: "[]",
        effect: "Further Docker data roots, as globs below `--root`. `/var/lib/docker`, those of daemon.json and of a \
                 running dockerd are found without it.",
        edges: "A glob that matches nothing now is looked at again at each rescan.",
        who: "Whose platform gives each container its own disk.",
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
        set: |raw, node| values::flag(node).map(|value| raw.discover.volumes = Some(value)),
    },
    Key {
        path: "discover.volume_depth_max",
        default: "5",
        effect: "How many directories deep a volume is searched.",
        edges: "Between 1 and 16. That it was reached is said in the log and by `nodetap check`.",
        who: "Whose applications log into deeper trees.",
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
        set: |raw, node| values::path_globs(node).map(|value| raw.discover.host_logs = Some(value)),
    },
    Key {
        path: "discover.rescan",
        default: "2m",
        effect: "How often everything is listed anew, in case the kernel lost an event.",
        edges: "Between 1s and 1h. New files are otherwise seen at once.",
        who: "Nobody, as a rule; shorter where inotify limits can't be raised.",
        set: |raw, node| {
            values::duration(node, SECOND..=HOUR).map(|value| raw.discover.rescan = Some(value))
        },
    },
    Key {
        path: "reserve.bytes",
        default: "1 GiB",
        effect: "How many bytes of unread files are kept, by hard links on their own file system, after their owner \
                 deleted them.",
        edges: "`0` switches the reserve off: what is deleted while nodetap is down is lost, and counted. Past the \
                budget the oldest go first, counted and shown as a gap.",
        who: "Whose disk is nearly full, or whose pods are short-lived and loud.",
        set: |raw, node| values::bytes(node, 0..=TIB).map(|value| raw.reserve.bytes = Some(value)),
    },
    Key {
        path: "reserve.age",
        default: "1d",
        effect: "How long a deleted file is kept unread, at most.",
        edges: "Between 1s and 10 years.",
        who: "Whose nodetap may be down for longer.",
        set: |raw, node| {
            values::duration(node, SECOND..=YEARS).map(|value| raw.reserve.age = Some(value))
        },
    },
    Key {
        path: "store.retention_bytes",
        default: "10 GiB",
        effect: "How large the embedded store may grow on disk. The oldest lines go first, said in the log.",
        edges: "Between 1 MiB and 1 TiB, or `none`: then a full disk stops reading until there is space.",
        who: "Everyone who wants to look further back, or has a small disk.",
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
        set: |raw, node| {
            values::duration_or_none(node, MINUTE..=YEARS)
                .map(|value| raw.store.retention_age = Some(value))
        },
    },
];
