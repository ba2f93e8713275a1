//! What does a predicate mean to the cluster? A query that finds at least what is wanted, and what is left to be looked
//! at in what it finds.
//!
//! Most of the language can be said in the cluster's own queries, and means the same there: those parts are *exact*.
//! What can't be said (a regular expression over a whole message, numbers in a JSON body, letters beyond ASCII in
//! names) is looked at here, in the documents themselves. For that the cluster gets two bounds: a query that finds more
//! (`upper`) and, beneath a NOT, one that finds less (`lower`). What was exact within such a part is answered by the
//! cluster all the same, through the names of the queries that a hit matched.
//!
//! The one difference in meaning: a word of a query is a whole word here, and any part of the text in the store.

use std::sync::Arc;

use record::{Record, Timestamp};
use serde_json::{Value, json};
use store::{Comparison, Matcher, Predicate, ReadError};

mod leaf;

/// A predicate as the cluster can answer it.
#[derive(Debug)]
pub(super) struct Plan {
    /// Finds all that is wanted, and more if there is a check.
    pub(super) query: Value,
    /// What a hit must pass.
    pub(super) check: Option<Check>,
}

/// What is left to be looked at in a hit.
#[derive(Debug)]
pub(super) enum Check {
    /// The cluster said so: the query of this name matched.
    Asked(String),
    Here(Arc<Matcher>),
    And(Vec<Check>),
    Or(Vec<Check>),
    Not(Box<Check>),
}

/// A query, with the two that need no words.
#[derive(Clone, Debug, PartialEq)]
enum Clause {
    All,
    None,
    Query(Value),
}

/// A predicate in parts that the cluster answers and parts that it can't.
#[derive(Debug)]
enum Tree {
    Exact(Clause),
    /// Finds more than is wanted.
    Here(Clause, Arc<Matcher>),
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
}

/// Whether any document has a value, and not an object, at a path of its JSON body.
pub(super) type HasValues<'a> = &'a dyn Fn(&str) -> bool;

/// Translates a predicate, and the range of times beside it. Fails on an expression that can't be compiled.
pub(super) fn plan(
    predicate: &Predicate,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    has_values: HasValues<'_>,
) -> Result<Plan, ReadError> {
    let tree = tree(predicate, has_values)?;
    let mut named = Vec::new();
    let check = tree.check(&mut named);
    let from = from.map(|from| moment("@timestamp", Comparison::GreaterOrEqual, from));
    let until = until.map(|until| moment("@timestamp", Comparison::Less, until));
    let upper = Clause::and(from.into_iter().chain(until).chain([tree.upper()]));
    let query = if named.is_empty() {
        upper.query()
    } else {
        json!({ "bool": { "filter": [upper.query()], "should": named } })
    };
    Ok(Plan { query, check })
}

/// Times on one side of another. The cluster's go from 1970 to 2262, which is all that its documents can have.
fn moment(field: &str, comparison: Comparison, bound: Timestamp) -> Clause {
    let sign = match comparison {
        Comparison::Less => "lt",
        Comparison::LessOrEqual => "lte",
        Comparison::Greater => "gt",
        Comparison::GreaterOrEqual => "gte",
    };
    if bound.0 < 0 {
        let after = matches!(comparison, Comparison::Greater | Comparison::GreaterOrEqual);
        return if after { Clause::All } else { Clause::None };
    }
    let format = "strict_date_optional_time_nanos";
    Clause::Query(json!({ "range": { field: { sign: bound.to_string(), "format": format } } }))
}

fn tree(predicate: &Predicate, has_values: HasValues<'_>) -> Result<Tree, ReadError> {
    let all = |parts: &[Predicate]| {
        let parts = parts.iter().map(|part| tree(part, has_values));
        parts.collect::<Result<Vec<_>, _>>()
    };
    Ok(match predicate {
        Predicate::All => Tree::Exact(Clause::All),
        Predicate::And(parts) => Tree::and(all(parts)?),
        Predicate::Or(parts) => Tree::or(all(parts)?),
        Predicate::Not(part) => match tree(part, has_values)? {
            Tree::Exact(clause) => Tree::Exact(clause.not()),
            part => Tree::Not(Box::new(part)),
        },
        Predicate::Text { .. } | Predicate::Regex { .. } | Predicate::Field { .. } => {
            match leaf::leaf(predicate, has_values) {
                leaf::Leaf::Exact(clause) => Tree::Exact(clause),
                leaf::Leaf::Upper(clause) => Tree::Here(clause, Arc::new(Matcher::new(predicate)?)),
            }
        }
    })
}

// === impl Plan ===

impl Plan {
    /// Whether a hit is wanted, by the names of the queries that it matched and by what it says.
    pub(super) fn wants(&self, matched: &[impl AsRef<str>], record: &Record<'_>) -> bool {
        self.check
            .as_ref()
            .is_none_or(|check| check.passes(matched, record))
    }
}

// === impl Check ===

