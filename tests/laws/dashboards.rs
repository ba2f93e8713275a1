//! What holds for every dashboard, so that no panel stays empty by a slip of the pen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::{check, files, read};

mod kibana;
mod queries;

use kibana::saved_objects;
use queries::{label_variables, metrics};

/// Whatever a dashboard shows in its top row has these.
const TOP_TILES_MIN: usize = 4;
const GRID_WIDTH: u64 = 24;

/// A dashboard, by its file's name without `.json`.
fn dashboards() -> BTreeMap<String, Value> {
    let folder = Path::new("dashboards/grafana");
    let found: BTreeMap<String, Value> = files()
        .into_iter()
        .filter(|path| path.starts_with(folder))
        .map(|path| {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (stem, serde_json::from_str(&read(&path)).unwrap())
        })
        .collect();
    assert!(found.len() >= 9, "{} dashboards", found.len());
    found
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Every panel that shows something, with a name for messages.
fn panels(dashboards: &BTreeMap<String, Value>) -> Vec<(String, &Value)> {
    dashboards
        .iter()
        .flat_map(|(stem, dashboard)| {
            list(dashboard, "/panels")
                .iter()
                .filter(|panel| text(panel, "/type") != "row")
                .map(move |panel| (format!("{stem}: {}", text(panel, "/title")), panel))
        })
        .collect()
}

/// The families that nodetap makes or that the list of foreign ones has.
fn known_metrics() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for line in read(Path::new("docs/metrics.md")).lines() {
        let mut cells = line.split('|').map(str::trim);
        let (Some(""), Some(name), Some(kind)) = (cells.next(), cells.next(), cells.next()) else {
            continue;
        };
        let Some(name) = name
            .strip_prefix('`')
            .and_then(|rest| rest.strip_suffix('`'))
        else {
            continue;
        };
        known.insert(name.to_owned());
        if kind == "histogram" {
            known.insert(format!("{name}_bucket"));
        }
        if kind == "histogram" || kind == "summary" {
            known.extend([format!("{name}_sum"), format!("{name}_count")]);
        }
    }
    for line in read(Path::new("tests/fixtures/metrics.golden")).lines() {
        if let Some(name) = line
            .strip_prefix("# HELP ")
            .and_then(|rest| rest.split(' ').next())
        {
            known.insert(name.to_owned());
        }
    }
    for line in read(Path::new("alertrules/foreign.yml")).lines() {
        if let Some(name) = line.strip_prefix("    - ") {
            known.insert(name.trim().to_owned());
        }
    }
    known
}

/// Every expression of a dashboard, with a name for messages.
fn expressions(stem: &str, dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in list(dashboard, "/panels") {
        for target in list(panel, "/targets") {
            let name = format!("{stem}: {}", text(panel, "/title"));
            found.push((name, text(target, "/expr").to_owned()));
        }
    }
    for annotation in list(dashboard, "/annotations/list") {
        let name = format!("{stem}: annotation {}", text(annotation, "/name"));
        found.push((name, text(annotation, "/expr").to_owned()));
    }
    for variable in list(dashboard, "/templating/list") {
        if text(variable, "/type") == "query" {
            let name = format!("{stem}: variable {}", text(variable, "/name"));
            let query = text(variable, "/query/query");
            let family = query
                .strip_prefix("label_values(")
                .and_then(|rest| rest.rsplit_once(','))
                .map_or(query, |(family, _)| family);
            found.push((name, family.to_owned()));
        }
    }
    found
}

#[test]
fn panels_name_only_metrics_that_exist() {
    let known = known_metrics();
    let mut broken = Vec::new();
    for (stem, dashboard) in &dashboards() {
        for (name, expression) in expressions(stem, dashboard) {
            let named = metrics(&expression);
            if named.is_empty() {
                broken.push(format!("{name}: no metric in {expression}"));
            }
            for metric in named.difference(&known) {
                broken.push(format!("{name}: {metric}"));
            }
        }
    }
    check(
        "a query names metrics of docs/metrics.md or alertrules/foreign.yml",
        &broken,
    );
}

