//! What was written since we last looked? The lines of a growing log, through its rotation.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use crate::place::Place;

/// So much of a log that was there before us is read: it tells the state that keepalived was left in.
const PAST_BYTES: u64 = 4 << 20;
/// So much is read at a time; the rest comes next time.
const TURN_BYTES: u64 = 8 << 20;
/// A longer line is nobody's.
const LINE_BYTES_MAX: usize = 64 << 10;

/// A log that is followed by name.
#[derive(Debug)]
pub(super) struct Follower {
    path: String,
    open: Option<File>,
    /// What stands behind the last newline.
    partial: Vec<u8>,
    /// Whether the file was there when we first looked; only then is its past skipped.
    looked: bool,
}

// === impl Follower ===

impl Follower {
    pub(super) fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            open: None,
            partial: Vec::new(),
            looked: false,
        }
    }

    /// Hands over every whole line that is new. A file that can't be read is tried again next time.
    pub(super) fn read(&mut self, place: &Place, mut each: impl FnMut(&str)) {
        self.drain(&mut each);
        let path = place.path(&self.path);
        let first = !std::mem::replace(&mut self.looked, true);
        let Ok(named) = fs::metadata(&path) else {
            return;
        };
        if !named.is_file() {
            return;
        }
        let known = self.open.as_mut().and_then(|file| {
            let position = file.stream_position().ok()?;
            Some((file.metadata().ok()?.ino(), position))
        });
        match known {
            Some((inode, position)) if inode == named.ino() && position <= named.len() => return,
            _ => {}
        }
        // Another file has the name, or this one was cut: its beginning is new.
        self.partial.clear();
        self.open = File::open(&path).ok();
        if first && let Some(file) = &mut self.open {
            let from = named.len().saturating_sub(PAST_BYTES);
            if file.seek(SeekFrom::Start(from)).is_err() {
                self.open = None;
            }
        }
        self.drain(&mut each);
    }

    /// When the file was written to last.
    pub(super) fn modified(&self, place: &Place) -> Option<SystemTime> {
        fs::metadata(place.path(&self.path)).ok()?.modified().ok()
    }

    fn drain(&mut self, each: &mut impl FnMut(&str)) {
        let Some(file) = &mut self.open else {
            return;
        };
        let mut bytes = std::mem::take(&mut self.partial);
        // What could be read before an error is used.
        drop(file.take(TURN_BYTES).read_to_end(&mut bytes));
        let mut rest = bytes.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            if line.len() <= LINE_BYTES_MAX {
                each(&String::from_utf8_lossy(line));
            }
            rest = after.get(1..).unwrap_or_default();
        }
        self.partial = rest.to_vec();
        if LINE_BYTES_MAX < self.partial.len() {
            self.partial.truncate(LINE_BYTES_MAX + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_through_rotation_and_cut() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(directory.path());
        let path = directory.path().join("log");
        let mut follower = Follower::new("log");
        let mut seen = Vec::new();
        let mut read = |follower: &mut Follower| {
            let mut lines = Vec::new();
            follower.read(&place, |line| lines.push(line.to_owned()));
            seen.push(lines.join(","));
        };
        read(&mut follower);
        fs::write(&path, "one\ntw").unwrap();
        read(&mut follower);
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"o\n").unwrap();
        read(&mut follower);
        file.write_all(b"three\n").unwrap();
        fs::rename(&path, directory.path().join("log.1")).unwrap();
        fs::write(&path, "four\n").unwrap();
        read(&mut follower);
        fs::write(&path, "5\n").unwrap();
        read(&mut follower);
        read(&mut follower);
        assert_eq!(seen, ["", "one", "two", "three,four", "5", ""]);
    }
}
