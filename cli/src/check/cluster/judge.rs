//! What does an answer of the cluster mean for us? Pure, over its JSON.

use std::time::Duration;

use collector::ship::elasticsearch::Layout;
use collector::ship::elasticsearch::template::{About, Engine, Standing};
use page::units::{bytes_text, seconds_text};
use serde_json::Value;

use crate::check::Finding;
use crate::config::Template;
use crate::table::visible;

/// How many names a finding shows.
const SHOWN_MAX: usize = 3;
/// Clocks further apart than this make people look for lines at the wrong time.
const CLOCK_SLACK: Duration = Duration::from_secs(30);
/// At 90 % Elasticsearch moves shards away, at 95 % it stops writing (its defaults).
const DISK_USED_MAX_PERCENT: u64 = 90;

/// Composable index templates came with Elasticsearch 7.8; OpenSearch has had them from the start, `flat_object` since 2.7.
pub(super) fn version(about: &About) -> Finding {
    let mut numbers = about
        .version
        .split('.')
        .map(|part| part.parse::<u32>().ok());
    let found = (
        numbers.next().flatten().unwrap_or(0),
        numbers.next().flatten().unwrap_or(0),
    );
    let least = match about.engine {
        Engine::Elasticsearch => (7, 8),
        Engine::OpenSearch => (2, 7),
    };
    if found >= least {
        return Finding::ok(format!("version {} has all that is needed", about.version));
    }
    Finding::fail(
        format!("{:?} {} is too old", about.engine, about.version),
        format!("use {}.{} or newer", least.0, least.1),
    )
}

pub(super) fn standing(found: &Standing, layout: &Layout, policy: Template) -> Finding {
    let name = layout.template_name();
    match (found, policy) {
        (Standing::Present, _) => Finding::ok(format!("index template {name} is there")),
        (Standing::Missing | Standing::Outdated(_), Template::Install) => Finding::ok(format!(
            "index template {name} will be installed by `nodetap up` or `collect`"
        )),
        (Standing::Missing, Template::Verify | Template::Off) => Finding::warn(
            format!(
                "index template {name} is not there: fields get types by guess, and times lose their nanoseconds"
            ),
            "set elasticsearch.template to install once, with a user that may manage index templates",
        ),
        (Standing::Outdated(version), Template::Verify | Template::Off) => Finding::warn(
            format!("index template {name} is of the older version {version}"),
            "set elasticsearch.template to install once, with a user that may manage index templates",
        ),
    }
}

/// `GET /_cluster/health`
pub(super) fn health(answer: &Value) -> Vec<Finding> {
    let status = answer.get("status").and_then(Value::as_str);
    vec![match status {
        Some("green" | "yellow") => {
            Finding::ok(format!("the cluster is {}", status.unwrap_or_default()))
        }
        Some("red") => Finding::warn(
            "the cluster is red: some indices can't be written to",
            "see GET /_cluster/allocation/explain; lines of other indices go on",
        ),
        _ => Finding::warn("the cluster does not tell its health", "look at its log"),
    }]
}

/// `GET /_cluster/settings`, flat and with defaults.
pub(super) fn settings(answer: &Value, layout: &Layout) -> Vec<Finding> {
    // What is transient goes before what is persistent, and that before the defaults.
    let value = |name: &str| {
        ["transient", "persistent", "defaults"]
            .iter()
            .find_map(|level| answer.get(level)?.get(name))
            .map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            })
    };
    let mut findings = Vec::new();
    for block in [
        "cluster.blocks.read_only",
        "cluster.blocks.read_only_allow_delete",
    ] {
        if value(block).as_deref() == Some("true") {
            findings.push(Finding::fail(
                format!("the cluster takes nothing: {block} is true"),
                format!(
                    "set it to null with PUT /_cluster/settings once the reason is mended ({block})"
                ),
            ));
        }
    }
    match value("action.auto_create_index").as_deref() {
        Some("false") => findings.push(Finding::fail(
            "the cluster makes no index by itself: action.auto_create_index is false",
            format!("allow {} there", layout.pattern()),
        )),
        Some(patterns) if patterns != "true" => findings.push(Finding::warn(
            format!(
                "the cluster makes only some indices by itself: {}",
                visible(patterns)
            ),
            format!("look whether {} is among them", layout.pattern()),
        )),
        Some(_) | None => {}
    }
    findings
}