impl Check {
    fn passes(&self, matched: &[impl AsRef<str>], record: &Record<'_>) -> bool {
        match self {
            Self::Asked(name) => matched.iter().any(|own| own.as_ref() == name),
            Self::Here(matcher) => matcher.matches(record),
            Self::And(parts) => parts.iter().all(|part| part.passes(matched, record)),
            Self::Or(parts) => parts.iter().any(|part| part.passes(matched, record)),
            Self::Not(part) => !part.passes(matched, record),
        }
    }
}

// === impl Tree ===

impl Tree {
    fn and(parts: Vec<Self>) -> Self {
        let (exact, mut rest) = split(parts);
        let exact = Clause::and(exact);
        if rest.is_empty() {
            return Self::Exact(exact);
        }
        if exact != Clause::All {
            rest.insert(0, Self::Exact(exact));
        }
        Self::And(rest)
    }

    fn or(parts: Vec<Self>) -> Self {
        let (exact, mut rest) = split(parts);
        let exact = Clause::or(exact);
        if rest.is_empty() {
            return Self::Exact(exact);
        }
        if exact != Clause::None {
            rest.insert(0, Self::Exact(exact));
        }
        Self::Or(rest)
    }

    /// Finds at least what is wanted.
    fn upper(&self) -> Clause {
        match self {
            Self::Exact(clause) | Self::Here(clause, _) => clause.clone(),
            Self::And(parts) => Clause::and(parts.iter().map(Self::upper)),
            Self::Or(parts) => Clause::or(parts.iter().map(Self::upper)),
            Self::Not(part) => part.lower().not(),
        }
    }

    /// Finds nothing but what is wanted.
    fn lower(&self) -> Clause {
        match self {
            Self::Exact(clause) => clause.clone(),
            Self::Here(..) => Clause::None,
            Self::And(parts) => Clause::and(parts.iter().map(Self::lower)),
            Self::Or(parts) => Clause::or(parts.iter().map(Self::lower)),
            Self::Not(part) => part.upper().not(),
        }
    }

    /// What is left to be looked at when [`Self::upper`] found a document.
    fn check(&self, named: &mut Vec<Value>) -> Option<Check> {
        match self {
            Self::Exact(_) => None,
            // What all must pass, and the cluster has said, need not be asked again.
            Self::And(parts) => {
                let checks: Vec<Check> =
                    parts.iter().filter_map(|part| part.check(named)).collect();
                (!checks.is_empty()).then_some(Check::And(checks))
            }
            Self::Here(..) | Self::Or(_) | Self::Not(_) => Some(self.whole_check(named)),
        }
    }

    /// What decides all by itself.
    fn whole_check(&self, named: &mut Vec<Value>) -> Check {
        let all = |parts: &[Self], named: &mut Vec<Value>| {
            parts
                .iter()
                .map(|part| part.whole_check(named))
                .collect::<Vec<_>>()
        };
        match self {
            Self::Exact(clause) => {
                let name = format!("q{}", named.len());
                named
                    .push(json!({ "bool": { "filter": [clause.clone().query()], "_name": name } }));
                Check::Asked(name)
            }
            Self::Here(_, matcher) => Check::Here(Arc::clone(matcher)),
            Self::And(parts) => Check::And(all(parts, named)),
            Self::Or(parts) => Check::Or(all(parts, named)),
            Self::Not(part) => Check::Not(Box::new(part.whole_check(named))),
        }
    }
}

fn split(parts: Vec<Tree>) -> (Vec<Clause>, Vec<Tree>) {
    let mut exact = Vec::new();
    let mut rest = Vec::new();
    for part in parts {
        match part {
            Tree::Exact(clause) => exact.push(clause),
            part => rest.push(part),
        }
    }
    (exact, rest)
}

// === impl Clause ===

impl Clause {
    fn query(self) -> Value {
        match self {
            Self::All => json!({ "match_all": {} }),
            Self::None => json!({ "match_none": {} }),
            Self::Query(query) => query,
        }
    }

    fn and(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut queries = Vec::new();
        for part in parts {
            match part {
                Self::All => {}
                Self::None => return Self::None,
                Self::Query(query) => queries.push(query),
            }
        }
        match queries.len() {
            0 => Self::All,
            1 => queries.pop().map_or(Self::All, Self::Query),
            _ => Self::Query(json!({ "bool": { "filter": queries } })),
        }
    }

    fn or(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut queries = Vec::new();
        for part in parts {
            match part {
                Self::None => {}
                Self::All => return Self::All,
                Self::Query(query) => queries.push(query),
            }
        }
        match queries.len() {
            0 => Self::None,
            1 => queries.pop().map_or(Self::None, Self::Query),
            _ => Self::Query(json!({ "bool": { "should": queries, "minimum_should_match": 1 } })),
        }
    }

    fn not(self) -> Self {
        match self {
            Self::All => Self::None,
            Self::None => Self::All,
            Self::Query(query) => Self::Query(json!({ "bool": { "must_not": [query] } })),
        }
    }
}

#[cfg(test)]
mod tests;
