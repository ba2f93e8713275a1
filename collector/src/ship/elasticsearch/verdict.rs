//! What does an answer mean for each item? Pure, over the bytes of an answer.
//!
//! Done is what is created or was there already. Refused for good is only what the cluster says of the document itself.
//! All else, and every answer that is not understood, means: send it again.

use std::time::Duration;

use elastic::Answer;
use serde::Deserialize;
use serde_json::Value;

/// What an answer to a bulk request means.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Each item has its own result, in their order.
    Items(Vec<Outcome>),
    /// The request is too large for the cluster.
    TooLarge,
    /// Nothing is known of any item, or nothing was taken: send all again.
    Again(Again),
}

/// Why a whole request has to be sent again.
#[derive(Clone, Debug, PartialEq)]
pub struct Again {
    /// For people.
    pub reason: String,
    /// How long the cluster asks to wait.
    pub retry_after: Option<Duration>,
    /// Whether some of it may have been carried out.
    pub doubtful: bool,
    /// Whether the cluster has too much to do.
    pub overloaded: bool,
    /// Whether nothing got there.
    pub unreachable: bool,
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was created.
    Created,
    /// Its id was there already.
    Known,
    /// Not now.
    Retry {
        /// For people.
        reason: String,
    },
    /// The document itself is refused.
    Refused {
        /// The item's status.
        status: u16,
        /// The error's type and reason.
        reason: String,
    },
}

/// Reads an answer to `sent` items.
pub fn verdict(answer: &Answer, sent: usize) -> Verdict {
    if answer.status == 413 {
        return Verdict::TooLarge;
    }
    if !answer.is_success() {
        return Verdict::Again(Again {
            reason: answer.complaint(),
            retry_after: answer.retry_after,
            // A gateway's 502 or 504 says nothing about what the cluster did.
            doubtful: answer.status >= 500,
            overloaded: matches!(answer.status, 429 | 503),
            unreachable: false,
        });
    }
    let misread = |reason: String| {
        Verdict::Again(Again {
            reason,
            retry_after: answer.retry_after,
            doubtful: true,
            overloaded: false,
            unreachable: false,
        })
    };
    if let Some(created) = all_created(&answer.body, sent) {
        return Verdict::Items(created);
    }
    let bulk: Bulk = match serde_json::from_slice(&answer.body) {
        Ok(bulk) => bulk,
        Err(error) => {
            return misread(format!(
                "the answer to a bulk request is not understood: {error}"
            ));
        }
    };
    if bulk.items.len() != sent {
        return misread(format!(
            "the answer to a bulk request of {sent} items has {}",
            bulk.items.len()
        ));
    }
    Verdict::Items(bulk.items.into_iter().map(outcome).collect())
}

/// The usual answer, read at memory speed: as many items as were sent, each created, in the compact form that both engines
/// write. Everything else is for the parser.
fn all_created(body: &[u8], sent: usize) -> Option<Vec<Outcome>> {
    const ITEM: &[u8] = br#"{"create":{"status":201}},"#;
    const ITEMS: &[u8] = br#""items":["#;
    const HEAD_BYTES_MAX: usize = 64;
    let beginning = body.get(..body.len().min(HEAD_BYTES_MAX))?;
    let at = beginning
        .windows(ITEMS.len())
        .position(|window| window == ITEMS)?;
    let (head, rest) = body.split_at_checked(at)?;
    let is_usual_member = |member: &[u8]| match member.strip_prefix(br#""took":"#) {
        Some(took) => !took.is_empty() && took.iter().all(u8::is_ascii_digit),
        None => member.is_empty() || member == br#""errors":false"#,
    };
    if !head
        .strip_prefix(b"{")?
        .split(|byte| *byte == b',')
        .all(is_usual_member)
    {
        return None;
    }
    let items = rest.strip_prefix(ITEMS)?.strip_suffix(b"]}")?;
    if items.len() + 1 != sent * ITEM.len() {
        return None;
    }
    let (rest, end) = items.split_at_checked(items.len() - (ITEM.len() - 1))?;
    let same = |item: &[u8]| item == ITEM;
    let is_usual = rest.chunks_exact(ITEM.len()).all(same) && ITEM.starts_with(end);
    is_usual.then(|| vec![Outcome::Created; sent])
}

/// The body of an answer, as far as it matters.
#[derive(Deserialize)]
struct Bulk {
    items: Vec<Named>,
}

/// An item's result under the name of its action.
#[derive(Deserialize)]
struct Named {
    #[serde(alias = "index")]
    create: ItemResult,
}

#[derive(Deserialize)]
struct ItemResult {
    status: u16,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    failure_store: Option<String>,
}