/// `GET /<pattern>/_settings/index.blocks.*`, flat.
pub(super) fn blocks(answer: &Value) -> Vec<Finding> {
    let empty = serde_json::Map::new();
    let indices = answer.as_object().unwrap_or(&empty);
    let mut findings = Vec::new();
    for (block, means, mend) in [
        (
            "index.blocks.read_only_allow_delete",
            "are blocked since a disk was nearly full",
            "make space or add disk; the block goes away by itself",
        ),
        (
            "index.blocks.read_only",
            "are read-only",
            "their lines wait until index.blocks.read_only is taken away",
        ),
        (
            "index.blocks.write",
            "take no writes",
            "their lines wait until index.blocks.write is taken away",
        ),
    ] {
        let is_set = |settings: &Value| {
            settings
                .get("settings")
                .and_then(|settings| settings.get(block))
                .is_some_and(|value| value == "true" || value == &Value::Bool(true))
        };
        let names: Vec<&str> = indices
            .iter()
            .filter(|(_, settings)| is_set(settings))
            .map(|(name, _)| name.as_str())
            .collect();
        if !names.is_empty() {
            let shown: Vec<String> = names
                .iter()
                .take(SHOWN_MAX)
                .map(|name| visible(name))
                .collect();
            findings.push(Finding::warn(
                format!("{} indices {means}, as {}", names.len(), shown.join(", ")),
                mend,
            ));
        }
    }
    findings
}

/// `GET /_nodes/stats/fs`: disks, and the nodes' clocks against `now`, ours since 1970.
pub(super) fn nodes(answer: &Value, now: Duration) -> Vec<Finding> {
    let empty = serde_json::Map::new();
    let nodes = answer
        .get("nodes")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let mut findings = Vec::new();
    let mut worst_clock = Duration::ZERO;
    for node in nodes.values() {
        let name = node.get("name").and_then(Value::as_str).unwrap_or("a node");
        let bytes = |field: &str| {
            node.pointer(&format!("/fs/total/{field}"))
                .and_then(Value::as_u64)
        };
        if let (Some(total), Some(free)) = (bytes("total_in_bytes"), bytes("available_in_bytes"))
            && total > 0
            && u128::from(total.saturating_sub(free)) * 100
                >= u128::from(total) * u128::from(DISK_USED_MAX_PERCENT)
        {
            findings.push(Finding::warn(
                format!(
                    "{} has {} of {} free: at 95 % used it takes nothing any more",
                    visible(name),
                    bytes_text(free),
                    bytes_text(total)
                ),
                "delete old indices, or add disk",
            ));
        }
        if let Some(millis) = node.get("timestamp").and_then(Value::as_u64) {
            worst_clock = worst_clock.max(now.abs_diff(Duration::from_millis(millis)));
        }
    }
    if worst_clock > CLOCK_SLACK {
        findings.push(Finding::warn(
            format!(
                "the cluster's clock and ours are {} apart",
                seconds_text(worst_clock.as_secs_f64())
            ),
            "keep both with chrony or systemd-timesyncd: lines carry this node's time",
        ));
    } else if !nodes.is_empty() && findings.is_empty() {
        findings.push(Finding::ok(
            "the cluster has disk space, and its clock agrees with ours",
        ));
    }
    findings
}

