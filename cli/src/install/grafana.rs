//! The dashboards of `dashboards/grafana`, into a folder of their own.
//!
//! Grafana's HTTP API: `/api/folders`, `/api/dashboards/uid/:uid`, `/api/dashboards/db`. Grafana counts versions itself, so what
//! is there is compared with what we have, field by field.

use elastic::Method;
use serde_json::{Value, json};

use super::server::{Server, Token};
use super::{Change, Step};
use crate::args::install::InstallGrafana;

/// The folder's uid never changes; its title may.
const FOLDER: &str = "nodetap";
/// What Grafana sets by itself.
const THEIRS: [&str; 2] = ["id", "version"];

/// Every dashboard, by its file's name.
const DASHBOARDS: [(&str, &str); 11] = [
    (
        "overview",
        include_str!("../../../dashboards/grafana/overview.json"),
    ),
    (
        "conntrack",
        include_str!("../../../dashboards/grafana/conntrack.json"),
    ),
    ("lvs", include_str!("../../../dashboards/grafana/lvs.json")),
    (
        "keepalived",
        include_str!("../../../dashboards/grafana/keepalived.json"),
    ),
    ("jvm", include_str!("../../../dashboards/grafana/jvm.json")),
    (
        "readiness",
        include_str!("../../../dashboards/grafana/readiness.json"),
    ),
    (
        "control-plane",
        include_str!("../../../dashboards/grafana/control-plane.json"),
    ),
    (
        "ingress",
        include_str!("../../../dashboards/grafana/ingress.json"),
    ),
    (
        "calico",
        include_str!("../../../dashboards/grafana/calico.json"),
    ),
    (
        "logs",
        include_str!("../../../dashboards/grafana/logs.json"),
    ),
    (
        "self",
        include_str!("../../../dashboards/grafana/self.json"),
    ),
];

pub(super) async fn install(args: &InstallGrafana) -> anyhow::Result<Vec<Step>> {
    let server = Server::new(&args.access, Token::Bearer)?;
    let mut steps = vec![folder(&server, args).await?];
    for (name, text) in DASHBOARDS {
        let ours = serde_json::from_str(text)?;
        steps.push(dashboard(&server, args, name, ours).await?);
    }
    Ok(steps)
}

async fn folder(server: &Server, args: &InstallGrafana) -> anyhow::Result<Step> {
    let found = server.read(&format!("/api/folders/{FOLDER}")).await?;
    let change = Change::between(found.as_ref(), &json!({ "title": args.folder }));
    if !args.dry_run {
        match &change {
            Change::Create => {
                let body = json!({ "uid": FOLDER, "title": args.folder });
                server.write(Method::Post, "/api/folders", &body).await?;
            }
            Change::Update(_) => {
                let body = json!({ "title": args.folder, "overwrite": true });
                server
                    .write(Method::Put, &format!("/api/folders/{FOLDER}"), &body)
                    .await?;
            }
            Change::Same | Change::Kept(_) | Change::Remove => {}
        }
    }
    Ok(Step {
        what: format!("folder {FOLDER} ({})", args.folder),
        change,
    })
}

async fn dashboard(
    server: &Server,
    args: &InstallGrafana,
    name: &str,
    mut ours: Value,
) -> anyhow::Result<Step> {
    let uid = format!("nodetap-{name}");
    let found = server.read(&format!("/api/dashboards/uid/{uid}")).await?;
    let theirs = found.as_ref().map(|found| &found["dashboard"]);
    let address = args
        .kibana
        .as_deref()
        .or_else(|| theirs.and_then(kibana_of))
        .map(str::to_owned);
    if let Some(address) = address {
        link_to_kibana(&mut ours, address.trim_end_matches('/'));
    }
    if let Some(fields) = ours.as_object_mut() {
        for field in THEIRS {
            fields.remove(field);
        }
    }
    let mut change = Change::between(theirs, &ours);
    let elsewhere = found
        .as_ref()
        .is_some_and(|found| found["meta"]["folderUid"] != FOLDER);
    if change == Change::Same && elsewhere {
        change = Change::Update("is in another folder".to_owned());
    }
    let title = ours["title"].as_str().unwrap_or_default().to_owned();
    if !args.dry_run && change != Change::Same {
        let body = json!({
            "dashboard": ours,
            "folderUid": FOLDER,
            "overwrite": true,
            "message": concat!("nodetap install ", env!("CARGO_PKG_VERSION")),
        });
        server
            .write(Method::Post, "/api/dashboards/db", &body)
            .await?;
    }
    Ok(Step {
        what: format!("dashboard {uid} ({title})"),
        change,
    })
}

/// The address of Kibana that someone has set in a dashboard.
fn kibana_of(dashboard: &Value) -> Option<&str> {
    let variables = dashboard["templating"]["list"].as_array()?;
    let kibana = variables
        .iter()
        .find(|variable| variable["name"] == "kibana")?;
    kibana["query"].as_str()
}

/// Sets it: the variable is a text box, whose text stands in three places.
fn link_to_kibana(dashboard: &mut Value, address: &str) {
    let variables = dashboard
        .pointer_mut("/templating/list")
        .and_then(Value::as_array_mut);
    for variable in variables.into_iter().flatten() {
        if variable["name"] == "kibana"
            && let Some(fields) = variable.as_object_mut()
        {
            fields.insert("query".to_owned(), json!(address));
            fields.insert(
                "current".to_owned(),
                json!({ "selected": true, "text": address, "value": address }),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn every_dashboard_of_the_folder_is_installed_under_its_uid() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboards/grafana");
        let files: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let ours: BTreeSet<String> = DASHBOARDS
            .iter()
            .map(|(name, _)| format!("{name}.json"))
            .collect();
        assert_eq!(ours, files);
        for (name, text) in DASHBOARDS {
            let dashboard: Value = serde_json::from_str(text).unwrap();
            assert_eq!(dashboard["uid"], format!("nodetap-{name}"));
        }
    }

    #[test]
    fn the_address_of_kibana_is_set_and_found_again() {
        for (name, text) in DASHBOARDS {
            let mut dashboard: Value = serde_json::from_str(text).unwrap();
            let before = kibana_of(&dashboard).map(str::to_owned);
            link_to_kibana(&mut dashboard, "https://logs.example/kibana");
            let after = kibana_of(&dashboard);
            assert_eq!(after.is_some(), before.is_some(), "{name}");
            assert!(
                after.is_none_or(|address| address == "https://logs.example/kibana"),
                "{name}"
            );
        }
    }
}
