//! Each wrong value has its own sentence and line; the table, the code and the manual say the same.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<RawConfig, Problems> {
    let lookup = |name: &str| (name == "LEVEL").then(|| "3".to_owned());
    super::parse(text, &lookup)
}

fn check(text: &str, expect: &[&str]) {
    let found = match parse(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expect, "\n{text}");
}

#[test]
fn each_wrong_value_has_its_sentence_and_line() {
    check(
        "node: [a]",
        &["line 1: node: expected a name, found a list"],
    );
    check(
        "host: \"a\\nb\"",
        &["line 1: host: a name has at most 253 bytes and no control characters"],
    );
    check(
        "cluster: {a: b}",
        &["line 1: cluster: expected a name, found a section"],
    );
    check(
        "listen: 9797",
        &["line 1: listen: `9797` is not an address and port, as in `127.0.0.1:9797`"],
    );
    check("grace: 11m", &["line 1: grace: must be between 0s and 10m"]);
    check(
        "grace: 5",
        &[
            "line 1: grace: `5` is not a duration; write a number and a unit, as in `30s` or `7 days`",
        ],
    );
    check(
        "collect:\n  start: now",
        &["line 2: collect.start: `now` is neither `beginning` nor `end` nor an age, as in `1h`"],
    );
    check(
        "collect:\n  line_bytes_max: 64",
        &[
            "line 2: collect.line_bytes_max: `64` is not a size; write a number and a unit, as in `64 KiB`",
        ],
    );
    check(
        "collect:\n  line_bytes_max: 1 GiB",
        &["line 2: collect.line_bytes_max: must be between 1 KiB and 16 MiB"],
    );
    check(
        "collect:\n  multiline: ruby",
        &["line 2: collect.multiline: `ruby` is none of off, auto, java, python, go, node, dotnet"],
    );
    check(
        "collect:\n  app: yes",
        &["line 2: collect.app: `yes` is neither `true` nor `false`"],
    );
    check(
        "collect:\n  rate_limit: 1 B/s",
        &["line 2: collect.rate_limit: must be between 1 KiB and 1 TiB"],
    );
    check(
        "discover:\n  docker_roots: data",
        &["line 2: discover.docker_roots: expected a list, as in `[a, b]`"],
    );
    check(
        "discover:\n  docker_roots:\n    - data\n    - /data/[",
        &[
            "line 3: discover.docker_roots: `data` is not an absolute path (it is read below --root)",
            "line 4: discover.docker_roots: `/data/[` is not a glob: unclosed character class; missing ']'",
        ],
    );
    check(
        "discover:\n  volume_depth_max: deep",
        &["line 2: discover.volume_depth_max: `deep` is not a whole number"],
    );
    check(
        "discover:\n  volume_depth_max: 0",
        &["line 2: discover.volume_depth_max: must be between 1 and 16"],
    );
    check(
        "store:\n  retention_age: 1s",
        &["line 2: store.retention_age: must be between 1m and 3660d"],
    );
    check(
        "store: 5",
        &["line 1: store is a section: its keys stand below it, indented"],
    );
    check(
        "- a",
        &["line 1: expected sections and keys, as in `listen: 127.0.0.1:9797`"],
    );
}

