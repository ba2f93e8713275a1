//! What does a number mean? Families of series under one name, kind and help, merged so that none can spoil a scrape.
//!
//! Prometheus refuses a whole scrape for one series that is there twice, or for two kinds under one name. So nothing
//! reaches the text that was not put into [`Families`] and settled: the first wins, the loser is counted.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::labels::Labels;

/// How a family's numbers behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 on.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bounds.
    Histogram,
    /// Quantiles, a count and a sum.
    Summary,
    /// Nobody said; only what is relayed may be so.
    Untyped,
}

/// The constant part of a family; what docs/metrics.md is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// How its numbers behave.
    pub kind: Kind,
    /// A sentence.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
}

/// One value of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number that keeps all its digits: a 64-bit counter.
    Whole(u64),
    /// Any number.
    Number(f64),
    /// A histogram's state.
    Distribution(Box<Distribution>),
    /// A summary's state.
    Summary(Box<Summary>),
}

/// How often each upper bound was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Upper bounds, ascending, each with how many values are at or below it.
    pub buckets: Vec<(f64, u64)>,
    /// The sum of all values.
    pub sum: f64,
    /// How many values there are.
    pub count: u64,
}

/// Which value each quantile has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Quantiles, ascending, each with its value.
    pub quantiles: Vec<(f64, f64)>,
    /// The sum of all values.
    pub sum: f64,
    /// How many values there are.
    pub count: u64,
}

/// What was left out, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// Two series with the same name and labels.
    Duplicate,
    /// More series than the probe may have.
    Limit,
    /// Another family has this name and is of another kind.
    TypeConflict,
}

/// The series of one family.
#[derive(Clone, Debug)]
pub struct Group {
    /// The family's name.
    pub name: Cow<'static, str>,
    /// How its numbers behave.
    pub kind: Kind,
    /// A sentence.
    pub help: Cow<'static, str>,
    /// Each with its labels; sorted by them once settled.
    pub series: Vec<(Labels, Value)>,
}

/// Families by name.
#[derive(Clone, Debug)]
pub struct Families {
    groups: BTreeMap<Cow<'static, str>, Group>,
    series_max: usize,
    series: usize,
    dropped: BTreeMap<DropReason, u64>,
}

// === impl Family ===

impl Family {
    /// A gauge.
    pub const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self::new(Kind::Gauge, name, labels, help)
    }

    /// A counter.
    pub const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self::new(Kind::Counter, name, labels, help)
    }

    /// A histogram.
    pub const fn histogram(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self::new(Kind::Histogram, name, labels, help)
    }

    /// A summary.
    pub const fn summary(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self::new(Kind::Summary, name, labels, help)
    }

    const fn new(
        kind: Kind,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            help,
            labels,
        }
    }
}

// === impl Kind ===

impl Kind {
    /// The word of the text format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
        }
    }
}

// === impl Value ===

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Whole(u64::from(value))
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(u64::from(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

// === impl DropReason ===

impl DropReason {
    /// All reasons, for counters that start at 0.
    pub const ALL: [Self; 3] = [Self::Duplicate, Self::Limit, Self::TypeConflict];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Limit => "limit",
            Self::TypeConflict => "type_conflict",
        }
    }
}

// === impl Families ===

impl Families {
    /// No families yet, and room for so many series.
    pub fn new(series_max: usize) -> Self {
        Self {
            groups: BTreeMap::new(),
            series_max,
            series: 0,
            dropped: BTreeMap::new(),
        }
    }

    /// Adds a series. Past the limit it is counted and left out.
    pub fn push(&mut self, family: &Family, labels: &Labels, value: impl Into<Value>) {
        if self.series >= self.series_max {
            self.drop_series(DropReason::Limit, 1);
            return;
        }
        self.series += 1;
        let group = self
            .groups
            .entry(Cow::Borrowed(family.name))
            .or_insert_with(|| Group {
                name: Cow::Borrowed(family.name),
                kind: family.kind,
                help: Cow::Borrowed(family.help),
                series: Vec::new(),
            });
        group.series.push((labels.clone(), value.into()));
    }

    /// Adds many series of one family.
    pub fn extend(&mut self, family: &Family, series: impl IntoIterator<Item = (Labels, Value)>) {
        let mut group = Group {
            name: Cow::Borrowed(family.name),
            kind: family.kind,
            help: Cow::Borrowed(family.help),
            series: Vec::new(),
        };
        group.series.extend(series);
        if !group.series.is_empty() {
            self.insert(group);
        }
    }

    /// Adds all series of another; a family of another kind under a known name is left out.
    pub fn merge(&mut self, other: Self) {
        for (reason, count) in other.dropped {
            self.drop_series(reason, count);
        }
        for (name, group) in other.groups {
            self.series += group.series.len();
            match self.groups.get_mut(&name) {
                None => {
                    self.groups.insert(name, group);
                }
                Some(known) if known.kind == group.kind => {
                    known.series.extend(group.series);
                }
                Some(_) => {
                    self.series -= group.series.len();
                    self.drop_series(DropReason::TypeConflict, group.series.len() as u64);
                }
            }
        }
    }

