//! Who answers as Grafana, Kibana, Elasticsearch or OpenSearch would? One process-wide state each, in JSON.
//!
//! Sources: Grafana's HTTP API (folder, dashboard), Kibana's saved objects API (export, import), Elasticsearch's index
//! template and ILM API, OpenSearch's ISM API.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

/// One request, as far as the fakes look at it.
pub(crate) struct Ask {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

type Answer = fn(&mut Value, &Ask) -> (u16, Value);

/// A server on the loopback, for as long as the test runs.
pub(crate) struct Fake {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<(Value, usize)>,
    answer: Answer,
}

// === impl Fake ===

impl Fake {
    pub(crate) fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            state: Mutex::new((json!({}), 0)),
            answer,
        });
        let router = Router::new()
            .fallback(serve)
            .with_state(Arc::clone(&shared));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { url, shared }
    }

    pub(crate) fn state(&self) -> Value {
        self.shared.state.lock().unwrap().0.clone()
    }

    /// Changes that were taken.
    pub(crate) fn writes(&self) -> usize {
        self.shared.state.lock().unwrap().1
    }

    /// Somebody else's doing.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Value)) {
        change(&mut self.shared.state.lock().unwrap().0);
    }
}

impl Ask {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let ask = Ask {
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.to_vec(),
    };
    let mut state = shared.state.lock().unwrap();
    let before = state.0.clone();
    let (status, answer) = (shared.answer)(&mut state.0, &ask);
    if state.0 != before {
        state.1 += 1;
    }
    (StatusCode::from_u16(status).unwrap(), answer.to_string())
}

/// Grafana, with one service account.
pub(crate) fn grafana(state: &mut Value, ask: &Ask) -> (u16, Value) {
    if ask.header("authorization") != "Bearer glsa_of_test" {
        return (401, json!({ "message": "Invalid API key" }));
    }
    let missing = (
        404,
        json!({ "message": "not found", "status": "not-found" }),
    );
    if ask.is("GET", "/api/folders/nodetap") {
        return state
            .get("folder")
            .map_or(missing, |folder| (200, folder.clone()));
    }
    if ask.is("POST", "/api/folders") || ask.is("PUT", "/api/folders/nodetap") {
        let asked = ask.json();
        if ask.method == "PUT" && asked["overwrite"] != true {
            return (
                412,
                json!({ "message": "the folder has been changed by someone else", "status": "version-mismatch" }),
            );
        }
        state["folder"] =
            json!({ "id": 7, "uid": "nodetap", "title": asked["title"], "version": 1 });
        return (200, state["folder"].clone());
    }
    if let Some(uid) = ask.path.strip_prefix("/api/dashboards/uid/") {
        let Some(kept) = state["dashboards"].get(uid).cloned() else {
            return missing;
        };
        let meta = json!({ "slug": uid, "folderUid": kept["folderUid"], "provisioned": false });
        return (200, json!({ "dashboard": kept["dashboard"], "meta": meta }));
    }
    if ask.is("POST", "/api/dashboards/db") {
        let asked = ask.json();
        let mut dashboard = asked["dashboard"].clone();
        let uid = dashboard["uid"].as_str().unwrap().to_owned();
        if state["folder"]["uid"] != asked["folderUid"] {
            return (
                400,
                json!({ "message": "folder not found", "status": "not-found" }),
            );
        }
        let before = state["dashboards"][&uid]["dashboard"]["version"].as_u64();
        if before.is_some() && asked["overwrite"] != true {
            return (
                412,
                json!({ "message": "The dashboard has been changed by someone else", "status": "version-mismatch" }),
            );
        }
        let version = before.unwrap_or(0) + 1;
        dashboard["id"] = json!(42);
        dashboard["version"] = json!(version);
        state["dashboards"][&uid] =
            json!({ "dashboard": dashboard, "folderUid": asked["folderUid"] });
        return (
            200,
            json!({ "id": 42, "uid": uid, "url": format!("/d/{uid}"), "status": "success", "version": version }),
        );
    }
    missing
}

