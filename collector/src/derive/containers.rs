//! How many lines of which level did each container write?
//!
//! Several streams can have the same labels: the files of a volume, the node's own logs, a pod of a stateful set and its
//! successor. They count into one place, so that the sum never falls while one of them is left. When the last one has
//! ended, the place stays for a while: a short-lived pod's lines would otherwise never be scraped, and an `increase`
//! over the pod's last minutes would be empty.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use record::{Level, Origin};

use super::family::{Description, Family, Kind};

/// What [`Containers::family`] gives.
pub(super) const MESSAGES: Description = Description {
    name: "log_messages_total",
    kind: Kind::Counter,
    labels: &["container", "level", "namespace", "pod"],
    help: "Lines by the level that they state themselves; parts of a cut line count once.",
};

/// How many places are kept beyond their streams' end; past it the one that ended first goes.
const GONE_MAX: usize = 1000;

/// Namespace, pod and container; empty where there is none.
pub(super) type Names = [Arc<str>; 3];

/// All places.
#[derive(Debug, Default)]
pub(super) struct Containers {
    places: Vec<Option<Place>>,
    free: Vec<usize>,
    by_names: HashMap<Names, usize>,
}

#[derive(Debug)]
struct Place {
    names: Names,
    levels: [u64; Level::ALL.len()],
    /// How many streams count here.
    streams: usize,
    gone_since: Option<Duration>,
}

// === impl Containers ===

impl Containers {
    /// The place of a stream's labels, made if it is new.
    pub(super) fn enter(&mut self, origin: &Origin) -> usize {
        let names = [
            Arc::from(origin.namespace()),
            Arc::from(origin.pod_name()),
            Arc::from(origin.container_name()),
        ];
        if let Some(&index) = self.by_names.get(&names) {
            if let Some(Some(place)) = self.places.get_mut(index) {
                place.streams += 1;
                place.gone_since = None;
            }
            return index;
        }
        let place = Some(Place {
            names: names.clone(),
            levels: [0; Level::ALL.len()],
            streams: 1,
            gone_since: None,
        });
        let index = if let Some(index) = self.free.pop() {
            if let Some(free) = self.places.get_mut(index) {
                *free = place;
            }
            index
        } else {
            self.places.push(place);
            self.places.len() - 1
        };
        self.by_names.insert(names, index);
        index
    }

    /// Says that one stream of a place has ended.
    pub(super) fn leave(&mut self, index: usize, now: Duration) {
        if let Some(Some(place)) = self.places.get_mut(index) {
            place.streams = place.streams.saturating_sub(1);
            if place.streams == 0 {
                place.gone_since = Some(now);
            }
        }
    }

    /// Counts one line.
    pub(super) fn count(&mut self, index: usize, level: Level) {
        if let Some(Some(place)) = self.places.get_mut(index)
            && let Some(count) = place.levels.get_mut(level as usize)
        {
            *count += 1;
        }
    }

    /// Removes the places whose last stream ended `linger` ago, and says which.
    pub(super) fn sweep(&mut self, now: Duration, linger: Duration) -> Vec<usize> {
        let mut gone: Vec<(Duration, usize)> = Vec::new();
        for (index, place) in self.places.iter().enumerate() {
            if let Some(since) = place.as_ref().and_then(|place| place.gone_since) {
                gone.push((since, index));
            }
        }
        gone.sort_unstable();
        let excess = gone.len().saturating_sub(GONE_MAX);
        let due = |(order, (since, _)): &(usize, (Duration, usize))| {
            *order < excess || now.saturating_sub(*since) >= linger
        };
        let gone = gone.into_iter().enumerate().filter(due);
        let gone: Vec<usize> = gone.map(|(_, (_, index))| index).collect();
        for &index in &gone {
            if let Some(place) = self.places.get_mut(index).and_then(Option::take) {
                self.by_names.remove(&place.names);
                self.free.push(index);
            }
        }
        gone
    }

    /// The labels of a place.
    pub(super) fn names(&self, index: usize) -> Option<&Names> {
        Some(&self.places.get(index)?.as_ref()?.names)
    }

    /// `log_messages_total`: every level of every place.
    pub(super) fn family(&self) -> Family {
        let levels = Level::ALL.map(|level| Arc::from(level.as_str()));
        let mut places: Vec<&Place> = self.places.iter().flatten().collect();
        places.sort_unstable_by(|one, other| one.names.cmp(&other.names));
        let mut samples = MESSAGES.samples();
        for place in places {
            let [namespace, pod, container] = &place.names;
            for (level, count) in levels.iter().zip(place.levels) {
                samples.number(&[container, level, namespace, pod], count as f64);
            }
        }
        samples.family()
    }
}
