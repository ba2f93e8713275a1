//! What can be asked of a real server, and how is it brought into trouble?

use serde_json::{Value, json};
use tests::cluster::{Access, Cluster, Engine, Fault, Stored};
use tests::oracle::Documents;
use tests::until;

use super::{Doors, Server, config};

/// All that nodetap makes.
const OURS: &str = "nodetap-*,logs-nodetap.*";
/// How many documents one page has; the servers allow no more.
const PAGE: usize = 10_000;
/// An index that uses up the shards.
const LAST_SHARD: &str = "the-last-shard";

impl Cluster for Server {
    fn engine(&self) -> Engine {
        self.engine
    }

    fn access(&self) -> Access {
        let basic = || {
            (
                config::SHIPPER.to_owned(),
                config::SHIPPER_PASSWORD.to_owned(),
            )
        };
        Access {
            urls: vec![self.url()],
            ca_file: self.ca_file(),
            basic: (self.doors == Doors::Guarded).then(basic),
            api_key: None,
        }
    }

    fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.curl()
            .json(method, path, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.log()))
    }

    fn documents(&mut self) -> Vec<Stored> {
        let mut documents = Vec::new();
        self.each_document(|stored| documents.push(stored));
        documents
    }

    fn clear(&mut self) {
        self.heal();
        self.must("DELETE", "/_data_stream/logs-nodetap.*", None);
        self.must("DELETE", "/nodetap-*?expand_wildcards=all", None);
        for template in ["nodetap", "logs-nodetap"] {
            let (status, answer) =
                self.ask("DELETE", &format!("/_index_template/{template}"), None);
            assert!(matches!(status, 200 | 404), "HTTP {status}: {answer}");
        }
    }

    fn induce(&mut self, fault: &Fault) {
        assert_eq!(self.fault, None, "one trouble at a time");
        match fault {
            Fault::Stopped => self.stop(),
            Fault::Killed => self.kill(),
            // Less than any request has, or small ones would get through.
            Fault::Busy => self.run_with(&[("indexing_pressure.memory.limit", "1kb")]),
            Fault::QueueFull => self.run_with(&[
                ("thread_pool.write.size", "1"),
                ("thread_pool.write.queue_size", "1"),
            ]),
            Fault::SmallBodies => self.run_with(&[("http.max_content_length", "1mb")]),
            Fault::NoMoreShards => {
                self.must("PUT", &format!("/{LAST_SHARD}"), None);
                self.limit_shards(&json!(1));
            }
            Fault::Closed { index } => {
                self.must("POST", &format!("/{index}/_close"), None);
            }
            Fault::WriteBlocked { index } => self.block(index, "write", &json!(true)),
            Fault::FloodStage { index } => {
                self.block(index, "read_only_allow_delete", &json!(true));
            }
        }
        self.fault = Some(fault.clone());
    }

    fn heal(&mut self) {
        let Some(fault) = self.fault.take() else {
            return;
        };
        match fault {
            Fault::Stopped | Fault::Killed => self.run(&[]),
            Fault::Busy | Fault::QueueFull | Fault::SmallBodies => self.run_with(&[]),
            Fault::NoMoreShards => {
                self.limit_shards(&Value::Null);
                self.must("DELETE", &format!("/{LAST_SHARD}"), None);
            }
            Fault::Closed { index } => {
                self.must("POST", &format!("/{index}/_open"), None);
            }
            Fault::WriteBlocked { index } => self.block(&index, "write", &Value::Null),
            Fault::FloodStage { index } => {
                self.block(&index, "read_only_allow_delete", &Value::Null);
            }
        }
    }
}

// === impl Server ===

impl Server {
    /// All documents as the oracle reads them, each stream in its exact order. Sources are not kept: there may be many.
    pub(crate) fn documents_by_stream(&mut self) -> Documents {
        let mut documents = Documents::new();
        self.each_document(|stored| {
            let own = documents.entry(stored.stream()).or_default();
            own.push(stored.document());
        });
        for own in documents.values_mut() {
            own.sort_by_key(|document| (document.started, document.offset, document.part));
        }
        documents
    }

    /// Asks for what can't be refused.
    pub(crate) fn must(&mut self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    fn each_document(&mut self, mut tell: impl FnMut(Stored)) {
        let which = "ignore_unavailable=true&allow_no_indices=true&expand_wildcards=open";
        self.must("POST", &format!("/{OURS}/_refresh?{which}"), None);
        let query = json!({"size": PAGE, "sort": ["_doc"], "query": {"match_all": {}}});
        let path = format!("/{OURS}/_search?scroll=1m&{which}");
        // A stream's index that was made a moment ago may have no place for its shard yet.
        let mut page = until("every shard to be assigned", || {
            match self.ask("POST", &path, Some(&query)) {
                (200, answer) if answer["_shards"]["failed"] == 0 => Ok(answer),
                (200 | 503, answer) => Err(answer.to_string()),
                (status, answer) => panic!("POST {path}: {status} {answer}"),
            }
        });
        loop {
            assert_eq!(
                page["_shards"]["failed"], 0,
                "not all shards answered: {page}"
            );
            let Value::Array(hits) = page["hits"]["hits"].take() else {
                panic!("no hits: {page}");
            };
            let id = page["_scroll_id"].take();
            let is_last = hits.len() < PAGE;
            hits.into_iter().map(stored).for_each(&mut tell);
            if is_last {
                // Kept for a minute at most; a search that found nothing has none.
                let used = json!({"scroll_id": [id]});
                let _status = self.ask("DELETE", "/_search/scroll", Some(&used)).0;
                return;
            }
            let next = json!({"scroll": "1m", "scroll_id": id});
            page = self.must("POST", "/_search/scroll", Some(&next));
        }
    }

    fn run_with(&mut self, settings: &[(&str, &str)]) {
        self.stop();
        self.run(settings);
    }

    fn limit_shards(&mut self, most: &Value) {
        let settings = json!({"persistent": {"cluster.max_shards_per_node": most}});
        self.must("PUT", "/_cluster/settings", Some(&settings));
    }

    fn block(&mut self, index: &str, block: &str, is_on: &Value) {
        let settings = json!({"index.blocks": {block: is_on}});
        self.must("PUT", &format!("/{index}/_settings"), Some(&settings));
    }
}

fn stored(mut hit: Value) -> Stored {
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    Stored {
        index: text(&hit["_index"]),
        id: text(&hit["_id"]),
        source: hit["_source"].take(),
    }
}
