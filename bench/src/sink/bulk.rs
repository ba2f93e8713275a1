//! What is in this bulk body, and what would Elasticsearch answer?

use std::io::Write as _;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use memchr::{memchr, memmem};

use super::Sink;
use super::faults::ItemFate;
use crate::clock::now_micros;
use crate::token::{END_START, Token, digits};

/// Two heads of one length, without blanks, as Elasticsearch writes them (some collectors look for the exact text):
/// which of them it is, is known last.
const HEAD_GOOD: &[u8] = b"{\"took\":3,\"errors\":false,\"items\":[";
const HEAD_FAILED: &[u8] = b"{\"took\":13,\"errors\":true,\"items\":[";
/// When the client asked for items only.
const HEAD_ITEMS: &[u8] = b"{\"items\":[";

/// How much of an answer a client wants to see, by its `filter_path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Everything.
    Whole,
    /// Of each item its status and error, after the head.
    Items,
    /// The same without a head.
    ItemsOnly,
}

impl Detail {
    /// What the query of a bulk request asks for.
    pub(super) fn of_query(query: &str) -> Self {
        let filter = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("filter_path="));
        match filter {
            None => Self::Whole,
            Some(paths) if paths.split(',').any(|path| path == "errors") => Self::Items,
            Some(_) => Self::ItemsOnly,
        }
    }
}

/// The counts of one body, added to the shared ones at its end.
#[derive(Default)]
struct Counts {
    docs: u64,
    distinct: u64,
    duplicates: u64,
    no_token: u64,
    many_tokens: u64,
    split_whole: u64,
    split_broken: u64,
    conflicts: u64,
    rejected: u64,
    refused: u64,
    bad: u64,
}

/// One action line.
struct Action<'a> {
    operation: &'static str,
    index: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
}

impl<'a> Action<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let head = &line[..line.len().min(16)];
        let operation = ["create", "index"]
            .into_iter()
            .find(|name| memmem::find(head, name.as_bytes()).is_some())?;
        Some(Self {
            operation,
            index: string_value(line, b"\"_index\":"),
            id: string_value(line, b"\"_id\":"),
        })
    }
}

/// The string after `name` in a line of JSON; ids and index names have no escapes.
fn string_value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = &line[memmem::find(line, name)? + name.len()..];
    let rest = &rest[memchr(b'"', rest)? + 1..];
    Some(&rest[..memchr(b'"', rest)?])
}

