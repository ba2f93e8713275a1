//! Which lines stand around a hit? Range reads by exact position, joined where they meet.
//!
//! Knows nothing of where lines are kept: any backend that can read the [`Neighbours`] of a line gives context.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;

use record::{Document, Position};

use super::{BackendError, Each, Item};
use crate::order::{self, Place};

/// Reads the lines beside a line of a stream, in exact order, whatever they say.
pub(crate) trait Neighbours {
    /// The last `rows` lines before a position.
    fn before(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, BackendError>;

    /// The first `rows` lines after a position.
    fn after(
        &self,
        stream: &str,
        position: Position,
        rows: usize,
    ) -> Result<Vec<Document>, BackendError>;

    /// How many hits it is worth to [announce](Self::announce) at once, when `lines` are shown on each side.
    fn ahead(&self, _lines: usize) -> usize {
        0
    }

    /// Says which hits come next, so that the lines around them may be read together.
    fn announce(&self, _hits: &[(&str, Position)], _lines: usize) -> Result<(), BackendError> {
        Ok(())
    }
}

/// Gives hits in reading order, with so many lines before and after each.
pub(crate) fn in_order(
    hits: Vec<Document>,
    lines: usize,
    neighbours: &dyn Neighbours,
    each: Each<'_>,
) -> Result<(), BackendError> {
    let _flow = if 0 < lines {
        groups(hits, lines, neighbours, each)?
    } else {
        order::merged(hits, |hit| hit)
            .into_iter()
            .try_for_each(|document| each(Item::Hit(document)))
    };
    Ok(())
}

/// The hits of one stream that were not given yet, in exact order.
struct Waiting {
    hits: VecDeque<Document>,
    places: HashSet<Place>,
}

/// Gives the hits in reading order, each with `lines` lines before and after it.
///
/// Hits of one stream whose lines meet or touch become one group; between groups stands an [`Item::Break`].
pub(crate) fn groups(
    hits: Vec<Document>,
    lines: usize,
    neighbours: &dyn Neighbours,
    each: Each<'_>,
) -> Result<ControlFlow<()>, BackendError> {
    let ordered = order::merged(hits, |hit| hit);
    // Reading order keeps each stream's own, so the streams' queues empty from the front.
    let turns: Vec<(String, Place)> = ordered
        .iter()
        .map(|hit| (hit.file.origin.stream.clone(), Place::of(hit)))
        .collect();
    let mut streams: HashMap<String, Waiting> = HashMap::new();
    for hit in ordered {
        let waiting = streams
            .entry(hit.file.origin.stream.clone())
            .or_insert_with(|| Waiting {
                hits: VecDeque::new(),
                places: HashSet::new(),
            });
        waiting.places.insert(Place::of(&hit));
        waiting.hits.push_back(hit);
    }
    let mut first = true;
    let ahead = neighbours.ahead(lines);
    let mut announced = 0;
    for (turn, (stream, place)) in turns.iter().enumerate() {
        let Some(waiting) = streams.get_mut(stream) else {
            continue;
        };
        if waiting
            .hits
            .front()
            .is_none_or(|hit| Place::of(hit) != *place)
        {
            // An earlier group took this hit in.
            continue;
        }
        if announced <= turn && 0 < ahead {
            announced = (turn + ahead).min(turns.len());
            let next = turns.get(turn..announced).unwrap_or_default();
            let next: Vec<(&str, Position)> = next
                .iter()
                .map(|(stream, place)| (stream.as_str(), place.position()))
                .collect();
            neighbours.announce(&next, lines)?;
        }
        if !std::mem::take(&mut first) && each(Item::Break).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if group(stream, waiting, lines, neighbours, each)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Gives one group: the first waiting hit, and those after it as long as their lines meet.
fn group(
    stream: &str,
    waiting: &mut Waiting,
    lines: usize,
    neighbours: &dyn Neighbours,
    each: Each<'_>,
) -> Result<ControlFlow<()>, BackendError> {
    let Some(hit) = waiting.hits.pop_front() else {
        return Ok(ControlFlow::Continue(()));
    };
    let mut lead = neighbours.before(stream, hit.position(), lines)?;
    let mut hit = Some(hit);
    while let Some(current) = hit.take() {
        for line in lead.drain(..) {
            if each(Item::Context(line)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let position = current.position();
        if each(Item::Hit(current)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let tail = neighbours.after(stream, position, lines)?;
        let mut shown = position;
        for line in tail {
            let place = Place::of(&line);
            shown = line.position();
            if !waiting.places.contains(&place) {
                if each(Item::Context(line)).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                continue;
            }
            // The next hit: its own lines go on from here.
            hit = waiting.hits.pop_front();
            break;
        }
        if hit.is_none()
            && let Some(next) = waiting.hits.front()
        {
            // One line more than is shown tells whether nothing lies between the two.
            let mut before = neighbours.before(stream, next.position(), lines + 1)?;
            if before.first().is_some_and(|line| shown < line.position()) {
                break;
            }
            before.retain(|line| shown < line.position());
            lead = before;
            hit = waiting.hits.pop_front();
        }
    }
    Ok(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests;
