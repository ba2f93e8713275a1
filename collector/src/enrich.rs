//! What is known about a file's lines beyond their text? All that its path says, and what the node is.
//!
//! Labels that only an API server knows will join here, keyed by pod uid and with a bounded wait.

use std::sync::Arc;

use record::file::Node;
use record::{File, FileKey, Fingerprint, Source};

/// Makes the constant part of a file's records.
pub fn file(
    source: &Source,
    node: &Arc<Node>,
    key: FileKey,
    fingerprint: Option<Fingerprint>,
    started: i64,
) -> Arc<File> {
    Arc::new(File {
        origin: Arc::clone(&source.origin),
        key,
        fingerprint: fingerprint
            .map(|fingerprint| fingerprint.to_string())
            .unwrap_or_default(),
        path: source.live_path.display().to_string(),
        started,
        restart_count: source.restart_count,
        node: Arc::clone(node),
    })
}
