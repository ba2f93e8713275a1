//! What of a window is there already? Asked before anything is sent again into a data stream, where an id is unique in
//! each backing index only.

use std::collections::HashSet;

use bytes::Bytes;
use elastic::{Answer, Client, Method, SendError};
use serde_json::{Value, json};

/// The most hits of one search: `index.max_result_window` by default.
const HITS_MAX: usize = 10_000;
/// The most ids in one search. An id may have a copy in more than one backing index, so there is room for each twice.
const PAGE_IDS_MAX: usize = HITS_MAX / 2;

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
    let mut pages: Vec<&[&str]> = ids.chunks(PAGE_IDS_MAX).collect();
    while let Some(page) = pages.pop() {
        let (found, is_all) = search(client, stream, page).await?;
        if !is_all && page.len() > 1 {
            // Copies of some have crowded others out.
            let (first, second) = page.split_at(page.len() / 2);
            pages.extend([first, second]);
            continue;
        }
        known.extend(found);
    }
    Ok(known)
}

/// One page: the ids that are there, and whether these are all hits.
async fn search(
    client: &Client,
    stream: &str,
    page: &[&str],
) -> Result<(Vec<String>, bool), WindowError> {
    let path =
        format!("/{stream}/_search?filter_path=_shards.failed,timed_out,hits.total,hits.hits._id");
    let body = json!({
        "size": HITS_MAX,
        "track_total_hits": true,
        "_source": false,
        "query": { "ids": { "values": page } },
    });
    let answer = client
        .send(Method::Post, &path, Some(Bytes::from(body.to_string())))
        .await
        .map_err(WindowError::Send)?;
    let json = answer.json().filter(|_| answer.is_success());
    let number = |json: &Value, path: &str| json.pointer(path).and_then(Value::as_u64);
    // A search that some shards did not answer says nothing of what they hold.
    let is_whole = json.as_ref().is_some_and(|json| {
        number(json, "/_shards/failed") == Some(0)
            && json.get("timed_out").and_then(Value::as_bool) == Some(false)
    });
    let (Some(json), true) = (json, is_whole) else {
        return Err(WindowError::Answer(answer));
    };
    let Some(total) = number(&json, "/hits/total/value") else {
        return Err(WindowError::Answer(answer));
    };
    let hits = json.pointer("/hits/hits").and_then(Value::as_array);
    let found = hits.into_iter().flatten();
    let found = found.filter_map(|hit| Some(hit.get("_id")?.as_str()?.to_owned()));
    let found: Vec<String> = found.collect();
    let is_all = total <= found.len() as u64;
    Ok((found, is_all))
}
