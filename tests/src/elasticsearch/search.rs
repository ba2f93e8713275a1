//! Which documents does a query find? The part of the query language that is asked of a cluster by its ids, and a little more.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Value, json};

use super::complaint::Complaint;
use super::indices::Indices;
use crate::cluster::Stored;

/// `index.max_result_window`
const WINDOW_MAX: u64 = 10_000;
/// `index.max_terms_count`
const TERMS_MAX: usize = 65_536;

/// The answer of `_search` on these indices.
pub(super) fn search(
    indices: &Indices,
    names: &[String],
    body: &Value,
) -> Result<Value, Complaint> {
    if names.iter().any(|name| indices.is_closed(name)) {
        return Err(Complaint::closed());
    }
    let size = body["size"].as_u64().unwrap_or(10);
    let from = body["from"].as_u64().unwrap_or(0);
    if size + from > WINDOW_MAX {
        return Err(Complaint::wrong(format!(
            "Result window is too large, from + size must be less than or equal to: [{WINDOW_MAX}] but was [{}]. See the scroll api for a more efficient way to request large data sets.",
            size + from
        )));
    }
    let with_source = body["_source"] != false;
    let everything = json!({"match_all": {}});
    let query = body.get("query").unwrap_or(&everything);
    let (total, found) = match ids_of(query)? {
        Some(ids) => by_id(indices, names, &ids, (from, size), with_source),
        None => by_query(indices, names, body, query, (from, size))?,
    };
    let hits: Vec<Value> = found
        .into_iter()
        .map(|(stored, sort)| {
            let mut hit = json!({"_index": stored.index, "_id": stored.id, "_score": null});
            if with_source {
                hit["_source"] = stored.source;
            }
            if let Some(sort) = sort {
                hit["sort"] = sort;
            }
            hit
        })
        .collect();
    Ok(json!({
        "took": 1,
        "timed_out": false,
        "_shards": {"total": names.len(), "successful": names.len(), "skipped": 0, "failed": 0},
        "hits": {
            "total": {"value": total, "relation": "eq"},
            "max_score": null,
            "hits": hits,
        },
    }))
}

/// How many documents there are and which are in the answer, each with its values of the order.
type Found = (usize, Vec<(Stored, Option<Value>)>);

/// The ids that a query asks for, when it asks for nothing else.
fn ids_of(query: &Value) -> Result<Option<Vec<&str>>, Complaint> {
    let filters = &query["bool"]["filter"];
    let only = match (query["constant_score"].get("filter"), filters) {
        (None, Value::Array(list)) if list.len() == 1 => &list[0],
        (Some(inner), _) | (None, inner @ Value::Object(_)) => inner,
        _ => query,
    };
    let values = only
        .pointer("/ids/values")
        .or_else(|| only.pointer("/terms/_id"));
    let Some(Value::Array(values)) = values else {
        return Ok(None);
    };
    if values.len() > TERMS_MAX {
        return Err(Complaint::wrong(format!(
            "The number of terms [{}] used in the Terms Query request has exceeded the allowed maximum of [{TERMS_MAX}].",
            values.len()
        )));
    }
    Ok(Some(values.iter().filter_map(Value::as_str).collect()))
}

fn by_id(
    indices: &Indices,
    names: &[String],
    ids: &[&str],
    (from, size): (u64, u64),
    with_source: bool,
) -> Found {
    let unique: HashSet<&str> = ids.iter().copied().collect();
    let unique: Vec<&str> = unique.into_iter().collect();
    let found = indices.find(names, &unique);
    let total = found.len();
    let hits = found.into_iter().skip(from as usize).take(size as usize);
    let hits = hits.map(|(index, id)| {
        let source = if with_source {
            indices.source(&index, &id)
        } else {
            Value::Null
        };
        (Stored { index, id, source }, None)
    });
    (total, hits.collect())
}