#[test]
fn a_rule_names_what_it_does_not_know() {
    check(
        "collect:\n  exclude:\n    - namespace: kube-*\n      containr: web\n    - {}\n    - shop\n    - pod: [a]\n    - label: =x\n",
        &[
            "line 4: collect.exclude: unknown key `containr`; did you mean `container`?",
            "line 5: collect.exclude: a rule needs at least one of namespace, pod, container, label, path",
            "line 6: collect.exclude: expected a rule, as in `{namespace: shop, container: \"web-*\"}`",
            "line 7: collect.exclude: expected a glob, found a list",
            "line 8: collect.exclude: `=x` has no label's name before the `=`",
        ],
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_right_one() {
    check(
        "lisen: 127.0.0.1:1",
        &["line 1: unknown key `lisen`; did you mean `listen`?"],
    );
    check(
        "colect:\n  app: true",
        &["line 1: unknown key `colect`; did you mean `collect`?"],
    );
    check(
        "collect:\n  multi-line: auto",
        &["line 2: unknown key `multi-line`; did you mean `multiline`?"],
    );
    check(
        "store:\n  line_bytes_max: 1 MiB",
        &[
            "line 2: unknown key `store.line_bytes_max`; `line_bytes_max` stands in the section `collect`",
        ],
    );
    check(
        "reserve:\n  listen: x",
        &["line 2: unknown key `reserve.listen`; `listen` stands at the top, in no section"],
    );
    check(
        "reserve:\n  colour: red",
        &["line 2: unknown key `colour`; known here: bytes, age"],
    );
}

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_the_file() {
    check(
        "grace: long\ncollect:\n  app: 1\n  starts: round\nstore:\n  retention_bytes: much\n",
        &[
            "line 1: grace: `long` is not a duration; write a number and a unit, as in `30s` or `7 days`",
            "line 3: collect.app: `1` is neither `true` nor `false`",
            "line 4: unknown key `starts`; did you mean `start`?",
            "line 6: store.retention_bytes: `much` is not a size; write a number and a unit, as in `64 KiB`",
        ],
    );
}

#[test]
fn a_cluster_is_named_and_known_to_without_contradiction() {
    check("elasticsearch:\n  urls: https://es", &[]);
    check(
        "elasticsearch:\n  urls: [es:9200, \"http://a:b@es\"]",
        &[
            "line 2: elasticsearch.urls: `es:9200` must begin with http:// or https://",
            "line 2: elasticsearch.urls: a user or password does not belong into a URL: set elasticsearch.user and elasticsearch.password_file",
        ],
    );
    check(
        "elasticsearch:\n  user: a\n  password: b\n  password_file: /c\n",
        &[
            "line 4: elasticsearch.password and elasticsearch.password_file exclude each other: keep one of them",
        ],
    );
    check(
        "elasticsearch:\n  user: a\n",
        &["line 2: elasticsearch.user needs elasticsearch.password or elasticsearch.password_file"],
    );
    check(
        "elasticsearch:\n  api_key_file: key\n  index_prefix: Logs\n  gzip: 10\n",
        &[
            "line 2: elasticsearch.api_key_file: `key` is not an absolute path",
            "line 3: elasticsearch.index_prefix: `Logs` is no beginning of an index name: lower-case letters, digits, `-`, `_` and `.`, at most 100 bytes, beginning with a letter or a digit",
            "line 4: elasticsearch.gzip: must be between 0 and 9",
        ],
    );
}

#[test]
fn rules_and_patterns_are_compiled_when_they_are_read() {
    check(
        "derive:\n  rules:\n    - {name: orders_total, container: shop, pattern: \"order (?<kind>[a-z]+)\"}\n\
         redact:\n  patterns: [email, {name: ticket, pattern: \"T-[0-9]+\"}]\n",
        &[],
    );
    let problems = |text: &str| -> Vec<String> {
        let found = parse(text).unwrap_err();
        found.iter().map(ToString::to_string).collect()
    };
    let found = problems(
        "derive:\n  rules:\n    - {name: orders_total, container: shop, pattern: \"(\"}\n    - {nam: x}\n  access: [{path: /x}]\n\
         redact:\n  patterns:\n    - emial\n    - {name: a, pattern: \"[\"}\n",
    );
    let expect = [
        "line 3: derive.rules: read the pattern of orders_total: regex parse error: ( ^ error: unclosed group",
        "line 4: derive.rules: unknown key `nam`; did you mean `name`?",
        "line 5: derive.access: access logs are chosen by namespace, pod and container only",
        "line 8: redact.patterns: find a built-in pattern \"emial\": there is none; give it a `pattern`",
        "line 9: redact.patterns: read the pattern \"a\": regex parse error: [ ^ error: unclosed character class",
    ];
    assert_eq!(found, expect);
    assert_eq!(
        problems("redact:\n  patterns: [jwt, jwt]\n"),
        ["line 2: redact.patterns: `jwt` is there twice"]
    );
}

/// Readers of YAML 1.1 take such a key for a boolean, and then no schema knows it.
#[test]
fn no_key_is_a_word_that_yaml_has_a_meaning_for() {
    let words = ["on", "off", "yes", "no", "y", "n", "true", "false", "null"];
    for key in keys::keys() {
        assert!(!words.contains(&key.leaf()), "{}", key.path);
    }
}

#[test]
fn a_secret_is_not_shown_by_its_problem() {
    check(
        "elasticsearch:\n  api_key: \"s3cret\\n\"\n",
        &["line 2: elasticsearch.api_key: a secret is one line of text, and not empty"],
    );
    let config = parse("elasticsearch:\n  api_key: s3cret\n").unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn variables_stand_in_any_value_and_keep_the_line() {
    let config = Config::from(parse("elasticsearch:\n  gzip: ${LEVEL}\n").unwrap());
    assert_eq!(config.elasticsearch.settings.gzip_level, 3);
    check(
        "elasticsearch:\n  gzip: ${LEVEL}0\n  timeout: ${NONE}\nhost: [\"${NONE}\"]\n",
        &[
            "line 3: the variable NONE is not set in the environment; `${NONE:-text}` would do without it",
            "line 4: the variable NONE is not set in the environment; `${NONE:-text}` would do without it",
        ],
    );
}

#[test]
fn a_key_without_a_value_is_not_set() {
    check("grace:\ncollect:\nstore:\n  retention_age: ~\n", &[]);
}

#[test]
fn every_default_of_the_table_is_the_default_of_the_code() {
    let written = Config {
        written: Written::default(),
        ..Config::from(parse(&manual::example()).unwrap())
    };
    let unwritten = Config::from(parse("").unwrap());
    assert_eq!(format!("{written:?}"), format!("{unwritten:?}"));
}

#[test]
fn every_key_changes_the_configuration() {
    let value = |path: &str| match path {
        address if address.contains("listen") => "127.0.0.1:1",
        "export.probes_off" => "[conntrack]",
        "export.env" => "n1",
        "web_config"
        | "export.lvs_mapping"
        | "export.keepalived_log"
        | "export.keepalived_fifo" => "/b",
        "export.lvs_configmap" => "lb/vips",
        "export.push_url" => "http://a/write",
        "export.push_interval" => "20s\n  push_url: http://a/write",
        "export.push_buffer" => "2 MiB\n  push_url: http://a/write",
        "export.push_user" => "a\n  push_password_file: /b\n  push_url: http://a/write",
        "export.push_password_file" => "/b\n  push_user: a\n  push_url: http://a/write",
        "export.push_token_file" | "export.push_ca_file" => "/b\n  push_url: http://a/write",
        "export.kubeconfig" => "/b\n  lvs_configmap: lb/vips",
        "export.ping_targets" => "[core_switch=10.0.0.1]",
        "collect.start" => "end",
        "collect.multiline" => "java",
        "collect.app"
        | "export.ping_from_pods"
        | "export.jvm_discovery"
        | "export.conntrack_top"
        | "export.keepalived_dump" => "true",
        "export.conntrack_bypass" => "[10.0.0.0/8]",
        "discover.volumes" | "export.ping_gateways" => "false",
        "discover.volume_depth_max"
        | "discover.volume_directories_max"
        | "derive.series_max"
        | "elasticsearch.gzip"
        | "elasticsearch.requests_max" => "7",
        "derive.namespaces" => "[kube-system]",
        "derive.rules" => "[{name: a_total, container: a, pattern: b}]",
        "redact.patterns" => "[email]",
        "collect.include" | "collect.exclude" | "derive.access" => "[{namespace: a}]",
        "discover.docker_roots" | "discover.host_logs" => "[/a]",
        bytes
            if bytes.ends_with("bytes")
                || bytes.ends_with("bytes_max")
                || bytes.ends_with("limit") =>
        {
            "2 MiB"
        }
        "node" | "host" | "cluster" | "elasticsearch.index_prefix" => "n1",
        "elasticsearch.urls" => "[http://es]",
        "alerts.alertmanager" | "alerts.prometheus" => "http://es",
        "alerts.user" => "a\n  password_file: /b",
        "elasticsearch.user" => "a\n  password: b",
        "elasticsearch.password" => "b\n  user: a",
        "alerts.password_file" | "elasticsearch.password_file" => "/b\n  user: a",
        "elasticsearch.api_key" => "b",
        "elasticsearch.api_key_file" | "elasticsearch.ca_file" | "alerts.ca_file" => "/b",
        "elasticsearch.mode" => "data_stream",
        "elasticsearch.template" => "off",
        _ => "90s",
    };
    let unset = format!("{:?}", Config::from(RawConfig::default()));
    for key in keys::keys() {
        let text = match key.path.split_once('.') {
            Some((section, leaf)) => format!("{section}:\n  {leaf}: {}", value(key.path)),
            None => format!("{}: {}", key.path, value(key.path)),
        };
        let set = Config {
            written: Written::default(),
            ..Config::from(parse(&text).unwrap_or_else(|bad| panic!("{text}: {bad}")))
        };
        let set = format!("{set:?}");
        assert_ne!(set, unset, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_configuration_or_problems(text in "\\PC{0,300}") {
        drop(parse(&text));
    }

    #[test]
    fn any_value_of_any_key_is_read_or_refused(index in 0..keys::keys().count(), value in "[-\\[\\]{}:,a-z0-9 \"'*/.]{0,40}") {
        let path = keys::keys().nth(index).unwrap().path;
        let text = match path.split_once('.') {
            Some((section, leaf)) => format!("{section}:\n  {leaf}: {value}"),
            None => format!("{path}: {value}"),
        };
        drop(parse(&text));
    }
}