/// The next line of `rest`, which becomes what follows it.
fn next_line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = memchr(b'\n', rest).unwrap_or(rest.len());
    let line = &rest[..end];
    *rest = rest.get(end + 1..).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl Sink {
    /// Counts the documents of `body`, sent to `path`, and writes the answer into `out`.
    ///
    /// Any `filter_path` is taken for one that asks for the items' states and errors.
    pub(super) fn bulk(&self, path: &str, body: &[u8], detail: Detail, out: &mut Vec<u8>) {
        let now = now_micros();
        let mut counts = Counts::default();
        let mut failed = false;
        let mut rest = body;
        out.clear();
        out.extend_from_slice(match detail {
            Detail::Whole | Detail::Items => HEAD_GOOD,
            Detail::ItemsOnly => HEAD_ITEMS,
        });
        while !rest.is_empty() {
            let line = next_line(&mut rest);
            if line.is_empty() {
                continue;
            }
            let Some(action) = Action::parse(line) else {
                counts.bad += 1;
                continue;
            };
            let document = next_line(&mut rest);
            if out.last() == Some(&b'}') {
                out.push(b',');
            }
            let status = self.item_status(&action, path, &mut counts);
            failed |= status != 201;
            if status == 201 {
                self.count_document(document, now, &mut counts);
                self.keep_sample(line, document);
            }
            answer_item(out, &action, status, detail != Detail::Whole);
        }
        out.extend_from_slice(b"]}");
        if failed && detail != Detail::ItemsOnly {
            out.splice(..HEAD_GOOD.len(), HEAD_FAILED.iter().copied());
        }
        self.add(&counts, now);
    }

    fn item_status(&self, action: &Action<'_>, path: &str, counts: &mut Counts) -> u16 {
        match self.faults.next_item() {
            ItemFate::Rejected => {
                counts.rejected += 1;
                return 429;
            }
            ItemFate::Refused => {
                counts.refused += 1;
                return 400;
            }
            ItemFate::Stored => {}
        }
        let index = action.index.unwrap_or(path.as_bytes());
        match action.id {
            Some(id) if action.operation == "create" && !self.is_new_id(index, id) => {
                counts.conflicts += 1;
                409
            }
            _ => 201,
        }
    }

    fn count_document(&self, document: &[u8], now: u64, counts: &mut Counts) {
        counts.docs += 1;
        let mut tokens = 0;
        for (at, token) in Token::find_all(document) {
            tokens += 1;
            let Some(seen) = self.seen.get(token.sequence as usize) else {
                counts.bad += 1;
                continue;
            };
            if seen.fetch_add(1, Relaxed) > 0 {
                counts.duplicates += 1;
            } else {
                counts.distinct += 1;
                if token.written_micros > 0 {
                    self.latencies.add(now.saturating_sub(token.written_micros));
                }
            }
            if token.split {
                let rest = &document[at..];
                let mut ends = memmem::find_iter(rest, END_START)
                    .filter_map(|end| digits(rest.get(end + 3..end + 13)?));
                if ends.any(|sequence| sequence == token.sequence) {
                    counts.split_whole += 1;
                } else {
                    counts.split_broken += 1;
                }
            }
        }
        counts.no_token += u64::from(tokens == 0);
        counts.many_tokens += u64::from(tokens > 1);
    }

    fn keep_sample(&self, action: &[u8], document: &[u8]) {
        if self.counters.docs.load(Relaxed) > 0 {
            return;
        }
        let mut sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        if sample.is_empty() {
            *sample = [action, b"\n", document, b"\n"].concat();
        }
    }

    fn add(&self, counts: &Counts, now: u64) {
        let shared = &self.counters;
        for (total, count) in [
            (&shared.docs, counts.docs),
            (&shared.distinct, counts.distinct),
            (&shared.duplicates, counts.duplicates),
            (&shared.no_token, counts.no_token),
            (&shared.many_tokens, counts.many_tokens),
            (&shared.split_whole, counts.split_whole),
            (&shared.split_broken, counts.split_broken),
            (&shared.conflicts_409, counts.conflicts),
            (&shared.rejected_429, counts.rejected),
            (&shared.rejected_400, counts.refused),
            (&shared.bad_bulk, counts.bad),
        ] {
            total.fetch_add(count, Relaxed);
        }
        shared.last_doc_us.store(now, Relaxed);
        if counts.distinct > 0 {
            shared.last_new_us.store(now, Relaxed);
            if shared.first_us.load(Relaxed) == 0 {
                shared.first_us.store(now, Relaxed);
            }
        }
    }
}