    /// Adds a family whose name is known at run time only, as [`Self::merge`] adds those of another.
    pub fn insert(&mut self, mut group: Group) {
        let room = self.series_max.saturating_sub(self.series);
        let excess = group.series.len().saturating_sub(room);
        if excess > 0 {
            group.series.truncate(room);
            self.drop_series(DropReason::Limit, excess as u64);
        }
        let mut one = Self::new(usize::MAX);
        one.series = group.series.len();
        one.groups.insert(group.name.clone(), group);
        self.merge(one);
    }

    /// Adds settled families to settled ones. Only where a family is in both is anything sorted again: a large director
    /// has a hundred thousand series.
    pub fn merge_settled(&mut self, other: Self) {
        let in_both = other
            .groups
            .keys()
            .any(|name| self.groups.contains_key(name));
        self.merge(other);
        if in_both {
            self.settle();
        }
    }

    /// Sorts every family's series and leaves out those that are there twice: the first stays.
    pub fn settle(&mut self) {
        let mut duplicates = 0;
        for group in self.groups.values_mut() {
            if !group.series.is_sorted_by(|(one, _), (two, _)| one < two) {
                let before = group.series.len();
                group.series.sort_by(|(one, _), (two, _)| one.cmp(two));
                group
                    .series
                    .dedup_by(|(later, _), (first, _)| later == first);
                duplicates += before - group.series.len();
            }
        }
        self.series -= duplicates;
        if duplicates > 0 {
            self.drop_series(DropReason::Duplicate, duplicates as u64);
        }
    }

    /// What was left out since the last call.
    pub fn take_dropped(&mut self) -> BTreeMap<DropReason, u64> {
        std::mem::take(&mut self.dropped)
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.series
    }

    /// The families, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The families, by name, and their series with them.
    pub fn into_groups(self) -> impl Iterator<Item = Group> {
        self.groups.into_values()
    }

    fn drop_series(&mut self, reason: DropReason, count: u64) {
        *self.dropped.entry(reason).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Family = Family::gauge("a", &["x"], "A.");
    const A_COUNTER: Family = Family::counter("a", &["x"], "A of another kind.");

    fn labels(value: &str) -> Labels {
        Labels::of(&[("x", value)])
    }

    #[test]
    fn the_second_of_two_equal_series_is_left_out_and_counted() {
        let mut families = Families::new(10);
        families.push(&A, &labels("2"), 1_u64);
        families.push(&A, &labels("1"), 2_u64);
        families.push(&A, &labels("2"), 3_u64);
        families.settle();
        let group = families.groups().next().unwrap();
        assert_eq!(
            group.series,
            [
                (labels("1"), Value::Whole(2)),
                (labels("2"), Value::Whole(1))
            ]
        );
        assert_eq!(
            families.take_dropped(),
            BTreeMap::from([(DropReason::Duplicate, 1)])
        );
        assert_eq!(families.series(), 2);
    }

    #[test]
    fn settled_families_are_merged_without_a_double() {
        let one = |value: &str| {
            let mut families = Families::new(10);
            families.push(&A, &labels(value), 1_u64);
            families.settle();
            families
        };
        let mut all = one("2");
        all.merge_settled(one("1"));
        all.merge_settled(one("2"));
        let group = all.groups().next().unwrap();
        let names: Vec<&Labels> = group.series.iter().map(|(labels, _)| labels).collect();
        assert_eq!(names, [&labels("1"), &labels("2")]);
        assert_eq!(
            all.take_dropped(),
            BTreeMap::from([(DropReason::Duplicate, 1)])
        );
    }

    #[test]
    fn a_family_of_another_kind_loses() {
        let mut families = Families::new(10);
        families.push(&A, &labels("1"), 1_u64);
        let mut other = Families::new(10);
        other.push(&A_COUNTER, &labels("2"), 1_u64);
        other.push(&A_COUNTER, &labels("3"), 1_u64);
        families.merge(other);
        assert_eq!(
            families.take_dropped(),
            BTreeMap::from([(DropReason::TypeConflict, 2)])
        );
        assert_eq!(families.series(), 1);
    }

    #[test]
    fn nothing_goes_past_the_limit() {
        let mut families = Families::new(2);
        for value in ["1", "2", "3", "4"] {
            families.push(&A, &labels(value), 1_u64);
        }
        assert_eq!(families.series(), 2);
        assert_eq!(
            families.take_dropped(),
            BTreeMap::from([(DropReason::Limit, 2)])
        );
    }

    #[test]
    fn families_of_others_keep_to_the_limit_too() {
        let group = |name: &'static str, kind: Kind| Group {
            name: Cow::Borrowed(name),
            kind,
            help: Cow::Borrowed("B."),
            series: ["1", "2"]
                .map(|value| (labels(value), Value::Whole(1)))
                .into(),
        };
        let mut families = Families::new(3);
        families.insert(group("b", Kind::Untyped));
        families.insert(group("b", Kind::Gauge));
        families.insert(group("c", Kind::Gauge));
        assert_eq!(families.series(), 3);
        let wanted = BTreeMap::from([(DropReason::Limit, 2), (DropReason::TypeConflict, 1)]);
        assert_eq!(families.take_dropped(), wanted);
    }
}
