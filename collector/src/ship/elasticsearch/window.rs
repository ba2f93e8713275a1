//! What of a window is there already? Asked before anything is sent again into a data stream, where an id is unique in
//! each backing index only.

use std::collections::HashSet;

use bytes::Bytes;
use elastic::{Answer, Client, Method, SendError};
use serde_json::{Value, json};

/// The most ids in one search: `index.max_result_window` is 10,000 by default, and so is `max_terms_count` far above.
pub(super) const PAGE_IDS_MAX: usize = 10_000;

/// Why it is not known.
#[derive(Debug)]
pub(super) enum WindowError {
    /// No answer.
    Send(SendError),
    /// An answer that is a complaint, or not understood.
    Answer(Answer),
}

/// Gives those of `ids` that the data stream has in any of its backing indices.
pub(super) async fn known(
    client: &Client,
    stream: &str,
    ids: &[&str],
) -> Result<HashSet<String>, WindowError> {
    // Search sees what was refreshed; what is written but not refreshed must be seen too.
    let refreshed = client
        .send(Method::Post, &format!("/{stream}/_refresh"), None)
        .await
        .map_err(WindowError::Send)?;
    if refreshed.status == 404 {
        return Ok(HashSet::new());
    }
    if !refreshed.is_success() {
        return Err(WindowError::Answer(refreshed));
    }
    let mut known = HashSet::new();
    let path = format!("/{stream}/_search?filter_path=_shards.failed,timed_out,hits.hits._id");
    for page in ids.chunks(PAGE_IDS_MAX) {
        let body = json!({
            "size": page.len(),
            "_source": false,
            "query": { "ids": { "values": page } },
        });
        let answer = client
            .send(Method::Post, &path, Some(Bytes::from(body.to_string())))
            .await
            .map_err(WindowError::Send)?;
        let json = answer.json().filter(|_| answer.is_success());
        // A search that some shards did not answer says nothing of what they hold.
        let is_whole = json.as_ref().is_some_and(|json| {
            json.pointer("/_shards/failed").and_then(Value::as_u64) == Some(0)
                && json.get("timed_out").and_then(Value::as_bool) == Some(false)
        });
        let (Some(json), true) = (json, is_whole) else {
            return Err(WindowError::Answer(answer));
        };
        let hits = json.pointer("/hits/hits").and_then(Value::as_array);
        let found = hits
            .into_iter()
            .flatten()
            .filter_map(|hit| hit.get("_id")?.as_str());
        known.extend(found.map(str::to_owned));
    }
    Ok(known)
}
