//! What does `_bulk` answer? One request's actions, read as the servers read them, carried out one by one.

use serde_json::{Value, json};

use super::complaint::Complaint;
use super::filter;
use super::http::{Answer, Request};
use super::plan::{Flaw, ItemMishap, Mishap};
use super::{Overload, State};

/// The longest `_id`, in bytes.
const ID_BYTES_MAX: usize = 512;

/// One action with its document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Action<'a> {
    pub(super) index: String,
    pub(super) id: String,
    pub(super) source: &'a [u8],
}

/// Reads the actions of a body; `default_index` is the one in the request's path.
pub(super) fn parse<'a>(body: &'a [u8], default_index: &str) -> Result<Vec<Action<'a>>, Complaint> {
    if body.last() != Some(&b'\n') {
        return Err(Complaint::wrong(
            "The bulk request must be terminated by a newline [\\n]",
        ));
    }
    let mut lines = body.split(|byte| *byte == b'\n');
    let mut actions = Vec::new();
    let mut number = 0;
    while let Some(line) = lines.next() {
        number += 1;
        if line.is_empty() {
            continue;
        }
        let action: Value = serde_json::from_slice(line).map_err(|error| {
            Complaint::new(400, "x_content_parse_exception", format!("{error}"))
        })?;
        let malformed = |what: &str| {
            Complaint::wrong(format!("Malformed action/metadata line [{number}], {what}"))
        };
        let Some((kind, about)) = action.as_object().and_then(|action| action.iter().next()) else {
            return Err(malformed("expected START_OBJECT"));
        };
        if kind != "create" {
            return Err(malformed(&format!("the fake knows [create], not [{kind}]")));
        }
        let text = |name: &str| about[name].as_str().map(str::to_owned);
        let index = text("_index").unwrap_or_else(|| default_index.to_owned());
        let id = text("_id").ok_or_else(|| malformed("the fake wants an [_id]"))?;
        if index.is_empty() {
            return Err(Complaint::new(
                400,
                "action_request_validation_exception",
                "Validation Failed: 1: index is missing;",
            ));
        }
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            let reason = format!(
                "Validation Failed: 1: id [{id}] is too long, must be no longer than {ID_BYTES_MAX} bytes but was: {};",
                id.len()
            );
            return Err(Complaint::new(
                400,
                "action_request_validation_exception",
                reason,
            ));
        }
        let source = lines.next().unwrap_or_default();
        number += 1;
        actions.push(Action { index, id, source });
    }
    if actions.is_empty() {
        return Err(Complaint::new(
            400,
            "action_request_validation_exception",
            "Validation Failed: 1: no requests added;",
        ));
    }
    Ok(actions)
}

/// Carries a request out under a mishap and makes its answer.
pub(super) fn answer(state: &mut State, request: &Request, mishap: Mishap) -> Answer {
    match mishap {
        Mishap::Refused {
            status,
            retry_after,
        } => return refusal(state, status, retry_after, request.body.len()),
        Mishap::NotJson => {
            return Answer {
                status: 200,
                headers: vec![("content-type", "text/html".to_owned())],
                body: b"<html><body>Please log in to the network.</body></html>".to_vec(),
            };
        }
        _ => {}
    }
    let path_index = request
        .path
        .trim_start_matches('/')
        .trim_end_matches("_bulk");
    let actions = match parse(&request.body, path_index.trim_end_matches('/')) {
        Ok(actions) => actions,
        Err(complaint) => {
            state.unexpected.push(format!("{complaint:?}"));
            return Answer::json(complaint.status, &complaint.body());
        }
    };
    let mut items: Vec<Value> = actions.iter().map(|action| item(state, action)).collect();
    let whole = items.len();
    match mishap {
        Mishap::RefusedThoughDone => {
            let complaint = Complaint::no_master();
            return Answer::json(complaint.status, &complaint.body());
        }
        Mishap::NoItems => items.clear(),
        Mishap::FewerItems => items.truncate(whole - (whole / 3).max(1)),
        _ => {}
    }
    let is_refused = |item: &Value| item["create"]["status"].as_u64() > Some(299);
    let errors = items.iter().any(is_refused);
    let mut body = json!({"errors": errors, "took": 1, "items": items});
    if let Some(patterns) = request.parameter("filter_path") {
        body = filter::keep(&body, &patterns);
        if mishap == Mishap::NoItems {
            body["items"] = json!([]);
        }
    }
    let mut answer = Answer::json(200, &body);
    match mishap {
        Mishap::EmptyBody => answer.body.clear(),
        Mishap::HalfJson => answer.body.truncate(answer.body.len() / 2),
        _ => {}
    }
    answer
}

/// Whether some item was refused.
pub(super) fn has_errors(answer: &Answer) -> bool {
    const MARK: &[u8] = b"\"error\":{";
    answer.body.windows(MARK.len()).any(|window| window == MARK)
}

