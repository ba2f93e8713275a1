//! How do the two engines say no? Statuses, types and reasons as Elasticsearch 8.19 and OpenSearch 2.19 write them.

use serde_json::{Value, json};

use crate::cluster::Engine;

/// A refusal of a request or of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) status: u16,
    pub(super) kind: String,
    pub(super) reason: String,
}

// === impl Complaint ===

impl Complaint {
    pub(super) fn new(status: u16, kind: &str, reason: impl Into<String>) -> Self {
        Self {
            status,
            kind: kind.to_owned(),
            reason: reason.into(),
        }
    }

    /// As the error of an item.
    pub(super) fn error(&self, index: &str) -> Value {
        json!({
            "type": self.kind,
            "reason": self.reason,
            "index_uuid": "aAsmSpwUSzmJHLDjyrTfNw",
            "shard": "0",
            "index": index,
        })
    }

    /// As the body of a whole answer.
    pub(super) fn body(&self) -> Value {
        let cause = json!({"type": self.kind, "reason": self.reason});
        json!({
            "error": {"root_cause": [cause], "type": self.kind, "reason": self.reason},
            "status": self.status,
        })
    }

    pub(super) fn conflict(id: &str) -> Self {
        let reason =
            format!("[{id}]: version conflict, document already exists (current version [1])");
        Self::new(409, "version_conflict_engine_exception", reason)
    }

    /// A document that can't be parsed.
    pub(super) fn unparsable(engine: Engine, id: &str, what: &str) -> Self {
        match engine {
            Engine::Elasticsearch => {
                let reason = format!("[1:2] {what} in document with id '{id}'");
                Self::new(400, "document_parsing_exception", reason)
            }
            Engine::OpenSearch => {
                let reason = format!("{what} in document with id '{id}'");
                Self::new(400, "mapper_parsing_exception", reason)
            }
        }
    }

    /// An item that found the write queue full.
    pub(super) fn queue_full(engine: Engine) -> Self {
        let (kind, pool) = match engine {
            Engine::Elasticsearch => ("es_rejected_execution_exception", "EsThreadPoolExecutor"),
            Engine::OpenSearch => (
                "rejected_execution_exception",
                "OpenSearchThreadPoolExecutor",
            ),
        };
        let reason = format!(
            "rejected execution of TimedRunnable on {pool}[name = node-0/write, queue capacity = 1, [Running, pool size = 1, active threads = 1, queued tasks = 1]]"
        );
        Self::new(429, kind, reason)
    }

    /// A request that found no memory.
    pub(super) fn no_memory(engine: Engine, bytes: usize) -> Self {
        let kind = match engine {
            Engine::Elasticsearch => "es_rejected_execution_exception",
            Engine::OpenSearch => "rejected_execution_exception",
        };
        let reason = format!(
            "rejected execution of coordinating operation [coordinating_and_primary_bytes=0, replica_bytes=0, all_bytes=0, coordinating_operation_bytes={bytes}, max_coordinating_and_primary_bytes=204800]"
        );
        Self::new(429, kind, reason)
    }

    pub(super) fn unavailable(index: &str) -> Self {
        let reason = format!(
            "[{index}][0] primary shard is not active Timeout: [1m], request: [BulkShardRequest [[{index}][0]] containing [1] requests]"
        );
        Self::new(503, "unavailable_shards_exception", reason)
    }

    pub(super) fn no_master() -> Self {
        let reason =
            "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];".to_owned();
        Self::new(503, "cluster_block_exception", reason)
    }

    pub(super) fn write_blocked(index: &str) -> Self {
        let reason = format!("index [{index}] blocked by: [FORBIDDEN/8/index write (api)];");
        Self::new(403, "cluster_block_exception", reason)
    }

    pub(super) fn flood_stage(index: &str) -> Self {
        let reason = format!(
            "index [{index}] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];"
        );
        Self::new(429, "cluster_block_exception", reason)
    }

    pub(super) fn closed() -> Self {
        Self::new(400, "index_closed_exception", "closed")
    }

    pub(super) fn no_index(index: &str) -> Self {
        let reason = format!("no such index [{index}]");
        Self::new(404, "index_not_found_exception", reason)
    }

    pub(super) fn shard_limit(open: usize, most: usize) -> Self {
        let reason = format!(
            "Validation Failed: 1: this action would add [1] shards, but this cluster currently has [{open}]/[{most}] maximum normal shards open;"
        );
        Self::new(400, "validation_exception", reason)
    }

    pub(super) fn unauthenticated() -> Self {
        let reason = "unable to authenticate user [shipper] for REST request [/_bulk]";
        Self::new(401, "security_exception", reason)
    }

    pub(super) fn unauthorized() -> Self {
        let reason = "action [indices:data/write/bulk] is unauthorized for user [shipper] with effective roles [reader], this action is granted by the index privileges [create_doc,create,index,write,all]";
        Self::new(403, "security_exception", reason)
    }

    pub(super) fn wrong(reason: impl Into<String>) -> Self {
        Self::new(400, "illegal_argument_exception", reason)
    }
}