#[test]
fn panels_say_what_they_show_and_in_which_unit() {
    let mut broken = Vec::new();
    let dashboards = dashboards();
    for (name, panel) in panels(&dashboards) {
        let description = text(panel, "/description");
        if !description.ends_with('.') || text(panel, "/title").is_empty() {
            broken.push(format!("{name}: no title or no sentence that describes it"));
        }
        if text(panel, "/fieldConfig/defaults/unit").is_empty() {
            broken.push(format!("{name}: no unit"));
        }
        for column in list(panel, "/fieldConfig/overrides") {
            let has_unit = list(column, "/properties")
                .iter()
                .any(|property| text(property, "/id") == "unit");
            if !has_unit {
                broken.push(format!(
                    "{name}: column {} has no unit",
                    text(column, "/matcher/options")
                ));
            }
        }
        if text(panel, "/datasource/uid") != "$datasource" {
            broken.push(format!("{name}: not from the chosen data source"));
        }
        let targets = list(panel, "/targets");
        let known = |target: &Value| text(target, "/datasource/uid") == "$datasource";
        if targets.is_empty() || !targets.iter().all(known) {
            broken.push(format!("{name}: a query without the chosen data source"));
        }
    }
    check("a panel says what it shows, and in which unit", &broken);
}

#[test]
fn rates_follow_the_step_of_the_chart() {
    let mut broken = Vec::new();
    let dashboards = dashboards();
    for (name, panel) in panels(&dashboards) {
        for target in list(panel, "/targets") {
            let expression = text(target, "/expr");
            let over_time = target.pointer("/range") == Some(&Value::Bool(true));
            if over_time && expression.contains("rate(") && !expression.contains("$__rate_interval")
            {
                broken.push(format!("{name}: {expression}"));
            }
        }
    }
    check("a rate over time has the window $__rate_interval", &broken);
}

#[test]
fn dashboards_keep_their_addresses() {
    let mut broken = Vec::new();
    for (stem, dashboard) in &dashboards() {
        if text(dashboard, "/uid") != format!("nodetap-{stem}") {
            broken.push(format!("{stem}: uid {}", text(dashboard, "/uid")));
        }
        if list(dashboard, "/tags") != [Value::from("nodetap")] {
            broken.push(format!("{stem}: not tagged nodetap alone"));
        }
        if dashboard.get("id").is_some_and(|id| !id.is_null()) {
            broken.push(format!("{stem}: an id belongs to one Grafana"));
        }
        let mut ids = BTreeSet::new();
        for panel in list(dashboard, "/panels") {
            if !ids.insert(panel.get("id").and_then(Value::as_u64)) {
                broken.push(format!(
                    "{stem}: two panels have the id {:?}",
                    panel.get("id")
                ));
            }
        }
    }
    check("a dashboard's uid is nodetap- and its file's name", &broken);
}

#[test]
fn panels_stand_beside_each_other() {
    let mut broken = Vec::new();
    for (stem, dashboard) in &dashboards() {
        let mut taken = BTreeMap::new();
        for panel in list(dashboard, "/panels") {
            let side = |name: &str| {
                panel
                    .pointer(&format!("/gridPos/{name}"))
                    .and_then(Value::as_u64)
                    .unwrap()
            };
            let (x, y, width, height) = (side("x"), side("y"), side("w"), side("h"));
            if x + width > GRID_WIDTH {
                broken.push(format!(
                    "{stem}: {} is past the edge",
                    text(panel, "/title")
                ));
            }
            for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
                if let Some(other) = taken.insert(cell, text(panel, "/title")) {
                    broken.push(format!("{stem}: {} lies on {other}", text(panel, "/title")));
                    break;
                }
            }
        }
    }
    check("panels have places of their own", &broken);
}

#[test]
fn the_top_row_says_whether_it_is_well() {
    let mut broken = Vec::new();
    for (stem, dashboard) in &dashboards() {
        let top: Vec<&Value> = list(dashboard, "/panels")
            .iter()
            .filter(|panel| panel.pointer("/gridPos/y").and_then(Value::as_u64) == Some(0))
            .collect();
        let judges = top.iter().filter(|panel| {
            text(panel, "/type") == "stat"
                && list(panel, "/fieldConfig/defaults/thresholds/steps").len() > 1
        });
        if top.iter().any(|panel| text(panel, "/type") != "stat") || judges.count() < TOP_TILES_MIN
        {
            broken.push(format!(
                "{stem}: the top row is not made of tiles with thresholds"
            ));
        }
        let firing = top
            .first()
            .is_some_and(|panel| text(panel, "/targets/0/expr").contains("ALERTS{"));
        if !firing {
            broken.push(format!(
                "{stem}: the first tile does not count firing alerts"
            ));
        }
    }
    check("the top row answers: is it well?", &broken);
}