fn outcome(named: Named) -> Outcome {
    let item = named.create;
    if item.failure_store.as_deref() == Some("used") {
        return Outcome::Refused {
            status: item.status,
            reason: "went to the failure store".to_owned(),
        };
    }
    let error = item.error.unwrap_or(Value::Null);
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, why) = (text("type"), text("reason"));
    match item.status {
        200 | 201 if error.is_null() => Outcome::Created,
        409 if kind == "version_conflict_engine_exception" => Outcome::Known,
        400 if speaks_of_the_document(kind, why) => Outcome::Refused {
            status: 400,
            reason: format!("{kind}: {why}"),
        },
        status => Outcome::Retry {
            reason: format!("HTTP {status}: {kind}: {why}"),
        },
    }
}

/// Whether a 400 is about this one document, and not about its index or about us.
fn speaks_of_the_document(kind: &str, reason: &str) -> bool {
    const KINDS: [&str; 5] = [
        "document_parsing_exception",
        "mapper_parsing_exception",
        "strict_dynamic_mapping_exception",
        "x_content_parse_exception",
        "parsing_exception",
    ];
    // This type also stands for an alias without a write index and other things that a person can mend.
    const REASONS: [&str; 5] = [
        "Document contains at least one immense term",
        "Limit of total fields",
        "Limit of mapping depth",
        "Limit of nested",
        "data stream timestamp field",
    ];
    KINDS.contains(&kind)
        || (kind == "illegal_argument_exception"
            && REASONS.iter().any(|begin| reason.starts_with(begin)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            retry_after: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn each_item_has_its_own_result() {
        let body = r#"{"took":3,"errors":true,"items":[
            {"create":{"status":201}},
            {"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"exists"}}},
            {"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}},
            {"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"no date"}}},
            {"create":{"status":400,"error":{"type":"index_closed_exception","reason":"closed"}}},
            {"create":{"status":201,"failure_store":"used"}},
            {"create":{"status":201,"failure_store":"not_enabled"}},
            {"create":{"status":409,"error":{"type":"other","reason":"x"}}}]}"#;
        let Verdict::Items(items) = verdict(&answer(200, body), 8) else {
            panic!("not understood");
        };
        let kinds: Vec<&str> = items
            .iter()
            .map(|item| match item {
                Outcome::Created => "created",
                Outcome::Known => "known",
                Outcome::Retry { .. } => "retry",
                Outcome::Refused { .. } => "refused",
            })
            .collect();
        assert_eq!(
            kinds,
            [
                "created", "known", "retry", "refused", "retry", "refused", "created", "retry"
            ]
        );
    }

    #[test]
    fn the_usual_answer_is_read_as_the_parser_reads_it() {
        for sent in 1..5 {
            let items = vec![r#"{"create":{"status":201}}"#; sent].join(",");
            let body = format!(r#"{{"items":[{items}]}}"#);
            assert_eq!(
                all_created(body.as_bytes(), sent),
                Some(vec![Outcome::Created; sent])
            );
            assert_eq!(all_created(body.as_bytes(), sent + 1), None);
            for place in 0..body.len() {
                let mut other = body.clone().into_bytes();
                other[place] ^= 1;
                assert_eq!(
                    all_created(&other, sent),
                    None,
                    "byte {place} was not looked at"
                );
            }
        }
        assert_eq!(all_created(br#"{"items":[]}"#, 0), None);
    }

    #[test]
    fn what_is_not_understood_is_sent_again_as_doubtful() {
        for body in [
            "",
            "{",
            "{}",
            r#"{"items":[]}"#,
            r#"{"items":[{"create":{"status":201}}]}"#,
            "<html>",
        ] {
            let Verdict::Again(again) = verdict(&answer(200, body), 2) else {
                panic!("taken for a result: {body}");
            };
            assert!(again.doubtful, "{body}");
        }
    }

    #[test]
    fn a_refused_request_is_sent_again() {
        for status in [301, 400, 401, 403, 404, 429, 500, 502, 503] {
            assert!(
                matches!(verdict(&answer(status, ""), 2), Verdict::Again(_)),
                "{status}"
            );
        }
        assert_eq!(verdict(&answer(413, ""), 2), Verdict::TooLarge);
    }

    #[test]
    fn only_a_400_about_the_document_is_final() {
        for (kind, reason, is_final) in [
            ("mapper_parsing_exception", "", true),
            (
                "illegal_argument_exception",
                "Limit of total fields [1000] has been exceeded",
                true,
            ),
            (
                "illegal_argument_exception",
                "no write index is defined for alias [x]",
                false,
            ),
            (
                "validation_exception",
                "this action would add [2] shards",
                false,
            ),
            ("invalid_index_name_exception", "", false),
            ("", "", false),
        ] {
            assert_eq!(
                speaks_of_the_document(kind, reason),
                is_final,
                "{kind} {reason}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(body in proptest::collection::vec(any::<u8>(), 0..300), sent in 0_usize..4) {
            let answer = Answer { status: 200, retry_after: None, body: Bytes::from(body) };
            if let Verdict::Items(items) = verdict(&answer, sent) {
                prop_assert_eq!(items.len(), sent);
            }
        }
    }
}
