//! How what is held is given out, and where its buffers go.

use crate::parse::Emitted;
use crate::parse::finish::{Exit, Whole};
use crate::parse::group::{Belongs, Group, Moment};
use crate::parse::unfinished::Unfinished;

/// Buffers longer than this are not kept for the next line, in bytes; and so many are.
const SPARE_BYTES_MAX: usize = 256 << 10;
const SPARES_MAX: usize = 4;

/// What is held the longest.
pub(super) enum Oldest {
    Group(Box<Group>),
    Unfinished(Box<Unfinished>),
}

/// An empty buffer, with memory if one is left.
pub(super) fn spare(spares: &mut Vec<Vec<u8>>) -> Vec<u8> {
    spares.pop().unwrap_or_default()
}

/// Keeps a buffer's memory for the next line, if it is not too much.
pub(super) fn put_back(spares: &mut Vec<Vec<u8>>, mut buffer: Vec<u8>) {
    if buffer.capacity() <= SPARE_BYTES_MAX && spares.len() < SPARES_MAX {
        buffer.clear();
        spares.push(buffer);
    }
}

/// Gives out a line, or holds it as the next of a group.
pub(super) fn deliver<F: FnMut(Emitted<'_>)>(
    held: &mut Option<Box<Group>>,
    line: &Whole<'_>,
    moment: Moment,
    spares: &mut Vec<Vec<u8>>,
    exit: &mut Exit<'_, F>,
) {
    let settings = exit.settings;
    let groupable = line.part == 0 && line.error.is_none();
    let Some(options) = settings.multiline.as_ref().filter(|_| groupable) else {
        release_held(held, spares, exit);
        exit.emit(line);
        return;
    };
    let mut before = None;
    if let Some(group) = held {
        match group.belongs(options, line, moment, settings.message_bytes_max()) {
            Belongs::Joins => {
                group.add(options, line, moment);
                return;
            }
            Belongs::Overflows(trace) => before = Some(trace),
            Belongs::Apart => {}
        }
    }
    release_held(held, spares, exit);
    *held = Some(Box::new(Group::begin(
        options,
        line,
        moment,
        before,
        spare(spares),
    )));
}

/// Gives out the group that an output holds, if it does.
pub(super) fn release_held<F: FnMut(Emitted<'_>)>(
    held: &mut Option<Box<Group>>,
    spares: &mut Vec<Vec<u8>>,
    exit: &mut Exit<'_, F>,
) {
    if let Some(group) = held.take() {
        release(*group, spares, exit);
    }
}

/// Gives out a group.
pub(super) fn release<F: FnMut(Emitted<'_>)>(
    group: Group,
    spares: &mut Vec<Vec<u8>>,
    exit: &mut Exit<'_, F>,
) {
    exit.emit(&group.whole());
    put_back(spares, group.into_buffer());
}

/// Gives out a line whose end will not come.
pub(super) fn give_up<F: FnMut(Emitted<'_>)>(
    line: Unfinished,
    spares: &mut Vec<Vec<u8>>,
    exit: &mut Exit<'_, F>,
) {
    exit.counts.unfinished += 1;
    exit.emit(&line.given_up());
    put_back(spares, line.into_buffer());
}

/// Takes out what begins first of all that is held.
pub(super) fn take_oldest(
    unfinished: &mut [Option<Box<Unfinished>>; 3],
    groups: &mut [Option<Box<Group>>; 3],
) -> Option<Oldest> {
    let line = unfinished
        .iter_mut()
        .filter_map(|slot| {
            slot.as_ref()
                .map(|line| line.begins)
                .map(|from| (from, slot))
        })
        .min_by_key(|(from, _)| *from);
    let group = groups
        .iter_mut()
        .filter_map(|slot| {
            slot.as_ref()
                .map(|group| group.first)
                .map(|from| (from, slot))
        })
        .min_by_key(|(from, _)| *from);
    match (line, group) {
        (Some((line_from, line)), Some((group_from, group))) => {
            if line_from < group_from {
                line.take().map(Oldest::Unfinished)
            } else {
                group.take().map(Oldest::Group)
            }
        }
        (Some((_, line)), None) => line.take().map(Oldest::Unfinished),
        (None, Some((_, group))) => group.take().map(Oldest::Group),
        (None, None) => None,
    }
}
