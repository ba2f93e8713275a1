//! What is said of the node as a whole?

use std::time::Duration;

use super::{Key, Kind, MINUTE};
use crate::config::values;

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "node",
        default: "the variable NODE_NAME, else nothing",
        effect: "The field `kubernetes.node.name` of every document.",
        edges: "At most 253 bytes. Without it the field is left out.",
        who: "Who runs a Kubernetes node outside of a pod. In a pod, NODE_NAME comes from the downward API.",
        kind: Kind::Name,
        live: true,
        set: |raw, node| values::name(node).map(|value| raw.node = Some(value)),
    },
    Key {
        path: "host",
        default: "the machine's host name",
        effect: "The field `host.name` of every document.",
        edges: "At most 253 bytes.",
        who: "Who runs nodetap in a container whose host name is not the node's.",
        kind: Kind::Name,
        live: true,
        set: |raw, node| values::name(node).map(|value| raw.host = Some(value)),
    },
    Key {
        path: "cluster",
        default: "nothing",
        effect: "The field `orchestrator.cluster.name` of every document: which of several clusters a line is from.",
        edges: "At most 253 bytes. Without it the field is left out.",
        who: "Everyone who has more than one cluster.",
        kind: Kind::Name,
        live: true,
        set: |raw, node| values::name(node).map(|value| raw.cluster = Some(value)),
    },
    Key {
        path: "listen",
        default: "127.0.0.1:9797",
        effect: "Where the page, `/metrics`, `/ready`, `/healthz` and `/api` are served. `--listen` goes before it.",
        edges: "Port 0 takes a free port, which is written to the file `listen` in the state directory. Any address \
                that is not loopback shows the names of pods to whoever can reach it.",
        who: "Who scrapes from another machine.",
        kind: Kind::Address,
        live: false,
        set: |raw, node| values::address(node).map(|value| raw.listen = Some(value)),
    },
    Key {
        path: "listen_metrics",
        default: "nothing",
        effect: "A second address for `/metrics`, `/ready` and `/healthz` alone. `--listen-metrics` goes before it.",
        edges: "Port 0 takes a free port. Pods' names are labels of the metrics.",
        who: "Who has scrapers and probes on other machines, and wants the page on loopback only.",
        kind: Kind::Address,
        live: false,
        set: |raw, node| values::address(node).map(|value| raw.listen_metrics = Some(value)),
    },
    Key {
        path: "listen_ready",
        default: "nothing",
        effect: "An address for `/ready` and `/healthz` alone. `--listen-ready` goes before it.",
        edges: "Port 0 takes a free port. It is plain HTTP without a password whatever `web_config` says, for load balancers \
                and kubelets have none; the targets of the pings stand in its answers.",
        who: "Who asks for `/ready` from outside and protects the other addresses.",
        kind: Kind::Address,
        live: false,
        set: |raw, node| values::address(node).map(|value| raw.listen_ready = Some(value)),
    },
    Key {
        path: "web_config",
        default: "nothing",
        effect: "A file with TLS, passwords, headers and a limit of requests, in the web-config format that Prometheus and its \
                 exporters share. It holds for every address but `listen_ready`. `--web-config` goes before it.",
        edges: "An absolute path, not below `--root`. Changed files and certificates are taken over within a second, without a \
                restart; a wrong one changes nothing and is said, and so is one that lacks TLS or users it had. HTTP/2 is not \
                spoken. Names in `client_allowed_sans` are host names and addresses.",
        who: "Who scrapes over a network that others use too.",
        kind: Kind::Path,
        live: false,
        set: |raw, node| values::path(node).map(|value| raw.web_config = Some(value)),
    },
    Key {
        path: "grace",
        default: "10s",
        effect: "How long a stop (SIGTERM, SIGINT) waits for what was read to be kept. Positions are written in any case.",
        edges: "0s stops at once: what was not kept is read again at the next start. At most 10m.",
        who: "Who has changed terminationGracePeriodSeconds; keep it a few seconds below that.",
        kind: Kind::Duration,
        live: true,
        set: |raw, node| {
            values::duration(node, Duration::ZERO..=10 * MINUTE)
                .map(|value| raw.grace = Some(value))
        },
    },
];