fn by_query(
    indices: &Indices,
    names: &[String],
    body: &Value,
    query: &Value,
    (from, size): (u64, u64),
) -> Result<Found, Complaint> {
    let mut found = Vec::new();
    for stored in indices.search(names, true) {
        if is_hit(&stored, query)? {
            found.push(stored);
        }
    }
    let total = found.len();
    let order = order_of(&body["sort"]);
    let keys = |stored: &Stored| -> Vec<Value> {
        let fields = order.iter();
        fields.map(|(field, _)| value_of(stored, field)).collect()
    };
    let mut found: Vec<(Vec<Value>, Stored)> = found
        .into_iter()
        .map(|stored| (keys(&stored), stored))
        .collect();
    found.sort_by(|a, b| compare(&a.0, &b.0, &order));
    if let Value::Array(after) = &body["search_after"] {
        found.retain(|(keys, _)| compare(keys, after, &order) == Ordering::Greater);
    }
    let hits = found
        .into_iter()
        .skip(from as usize)
        .take(size as usize)
        .map(|(keys, stored)| (stored, (!order.is_empty()).then_some(Value::Array(keys))));
    Ok((total, hits.collect()))
}

fn is_hit(stored: &Stored, query: &Value) -> Result<bool, Complaint> {
    let Some((kind, inner)) = query.as_object().and_then(|query| query.iter().next()) else {
        return Err(Complaint::new(400, "parsing_exception", "no query"));
    };
    let all = |list: &Value| -> Result<bool, Complaint> {
        let one = std::slice::from_ref(list);
        let list = list.as_array().map_or(one, Vec::as_slice);
        for query in list.iter().filter(|query| !query.is_null()) {
            if !is_hit(stored, query)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    match kind.as_str() {
        "match_all" => Ok(true),
        "bool" => Ok(all(&inner["filter"])? && all(&inner["must"])?),
        "constant_score" => all(&inner["filter"]),
        "ids" => Ok(holds(&inner["values"], &Value::from(stored.id.as_str()))),
        "term" | "terms" => {
            let Some((field, wanted)) = inner.as_object().and_then(|inner| inner.iter().next())
            else {
                return Ok(false);
            };
            let wanted = wanted.get("value").unwrap_or(wanted);
            Ok(holds(wanted, &value_of(stored, field)))
        }
        "range" => {
            let Some((field, bounds)) = inner.as_object().and_then(|inner| inner.iter().next())
            else {
                return Ok(false);
            };
            let value = value_of(stored, field);
            let meets = |name: &str, allowed: &[Ordering]| {
                bounds
                    .get(name)
                    .is_none_or(|bound| allowed.contains(&compare_values(&value, bound)))
            };
            Ok(!value.is_null()
                && meets("gte", &[Ordering::Greater, Ordering::Equal])
                && meets("gt", &[Ordering::Greater])
                && meets("lte", &[Ordering::Less, Ordering::Equal])
                && meets("lt", &[Ordering::Less]))
        }
        other => Err(Complaint::new(
            400,
            "parsing_exception",
            format!("the fake does not know the query [{other}]"),
        )),
    }
}

fn holds(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::Array(list) => list.contains(value),
        one => one == value,
    }
}

fn value_of(stored: &Stored, field: &str) -> Value {
    match field {
        "_id" => stored.id.as_str().into(),
        "_index" => stored.index.as_str().into(),
        _ => {
            let path = format!("/{}", field.replace('.', "/"));
            stored.source.pointer(&path).cloned().unwrap_or_default()
        }
    }
}

/// The fields of `sort`, each with whether it descends.
fn order_of(sort: &Value) -> Vec<(String, bool)> {
    let entries = sort.as_array().map_or(&[][..], Vec::as_slice);
    let entries = entries.iter().filter_map(|entry| match entry {
        Value::String(field) => Some((field.clone(), false)),
        Value::Object(fields) => {
            let (field, how) = fields.iter().next()?;
            let direction = how.get("order").unwrap_or(how);
            Some((field.clone(), direction == "desc"))
        }
        _ => None,
    });
    entries.collect()
}

fn compare(a: &[Value], b: &[Value], order: &[(String, bool)]) -> Ordering {
    let pairs = a.iter().zip(b).zip(order);
    pairs
        .map(|((a, b), (_, descends))| {
            let ordering = compare_values(a, b);
            if *descends {
                ordering.reverse()
            } else {
                ordering
            }
        })
        .find(|ordering| *ordering != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64(), b.as_f64());
            a.partial_cmp(&b).unwrap_or(Ordering::Equal)
        }
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        _ => a.to_string().cmp(&b.to_string()),
    }
}