/// Whether a document is one that was refused before and is sent as plain text now.
fn is_plain(source: &[u8]) -> bool {
    const MARK: &[u8] = b"\"error\":{\"message\":";
    source.windows(MARK.len()).any(|window| window == MARK)
}

fn refusal(state: &State, status: u16, retry_after: Option<u64>, bytes: usize) -> Answer {
    let engine = state.indices.engine;
    let complaint = match status {
        401 => Complaint::unauthenticated(),
        403 => Complaint::unauthorized(),
        404 => Complaint::no_index("nodetap"),
        413 => {
            return Answer {
                status: 413,
                headers: Vec::new(),
                body: Vec::new(),
            };
        }
        429 => Complaint::no_memory(engine, bytes),
        _ => Complaint::no_master(),
    };
    let answer = Answer::json(status, &complaint.body());
    match retry_after {
        Some(seconds) => answer.with("retry-after", seconds.to_string()),
        None => answer,
    }
}

/// One item's result.
fn item(state: &mut State, action: &Action<'_>) -> Value {
    let engine = state.indices.engine;
    let refuse = |index: &str, complaint: &Complaint| {
        json!({"create": {
            "_index": index,
            "_id": action.id,
            "status": complaint.status,
            "error": complaint.error(index),
        }})
    };
    let is_plain = is_plain(action.source);
    let broken = |what| Complaint::unparsable(engine, &action.id, what);
    match state.plan.flaw(&action.id) {
        Flaw::Deadly => return refuse(&action.index, &broken("failed to parse")),
        Flaw::Poison if !is_plain => {
            return refuse(&action.index, &broken("failed to parse field [app]"));
        }
        Flaw::FailureStore if !is_plain => {
            return json!({"create": {
                "_index": format!(".fs-{}-2026.01.01-000002", action.index),
                "_id": "JqWjVpoBXyzABCDEFGhi",
                "_version": 1,
                "result": "created",
                "_shards": {"total": 1, "successful": 1, "failed": 0},
                "_seq_no": 0,
                "_primary_term": 1,
                "failure_store": "used",
                "status": 201,
            }});
        }
        Flaw::None | Flaw::Poison | Flaw::FailureStore => {}
    }
    let mishap = if state.overload == Overload::Queue && state.plan.below(4) > 0 {
        Some(ItemMishap::Busy)
    } else {
        state.plan.next_item()
    };
    let complaint = match mishap {
        None | Some(ItemMishap::UnavailableThoughStored) => None,
        Some(ItemMishap::Busy) => Some(Complaint::queue_full(engine)),
        Some(ItemMishap::Unavailable) => Some(Complaint::unavailable(&action.index)),
        Some(ItemMishap::Blocked) => Some(Complaint::write_blocked(&action.index)),
        Some(ItemMishap::Missing) => Some(Complaint::no_index(&action.index)),
        Some(ItemMishap::Closed) => Some(Complaint::closed()),
        Some(ItemMishap::ShardLimit) => Some(Complaint::shard_limit(1000, 1000)),
        Some(ItemMishap::Unauthorized) => Some(Complaint::unauthenticated()),
        Some(ItemMishap::Unknown) => Some(Complaint::new(500, "exception", "broken")),
    };
    if let Some(complaint) = complaint {
        return refuse(&action.index, &complaint);
    }
    let stored = state
        .indices
        .create(&action.index, &action.id, action.source);
    if mishap == Some(ItemMishap::UnavailableThoughStored) {
        return refuse(&action.index, &Complaint::unavailable(&action.index));
    }
    match stored {
        Ok(index) => json!({"create": {
            "_index": index,
            "_id": action.id,
            "_version": 1,
            "result": "created",
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "_seq_no": 0,
            "_primary_term": 1,
            "status": 201,
        }}),
        Err((index, complaint)) => {
            state.conflicts += usize::from(complaint.status == 409);
            refuse(&index, &complaint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_as_the_servers_read_it() {
        let body = b"{\"create\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"x\":1}\n{\"create\":{\"_id\":\"2\"}}\n{}\n";
        let actions = parse(body, "b").unwrap();
        assert_eq!(actions.len(), 2);
        assert_eq!(
            (&*actions[0].index, &*actions[0].id, actions[0].source),
            ("a", "1", &b"{\"x\":1}"[..])
        );
        assert_eq!(actions[1].index, "b");
        for wrong in [
            &b"{\"create\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"x\":1}"[..],
            b"\n",
            b"{\"create\":{\"_index\":\"a\"}}\n{}\n",
            b"{\"create\":{\"_id\":\"1\"}}\n{}\n",
            b"{\"update\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{}\n",
            b"no\n{}\n",
        ] {
            assert!(parse(wrong, "").is_err());
        }
    }
}