fn answer_item(out: &mut Vec<u8>, action: &Action<'_>, status: u16, short: bool) {
    let Action { operation, id, .. } = action;
    let id = String::from_utf8_lossy(id.unwrap_or(b"kZx0aZQBt1hVn1m0JqTa"));
    let error = match status {
        201 if short => return push(out, format_args!("{{\"{operation}\":{{\"status\":201}}}}")),
        201 => {
            return push(
                out,
                format_args!(
                    "{{\"{operation}\":{{\"_index\":\"logs\",\"_id\":\"{id}\",\"_version\":1,\"result\":\"created\",\"_shards\":{{\"total\":2,\"successful\":1,\"failed\":0}},\"_seq_no\":1,\"_primary_term\":1,\"status\":201}}}}"
                ),
            );
        }
        409 => "version_conflict_engine_exception",
        429 => "es_rejected_execution_exception",
        _ => "document_parsing_exception",
    };
    let place = if short {
        String::new()
    } else {
        format!("\"_index\":\"logs\",\"_id\":\"{id}\",")
    };
    push(
        out,
        format_args!(
            "{{\"{operation}\":{{{place}\"status\":{status},\"error\":{{\"type\":\"{error}\",\"reason\":\"[{id}]: refused\"}}}}}}"
        ),
    );
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "a vector takes everything");
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::sink::Faults;

    fn sink() -> Sink {
        Sink::new(Faults::new(7), 100, "8.19.0".to_owned())
    }

    fn item(id: &str, sequence: u64, split: bool, end: &str) -> String {
        let token = Token {
            sequence,
            written_micros: 1,
            split,
        };
        format!(
            "{{\"create\":{{\"_index\":\"a\",\"_id\":\"{id}\"}}}}\n{{\"message\":\"{token}{end}\"}}\n"
        )
    }

    fn answer(sink: &Sink, body: &str) -> Value {
        let mut out = Vec::new();
        sink.bulk("/_bulk", body.as_bytes(), Detail::Whole, &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn an_answer_has_what_was_asked_for() {
        let body = item("x", 1, false, "") + &item("x", 1, false, "");
        let answer = |query| {
            let (sink, mut out) = (sink(), Vec::new());
            sink.bulk("/_bulk", body.as_bytes(), Detail::of_query(query), &mut out);
            serde_json::from_slice::<Value>(&out).unwrap()
        };
        assert_eq!(answer("")["items"][1]["create"]["_id"], "x");
        let items = answer("timeout=1s&filter_path=items.*.status,items.*.error.type");
        assert_eq!(
            items["items"][0],
            serde_json::json!({"create": {"status": 201}})
        );
        assert_eq!(items["items"][1]["create"]["status"], 409);
        assert!(items.get("errors").is_none() && items.get("took").is_none());
        let with_head = answer("filter_path=took,errors,items.*.status");
        assert_eq!(with_head["errors"], true);
        assert!(with_head["items"][1]["create"].get("_id").is_none());
    }

    #[test]
    fn an_id_sent_again_is_a_conflict_and_not_counted() {
        let sink = sink();
        let first = answer(&sink, &item("x", 1, false, ""));
        assert_eq!(
            (&first["errors"], &first["items"][0]["create"]["status"]),
            (&false.into(), &201.into())
        );
        let again = answer(&sink, &(item("x", 1, false, "") + &item("y", 2, false, "")));
        assert_eq!(again["errors"], true);
        assert_eq!(again["items"][0]["create"]["status"], 409);
        assert_eq!(again["items"][1]["create"]["status"], 201);
        let stats = sink.stats();
        assert_eq!(
            (
                &stats["distinct"],
                &stats["duplicates"],
                &stats["conflicts_409"]
            ),
            (&2.into(), &0.into(), &1.into())
        );
        assert_eq!(sink.missing(4), [0, 3]);
    }

    #[test]
    fn a_record_under_another_id_is_a_double_and_one_without_its_end_is_broken() {
        let sink = sink();
        answer(
            &sink,
            &(item("x", 1, true, "@e=0000000001@") + &item("z", 1, true, "")),
        );
        let stats = sink.stats();
        assert_eq!(
            (&stats["distinct"], &stats["duplicates"]),
            (&1.into(), &1.into())
        );
        assert_eq!(
            (&stats["split_whole"], &stats["split_broken"]),
            (&1.into(), &1.into())
        );
    }

    #[test]
    fn items_made_to_fail_are_not_stored() {
        let sink = sink();
        assert!(sink.faults.set("fail429", "1"));
        assert!(!sink.faults.set("fail429", "2"));
        assert_eq!(
            answer(&sink, &item("x", 1, false, ""))["items"][0]["create"]["status"],
            429
        );
        assert_eq!(sink.stats()["distinct"], 0);
    }

    #[test]
    fn a_cut_body_is_counted_as_far_as_it_goes() {
        let sink = sink();
        let body = item("x", 1, false, "") + "{\"create\":{}}";
        for length in 0..body.len() {
            let mut out = Vec::new();
            sink.bulk(
                "/_bulk",
                &body.as_bytes()[..length],
                Detail::ItemsOnly,
                &mut out,
            );
            assert!(serde_json::from_slice::<Value>(&out).is_ok());
        }
    }
}
