//! The index template: which field is of which type, so that no document can make a mapping of its own.

use bytes::Bytes;
use elastic::{Answer, Client, Method, SendError};
use serde_json::{Value, json};

use super::layout::Layout;

/// Grows with each change of what [`template`] gives.
pub const VERSION: u64 = 1;

/// Longer values of flattened fields are left out of the index (they stay in the source): Lucene's terms have at most
/// 32,766 bytes, which is 8,191 characters of four.
const FLATTENED_CHARACTERS_MAX: u64 = 8191;

/// What to do about the template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TemplatePolicy {
    /// Install it when it is missing or older than ours.
    #[default]
    Install,
    /// Only say when it is missing.
    Verify,
    /// Don't ask.
    Off,
}

/// The two kinds of cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Elasticsearch: `flattened`.
    Elasticsearch,
    /// OpenSearch: `flat_object`.
    OpenSearch,
}

/// A cluster as it introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Which kind.
    pub engine: Engine,
    /// Its version, as in `8.19.2`.
    pub version: String,
}

/// How the template stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there, in this version or a newer one.
    Present,
    /// It is there in an older version.
    Outdated(u64),
    /// It is not there.
    Missing,
}

/// Asks what the cluster is. `Ok(Err(…))` is a complaint of the cluster.
pub async fn about(client: &Client) -> Result<Result<About, Answer>, SendError> {
    let answer = client.send(Method::Get, "/", None).await?;
    let json = answer.json().filter(|_| answer.is_success());
    let Some(version) = json.as_ref().and_then(|json| json.get("version")) else {
        return Ok(Err(answer));
    };
    let text = |name: &str| version.get(name).and_then(Value::as_str);
    Ok(Ok(About {
        engine: match text("distribution") {
            Some("opensearch") => Engine::OpenSearch,
            _ => Engine::Elasticsearch,
        },
        version: text("number").unwrap_or_default().to_owned(),
    }))
}

/// Looks for the template. `Ok(Err(…))` is a complaint of the cluster, or an answer that is not understood.
pub async fn standing(
    client: &Client,
    layout: &Layout,
) -> Result<Result<Standing, Answer>, SendError> {
    let found = found(client, layout).await?;
    Ok(found.map(|found| match found {
        None => Standing::Missing,
        Some(found) => match found.get("version").and_then(Value::as_u64) {
            Some(version) if version < VERSION => Standing::Outdated(version),
            // Whoever has put a template of their own there knows why.
            _ => Standing::Present,
        },
    }))
}

/// The template that is there, if any. `Ok(Err(…))` is a complaint of the cluster, or an answer that is not understood.
pub async fn found(
    client: &Client,
    layout: &Layout,
) -> Result<Result<Option<Value>, Answer>, SendError> {
    let path = format!("/_index_template/{}", layout.template_name());
    let answer = client.send(Method::Get, &path, None).await?;
    if answer.status == 404 {
        return Ok(Ok(None));
    }
    let json = answer.json().filter(|_| answer.is_success());
    let found = json.and_then(|mut json| {
        let found = json.pointer_mut("/index_templates/0/index_template")?;
        Some(found.take())
    });
    Ok(found.map(Some).ok_or(answer))
}

/// Puts the template in place; the lifecycle of one that was there stays. `Ok(Err(…))` is a complaint of the cluster.
pub async fn install(
    client: &Client,
    layout: &Layout,
    engine: Engine,
) -> Result<Result<(), Answer>, SendError> {
    let mut template = template(layout, engine);
    match found(client, layout).await? {
        Ok(Some(before)) => set_lifecycle(&mut template, lifecycle(&before)),
        Ok(None) => {}
        Err(answer) => return Ok(Err(answer)),
    }
    put(client, layout, &template).await
}

/// Puts a template in place as it is. `Ok(Err(…))` is a complaint of the cluster.
pub async fn put(
    client: &Client,
    layout: &Layout,
    template: &Value,
) -> Result<Result<(), Answer>, SendError> {
    let path = format!("/_index_template/{}", layout.template_name());
    let body = Bytes::from(template.to_string());
    let answer = client.send(Method::Put, &path, Some(body)).await?;
    Ok(if answer.is_success() {
        Ok(())
    } else {
        Err(answer)
    })
}

