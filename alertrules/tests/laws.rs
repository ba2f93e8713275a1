//! Can a person on call trust every alert? What each of them must have, and what no expression may do.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use alertrules::files::{RULES, TESTS};
use alertrules::rules::{Alert, Optional, Rule, RuleFile, rules};
use alertrules::runbook::{self, HEADINGS, RUNBOOKS};
use alertrules::topology::Topology;
use alertrules::values::Values;
use regex::Regex;
use yaml::document::{self, Node, Value};

/// The shortest range that still holds a rate when scrapes a minute apart are missed, in seconds.
const RANGE_SECONDS_MIN: u64 = 300;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files() -> Vec<RuleFile> {
    rules(&Values::built_in().unwrap(), &Optional::All).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn alerts() -> Vec<Alert> {
    files()
        .iter()
        .flat_map(|file| file.alerts().cloned())
        .collect()
}

/// Every expression with the name of its rule.
fn expressions() -> Vec<(String, String)> {
    let files = files();
    let rules = files
        .iter()
        .flat_map(|file| &file.groups)
        .flat_map(|group| &group.rules);
    rules
        .map(|rule| match rule {
            Rule::Record { name, expr } => (name.clone(), expr.clone()),
            Rule::Alert(alert) => (alert.name.clone(), alert.expr.clone()),
        })
        .collect()
}

fn check(law: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{law}:\n  {}", broken.join("\n  "));
}

fn names_in(folder: &Path, end: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(end)).collect()
}

#[test]
fn every_file_is_in_the_binary() {
    for (end, listed) in [(".rules.yml", RULES), (".test.yml", TESTS)] {
        let mut there = names_in(&folder(), end);
        let optional = names_in(&folder().join("optional"), end);
        there.extend(optional.iter().map(|name| format!("optional/{name}")));
        let listed: BTreeSet<String> = listed.iter().map(|file| file.path.to_owned()).collect();
        assert_eq!(there, listed);
    }
    let there = names_in(&folder().join("runbooks"), ".md");
    let listed: BTreeSet<String> = RUNBOOKS
        .iter()
        .map(|runbook| format!("{}.md", runbook.alert))
        .collect();
    assert_eq!(there, listed);
}

#[test]
fn every_alert_says_how_grave_it_is_and_what_to_do() {
    let mut broken = Vec::new();
    for alert in alerts() {
        for name in ["summary", "description", "runbook_url", "dashboard"] {
            if !alert
                .annotations
                .iter()
                .any(|(key, text)| key == name && !text.is_empty())
            {
                broken.push(format!("{}: no {name}", alert.name));
            }
        }
        if !["critical", "warning", "info", "none"].contains(&alert.severity()) {
            broken.push(format!("{}: severity {:?}", alert.name, alert.severity()));
        }
        let waits = alert.hold.is_some() || alert.keep.is_some();
        if !waits && alert.name != "NodeAgentWatchdog" {
            broken.push(format!(
                "{}: neither `for` nor `keep_firing_for`",
                alert.name
            ));
        }
    }
    check("an alert is complete", &broken);
}

#[test]
fn the_golden_document_lists_every_alert_and_every_value() {
    let path = folder().join("../docs/alerts.md");
    let found = alertrules::manual::text().unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let expect = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expect,
        "docs/alerts.md is not what the rules say; UPDATE_GOLDEN=1 writes it anew"
    );
}

#[test]
fn names_are_used_once() {
    let mut seen = BTreeSet::new();
    let again: Vec<String> = expressions()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !seen.insert(name.clone()))
        .collect();
    check("a name has one meaning", &again);
    let files = files();
    let groups: Vec<&String> = files
        .iter()
        .flat_map(|file| &file.groups)
        .map(|group| &group.name)
        .collect();
    assert_eq!(groups.iter().collect::<BTreeSet<_>>().len(), groups.len());
}

#[test]
fn every_alert_has_a_runbook_with_its_four_parts() {
    let mut broken = Vec::new();
    for alert in alerts() {
        let Some(runbook) = runbook::of(&alert.name) else {
            broken.push(format!("{}: no runbook", alert.name));
            continue;
        };
        if !runbook.text.starts_with(&format!("# {}\n\n", alert.name)) {
            broken.push(format!("{}: begins with another title", alert.name));
        }
        let line = runbook::one_line(&alert.name).unwrap_or_default();
        if !line.ends_with('.') || line.len() > 100 {
            broken.push(format!("{}: no short sentence below the title", alert.name));
        }
        for heading in HEADINGS {
            if runbook.part(heading).is_none_or(str::is_empty) {
                broken.push(format!("{}: nothing under {heading}", alert.name));
            }
        }
        if !runbook
            .part("Look here")
            .is_some_and(|part| part.contains('`'))
        {
            broken.push(format!("{}: no command under Look here", alert.name));
        }
    }
    let known: Vec<String> = alerts().into_iter().map(|alert| alert.name).collect();
    let orphans = RUNBOOKS
        .iter()
        .filter(|runbook| !known.iter().any(|name| name == runbook.alert));
    broken.extend(orphans.map(|runbook| format!("{}: no such alert", runbook.alert)));
    check("an alert has a runbook", &broken);
}

