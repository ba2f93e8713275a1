//! What does the exporter show, and where?

use std::time::Duration;

use super::{Key, Kind};
use crate::config::values;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "export.listen",
        default: "127.0.0.1:9798",
        effect: "Where `nodetap export` serves `/metrics`, `/ready` and `/healthz`. Its `--listen` goes before it.",
        edges: "Port 0 takes a free port. Any address that is not loopback shows the names of pods and services to whoever \
                can reach it.",
        who: "Who scrapes from another machine.",
        kind: Kind::Address,
        live: false,
        set: |raw, node| values::address(node).map(|value| raw.export.listen = Some(value)),
    },
    Key {
        path: "export.listen_ready",
        default: "nothing",
        effect: "What `listen_ready` is for `up` and `collect`, for `nodetap export`. Its `--listen-ready` goes before it.",
        edges: "Port 0 takes a free port. It is plain HTTP without a password.",
        who: "Who asks `nodetap export` for `/ready` from outside and protects its metrics.",
        kind: Kind::Address,
        live: false,
        set: |raw, node| values::address(node).map(|value| raw.export.listen_ready = Some(value)),
    },
    Key {
        path: "export.probes_off",
        default: "[]",
        effect: "Probes that do not run, by name; docs/metrics.md has a section for each.",
        edges: "A name that no probe has is refused. A probe whose subsystem is not on the node costs next to nothing.",
        who: "Who has another exporter for the same.",
        kind: Kind::Names,
        live: false,
        set: |raw, node| values::probes(node).map(|value| raw.export.off = Some(value)),
    },
    Key {
        path: "export.env",
        default: "the value of `cluster`",
        effect: "The label `env` of the `lvs_*` families: which environment this director belongs to. Queries sum the \
                 directors of one environment by it.",
        edges: "At most 253 bytes.",
        who: "Whose environments and clusters have different names.",
        kind: Kind::Name,
        live: false,
        set: |raw, node| values::name(node).map(|value| raw.export.env = Some(value)),
    },
    Key {
        path: "export.conntrack_top",
        default: "false",
        effect: "Whether connections are counted by pod and by state (`conntrack_pod_entries`, `conntrack_state_entries`), and \
                 `/debug/conntrack/top` shows the remote addresses that have the most.",
        edges: "Reads the whole table, once a minute at most and for a hundredth of a core at most, up to two million entries. \
                Remote addresses are never series.",
        who: "Who looks for what fills the table.",
        kind: Kind::Flag,
        live: false,
        set: |raw, node| values::flag(node).map(|value| raw.export.conntrack_top = Some(value)),
    },
    Key {
        path: "export.conntrack_bypass",
        default: "[]",
        effect: "Subnets whose packets should pass by connection tracking, as those that a director carries. Entries that are \
                 theirs all the same are counted (`conntrack_bypass_entries`), and `conntrack_notrack_expected` is 1.",
        edges: "At most 64, as in `10.99.0.0/24`. Reads the whole table, as `conntrack_top` does.",
        who: "Who runs LVS directors with NOTRACK rules.",
        kind: Kind::Names,
        live: false,
        set: |raw, node| {
            values::subnets(node).map(|value| raw.export.conntrack_bypass = Some(value))
        },
    },
    Key {
        path: "export.lvs_mapping",
        default: "nothing",
        effect: "The mapping from virtual addresses to services: a file, or the directory to which a ConfigMap is mounted. \
                 Entries are `VIP-port: ip:port, ip:port` or `VIP: namespace/service:portname`. It gives the `lvs_*` families \
                 their `namespace` and `service`.",
        edges: "An absolute path, not below `--root`. Read anew at each scrape. Without a protocol an entry is for TCP; \
                `-udp` behind the port or `/UDP` behind the value says another.",
        who: "Who runs LVS directors in front of Kubernetes services.",
        kind: Kind::Path,
        live: false,
        set: |raw, node| values::path(node).map(|value| raw.export.lvs_mapping = Some(value)),
    },
    Key {
        path: "export.lvs_configmap",
        default: "nothing",
        effect: "The ConfigMap with that mapping, as `NAMESPACE/NAME`, read from Kubernetes' API every 30 s. A key that is no \
                 virtual address holds a text of entries; IPv6 is written there. Named ports are looked up in their services.",
        edges: "Not together with `lvs_mapping`. Needs the right to `get` the ConfigMap, and services for their ports. While \
                the API does not answer, what was read last holds.",
        who: "Whose directors are not nodes of the cluster, or have no volume with the mapping.",
        kind: Kind::Name,
        live: false,
        set: |raw, node| values::object(node).map(|value| raw.export.lvs_configmap = Some(value)),
    },
    Key {
        path: "export.kubeconfig",
        default: "the pod's service account",
        effect: "The kubeconfig by whose current context the API server is asked for `lvs_configmap`.",
        edges: "An absolute path, not below `--root`. Tokens, passwords and certificates, also in files, which are read anew; \
                `exec` is refused.",
        who: "Who runs nodetap outside of the cluster.",
        kind: Kind::Path,
        live: false,
        set: |raw, node| values::path(node).map(|value| raw.export.kubeconfig = Some(value)),
    },
    Key {
        path: "export.keepalived_log",
        default: "the usual ones",
        effect: "The file in which keepalived's log lines are, for the `keepalived_*` families.",
        edges: "An absolute path, read below `--root`. Usual are /var/log/keepalived.log, syslog, messages and daemon.log there; \
                a journal is not read.",
        who: "Whose keepalived logs elsewhere (`--log-file`, a rule of the system's logger).",
        kind: Kind::Path,
        live: false,
        set: |raw, node| values::path(node).map(|value| raw.export.keepalived_log = Some(value)),
    },
    Key {
        path: "export.jvm_discovery",
        default: "false",
        effect: "What is done with agents in JVMs that serve metrics (the public JMX exporter's, ours): `false` relays what \
                 they say with the labels of their pods; `true` lists them at `/sd/jvm` for Prometheus to scrape them itself.",
        edges: "With `true` nothing is relayed, so that no series is there twice. An agent that listens on loopback only can \
                be relayed, but not listed.",
        who: "Whose Prometheus reaches every pod.",
        kind: Kind::Flag,
        live: false,
        set: |raw, node| values::flag(node).map(|value| raw.export.jvm_discovery = Some(value)),
    },
    Key {
        path: "export.keepalived_fifo",
        default: "nothing",
        effect: "A notify FIFO of keepalived (`notify_fifo`, `lvs_notify_fifo`, `vrrp_notify_fifo`) that is read beside the log.",
        edges: "An absolute path, read below `--root`. A FIFO has one reader: what nodetap takes from it nobody else gets.",
        who: "Whose keepalived logs where nodetap can't read.",
        kind: Kind::Path,
        live: false,
        set: |raw, node| values::path(node).map(|value| raw.export.keepalived_fifo = Some(value)),
    },
    Key {
        path: "export.keepalived_dump",
        default: "false",
        effect: "Whether keepalived is signalled (SIGUSR1 and SIGUSR2, every 30 s) to write its dumps to /tmp, which tell quorum, \
                 weights, checks, the addresses of VRRP instances and their statistics.",
        edges: "Needs the node's process namespace and the right to signal. Without it a dump that somebody else has made \
                within two minutes is used.",
        who: "Who wants more of keepalived than its log tells.",
        kind: Kind::Flag,
        live: false,
        set: |raw, node| values::flag(node).map(|value| raw.export.keepalived_dump = Some(value)),
    },
    Key {
        path: "export.push_url",
        default: "nothing",
        effect: "A receiver of Prometheus remote write 1.0, to which `nodetap export` pushes all that `/metrics` shows, with the \
                 labels `cluster`, `instance`, `job` and `node`. Requests that it can't take now are tried again with growing \
                 pauses.",
        edges: "The whole URL, as in `https://prometheus.example:9090/api/v1/write`. What it refuses is counted \
                (`nodetap_push_samples_total`) and left. `/metrics` is served all the same.",
        who: "Whose nodes no scrape can reach.",
        kind: Kind::Name,
        live: false,
        set: |raw, node| values::push_url(node).map(|value| raw.export.push_url = Some(value)),
    },
    Key {
        path: "export.push_interval",
        default: "15s",
        effect: "How often metrics are pushed.",
        edges: "Between 1 s and 1 h. Receivers look back five minutes: a longer interval has gaps.",
        who: "Who has little room for samples.",
        kind: Kind::Duration,
        live: false,
        set: |raw, node| {
            values::duration(node, SECOND..=HOUR)
                .map(|value| raw.export.push_interval = Some(value))
        },
    },
    Key {
        path: "export.push_buffer",
        default: "16 MiB",
        effect: "How many bytes of compressed requests wait while the receiver is away; then the oldest go and are counted.",
        edges: "Between 64 KiB and 1 GiB, in memory; lost with the process.",
        who: "Whose receiver is away for long.",
        kind: Kind::Bytes,
        live: false,
        set: |raw, node| {
            values::bytes(node, 64 << 10..=1 << 30)
                .map(|value| raw.export.push_buffer = Some(value))
        },
    },
    Key {
        path: "export.push_user",
        default: "nothing",
        effect: "The user for the receiver, with `push_password_file`.",
        edges: "At most 253 bytes, no colon.",
        who: "Whose receiver asks for basic authentication.",
        kind: Kind::Name,
        live: false,
        set: |raw, node| values::user(node).map(|value| raw.export.push_user = Some(value)),
    },
    Key {
        path: "export.push_password_file",
        default: "nothing",
        effect: "The file with that user's password.",
        edges: "Read anew for each request.",
        who: "Who sets `push_user`.",
        kind: Kind::Path,
        live: false,
        set: |raw, node| {
            values::path(node).map(|value| raw.export.push_password_file = Some(value))
        },
    },
    Key {
        path: "export.push_token_file",
        default: "nothing",
        effect: "The file with a bearer token for the receiver.",
        edges: "Read anew for each request. Not together with `push_user`.",
        who: "Whose receiver asks for a token.",
        kind: Kind::Path,
        live: false,
        set: |raw, node| values::path(node).map(|value| raw.export.push_token_file = Some(value)),
    },
    Key {
        path: "export.push_ca_file",
        default: "the authorities of the Web",
        effect: "The certificates (PEM) of the authorities that the receiver's certificate is checked with.",
        edges: "Read anew; then only these count.",
        who: "Whose receiver has a certificate of its own authority.",
        kind: Kind::Path,
        live: false,
        set: |raw, node| values::path(node).map(|value| raw.export.push_ca_file = Some(value)),
    },
    Key {
        path: "export.ping_gateways",
        default: "true",
        effect: "Whether the default gateways of both families are pinged. One of them decides about `/ready` only after it \
                 has answered once.",
        edges: "`false` pings only what `ping_targets` names.",
        who: "Whose gateways must not be pinged.",
        kind: Kind::Flag,
        live: false,
        set: |raw, node| values::flag(node).map(|value| raw.export.ping_gateways = Some(value)),
    },
    Key {
        path: "export.ping_from_pods",
        default: "false",
        effect: "Whether the gateways and targets are also asked from inside the network of each pod, every three seconds, so \
                 that a pod's own path is tested without anything in the pod. `/ready/NAMESPACE/POD` answers it.",
        edges: "Needs CAP_SYS_ADMIN, which the DaemonSet does not ask for, and the node's /proc (`hostPID`). At most 500 pods and 16 targets; three silences are a \
                failure, two answers its end. Pods in the node's own network have `/ready`.",
        who: "Whose pods should not get traffic that they can't answer.",
        kind: Kind::Flag,
        live: false,
        set: |raw, node| values::flag(node).map(|value| raw.export.ping_from_pods = Some(value)),
    },
    Key {
        path: "export.ping_targets",
        default: "[]",
        effect: "Who must answer for the node to be ready, as `ROLE=ADDRESS` or `ROLE=NAME@ADDRESS`, for example \
                 `core_switch=10.0.0.1`. Targets of one role stand for each other: it is well while one of them answers. While \
                 a target with the role `peer` answers, roles that all fall silent at once don't make the node unready.",
        edges: "At most 64, each asked once a second. Five silences are a failure, two answers its end. A port, as in \
                `dns=10.0.0.53:53`, is where a connection is tried on nodes that may not send pings; without one it is 80.",
        who: "Who takes nodes out of a load balancer by `/ready`.",
        kind: Kind::Names,
        live: false,
        set: |raw, node| {
            values::ping_targets(node).map(|value| raw.export.ping_targets = Some(value))
        },
    },
];
