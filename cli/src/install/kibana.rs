//! The saved objects of `dashboards/kibana`.
//!
//! Kibana's saved objects API: what is there comes from `_export`, all of ours go in one `_import`. Kibana rewrites objects for
//! its own version, so only what a person would see of them is compared.

use anyhow::{Context, anyhow};
use bytes::Bytes;
use elastic::Method;
use serde_json::{Value, json};

use super::server::{Server, Token};
use super::{Change, Step};
use crate::args::install::InstallKibana;

const OBJECTS: &str = include_str!("../../../dashboards/kibana/nodetap.ndjson");
/// Separates the parts of a form (RFC 2046); it is in none of the objects.
const BOUNDARY: &str = "nodetap-saved-objects";
const FORM: &str = "multipart/form-data; boundary=nodetap-saved-objects";

pub(super) async fn install(args: &InstallKibana) -> anyhow::Result<Vec<Step>> {
    let server = Server::new(&args.access, Token::ApiKey)?;
    let api = match &args.space {
        Some(space) => format!("/s/{space}/api/saved_objects"),
        None => "/api/saved_objects".to_owned(),
    };
    let mut steps = Vec::new();
    for line in OBJECTS.lines() {
        let ours: Value = serde_json::from_str(line)?;
        let (kind, id) = (text(&ours["type"]), text(&ours["id"]));
        let found = export(&server, &api, kind, id).await?;
        let change = Change::between(found.as_ref().map(seen).as_ref(), &seen(&ours));
        let title = text(&ours["attributes"]["title"]);
        steps.push(Step {
            what: format!("{kind} {id} ({title})"),
            change,
        });
    }
    if !args.dry_run && steps.iter().any(|step| step.change != Change::Same) {
        import(&server, &api).await?;
    }
    Ok(steps)
}

/// One object as it is there. Kibana answers 400 for objects that it does not have.
async fn export(server: &Server, api: &str, kind: &str, id: &str) -> anyhow::Result<Option<Value>> {
    let path = format!("{api}/_export");
    let body = json!({ "objects": [{ "type": kind, "id": id }], "excludeExportDetails": true });
    let answer = server
        .post(
            Method::Post,
            &path,
            "application/json",
            Bytes::from(body.to_string()),
        )
        .await?;
    if answer.status == 400 && is_missing(&answer.body, id) {
        return Ok(None);
    }
    if !answer.is_success() {
        return server.understood(&answer, &path).map(Some);
    }
    // One object a line; a whole line of an answer that was cut off is no JSON.
    let line = answer
        .body
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let found = serde_json::from_slice(line).with_context(|| format!("read what {path} gave"))?;
    Ok(Some(found))
}

/// Whether a refusal is about this object being absent, and not about us.
fn is_missing(body: &[u8], id: &str) -> bool {
    let refused: Value = serde_json::from_slice(body).unwrap_or_default();
    let objects = refused
        .pointer("/attributes/objects")
        .and_then(Value::as_array);
    objects.into_iter().flatten().any(|object| {
        object["id"] == id
            && object
                .pointer("/error/statusCode")
                .is_some_and(|status| status == 404)
    })
}

async fn import(server: &Server, api: &str) -> anyhow::Result<()> {
    let path = format!("{api}/_import?overwrite=true");
    let form = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"nodetap.ndjson\"\r\n\
         Content-Type: application/ndjson\r\n\r\n{OBJECTS}\r\n--{BOUNDARY}--\r\n"
    );
    let answer = server
        .post(Method::Post, &path, FORM, Bytes::from(form))
        .await?;
    let said = server.understood(&answer, &path)?;
    if said["success"] == true {
        return Ok(());
    }
    let refused = said["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let reasons: Vec<String> = refused
        .iter()
        .map(|one| {
            format!(
                "{} {}: {}",
                text(&one["type"]),
                text(&one["id"]),
                text(&one["error"]["type"])
            )
        })
        .collect();
    Err(anyhow!(
        "Kibana did not take all of the objects: {}",
        reasons.join(", ")
    ))
}

/// What a person would see of an object.
fn seen(object: &Value) -> Value {
    let attributes = &object["attributes"];
    let inner = |pointer: &str| -> Value {
        let text = attributes
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("null");
        serde_json::from_str(text).unwrap_or_default()
    };
    let source = inner("/kibanaSavedObjectMeta/searchSourceJSON");
    let mut referred: Vec<(&str, &str)> = object["references"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| (text(&one["type"]), text(&one["id"])))
        .collect();
    referred.sort_unstable();
    json!({
        "title": attributes["title"],
        "name": attributes["name"],
        "description": attributes["description"],
        "time": attributes["timeFieldName"],
        "columns": attributes["columns"],
        "sort": attributes["sort"],
        "query": source["query"],
        "aggregations": inner("/visState")["aggs"],
        "references": referred,
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_can_be_told_from_its_content() {
        assert!(!OBJECTS.contains(BOUNDARY));
        assert!(FORM.ends_with(BOUNDARY));
        assert!(OBJECTS.ends_with('\n'));
    }

    #[test]
    fn an_object_that_kibana_rewrote_is_the_same_to_a_person() {
        for line in OBJECTS.lines() {
            let ours: Value = serde_json::from_str(line).unwrap();
            let mut theirs = ours.clone();
            theirs["typeMigrationVersion"] = json!("10.9.0");
            theirs["attributes"]["usesAdHocDataView"] = json!(false);
            theirs["updated_at"] = json!("2026-11-21T20:00:00.000Z");
            assert_eq!(
                Change::between(Some(&seen(&theirs)), &seen(&ours)),
                Change::Same
            );
            theirs["attributes"]["title"] = json!("another");
            let Change::Update(place) = Change::between(Some(&seen(&theirs)), &seen(&ours)) else {
                panic!("a title counts");
            };
            assert_eq!(place, "differs at /title");
        }
    }

    #[test]
    fn only_an_object_that_is_absent_is_missing() {
        let absent = json!({"statusCode": 400, "message": "Error fetching objects to export", "attributes": {"objects":
            [{"id": "a", "type": "search", "error": {"statusCode": 404}}]}});
        assert!(is_missing(absent.to_string().as_bytes(), "a"));
        assert!(!is_missing(absent.to_string().as_bytes(), "b"));
        assert!(!is_missing(
            br#"{"statusCode":400,"message":"bad type"}"#,
            "a"
        ));
        assert!(!is_missing(b"<html>", "a"));
    }
}
