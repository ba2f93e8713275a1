//! What does the kubelet do to a log that has grown too large?
//!
//! It looks every ten seconds, renames `0.log` to `0.log.<time>`, has the runtime open a new one, compresses all rotated
//! ones but the newest (`.tmp`, then `.gz`, then the plain one goes), and removes the oldest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use record::time::Timestamp;

/// One container's log while it is being written.
#[derive(Debug)]
pub struct LiveLog {
    path: PathBuf,
    file: File,
    size_bytes: u64,
    rotated: Vec<PathBuf>,
}

/// How far the kubelet lets logs grow.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// Above this size a log is rotated; 0 for never.
    pub limit_bytes: u64,
    /// How many rotated files are kept; 0 for all.
    pub keep: usize,
}

impl LiveLog {
    /// Opens, or makes, the log at `path` for appending.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self {
            path,
            file,
            size_bytes,
            rotated: Vec::new(),
        })
    }

    /// Appends one record in one write, as a container runtime does.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Rotates when the log is too large; returns the file that is now due for compression, and whether it rotated.
    pub fn rotate(
        &mut self,
        rotation: Rotation,
        now: Timestamp,
    ) -> io::Result<(bool, Option<PathBuf>)> {
        if rotation.limit_bytes == 0 || self.size_bytes <= rotation.limit_bytes {
            return Ok((false, None));
        }
        let stamp = now.rfc3339();
        let digits: String = stamp[..19].iter().map(|byte| char::from(*byte)).collect();
        let name = format!("0.log.{}", digits.replace(['-', ':'], "").replace('T', "-"));
        let target = self.path.with_file_name(name);
        if target.try_exists()? {
            return Ok((false, None)); // the kubelet's names have one-second resolution
        }
        fs::rename(&self.path, &target)?;
        self.file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)?;
        self.size_bytes = 0;
        let due = self.rotated.last().cloned();
        self.rotated.push(target);
        while rotation.keep > 0 && self.rotated.len() > rotation.keep {
            let oldest = self.rotated.remove(0);
            for path in [gzip_path(&oldest), oldest] {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok((true, due))
    }
}

fn gzip_path(plain: &Path) -> PathBuf {
    let mut path = plain.as_os_str().to_owned();
    path.push(".gz");
    path.into()
}

/// Replaces a rotated file by its gzip, in the kubelet's steps; a file that is gone already is no error.
pub fn compress(plain: &Path) -> io::Result<()> {
    let mut source = match File::open(plain) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let target = gzip_path(plain);
    let mut temporary = plain.as_os_str().to_owned();
    temporary.push(".tmp");
    let mut encoder = GzEncoder::new(File::create(&temporary)?, Compression::default());
    io::copy(&mut source, &mut encoder)?;
    encoder.finish()?;
    fs::rename(&temporary, &target)?;
    match fs::remove_file(plain) {
        // Removed as the oldest meanwhile: then the gzip has to go as well.
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::remove_file(target),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use record::time::NANOS_PER_SECOND;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn rotated_logs_are_renamed_compressed_and_the_oldest_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LiveLog::open(folder.path().join("0.log")).unwrap();
        let rotation = Rotation {
            limit_bytes: 4,
            keep: 2,
        };
        for second in 0..4 {
            log.append(format!("line {second}\n").as_bytes()).unwrap();
            let now = Timestamp(1_795_255_200 * NANOS_PER_SECOND + second * NANOS_PER_SECOND);
            let (rotated, due) = log.rotate(rotation, now).unwrap();
            assert!(rotated);
            if let Some(path) = due {
                compress(&path).unwrap();
            }
        }
        assert_eq!(
            names(folder.path()),
            ["0.log", "0.log.20261121-100002.gz", "0.log.20261121-100003"]
        );
        let file = File::open(folder.path().join("0.log.20261121-100002.gz")).unwrap();
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        assert_eq!(text, "line 2\n");
    }

    #[test]
    fn a_small_log_and_a_second_rotation_in_one_second_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LiveLog::open(folder.path().join("0.log")).unwrap();
        let rotation = Rotation {
            limit_bytes: 4,
            keep: 0,
        };
        assert!(!log.rotate(rotation, Timestamp(0)).unwrap().0);
        log.append(b"long enough\n").unwrap();
        assert!(log.rotate(rotation, Timestamp(0)).unwrap().0);
        log.append(b"long enough\n").unwrap();
        assert!(!log.rotate(rotation, Timestamp(1)).unwrap().0);
    }
}