#[test]
fn runbooks_name_alerts_that_there_are() {
    let known: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    let starts: BTreeSet<&str> = known.iter().filter_map(|name| name.get(..5)).collect();
    let word = Regex::new("[A-Z][A-Za-z0-9]{7,}").unwrap();
    let mut broken = Vec::new();
    for runbook in RUNBOOKS {
        for found in word.find_iter(runbook.text) {
            let found = found.as_str();
            let is_name = starts.contains(&found[..5]) && found[1..].contains(char::is_uppercase);
            if is_name && !known.contains(found) {
                broken.push(format!("{}: {found}", runbook.alert));
            }
        }
    }
    check("a runbook leads to alerts that exist", &broken);
}

/// Per alert: in each test, when it is looked at and how many of it fire.
fn cases() -> BTreeMap<String, Vec<Vec<(u64, usize)>>> {
    let mut cases: BTreeMap<String, Vec<Vec<(u64, usize)>>> = BTreeMap::new();
    for file in TESTS {
        let root =
            document::read(file.text).unwrap_or_else(|wrong| panic!("{}: {wrong}", file.path));
        for test in list(under(&root, "tests")) {
            let mut looked: BTreeMap<String, Vec<(u64, usize)>> = BTreeMap::new();
            for look in list(under(test, "alert_rule_test")) {
                let name = text(under(look, "alertname"));
                let firing = list(under(look, "exp_alerts")).len();
                let time = seconds(&text(under(look, "eval_time")));
                looked.entry(name).or_default().push((time, firing));
            }
            for (name, mut looks) in looked {
                looks.sort_unstable();
                cases.entry(name).or_default().push(looks);
            }
        }
    }
    cases
}

#[test]
fn every_alert_was_seen_quiet_firing_and_resolved() {
    let cases = cases();
    let mut broken = Vec::new();
    for alert in alerts() {
        // A dead man's switch has one state.
        if alert.name == "NodeAgentWatchdog" {
            continue;
        }
        let looks = cases.get(&alert.name).map_or(&[][..], Vec::as_slice);
        let whole = looks.iter().any(|looks| {
            let first = looks.iter().position(|(_, firing)| *firing > 0);
            first.is_some_and(|first| {
                first > 0 && looks[first..].iter().any(|(_, firing)| *firing == 0)
            })
        });
        if !whole {
            broken.push(alert.name);
        }
    }
    check(
        "one test shows an alert quiet, firing and resolved",
        &broken,
    );
}

#[test]
fn every_alert_has_a_class() {
    let topology = Topology::built_in().unwrap();
    let listed: BTreeSet<&str> = topology
        .classes()
        .iter()
        .flat_map(|class| &class.members)
        .map(|member| member.alert.as_str())
        .collect();
    let without: Vec<String> = alerts()
        .into_iter()
        .map(|alert| alert.name)
        .filter(|name| !listed.contains(name.as_str()))
        .collect();
    check("an alert belongs to a class", &without);
}

/// What `PromQL` has besides names of series.
const WORDS: [&str; 38] = [
    "abs",
    "absent",
    "and",
    "avg",
    "avg_over_time",
    "bool",
    "by",
    "clamp_max",
    "clamp_min",
    "count",
    "deriv",
    "group_left",
    "histogram_quantile",
    "increase",
    "label_replace",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "offset",
    "on",
    "or",
    "predict_linear",
    "present_over_time",
    "quantile",
    "quantile_over_time",
    "rate",
    "scalar",
    "stddev",
    "stddev_over_time",
    "sum",
    "sum_over_time",
    "time",
    "unless",
    "vector",
    "without",
    "ignoring",
    "group_right",
];

