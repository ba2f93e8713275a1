//! Which request means what? All but `_bulk`.

use serde_json::{Map, Value, json};

use super::State;
use super::complaint::Complaint;
use super::http::{Answer, Request};
use super::indices::Block;
use super::{filter, search};
use crate::cluster::Engine;

/// Answers one request.
pub(super) fn answer(state: &mut State, request: &Request) -> Answer {
    let body = if request.body.is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_slice(&request.body)
    };
    let answered = match body {
        Ok(body) => route(state, request, &body),
        Err(error) => Err(Complaint::new(
            400,
            "x_content_parse_exception",
            error.to_string(),
        )),
    };
    let (status, answer) = match answered {
        Ok(answer) => (200, answer),
        Err(complaint) => (complaint.status, complaint.body()),
    };
    let answer = match request.parameter("filter_path") {
        Some(patterns) => filter::keep(&answer, &patterns),
        None => answer,
    };
    let mut answer = Answer::json(status, &answer);
    if request.method == "HEAD" {
        answer.body.clear();
    }
    if state.indices.engine == Engine::Elasticsearch {
        answer = answer.with("x-elastic-product", "Elasticsearch".to_owned());
    }
    answer
}

fn route(state: &mut State, request: &Request, body: &Value) -> Result<Value, Complaint> {
    let parts: Vec<&str> = request
        .path
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let verb = match request.method.as_str() {
        "HEAD" => "GET",
        verb => verb,
    };
    match (verb, parts.as_slice()) {
        ("GET", []) => Ok(root(state.indices.engine)),
        ("GET", ["_cluster", "health", ..]) => Ok(json!({
            "cluster_name": "fake", "status": "green", "timed_out": false, "number_of_nodes": 1,
        })),
        ("PUT", ["_cluster", "settings"]) => Ok(cluster_settings(state, body)),
        (verb, ["_index_template", rest @ ..]) => templates(state, verb, rest, body),
        ("GET", ["_data_stream", rest @ ..]) => Ok(data_streams(state, rest)),
        ("DELETE", ["_data_stream", name]) => {
            state.indices.remove(name);
            Ok(json!({"acknowledged": true}))
        }
        ("GET" | "POST", ["_refresh"]) => refresh(state, "*"),
        ("GET" | "POST", [names, "_refresh"]) => refresh(state, names),
        ("GET" | "POST", ["_search"]) => find(state, request, "*", body),
        ("GET" | "POST", [names, "_search"]) => find(state, request, names, body),
        ("POST", [stream, "_rollover"]) => {
            let name = state.indices.roll_over(stream)?;
            Ok(json!({"acknowledged": true, "rolled_over": true, "new_index": name}))
        }
        (verb, [name, rest @ ..]) if !name.starts_with('_') => index(state, verb, name, rest, body),
        _ => Err(unknown(state, request)),
    }
}

/// What the servers answer to a path they do not have; a test can ask whether that happened.
fn unknown(state: &mut State, request: &Request) -> Complaint {
    let what = format!("{} {}", request.method, request.path);
    state.unexpected.push(what);
    Complaint::wrong(format!(
        "no handler found for uri [{}] and method [{}]",
        request.path, request.method
    ))
}

fn root(engine: Engine) -> Value {
    let (version, tagline) = match engine {
        Engine::Elasticsearch => (
            json!({
                "number": "8.19.0",
                "build_flavor": "default",
                "build_type": "tar",
                "lucene_version": "9.12.2",
                "minimum_wire_compatibility_version": "7.17.0",
                "minimum_index_compatibility_version": "7.0.0",
            }),
            "You Know, for Search",
        ),
        Engine::OpenSearch => (
            json!({
                "distribution": "opensearch",
                "number": "2.19.0",
                "build_type": "tar",
                "lucene_version": "9.12.1",
                "minimum_wire_compatibility_version": "7.10.0",
                "minimum_index_compatibility_version": "7.0.0",
            }),
            "The OpenSearch Project: https://opensearch.org/",
        ),
    };
    json!({
        "name": "node-0", "cluster_name": "fake", "cluster_uuid": "aAsmSpwUSzmJHLDjyrTfNw",
        "version": version, "tagline": tagline,
    })
}

fn cluster_settings(state: &mut State, body: &Value) -> Value {
    for kind in ["persistent", "transient"] {
        if let Some(most) = body[kind].get("cluster.max_shards_per_node") {
            let most = most
                .as_u64()
                .or_else(|| most.as_str().and_then(|text| text.parse().ok()));
            state.indices.shards_max = most.map(|most| most as usize);
        }
    }
    json!({"acknowledged": true, "persistent": {}, "transient": {}})
}

