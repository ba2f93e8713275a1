//! How is an answer given that does not fit in memory? By two readings: one to learn which rows are out of order, one
//! to give them.
//!
//! Knows nothing of where rows are kept: [`crate::order::late`] says what waits for what.

use std::ops::ControlFlow;

use record::Document;

use super::{BackendError, Each, Item};
use crate::order::Place;
use crate::order::late::Lateness;

/// The rows of an answer, in ascending order of (time, stream, started, offset), as often as they are asked for.
pub(crate) trait Rows {
    /// Where each row stands: its stream and its place there.
    fn places(&self, each: &mut dyn FnMut(&str, Place)) -> Result<(), BackendError>;

    /// The rows themselves, with the same places.
    fn documents(
        &self,
        each: &mut dyn FnMut(Place, Document) -> ControlFlow<()>,
    ) -> Result<(), BackendError>;

    /// The rows of one stream alone, in any order.
    fn of_stream(
        &self,
        stream: &str,
        each: &mut dyn FnMut(Place, Document),
    ) -> Result<(), BackendError>;
}

/// Gives rows in reading order; says how many were given.
///
/// With `one_more`, one row more than is wanted was asked for: if so many come, the first is passed over.
pub(crate) fn in_two_passes(
    rows: &dyn Rows,
    one_more: Option<usize>,
    held_bytes_max: usize,
    each: Each<'_>,
) -> Result<Given, BackendError> {
    let mut lateness = Lateness::default();
    let mut count = 0_usize;
    rows.places(&mut |stream, place| {
        count += 1;
        lateness.note(stream, place);
    })?;
    let mut given = Given {
        hits: 0,
        limited: one_more.is_some_and(|one_more| one_more <= count),
    };
    // The oldest is the one too many.
    let mut skip = usize::from(given.limited);
    let mut failed = Ok(());
    let mut due = Vec::new();
    let mut ended = false;
    rows.documents(&mut |place, document| {
        if 0 < skip {
            skip -= 1;
            return ControlFlow::Continue(());
        }
        lateness.release(place, document, &mut due);
        if held_bytes_max < lateness.held_bytes() {
            failed = fetch_late(rows, &mut lateness, &mut due);
        }
        let flow = give(&mut due, &mut given, each);
        ended = flow.is_break() || failed.is_err();
        if ended {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    failed?;
    if !ended {
        lateness.rest(&mut due);
        // The answer is over either way.
        let _flow = give(&mut due, &mut given, each);
    }
    Ok(given)
}

/// What an answer came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    /// How many hits were given.
    pub(crate) hits: u64,
    /// Whether there was one too many.
    pub(crate) limited: bool,
}

fn give(due: &mut Vec<Document>, given: &mut Given, each: Each<'_>) -> ControlFlow<()> {
    for document in due.drain(..) {
        given.hits += 1;
        each(Item::Hit(document))?;
    }
    ControlFlow::Continue(())
}

/// Reads the late rows of the stream of which most waits.
fn fetch_late(
    rows: &dyn Rows,
    lateness: &mut Lateness,
    due: &mut Vec<Document>,
) -> Result<(), BackendError> {
    let Some(heaviest) = lateness.heaviest() else {
        return Ok(());
    };
    let mut late = Vec::new();
    rows.of_stream(heaviest.name, &mut |place, document| {
        if document.file.origin.stream == heaviest.name && heaviest.waits_for(place) {
            late.push((place, document));
        }
    })?;
    lateness.fetched(late, due);
    Ok(())
}