/// The names of series in an expression, with the function that they stand directly in.
fn series(expr: &str) -> BTreeSet<(String, String)> {
    let strings = Regex::new(r#""(?:[^"\\]|\\.)*""#).unwrap();
    let grouping =
        Regex::new(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)").unwrap();
    let matchers = Regex::new(r"\{[^}]*\}").unwrap();
    let ranges = Regex::new(r"\[[^\]]*\]|\boffset\s+\w+").unwrap();
    let bare = strings.replace_all(expr, "");
    let bare = grouping.replace_all(&bare, "");
    let bare = matchers.replace_all(&bare, "");
    let bare = ranges.replace_all(&bare, "");
    let name = Regex::new(r"(?:(\w+)\s*\(\s*)?\b([a-zA-Z_][a-zA-Z0-9_:]*)\b").unwrap();
    let mut found = BTreeSet::new();
    for captures in name.captures_iter(&bare) {
        let word = captures.get(2).map_or("", |word| word.as_str());
        let function = captures.get(1).map_or("", |word| word.as_str());
        if !WORDS.contains(&word) {
            found.insert((word.to_owned(), function.to_owned()));
        }
    }
    found
}

/// The metrics of docs/metrics.md with their kinds.
fn documented() -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder().join("../docs/metrics.md")).unwrap();
    let row = Regex::new(r"(?m)^\| `([a-z0-9_:]+)` \| (\w+) \|").unwrap();
    row.captures_iter(&text)
        .map(|captures| (captures[1].to_owned(), captures[2].to_owned()))
        .collect()
}

fn foreign() -> BTreeSet<String> {
    let text = fs::read_to_string(folder().join("foreign.yml")).unwrap();
    let items = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "));
    items.map(ToOwned::to_owned).collect()
}

fn kind_of<'a>(name: &str, documented: &'a BTreeMap<String, String>) -> Option<&'a str> {
    if let Some(kind) = documented.get(name) {
        return Some(kind);
    }
    // Of a histogram or a summary.
    let base = ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|end| name.strip_suffix(end))?;
    let kind = documented.get(base)?;
    ["histogram", "summary"]
        .contains(&kind.as_str())
        .then_some("counter")
}

#[test]
fn every_metric_is_one_of_ours_or_of_the_foreign_list() {
    let (documented, foreign) = (documented(), foreign());
    let recorded: BTreeSet<String> = expressions()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.contains(':'))
        .collect();
    let mut broken = Vec::new();
    let mut used = BTreeSet::new();
    for (rule, expr) in expressions() {
        for (name, _) in series(&expr) {
            let is_known = kind_of(&name, &documented).is_some()
                || foreign.contains(&name)
                || recorded.contains(&name);
            if !is_known {
                broken.push(format!("{rule}: {name}"));
            }
            used.insert(name);
        }
    }
    check("a metric stands in docs/metrics.md or foreign.yml", &broken);
    assert!(
        used.len() > 40,
        "the reader of expressions found {} names",
        used.len()
    );
}

#[test]
fn rates_are_of_counters_and_slopes_of_gauges() {
    let documented = documented();
    let mut broken = Vec::new();
    for (rule, expr) in expressions() {
        for (name, function) in series(&expr) {
            let Some(kind) = kind_of(&name, &documented) else {
                continue;
            };
            let is_wrong = match function.as_str() {
                "rate" | "increase" => kind != "counter",
                "deriv" | "predict_linear" => kind != "gauge",
                _ => false,
            };
            if is_wrong {
                broken.push(format!("{rule}: {function} of the {kind} {name}"));
            }
        }
    }
    check("a function fits its metric", &broken);
}

#[test]
fn two_clusters_are_never_mixed() {
    let grouping = Regex::new(r"\b(?:by|on)\s*\(([^)]*)\)").unwrap();
    let mut broken = Vec::new();
    for (rule, expr) in expressions() {
        for captures in grouping.captures_iter(&expr) {
            if !captures[1]
                .split(',')
                .any(|label| label.trim() == "cluster")
            {
                broken.push(format!("{rule}: {}", &captures[0]));
            }
        }
    }
    check("`cluster` stands in every grouping and every join", &broken);
}

#[test]
fn ranges_outlast_missed_scrapes() {
    let range = Regex::new(r"\[([0-9a-z]+)\]").unwrap();
    let mut broken = Vec::new();
    for (rule, expr) in expressions() {
        for captures in range.captures_iter(&expr) {
            if seconds(&captures[1]) < RANGE_SECONDS_MIN {
                broken.push(format!("{rule}: {}", &captures[0]));
            }
        }
    }
    check("a range holds five scrapes a minute apart", &broken);
}

fn under<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    match &node.value {
        Value::Section(members) => members
            .iter()
            .find(|member| member.name == key)
            .map(|member| &member.node),
        Value::Nothing | Value::Text(_) | Value::List(_) => None,
    }
}

fn list(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.value) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

fn text(node: Option<&Node>) -> String {
    match node.map(|node| &node.value) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

/// Prometheus' durations in seconds.
fn seconds(text: &str) -> u64 {
    let part = Regex::new(r"(\d+)([smhdw])").unwrap();
    let unit = |unit: &str| match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 604_800,
    };
    part.captures_iter(text)
        .map(|captures| captures[1].parse::<u64>().unwrap() * unit(&captures[2]))
        .sum()
}
