//! Which files are worth merging? Neighbours of one day and about one size, so that a row is rewritten rarely.

use std::collections::BTreeMap;
use std::time::Duration;

use record::Timestamp;

use super::age;
use crate::manifest::Sealed;

/// So many neighbours of one size are merged. A row is rewritten once per factor of this that its file grows.
const NEIGHBOURS: usize = 8;

/// The smallest size, in bytes; smaller files count as of this size.
const SMALLEST: u64 = 128 << 10;

/// Files younger than this are not merged, so that a follower who fell behind finds what it has not seen in files of
/// their own.
const AGE_LEAST: Duration = Duration::from_mins(1);

/// The files to be merged next, oldest first; none when it is not worth while.
pub(super) fn choose(sealed: &[Sealed], bytes_max: u64, now: Timestamp) -> Option<Vec<Sealed>> {
    let mut days: BTreeMap<&str, Vec<&Sealed>> = BTreeMap::new();
    let grown = |file: &&Sealed| age(Timestamp(file.made_at), now) >= AGE_LEAST;
    for file in sealed.iter().filter(grown) {
        if let Some((day, _)) = file.path.split_once('/') {
            days.entry(day).or_default().push(file);
        }
    }
    let (year, month, day) = now.day();
    let today = format!("{year:04}-{month:02}-{day:02}");
    for (day, mut files) in days {
        files.sort_by_key(|file| (file.fresh, &file.path));
        // Nothing more comes to a day that is over, so its last few go together whatever their sizes.
        let least = if day < today.as_str() { 2 } else { NEIGHBOURS };
        if let Some(chosen) = neighbours(&files, bytes_max, least) {
            return Some(chosen.into_iter().cloned().collect());
        }
    }
    None
}

fn neighbours<'a>(files: &[&'a Sealed], bytes_max: u64, least: usize) -> Option<Vec<&'a Sealed>> {
    let size = |file: &Sealed| (file.bytes.max(SMALLEST) / SMALLEST).ilog(NEIGHBOURS as u64);
    let mut chosen: Vec<&Sealed> = Vec::new();
    let mut bytes = 0;
    for file in files {
        let alike = least < NEIGHBOURS || chosen.last().is_none_or(|last| size(last) == size(file));
        let fits = bytes + file.bytes <= bytes_max;
        if !alike || !fits {
            // Full of several: that is as large as it gets.
            if chosen.len() >= least.min(NEIGHBOURS / 2) && !fits && alike {
                return Some(chosen);
            }
            chosen.clear();
            bytes = 0;
        }
        if file.bytes <= bytes_max / 2 {
            bytes += file.bytes;
            chosen.push(file);
        }
        if chosen.len() >= NEIGHBOURS {
            return Some(chosen);
        }
    }
    (chosen.len() >= least).then_some(chosen)
}