#[test]
fn variables_are_used_and_those_that_are_used_exist() {
    let mut broken = Vec::new();
    for (stem, dashboard) in &dashboards() {
        let defined: BTreeSet<&str> = list(dashboard, "/templating/list")
            .iter()
            .map(|variable| text(variable, "/name"))
            .collect();
        let whole = dashboard.to_string();
        for name in &defined {
            let used = [format!("${name}"), format!("${{{name}")]
                .iter()
                .any(|form| whole.contains(form));
            if !used {
                broken.push(format!("{stem}: ${name} is not used"));
            }
        }
        for (name, expression) in expressions(stem, dashboard) {
            for variable in label_variables(&expression) {
                if !variable.starts_with("__") && !defined.contains(variable.as_str()) {
                    broken.push(format!("{name}: ${variable} is not defined"));
                }
            }
        }
        for variable in ["datasource", "cluster"] {
            if !defined.contains(variable) {
                broken.push(format!("{stem}: no ${variable}"));
            }
        }
    }
    check("variables exist and are used", &broken);
}

#[test]
fn links_lead_somewhere() {
    let dashboards = dashboards();
    let searches: BTreeSet<String> = saved_objects()
        .iter()
        .filter(|object| text(object, "/type") == "search")
        .map(|object| text(object, "/id").to_owned())
        .collect();
    let mut broken = Vec::new();
    for (stem, dashboard) in &dashboards {
        let whole = dashboard.to_string();
        let names = |start: &str| -> Vec<String> {
            whole
                .split(start)
                .skip(1)
                .map(|rest| {
                    rest.chars()
                        .take_while(|&c| c == '-' || c.is_ascii_alphanumeric())
                        .collect()
                })
                .collect()
        };
        for linked in names("/d/nodetap-") {
            if !dashboards.contains_key(&linked) {
                broken.push(format!("{stem}: link to the dashboard {linked}"));
            }
        }
        for linked in names("discover#/view/") {
            if !searches.contains(&linked) {
                broken.push(format!("{stem}: link to the search {linked}"));
            }
        }
    }
    check("links lead to dashboards and searches that exist", &broken);
}

#[test]
fn every_alert_has_a_dashboard_and_dashboards_name_no_other() {
    let rules: String = files()
        .into_iter()
        .filter(|path| {
            path.starts_with("alertrules") && path.to_string_lossy().ends_with(".rules.yml")
        })
        .map(|path| read(&path))
        .collect();
    let mut broken = Vec::new();
    let mut named = BTreeSet::new();
    for (stem, dashboard) in &dashboards() {
        for (name, expression) in expressions(stem, dashboard) {
            let Some((_, rest)) = expression.split_once("alertname=~\"") else {
                continue;
            };
            for alert in rest.split('"').next().unwrap().split('|') {
                named.insert(alert.to_owned());
                // `LVS.+` stands for whatever alerts of that kind there are.
                let is_exact = !alert.ends_with(".+");
                if is_exact && !rules.contains(&format!("alert: {alert}\n")) {
                    broken.push(format!("{name}: {alert}"));
                }
            }
        }
    }
    for line in rules.lines() {
        let Some((_, alert)) = line.split_once("- alert: ") else {
            continue;
        };
        let is_named = named.iter().any(|name| match name.strip_suffix(".+") {
            Some(kind) => alert.starts_with(kind),
            None => alert == name,
        });
        // The watchdog fires as long as all is well.
        if alert != "NodeAgentWatchdog" && !is_named {
            broken.push(format!("no dashboard for {alert}"));
        }
    }
    check(
        "every alert has a dashboard, and dashboards name no other",
        &broken,
    );
}
