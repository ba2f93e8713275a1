//! Which shape do new indices get? Composable templates, checked and written back as the servers do it.

use serde_json::{Map, Value, json};

use super::complaint::Complaint;
use super::indices::{Indices, matches};
use super::mapping;
use crate::cluster::Engine;

// === impl Indices ===

impl Indices {
    /// Keeps a template as the servers write it back.
    pub(super) fn put_template(&mut self, name: &str, body: &Value) -> Result<(), Complaint> {
        let patterns = &body["index_patterns"];
        if patterns.as_array().is_none_or(Vec::is_empty) {
            return Err(Complaint::new(
                400,
                "action_request_validation_exception",
                "Validation Failed: 1: index patterns are missing;",
            ));
        }
        if let Some(foreign) = mapping::foreign_type(self.engine, &body["template"]["mappings"]) {
            let reason = format!(
                "composable template [{name}] template after composition is invalid: No handler for type [{foreign}] declared on field [app]"
            );
            return Err(Complaint::wrong(reason));
        }
        for (other, template) in &self.templates {
            let same_priority = template["priority"].as_u64() == body["priority"].as_u64();
            let meets = template["index_patterns"] == *patterns;
            if other != name && same_priority && meets {
                return Err(Complaint::wrong(format!(
                    "index template [{name}] has index patterns {patterns} matching patterns from existing templates [{other}]"
                )));
            }
        }
        let mut kept = body.clone();
        if let Some(settings) = kept.pointer_mut("/template/settings") {
            *settings = normal_settings(settings);
        }
        kept["composed_of"] = match kept["composed_of"].take() {
            Value::Null => json!([]),
            given => given,
        };
        if let Some(stream) = kept.get_mut("data_stream") {
            *stream = match self.engine {
                Engine::Elasticsearch => json!({"hidden": false, "allow_custom_routing": false}),
                Engine::OpenSearch => json!({"timestamp_field": {"name": "@timestamp"}}),
            };
        }
        self.templates.insert(name.to_owned(), kept);
        Ok(())
    }

    /// Templates whose names match.
    pub(super) fn templates(&self, pattern: &str) -> Vec<Value> {
        self.templates
            .iter()
            .filter(|(name, _)| matches(pattern, name))
            .map(|(name, template)| json!({"name": name, "index_template": template}))
            .collect()
    }

    pub(super) fn remove_template(&mut self, name: &str) -> bool {
        self.templates.remove(name).is_some()
    }
}

/// Settings as the servers give them back: nested below `index`, every value a text.
fn normal_settings(settings: &Value) -> Value {
    fn put(to: &mut Map<String, Value>, path: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    put(to, &format!("{path}.{name}"), value);
                }
            }
            leaf => {
                let text = leaf
                    .as_str()
                    .map_or_else(|| leaf.to_string(), str::to_owned);
                insert(to, path, text.into());
            }
        }
    }
    fn insert(to: &mut Map<String, Value>, path: &str, value: Value) {
        match path.split_once('.') {
            None => {
                to.insert(path.to_owned(), value);
            }
            Some((head, rest)) => {
                let below = to.entry(head).or_insert_with(|| json!({}));
                if let Value::Object(below) = below {
                    insert(below, rest, value);
                }
            }
        }
    }
    let mut normal = Map::new();
    for (name, value) in settings.as_object().into_iter().flatten() {
        let below_index = name == "index" || name.starts_with("index.");
        let path = if below_index {
            name.clone()
        } else {
            format!("index.{name}")
        };
        put(&mut normal, &path, value);
    }
    Value::Object(normal)
}
