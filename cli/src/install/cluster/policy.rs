//! What does a policy say that deletes logs after some days? In the words of either engine.

use collector::ship::elasticsearch::Layout;
use collector::ship::elasticsearch::template::Engine;
use serde_json::{Value, json};

/// The policy's name, and what stands for the template's choice of it.
pub(super) const NAME: &str = "nodetap";
/// From this age or size on, a data stream gets a new backing index; daily indices are as old as their day.
const ROLLOVER_AGE: &str = "1d";
const ROLLOVER_SIZE: &str = "50gb";

/// The policy of one engine for one layout.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) engine: Engine,
    pattern: String,
    rolls_over: bool,
}

/// For people.
pub(super) fn what(days: Option<u32>) -> String {
    match days {
        Some(days) => format!("lifecycle policy {NAME} (deletes after {days} days)"),
        None => format!("lifecycle policy {NAME}"),
    }
}

// === impl Policy ===

impl Policy {
    pub(super) fn new(engine: Engine, layout: &Layout) -> Self {
        Self {
            engine,
            pattern: layout.pattern(),
            rolls_over: *layout == Layout::DataStream,
        }
    }

    pub(super) fn path(&self) -> String {
        match self.engine {
            Engine::Elasticsearch => format!("/_ilm/policy/{NAME}"),
            Engine::OpenSearch => format!("/_plugins/_ism/policies/{NAME}"),
        }
    }

    /// OpenSearch changes a policy only for who knows which one it is.
    pub(super) fn path_to_write(&self, before: Option<&Value>) -> String {
        let path = self.path();
        match (self.engine, before) {
            (Engine::OpenSearch, Some(found)) => format!(
                "{path}?if_seq_no={}&if_primary_term={}",
                found["_seq_no"], found["_primary_term"]
            ),
            _ => path,
        }
    }

    /// What to put there.
    pub(super) fn body(&self, days: u32) -> Value {
        let age = format!("{days}d");
        match self.engine {
            Engine::Elasticsearch => {
                let hot = if self.rolls_over {
                    json!({ "rollover": { "max_age": ROLLOVER_AGE, "max_primary_shard_size": ROLLOVER_SIZE } })
                } else {
                    json!({})
                };
                json!({ "policy": { "phases": {
                    "hot": { "actions": hot },
                    "delete": { "min_age": age, "actions": { "delete": {} } },
                }}})
            }
            Engine::OpenSearch => {
                let actions = if self.rolls_over {
                    json!([{ "rollover": { "min_index_age": ROLLOVER_AGE, "min_size": ROLLOVER_SIZE } }])
                } else {
                    json!([])
                };
                json!({ "policy": {
                    "description": "Deletes logs collected by nodetap",
                    "default_state": "kept",
                    "states": [
                        { "name": "kept", "actions": actions,
                          "transitions": [{ "state_name": "deleted", "conditions": { "min_index_age": age } }] },
                        { "name": "deleted", "actions": [{ "delete": {} }], "transitions": [] },
                    ],
                    "ism_template": [{ "index_patterns": [self.pattern], "priority": 100 }],
                }})
            }
        }
    }

    /// The policy itself in what the server gives.
    pub(super) fn content<'a>(&self, found: &'a Value) -> &'a Value {
        match self.engine {
            Engine::Elasticsearch => &found[NAME]["policy"],
            Engine::OpenSearch => &found["policy"],
        }
    }

    /// After how many days the policy that is there deletes, if it says so in days.
    pub(super) fn days(&self, found: Option<&Value>) -> Option<u32> {
        let policy = self.content(found?);
        let age = match self.engine {
            Engine::Elasticsearch => policy.pointer("/phases/delete/min_age")?,
            Engine::OpenSearch => {
                policy.pointer("/states/0/transitions/0/conditions/min_index_age")?
            }
        };
        age.as_str()?.strip_suffix('d')?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_found_again_in_what_was_put_there() {
        let index = Layout::Index {
            prefix: "nodetap".to_owned(),
        };
        for layout in [index, Layout::DataStream] {
            let policy = Policy::new(Engine::Elasticsearch, &layout);
            let found = json!({ NAME: { "version": 3, "policy": policy.body(7)["policy"] } });
            assert_eq!(policy.days(Some(&found)), Some(7));
            assert_eq!(policy.path_to_write(Some(&found)), "/_ilm/policy/nodetap");
            let policy = Policy::new(Engine::OpenSearch, &layout);
            let found =
                json!({ "_seq_no": 5, "_primary_term": 1, "policy": policy.body(7)["policy"] });
            assert_eq!(policy.days(Some(&found)), Some(7));
            assert!(
                policy
                    .path_to_write(Some(&found))
                    .ends_with("?if_seq_no=5&if_primary_term=1")
            );
            assert_eq!(policy.days(None), None);
        }
    }

    #[test]
    fn only_data_streams_roll_over() {
        let index = Layout::Index {
            prefix: "nodetap".to_owned(),
        };
        for engine in [Engine::Elasticsearch, Engine::OpenSearch] {
            let said = |layout: &Layout| Policy::new(engine, layout).body(1).to_string();
            assert!(!said(&index).contains("rollover"));
            assert!(said(&Layout::DataStream).contains("rollover"));
        }
    }
}