/// Kibana, with a space `ops`; its state has one entry for each object.
pub(crate) fn kibana(state: &mut Value, ask: &Ask) -> (u16, Value) {
    if ask.header("kbn-xsrf").is_empty() {
        let message = "Request must contain a kbn-xsrf header.";
        return (
            400,
            json!({ "statusCode": 400, "error": "Bad Request", "message": message }),
        );
    }
    if ask.is("POST", "/s/ops/api/saved_objects/_export") {
        let asked = ask.json()["objects"][0].clone();
        let (kind, id) = (
            asked["type"].as_str().unwrap(),
            asked["id"].as_str().unwrap(),
        );
        let kept = &state[format!("{kind}/{id}")];
        if !kept.is_null() {
            return (200, kept.clone());
        }
        let error = json!({ "statusCode": 404, "error": "Not Found", "message": format!("Saved object [{kind}/{id}] not found") });
        let objects = json!([{ "id": id, "type": kind, "error": error }]);
        return (
            400,
            json!({ "statusCode": 400, "error": "Bad Request", "message": "Error fetching objects to export",
            "attributes": { "objects": objects } }),
        );
    }
    if ask.is("POST", "/s/ops/api/saved_objects/_import") && ask.query == "overwrite=true" {
        let kind = ask.header("content-type");
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let text = String::from_utf8(ask.body.clone()).unwrap();
        let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
        assert_eq!((parts.len(), parts[0], parts[2]), (3, "", "--\r\n"));
        let (head, lines) = parts[1].split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains("name=\"file\"") && head.contains(".ndjson\""),
            "{head}"
        );
        let mut errors = Vec::new();
        for line in lines.lines().filter(|line| !line.is_empty()) {
            let mut object: Value = serde_json::from_str(line).unwrap();
            if object["id"] == state["refuses"] {
                errors.push(json!({ "id": object["id"], "type": object["type"], "error": { "type": "unsupported_type" } }));
                continue;
            }
            // Newer versions bring objects up to date and add what they know of them.
            object["typeMigrationVersion"] = json!("10.9.0");
            object["updated_at"] = json!("2026-11-21T20:00:00.000Z");
            object["attributes"]["usesAdHocDataView"] = json!(false);
            let key = format!(
                "{}/{}",
                object["type"].as_str().unwrap(),
                object["id"].as_str().unwrap()
            );
            state[key] = object;
        }
        let mut said = json!({ "success": errors.is_empty(), "successCount": 1 });
        if !errors.is_empty() {
            said["errors"] = json!(errors);
        }
        return (200, said);
    }
    (
        404,
        json!({ "statusCode": 404, "error": "Not Found", "message": "Not Found" }),
    )
}

/// Elasticsearch; its state has an entry for each path that was written.
pub(crate) fn elasticsearch(state: &mut Value, ask: &Ask) -> (u16, Value) {
    if ask.is("GET", "/") {
        return (
            200,
            json!({ "version": { "number": "8.19.2" }, "tagline": "You Know, for Search" }),
        );
    }
    if ask.path == "/_ilm/policy/nodetap" {
        return kept(
            state,
            ask,
            |found| json!({ "nodetap": { "version": 1, "policy": found["policy"], "in_use_by": {} } }),
        );
    }
    template(state, ask)
}

/// OpenSearch, likewise.
pub(crate) fn opensearch(state: &mut Value, ask: &Ask) -> (u16, Value) {
    if ask.is("GET", "/") {
        return (
            200,
            json!({ "version": { "distribution": "opensearch", "number": "2.19.4" } }),
        );
    }
    if ask.path == "/_plugins/_ism/policies/nodetap" {
        let is_there = state.get(&ask.path).is_some();
        if ask.method == "PUT" && is_there != (ask.query == "if_seq_no=3&if_primary_term=1") {
            return (
                409,
                json!({ "error": { "type": "version_conflict_engine_exception", "reason": "document already exists" } }),
            );
        }
        if ask.method == "DELETE" {
            state.as_object_mut().unwrap().remove(&ask.path);
            return (200, json!({ "result": "deleted" }));
        }
        return kept(state, ask, |found| {
            let mut policy = found["policy"].clone();
            policy["policy_id"] = json!("nodetap");
            policy["error_notification"] = Value::Null;
            policy["states"][1]["actions"][0]["retry"] =
                json!({ "count": 3, "backoff": "exponential", "delay": "1m" });
            json!({ "_id": "nodetap", "_version": 4, "_seq_no": 3, "_primary_term": 1, "policy": policy })
        });
    }
    template(state, ask)
}

fn template(state: &mut Value, ask: &Ask) -> (u16, Value) {
    if ask.path == "/_index_template/nodetap" {
        return kept(state, ask, |found| {
            let mut shown = found.clone();
            shown["template"]["settings"]["index"]["number_of_shards"] = json!("1");
            shown["composed_of"] = json!([]);
            json!({ "index_templates": [{ "name": "nodetap", "index_template": shown }] })
        });
    }
    (
        400,
        json!({ "error": format!("no handler found for uri [{}] and method [{}]", ask.path, ask.method), "status": 400 }),
    )
}

/// Reads or writes the entry of a path.
fn kept(state: &mut Value, ask: &Ask, show: impl Fn(&Value) -> Value) -> (u16, Value) {
    if ask.method == "PUT" {
        state[&ask.path] = ask.json();
        return (200, json!({ "acknowledged": true }));
    }
    match state.get(&ask.path) {
        Some(found) => (200, show(found)),
        None => (
            404,
            json!({ "error": { "type": "resource_not_found_exception", "reason": "not found" }, "status": 404 }),
        ),
    }
}
