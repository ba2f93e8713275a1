//! What does the state remember? The streams as the last process left them, compared with the files as they are now.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use collector::checkpoint::{self, Checkpoint, FileState};
use collector::ledger::Ledger;
use collector::status::{FileStatus, StreamStatus};
use record::Timestamp;

use crate::place::Place;
use crate::table::hexadecimal;

/// The streams of the state, sorted by namespace, pod, container and name.
pub(super) fn streams(place: &Place) -> anyhow::Result<Vec<StreamStatus>> {
    if !place
        .state
        .join(checkpoint::FILE_NAME)
        .try_exists()
        .context("look for the state")?
    {
        return Ok(Vec::new());
    }
    let states = Checkpoint::read(&place.state)?;
    let mut by_stream: BTreeMap<String, Vec<FileState>> = BTreeMap::new();
    for state in states.into_values() {
        by_stream
            .entry(state.source.origin.stream.clone())
            .or_default()
            .push(state);
    }
    let now = SystemTime::now();
    let mut streams: Vec<StreamStatus> = by_stream
        .into_values()
        .filter_map(|files| stream(place, files, now))
        .collect();
    streams.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    Ok(streams)
}

fn sort_key(stream: &StreamStatus) -> [&str; 4] {
    let origin = &stream.origin;
    [
        origin.namespace(),
        origin.pod_name(),
        origin.container_name(),
        &origin.stream,
    ]
}

fn stream(place: &Place, mut states: Vec<FileState>, now: SystemTime) -> Option<StreamStatus> {
    states.sort_by_key(|state| state.started);
    let origin = Arc::clone(&states.last()?.source.origin);
    let files: Vec<(FileStatus, f64)> =
        states.iter().map(|state| file(place, state, now)).collect();
    let lag_bytes = files
        .iter()
        .map(|(file, _)| file.size.saturating_sub(file.acknowledged))
        .sum();
    let lag_seconds = files
        .iter()
        .map(|(_, seconds)| *seconds)
        .fold(0.0, f64::max);
    Some(StreamStatus {
        origin,
        files: files.into_iter().map(|(file, _)| file).collect(),
        ledger: Ledger::default(),
        in_flight_bytes: 0,
        unread_bytes: lag_bytes,
        lag_bytes,
        lag_seconds: if lag_bytes > 0 { lag_seconds } else { 0.0 },
        time_to_loss_seconds: None,
        drained: lag_bytes == 0,
        limited: false,
    })
}

/// One file, with the seconds since it was written to where something of it waits.
fn file(place: &Place, state: &FileState, now: SystemTime) -> (FileStatus, f64) {
    let shown = state.reserve.as_ref().unwrap_or(&state.source.path);
    let below = place.root.join(shown.strip_prefix("/").unwrap_or(shown));
    let present = fs::metadata(&below)
        .ok()
        .filter(|metadata| (metadata.dev(), metadata.ino()) == (state.device, state.inode));
    // The size of an archive is that of its compressed text.
    let size = match &present {
        Some(metadata) if !state.source.link.gzip => metadata.len().max(state.size),
        _ => state.size,
    };
    let age = present
        .as_ref()
        .and_then(|metadata| now.duration_since(metadata.modified().ok()?).ok())
        .map_or(0.0, |age| age.as_secs_f64());
    let waits = size > state.acknowledged;
    let where_it_is = match (&present, &state.reserve) {
        (Some(_), Some(_)) => "deleted",
        (Some(_), None) if state.source.link.gzip => "archived",
        (Some(_), None) if state.source.link.is_rotated() => "rotated",
        (Some(_), None) => "live",
        (None, _) => "gone",
    };
    let status = FileStatus {
        path: state.source.path.display().to_string(),
        started: Timestamp(state.started).to_string(),
        fingerprint: state
            .fingerprint
            .map(|fingerprint| fingerprint.to_string())
            .unwrap_or_default(),
        key: hexadecimal(&state.key.0),
        size,
        read: state.acknowledged,
        acknowledged: state.acknowledged,
        state: where_it_is.to_owned(),
        trouble: None,
    };
    (status, if waits { age } else { 0.0 })
}
