//! What does a person want to see? A query's text together with the flags beside it.

use record::{Level, Timestamp};
use store::{Comparison, Field, Predicate, Scan, Test, Value};

/// Everything that `nodetap logs` and the page can ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// What the text asks for ([`crate::parse`]).
    pub predicate: Predicate,
    /// One of these namespaces (`*` and `?`, without regard to case); none given is any.
    pub namespaces: Vec<String>,
    /// One of these pods, likewise.
    pub pods: Vec<String>,
    /// One of these containers, likewise.
    pub containers: Vec<String>,
    /// This level or a graver one.
    pub level: Option<Level>,
    /// The first time that is wanted.
    pub since: Option<Timestamp>,
    /// The first time that is too late.
    pub until: Option<Timestamp>,
    /// At most this many hits: the newest by (time, stream, started, offset).
    pub limit: Option<usize>,
    /// Like `limit`, and the smaller of both counts; when following, what comes before the new lines.
    pub tail: Option<usize>,
    /// How many lines of its stream to show before and after each hit, whatever else was asked.
    pub context: usize,
}

// === impl Query ===

impl Query {
    /// All that a hit must be, times aside.
    pub fn wanted(&self) -> Predicate {
        let named = |field: Field, globs: &[String]| match globs {
            [] => Predicate::All,
            [glob] => named_like(field, glob),
            globs => Predicate::Or(
                globs
                    .iter()
                    .map(|glob| named_like(field.clone(), glob))
                    .collect(),
            ),
        };
        let level = match self.level {
            None | Some(Level::Unknown) => Predicate::All,
            Some(level) => Predicate::Field {
                field: Field::Level,
                test: Test::Compare(Comparison::GreaterOrEqual, Value::Level(level)),
            },
        };
        Predicate::all([
            named(Field::Namespace, &self.namespaces),
            named(Field::PodName, &self.pods),
            named(Field::ContainerName, &self.containers),
            level,
            self.predicate.clone(),
        ])
    }

    /// How many hits are wanted at most.
    pub fn hits_max(&self) -> Option<usize> {
        match (self.limit, self.tail) {
            (Some(limit), Some(tail)) => Some(limit.min(tail)),
            (limit, tail) => limit.or(tail),
        }
    }

    /// The question to a store.
    pub(crate) fn scan(&self, limit: Option<usize>) -> Scan {
        Scan {
            predicate: self.wanted(),
            from: self.since,
            until: self.until,
            limit,
        }
    }
}

fn named_like(field: Field, glob: &str) -> Predicate {
    let test = if glob.contains(['*', '?']) {
        Test::Glob(glob.to_owned())
    } else {
        Test::Equals(glob.to_owned())
    };
    Predicate::Field { field, test }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_narrow_down_what_the_text_asks_for() {
        let query = Query {
            predicate: crate::parse("timeout").unwrap(),
            namespaces: vec!["shop".into(), "lab-*".into()],
            pods: vec!["order-?".into()],
            level: Some(Level::Warn),
            ..Query::default()
        };
        let expect = "(namespace:=\"shop\" OR namespace:lab-*) AND pod:order-? AND level:>=warn AND \"timeout\"";
        assert_eq!(crate::language::print(&query.wanted()), expect);
        assert_eq!(Query::default().wanted(), Predicate::All);
    }

    #[test]
    fn the_smaller_of_limit_and_tail_counts() {
        let hits = |limit, tail| {
            Query {
                limit,
                tail,
                ..Query::default()
            }
            .hits_max()
        };
        assert_eq!(hits(None, None), None);
        assert_eq!(hits(Some(5), None), Some(5));
        assert_eq!(hits(None, Some(3)), Some(3));
        assert_eq!(hits(Some(5), Some(3)), Some(3));
    }
}