/// `POST /_security/user/_has_privileges`
pub(super) fn rights(answer: &Value, pattern: &str) -> Finding {
    match answer.get("has_all_requested").and_then(Value::as_bool) {
        Some(true) => Finding::ok(format!("we may create documents in {pattern}")),
        _ => Finding::fail(
            format!("we may not create documents in {pattern}"),
            "give the user or API key the index privileges create_doc and auto_configure there",
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::Verdict;

    fn index() -> Layout {
        Layout::Index {
            prefix: "nodetap".to_owned(),
        }
    }

    fn verdicts(findings: &[Finding]) -> Vec<Verdict> {
        findings.iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn versions_without_what_is_needed_are_refused() {
        let check = |engine, text: &str, expect| {
            let about = About {
                engine,
                version: text.to_owned(),
            };
            assert_eq!(version(&about).verdict, expect, "{engine:?} {text}");
        };
        check(Engine::Elasticsearch, "8.19.2", Verdict::Ok);
        check(Engine::Elasticsearch, "7.8.0", Verdict::Ok);
        check(Engine::Elasticsearch, "7.7.1", Verdict::Fail);
        check(Engine::Elasticsearch, "10.0.0", Verdict::Ok);
        check(Engine::OpenSearch, "2.19.4", Verdict::Ok);
        check(Engine::OpenSearch, "1.3.0", Verdict::Fail);
        check(Engine::OpenSearch, "", Verdict::Fail);
    }

    #[test]
    fn a_missing_template_matters_where_nobody_will_install_it() {
        let check = |found: Standing, policy, expect| {
            assert_eq!(
                standing(&found, &index(), policy).verdict,
                expect,
                "{found:?}"
            );
        };
        check(Standing::Missing, Template::Install, Verdict::Ok);
        check(Standing::Missing, Template::Verify, Verdict::Warn);
        check(Standing::Outdated(0), Template::Off, Verdict::Warn);
        check(Standing::Present, Template::Off, Verdict::Ok);
    }

    #[test]
    fn blocks_of_cluster_and_indices_are_named() {
        let answer = json!({
            "persistent": {},
            "transient": { "cluster.blocks.read_only": "true" },
            "defaults": { "action.auto_create_index": "true", "cluster.blocks.read_only": "false" },
        });
        assert_eq!(verdicts(&settings(&answer, &index())), [Verdict::Fail]);
        let answer = json!({ "persistent": { "action.auto_create_index": "+logs-*,-*" } });
        assert_eq!(verdicts(&settings(&answer, &index())), [Verdict::Warn]);
        let answer = json!({ "defaults": { "action.auto_create_index": "false" } });
        assert_eq!(verdicts(&settings(&answer, &index())), [Verdict::Fail]);
        let answer = json!({
            "nodetap-2026.11.20": { "settings": { "index.blocks.read_only_allow_delete": "true" } },
            "nodetap-2026.11.21": { "settings": {} },
        });
        let found = blocks(&answer);
        assert_eq!(verdicts(&found), [Verdict::Warn]);
        assert!(
            found[0].what.contains("nodetap-2026.11.20"),
            "{}",
            found[0].what
        );
    }

    #[test]
    fn full_disks_and_foreign_clocks_are_noticed() {
        let now = Duration::from_millis(1_800_000_000_001);
        let node = |free: u64, millis: u64| {
            json!({ "nodes": { "a": {
                "name": "es-1",
                "timestamp": millis,
                "fs": { "total": { "total_in_bytes": 1000, "available_in_bytes": free } },
            }}})
        };
        let good = 1_800_000_000_500;
        assert_eq!(verdicts(&nodes(&node(500, good), now)), [Verdict::Ok]);
        assert_eq!(verdicts(&nodes(&node(90, good), now)), [Verdict::Warn]);
        assert_eq!(
            verdicts(&nodes(&node(500, 1_800_000_090_000), now)),
            [Verdict::Warn]
        );
        assert_eq!(verdicts(&nodes(&json!({}), now)), []);
    }

    #[test]
    fn an_answer_of_any_form_is_judged() {
        for strange in [
            json!(null),
            json!([1]),
            json!("x"),
            json!({ "nodes": [], "status": 7 }),
        ] {
            drop(health(&strange));
            drop(settings(&strange, &index()));
            drop(blocks(&strange));
            drop(nodes(&strange, Duration::ZERO));
            assert_eq!(rights(&strange, "x").verdict, Verdict::Fail);
        }
    }
}