fn templates(
    state: &mut State,
    verb: &str,
    rest: &[&str],
    body: &Value,
) -> Result<Value, Complaint> {
    match (verb, rest) {
        ("PUT" | "POST", [name]) if !name.starts_with('_') => {
            if state.is_template_forbidden {
                return Err(Complaint::new(
                    403,
                    "security_exception",
                    format!(
                        "action [indices:admin/index_template/put] is unauthorized for user [shipper], this action is granted by the cluster privileges [manage_index_templates,manage,all] (template {name})"
                    ),
                ));
            }
            state.indices.put_template(name, body)?;
            Ok(json!({"acknowledged": true}))
        }
        ("POST", ["_simulate_index", name]) => {
            let template = state.indices.template_of(name);
            let shape = template.map_or(Value::Null, |template| template["template"].clone());
            Ok(json!({"template": shape, "overlapping": []}))
        }
        ("GET", []) => Ok(json!({"index_templates": state.indices.templates("*")})),
        ("GET", [pattern]) => {
            let found = state.indices.templates(pattern);
            if found.is_empty() && !pattern.contains('*') {
                return Err(Complaint::new(
                    404,
                    "resource_not_found_exception",
                    format!("index template matching [{pattern}] not found"),
                ));
            }
            Ok(json!({"index_templates": found}))
        }
        ("DELETE", [name]) => {
            state.indices.remove_template(name);
            Ok(json!({"acknowledged": true}))
        }
        _ => Err(Complaint::wrong("the fake does not know this of templates")),
    }
}

fn data_streams(state: &State, rest: &[&str]) -> Value {
    let pattern = rest.first().copied().unwrap_or("*");
    let streams: Vec<Value> = state
        .indices
        .streams(pattern)
        .into_iter()
        .map(|(name, backing)| {
            let indices: Vec<_> = backing
                .iter()
                .map(|index| json!({"index_name": index}))
                .collect();
            json!({
                "name": name,
                "timestamp_field": {"name": "@timestamp"},
                "indices": indices,
                "generation": backing.len(),
                "status": "GREEN",
            })
        })
        .collect();
    json!({"data_streams": streams})
}

fn refresh(state: &mut State, names: &str) -> Result<Value, Complaint> {
    let names = state.indices.resolve(names)?;
    if names.iter().any(|name| state.indices.is_closed(name)) {
        return Err(Complaint::closed());
    }
    state.indices.refresh(&names);
    Ok(json!({"_shards": {"total": names.len(), "successful": names.len(), "failed": 0}}))
}

fn find(state: &State, request: &Request, names: &str, body: &Value) -> Result<Value, Complaint> {
    let lenient = request.parameter("ignore_unavailable").as_deref() == Some("true");
    let mut found = Vec::new();
    for name in names.split(',') {
        match state.indices.resolve(name) {
            Ok(names) => found.extend(names),
            Err(_) if lenient => {}
            Err(complaint) => return Err(complaint),
        }
    }
    found.sort();
    found.dedup();
    if lenient {
        found.retain(|name| !state.indices.is_closed(name));
    }
    search::search(&state.indices, &found, body)
}

fn index(
    state: &mut State,
    verb: &str,
    name: &str,
    rest: &[&str],
    body: &Value,
) -> Result<Value, Complaint> {
    let acknowledged = Ok(json!({"acknowledged": true, "index": name}));
    match (verb, rest) {
        ("PUT", []) => {
            state.indices.make(name, &body["mappings"])?;
            acknowledged
        }
        ("DELETE", []) => {
            state.indices.remove(name);
            acknowledged
        }
        ("POST", ["_close"]) => {
            block(state, name, Some(Block::Closed))?;
            acknowledged
        }
        ("POST", ["_open"]) => {
            block(state, name, None)?;
            acknowledged
        }
        ("PUT", ["_settings"]) => {
            let on = |setting: &str| {
                let value = body
                    .get(format!("index.{setting}"))
                    .or_else(|| body.get(setting));
                value.is_some_and(|value| *value == true || value == "true")
            };
            let wanted = if on("blocks.write") {
                Some(Block::Write)
            } else if on("blocks.read_only_allow_delete") {
                Some(Block::FloodStage)
            } else {
                None
            };
            block(state, name, wanted)?;
            acknowledged
        }
        ("GET", [] | ["_mapping"]) => {
            let mut found = Map::new();
            for name in state.indices.resolve(name)? {
                let mappings = state.indices.mappings(&name).cloned().unwrap_or_default();
                found.insert(name, json!({"mappings": mappings}));
            }
            Ok(Value::Object(found))
        }
        _ => {
            state.unexpected.push(format!("{verb} /{name}/{rest:?}"));
            Err(Complaint::wrong("no handler found"))
        }
    }
}

fn block(state: &mut State, name: &str, block: Option<Block>) -> Result<(), Complaint> {
    for name in state.indices.resolve(name)? {
        if let Some(index) = state.indices.index_mut(&name) {
            index.block = block;
        }
    }
    Ok(())
}
