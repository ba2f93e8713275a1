//! Can Kibana import its file? Structure and references; what the searches find is tried on real servers.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{list, text};
use crate::{check, read};

/// The lines of the file that Kibana imports.
pub(super) fn saved_objects() -> Vec<Value> {
    read(Path::new("dashboards/kibana/nodetap.ndjson"))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn saved_objects_can_be_imported() {
    let objects = saved_objects();
    let mut broken = Vec::new();
    let mut before: BTreeSet<(&str, &str)> = BTreeSet::new();
    for object in &objects {
        let name = format!("{} {}", text(object, "/type"), text(object, "/id"));
        for reference in list(object, "/references") {
            // Importers of old read from top to bottom.
            if !before.contains(&(text(reference, "/type"), text(reference, "/id"))) {
                broken.push(format!(
                    "{name}: refers to {} before it is there",
                    text(reference, "/id")
                ));
            }
        }
        if !before.insert((text(object, "/type"), text(object, "/id"))) {
            broken.push(format!("{name}: twice"));
        }
        for version in ["/coreMigrationVersion", "/typeMigrationVersion"] {
            if text(object, version)
                .split('.')
                .filter(|part| part.parse::<u32>().is_ok())
                .count()
                != 3
            {
                broken.push(format!("{name}: no {version}"));
            }
        }
        for inner in [
            "kibanaSavedObjectMeta/searchSourceJSON",
            "visState",
            "panelsJSON",
            "optionsJSON",
        ] {
            let Some(inner_text) = object
                .pointer(&format!("/attributes/{inner}"))
                .and_then(Value::as_str)
            else {
                continue;
            };
            let read: Value = serde_json::from_str(inner_text).unwrap();
            let named: Vec<&str> = list(object, "/references")
                .iter()
                .map(|reference| text(reference, "/name"))
                .collect();
            let search = text(&read, "/indexRefName");
            if !search.is_empty() && !named.contains(&search) {
                broken.push(format!("{name}: {search} is not among its references"));
            }
            for panel in read.as_array().map_or(&[][..], Vec::as_slice) {
                let wanted = format!(
                    "{}:{}",
                    text(panel, "/panelIndex"),
                    text(panel, "/panelRefName")
                );
                if !named.contains(&wanted.as_str()) {
                    broken.push(format!("{name}: {wanted} is not among its references"));
                }
            }
        }
    }
    let kinds: BTreeSet<&str> = objects.iter().map(|object| text(object, "/type")).collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["dashboard", "index-pattern", "search", "visualization"])
    );
    check("Kibana can import the saved objects", &broken);
}
