//! Where is the cluster, who are we there, and how is it written to?

use elastic::Secret;

use super::{Key, Kind, MINUTE, SECOND};
use crate::config::values;

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "elasticsearch.urls",
        default: "[]",
        effect: "The hosts of an Elasticsearch or OpenSearch cluster. Lines are shipped there instead of into the embedded \
                 store, and `nodetap logs` reads from there. `--elasticsearch` goes before it.",
        edges: "`[]` keeps lines in the embedded store; to change between the two needs a restart. `http://` or `https://`; without a port 9200 is meant. Several hosts \
                are used in turn, and one that does not answer is left alone for a while. At most 64.",
        who: "Everyone who wants the logs of many nodes in one place.",
        kind: Kind::Urls,
        live: true,
        set: |raw, node| values::urls(node).map(|value| raw.elasticsearch.urls = Some(value)),
    },
    Key {
        path: "elasticsearch.user",
        default: "nothing",
        effect: "The name we are known by there (basic authentication).",
        edges: "Needs `password` or `password_file`.",
        who: "Whose cluster asks for a name and a password.",
        kind: Kind::Name,
        live: true,
        set: |raw, node| values::user(node).map(|value| raw.elasticsearch.user = Some(value)),
    },
    Key {
        path: "elasticsearch.password",
        default: "nothing",
        effect: "The password that belongs to the name.",
        edges: "Best taken from the environment: `${ES_PASSWORD}`. Not together with `password_file`.",
        who: "Who has no file for it.",
        kind: Kind::Secret,
        live: true,
        set: |raw, node| {
            values::secret(node).map(|value| raw.elasticsearch.password = Some(Secret::Text(value)))
        },
    },
    Key {
        path: "elasticsearch.password_file",
        default: "nothing",
        effect: "The file that holds the password, in one line.",
        edges: "An absolute path, not below `--root`. Read again whenever the cluster refuses us, so a new password needs \
                no restart.",
        who: "Who mounts the password as a Kubernetes Secret.",
        kind: Kind::Path,
        live: true,
        set: |raw, node| {
            values::path(node)
                .map(|value| raw.elasticsearch.password_file = Some(Secret::File(value)))
        },
    },
    Key {
        path: "elasticsearch.api_key",
        default: "nothing",
        effect: "An API key in its encoded form, instead of name and password.",
        edges: "Best taken from the environment: `${ES_API_KEY}`. Not together with `api_key_file` or `user`.",
        who: "Who has no file for it.",
        kind: Kind::Secret,
        live: true,
        set: |raw, node| {
            values::secret(node).map(|value| raw.elasticsearch.api_key = Some(Secret::Text(value)))
        },
    },
    Key {
        path: "elasticsearch.api_key_file",
        default: "nothing",
        effect: "The file that holds the API key, in one line.",
        edges: "An absolute path, not below `--root`. Read again whenever the cluster refuses us.",
        who: "Who mounts the key as a Kubernetes Secret.",
        kind: Kind::Path,
        live: true,
        set: |raw, node| {
            values::path(node)
                .map(|value| raw.elasticsearch.api_key_file = Some(Secret::File(value)))
        },
    },
    Key {
        path: "elasticsearch.ca_file",
        default: "nothing",
        effect: "A PEM file of the certificate authorities that the cluster's certificates are checked with.",
        edges: "An absolute path, not below `--root`. Certificates are always checked; there is no switch to believe any.",
        who: "Whose cluster has certificates of its own authority.",
        kind: Kind::Path,
        live: true,
        set: |raw, node| values::path(node).map(|value| raw.elasticsearch.ca_file = Some(value)),
    },
    Key {
        path: "elasticsearch.mode",
        default: "index",
        effect: "`index` writes into one index a day, `<index_prefix>-YYYY.MM.DD` by the line's own time; a line that is sent \
                 again meets its first copy, so each is there once. `data_stream` writes into \
                 `logs-nodetap.<container|host>-<namespace>`.",
        edges: "In data streams an `_id` is unique within one backing index only; after an unknown outcome nodetap asks for \
                what is there before it sends again. A request that is still carried out during a rollover can double lines.",
        who: "Who keeps logs in data streams with a lifecycle of their own.",
        kind: Kind::Choice(values::MODES),
        live: false,
        set: |raw, node| values::mode(node).map(|value| raw.elasticsearch.mode = Some(value)),
    },
    Key {
        path: "elasticsearch.index_prefix",
        default: "nodetap",
        effect: "The beginning of the index names in mode `index`, and of the names that `nodetap logs` searches.",
        edges: "At most 100 bytes of lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or a digit.",
        who: "Who is only allowed to write to names of another pattern.",
        kind: Kind::Name,
        live: false,
        set: |raw, node| {
            values::index_prefix(node).map(|value| raw.elasticsearch.index_prefix = Some(value))
        },
    },
    Key {
        path: "elasticsearch.gzip",
        default: "1",
        effect: "How much requests are compressed: 0 (not at all) to 9.",
        edges: "0 needs the least CPU and about ten times the network; above 1 little is gained.",
        who: "Whose cluster is on the same machine or on a slow line.",
        kind: Kind::Count(0, 9),
        live: true,
        set: |raw, node| {
            values::count(node, 0..=9).map(|value| raw.elasticsearch.gzip = Some(value))
        },
    },
    Key {
        path: "elasticsearch.timeout",
        default: "1m",
        effect: "How long one request may take, its answer included.",
        edges: "Between 1s and 10m. What was not answered in time is sent again; its lines are not doubled.",
        who: "Whose cluster is far away or often overloaded.",
        kind: Kind::Duration,
        live: true,
        set: |raw, node| {
            values::duration(node, SECOND..=10 * MINUTE)
                .map(|value| raw.elasticsearch.timeout = Some(value))
        },
    },
    Key {
        path: "elasticsearch.requests_max",
        default: "8",
        effect: "How many requests are on their way at once, at most; fewer while the cluster is slow or says that it has too \
                 many.",
        edges: "Between 1 and 64. Each holds one batch in memory.",
        who: "Whose cluster is far away: many requests make up for a long way.",
        kind: Kind::Count(1, 64),
        live: false,
        set: |raw, node| {
            values::count(node, 1..=64).map(|value| raw.elasticsearch.requests_max = Some(value))
        },
    },
    Key {
        path: "elasticsearch.template",
        default: "install",
        effect: "What is done about the index template that gives nodetap's indices their mapping: `install` puts it there or \
                 brings it up to date, `verify` only compares and warns, `off` does neither.",
        edges: "A template that can't be installed or verified is a warning in the log, never a stop.",
        who: "Who is not allowed to manage templates (`verify`), or has a mapping of their own (`off`).",
        kind: Kind::Choice(values::TEMPLATES),
        live: false,
        set: |raw, node| {
            values::template(node).map(|value| raw.elasticsearch.template = Some(value))
        },
    },
];