/// The composable template for a layout.
pub fn template(layout: &Layout, engine: Engine) -> Value {
    let mut template = json!({
        "index_patterns": [layout.pattern()],
        "version": VERSION,
        // Above Elasticsearch's own template for `logs-*-*`, which has 100.
        "priority": 200,
        "_meta": { "description": "Logs collected by nodetap" },
        "template": {
            "settings": { "index": {
                "number_of_shards": 1,
                "refresh_interval": "5s",
                "query": { "default_field": ["message"] },
            }},
            "mappings": mappings(engine),
        },
    });
    if *layout == Layout::DataStream
        && let Some(object) = template.as_object_mut()
    {
        object.insert("data_stream".to_owned(), json!({}));
    }
    template
}

/// The name of the lifecycle policy that new indices of a template get.
pub fn lifecycle(template: &Value) -> Option<&str> {
    template
        .pointer("/template/settings/index/lifecycle/name")
        .and_then(Value::as_str)
}

/// Gives new indices of a template a lifecycle policy, or none.
pub fn set_lifecycle(template: &mut Value, policy: Option<&str>) {
    let Some(settings) = template
        .pointer_mut("/template/settings/index")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    match policy {
        Some(policy) => settings.insert("lifecycle".to_owned(), json!({ "name": policy })),
        None => settings.remove("lifecycle"),
    };
}

fn mappings(engine: Engine) -> Value {
    let keyword = || json!({ "type": "keyword", "ignore_above": 8191 });
    let nanos = || json!({ "type": "date_nanos" });
    let flattened = || match engine {
        Engine::Elasticsearch => {
            json!({ "type": "flattened", "ignore_above": FLATTENED_CHARACTERS_MAX })
        }
        Engine::OpenSearch => json!({ "type": "flat_object" }),
    };
    let text = || json!({ "type": "text", "norms": false });
    json!({
        "date_detection": false,
        // Our documents have no other fields; what an ingest pipeline adds is matched as it is.
        "dynamic_templates": [{ "text_is_keyword": {
            "match_mapping_type": "string",
            "mapping": keyword(),
        }}],
        "properties": {
            "@timestamp": nanos(),
            "message": text(),
            "stream": keyword(),
            "tags": keyword(),
            "app": flattened(),
            "error": { "properties": { "message": text() } },
            "log": { "properties": {
                "stream": keyword(),
                "level": keyword(),
                "offset": { "type": "long" },
                "part": { "type": "long" },
                "file": { "properties": {
                    "path": keyword(),
                    "fingerprint": keyword(),
                    "started": nanos(),
                }},
            }},
            "kubernetes": { "properties": {
                "namespace": keyword(),
                "labels": flattened(),
                "pod": { "properties": { "name": keyword(), "uid": keyword() } },
                "container": { "properties": { "name": keyword(), "restart_count": { "type": "long" } } },
                "node": { "properties": { "name": keyword(), "labels": flattened() } },
            }},
            "container": { "properties": {
                "id": keyword(),
                "name": keyword(),
                "runtime": keyword(),
                "image": { "properties": { "name": keyword() } },
            }},
            "host": { "properties": { "name": keyword() } },
            "orchestrator": { "properties": { "cluster": { "properties": { "name": keyword() } } } },
            "data_stream": { "properties": {
                "type": keyword(),
                "dataset": keyword(),
                "namespace": keyword(),
            }},
            "event": { "properties": { "dataset": keyword() } },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifecycle_is_set_found_and_taken_away() {
        let mut made = template(&Layout::DataStream, Engine::Elasticsearch);
        let plain = made.clone();
        assert_eq!(lifecycle(&made), None);
        set_lifecycle(&mut made, Some("mine"));
        assert_eq!(lifecycle(&made), Some("mine"));
        set_lifecycle(&mut made, None);
        assert_eq!(made, plain);
    }

    #[test]
    fn the_template_follows_the_layout_and_the_engine() {
        let index = Layout::Index {
            prefix: "nodetap".into(),
        };
        let made = template(&index, Engine::Elasticsearch);
        assert_eq!(made["index_patterns"], json!(["nodetap-*"]));
        assert!(made.get("data_stream").is_none());
        let fields = &made["template"]["mappings"]["properties"];
        assert_eq!(fields["app"]["type"], "flattened");
        assert_eq!(fields["@timestamp"]["type"], "date_nanos");
        assert_eq!(fields["log"]["properties"]["offset"]["type"], "long");
        let made = template(&Layout::DataStream, Engine::OpenSearch);
        assert_eq!(made["data_stream"], json!({}));
        let fields = &made["template"]["mappings"]["properties"];
        assert_eq!(
            fields["kubernetes"]["properties"]["labels"]["type"],
            "flat_object"
        );
    }
}
