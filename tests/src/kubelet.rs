//! What does the kubelet do to log files? Its rotation in its exact order, and its deletions.
//!
//! Ported knowledge: Kubernetes 1.34, `pkg/kubelet/logs/container_log_manager.go` (`rotateLog`, `removeExcessLogs`,
//! `compressLog`, `rotateLatestLog`) and `pkg/kubelet/kuberuntime/kuberuntime_gc.go` (`evictPodLogsDirectories`).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use record::Timestamp;

use crate::writer::Writer;

/// One pass of `rotateLog` over one running container.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// `containerLogMaxFiles`: the live file counts.
    pub max_files: usize,
    /// Lines that the runtime writes to the renamed file before it reopens.
    pub late_lines: usize,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            max_files: 5,
            late_lines: 3,
        }
    }
}

// === impl Writer ===

impl Writer {
    /// Rotates once, in the kubelet's order: `*.tmp`, excess, compression, rename, reopen.
    pub fn rotate(&mut self, rotation: Rotation) {
        self.flush();
        self.remove_temporary();
        self.remove_excess(rotation.max_files);
        self.compress_rotated();
        self.rename_live();
        self.lines(rotation.late_lines);
        self.reopen();
    }

    /// Rotates when the live file is at least so large; says whether it did.
    pub fn rotate_beyond(&mut self, bytes: u64, rotation: Rotation) -> bool {
        let large = fs::metadata(&self.place.live).is_ok_and(|file| file.len() >= bytes);
        if large {
            self.rotate(rotation);
        }
        large
    }

    /// Step 1: what a crashed compression left.
    pub fn remove_temporary(&mut self) {
        let Ok(entries) = fs::read_dir(&self.place.directory) else {
            return;
        };
        for entry in entries.flatten() {
            if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "tmp")
            {
                fs::remove_file(entry.path()).expect("remove a temporary file");
            }
        }
    }

    /// Step 2: keeps `max_files - 2` rotated files.
    pub fn remove_excess(&mut self, max_files: usize) {
        while self.rotated.len() > max_files.saturating_sub(2) {
            let (path, number) = self.rotated.remove(0);
            fs::remove_file(path).expect("remove an excess log");
            self.truth.deleted(number);
        }
    }

    /// Step 3: compresses every plain rotated file through a `.tmp`.
    pub fn compress_rotated(&mut self) {
        for (path, _) in &mut self.rotated {
            if path.extension().is_none_or(|extension| extension != "gz") {
                *path = compress(path);
            }
        }
    }

    /// Step 4, first half: the live file gets a dated name; the runtime still writes to it.
    pub fn rename_live(&mut self) {
        self.flush();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_secs() as i64);
        self.rotation_seconds = now.max(self.rotation_seconds + 1);
        let time = Timestamp(self.rotation_seconds * record::time::NANOS_PER_SECOND).to_string();
        let dated: String = time[..19].chars().filter(char::is_ascii_digit).collect();
        let mut name = self.place.live.clone().into_os_string();
        name.push(format!(".{}-{}", &dated[..8], &dated[8..]));
        let path = PathBuf::from(name);
        fs::rename(&self.place.live, &path).expect("rename a live log");
        self.rotated.push((path, self.number));
    }

    /// The container crashes and starts again: the next number's file; the instance before the last loses its log.
    pub fn crash(&mut self) {
        self.close();
        for (path, number) in std::mem::take(&mut self.ended) {
            fs::remove_file(path).expect("remove an old instance's log");
            self.truth.deleted(number);
        }
        self.ended = std::mem::take(&mut self.rotated);
        self.ended.push((self.place.live.clone(), self.number));
        self.restart += 1;
        self.place.live = self.place.directory.join(format!("{}.log", self.restart));
        self.reopen();
    }

    /// The pod is deleted: its files go first, its folders later.
    pub fn delete_pod(&mut self) {
        self.close();
        let files = fs::read_dir(&self.place.directory).expect("list a pod's logs");
        for entry in files.flatten() {
            fs::remove_file(entry.path()).expect("remove a pod's log");
        }
        for number in 0..self.next_number {
            self.truth.deleted(number);
        }
        self.rotated.clear();
        self.ended.clear();
        fs::remove_dir(&self.place.directory).expect("remove a container's folder");
        if let Some(pod) = self.place.directory.parent() {
            // Another container of the pod may still have its folder there.
            drop(fs::remove_dir(pod));
        }
    }
}

/// Writes `X.gz.tmp`, renames it to `X.gz`, removes `X`.
pub fn compress(path: &Path) -> PathBuf {
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (temporary, done) = (with(".gz.tmp"), with(".gz"));
    let mut from = File::open(path).expect("open a rotated log");
    let mut to = GzEncoder::new(
        File::create(&temporary).expect("make a compressed log"),
        Compression::fast(),
    );
    std::io::copy(&mut from, &mut to).expect("compress a log");
    to.finish().expect("finish a compressed log");
    fs::rename(&temporary, &done).expect("rename a compressed log");
    fs::remove_file(path).expect("remove what was compressed");
    done
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::line::Output;
    use crate::node::Node;

    fn names(writer: &Writer) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(writer.live().parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_rotated_file_is_plain_for_one_period_and_the_oldest_goes() {
        let node = &mut Node::new();
        let mut web = node.pod("shop", "web-1", "app");
        web.say("first");
        for _ in 0..4 {
            web.rotate(Rotation {
                max_files: 4,
                late_lines: 1,
            });
            web.say("next");
        }
        let names = names(&web);
        assert_eq!(names.len(), 4, "{names:?}");
        assert_eq!(names[0], "0.log");
        assert!(
            names[1].contains(".gz") && names[2].contains(".gz"),
            "{names:?}"
        );
        assert!(!names[3].contains(".gz"), "{names:?}");
        let mut text = String::new();
        for path in web.rotated() {
            let bytes = fs::read(&path).unwrap();
            if path.extension().is_some_and(|extension| extension == "gz") {
                GzDecoder::new(&bytes[..])
                    .read_to_string(&mut text)
                    .unwrap();
            } else {
                text.push_str(&String::from_utf8(bytes).unwrap());
            }
        }
        text.push_str(&fs::read_to_string(web.live()).unwrap());
        let kept: Vec<_> = web
            .truth()
            .lines()
            .iter()
            .filter(|line| !web.truth().was_deleted(line))
            .map(|line| line.head.clone())
            .collect();
        let found: Vec<_> = text
            .lines()
            .filter(|line| line.contains(" F "))
            .map(|line| crate::truth::head(line.splitn(4, ' ').nth(3).unwrap()))
            .collect();
        assert_eq!(kept, found);
        assert!(web.count() > kept.len(), "the oldest file's lines are gone");
    }

    #[test]
    fn a_crash_keeps_one_dead_instance() {
        let node = &mut Node::new();
        let mut web = node.pod("shop", "web-1", "app");
        for _ in 0..3 {
            web.line(Output::Stderr, "panic");
            web.crash();
        }
        assert_eq!(names(&web), ["2.log", "3.log"]);
    }
}
