//! What do Docker and logrotate do to log files? Numbered rotation, copytruncate, removal of a container.
//!
//! Ported knowledge: moby `daemon/logger/loggerutils/logfile.go` (`rotate`, `compressFile`) and logrotate's `copytruncate`.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;

use crate::kubelet::compress;
use crate::writer::Writer;

// === impl Writer ===

impl Writer {
    /// Rotates as dockerd: the last goes, each becomes one older, the live file becomes `.1`; the old `.1` is compressed
    /// to `.2.gz` when `compressed`. `max_files` counts the live file.
    pub fn rotate_docker(&mut self, max_files: usize, compressed: bool) {
        self.flush();
        while self.rotated.len() + 2 > max_files.max(2) {
            let (path, number) = self.rotated.remove(0);
            fs::remove_file(path).expect("remove the oldest log");
            self.truth.deleted(number);
        }
        let count = self.rotated.len();
        for (index, (path, _)) in self.rotated.iter_mut().enumerate() {
            let older = count - index + 1;
            let gz = path.extension().is_some_and(|extension| extension == "gz");
            let to = numbered(&self.place.live, older, gz);
            fs::rename(&*path, &to).expect("rename a rotated log");
            *path = to;
        }
        if compressed
            && let Some((path, _)) = self.rotated.last_mut()
            && path.extension().is_none_or(|extension| extension != "gz")
        {
            *path = compress(path);
        }
        let first = numbered(&self.place.live, 1, false);
        fs::rename(&self.place.live, &first).expect("rename a live log");
        self.rotated.push((first, self.number));
        self.reopen();
    }

    /// Copies the live file to `.1` and truncates it in place, as logrotate's `copytruncate`; `between` lines are written
    /// after the copy and before the truncation, which is where that method loses lines by its nature.
    pub fn copytruncate(&mut self) {
        self.flush();
        let count = self.rotated.len();
        for (index, (path, _)) in self.rotated.iter_mut().enumerate() {
            let to = numbered(&self.place.live, count - index + 1, false);
            fs::rename(&*path, &to).expect("rename a rotated log");
            *path = to;
        }
        let first = numbered(&self.place.live, 1, false);
        fs::copy(&self.place.live, &first).expect("copy a live log");
        self.rotated.push((first, self.number));
        self.truncate();
    }

    /// Truncates the live file in place; the writer appends on.
    pub fn truncate(&mut self) {
        self.flush();
        let file = OpenOptions::new()
            .write(true)
            .open(&self.place.live)
            .expect("open a live log");
        file.set_len(0).expect("truncate a live log");
        self.number = self.next_number;
        self.next_number += 1;
    }

    /// `docker rm`: the whole folder goes at once.
    pub fn remove_container(&mut self) {
        self.close();
        fs::remove_dir_all(&self.place.directory).expect("remove a container's folder");
        for number in 0..self.next_number {
            self.truth.deleted(number);
        }
        self.rotated.clear();
    }
}

fn numbered(live: &std::path::Path, number: usize, gz: bool) -> PathBuf {
    let mut name = live.as_os_str().to_owned();
    name.push(format!(".{number}{}", if gz { ".gz" } else { "" }));
    PathBuf::from(name)
}
