//! What did the last writer leave? The directory is taken, and what a crash broke off is mended.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use record::Timestamp;

use super::lock::Lock;
use super::positions::Positions;
use super::{Closed, OpenError, Options, Recovered, Writer};
use crate::fresh::{self, Fresh};
use crate::manifest::{Manifest, NAME, sync_directory};

pub(super) fn open(dir: &Path, options: Options, now: Timestamp) -> Result<Writer, OpenError> {
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io {
            action,
            path,
            source,
        }
    };
    let streams = dir.join(fresh::DIRECTORY);
    fs::create_dir_all(&streams).map_err(io("create", &streams))?;
    let lock = Lock::take(dir)?;
    let manifest = Manifest::read(dir)?;
    if !dir.join(NAME).try_exists().map_err(io("look for", dir))? {
        set_aside_unnamed(dir, now).map_err(io("set aside", dir))?;
        // From here on a missing manifest means that somebody removed it. A full disk is no reason not to open.
        if let Err(error) = manifest.write(dir) {
            tracing::warn!(%error, "cannot write the first manifest");
        }
    }
    let mut recovered = Recovered {
        files_removed: remove_uncounted(dir, &manifest).map_err(io("clean", dir))?,
        ..Recovered::default()
    };
    let mut closed = VecDeque::new();
    let mut current: Option<Fresh> = None;
    let mut highest = manifest.fresh_from;
    for number in fresh::numbers(dir).map_err(io("list", &streams))? {
        if number < manifest.fresh_from {
            let path = fresh::path_of(dir, number);
            fs::remove_file(&path).map_err(io("remove", &path))?;
            recovered.files_removed += 1;
            continue;
        }
        if let Some(stream) = current.take() {
            closed.push_back(closed_stream(&stream));
        }
        let path = fresh::path_of(dir, number);
        highest = number.saturating_add(1);
        let found = Fresh::recover(dir, number, now).map_err(io("recover", &path))?;
        let Some((stream, cut)) = found else {
            tracing::error!(path = %path.display(), "set aside a stream that can't be read");
            recovered.streams_set_aside += 1;
            continue;
        };
        if cut > 0 {
            tracing::warn!(bytes = cut, path = %path.display(), "cut a torn append");
        }
        recovered.bytes_cut += cut;
        recovered.rows_fresh += stream.rows;
        current = Some(stream);
    }
    sync_directory(&streams).map_err(io("sync", &streams))?;
    sync_directory(dir).map_err(io("sync", dir))?;
    Ok(Writer {
        dir: dir.to_owned(),
        options,
        manifest,
        fresh: current,
        next_fresh: highest,
        closed,
        rescued: None,
        worker: None,
        retry_at: None,
        graves: VecDeque::new(),
        positions: Positions::default(),
        positions_used: now,
        recovered,
        now,
        _lock: lock,
    })
}

fn closed_stream(stream: &Fresh) -> Closed {
    Closed {
        number: stream.number,
        bytes: stream.whole_bytes,
        rows: stream.rows,
    }
}

/// Moves sealed files away that no manifest was found for, so that they are not removed as unfinished ones: they may be
/// all that is left of a store whose manifest was lost.
fn set_aside_unnamed(dir: &Path, now: Timestamp) -> io::Result<()> {
    let aside = dir.join(format!("unnamed-{}", now.0));
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| is_day(name) && path.is_dir()) else {
            continue;
        };
        fs::create_dir_all(&aside)?;
        fs::rename(&path, aside.join(name))?;
        tracing::error!(
            day = name, kept_in = %aside.display(),
            "the store has no manifest: its sealed files are set aside and not searched"
        );
    }
    Ok(())
}

/// Removes unfinished files, and sealed ones that the manifest does not name.
fn remove_uncounted(dir: &Path, manifest: &Manifest) -> io::Result<u64> {
    let counted: HashSet<PathBuf> = manifest
        .sealed
        .iter()
        .map(|sealed| dir.join(&sealed.path))
        .collect();
    let mut removed = 0;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.extension().is_some_and(|end| end == "tmp") {
            fs::remove_file(&path)?;
            removed += 1;
        }
        if !is_day(name) || !path.is_dir() {
            continue;
        }
        let mut left = 0;
        for entry in fs::read_dir(&path)? {
            let path = entry?.path();
            let ours = path
                .extension()
                .is_some_and(|end| end == "parquet" || end == "tmp");
            if ours && !counted.contains(&path) {
                fs::remove_file(&path)?;
                removed += 1;
            } else {
                left += 1;
            }
        }
        if left == 0 {
            fs::remove_dir(&path)?;
        }
    }
    Ok(removed)
}

/// Whether a name is that of a day's directory.
fn is_day(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}
