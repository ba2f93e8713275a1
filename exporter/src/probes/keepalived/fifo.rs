//! What does keepalived notify? The lines of its notify FIFO as events.
//!
//! A FIFO has one reader: it is read only where the configuration names one that nobody else reads. keepalived writes
//! `INSTANCE "VI_1" MASTER 100`, `VS [10.99.0.1]:tcp:80 UP` and `RS [10.1.0.11]:tcp:80 [10.99.0.1]:tcp:80 DOWN`, the
//! latter two with a zero behind the newline.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;

use rustix::fs::{Mode, OFlags};

use crate::place::Place;

use super::log::{Event, Place as Placed, server_and_service, service};
use super::vrrp;

/// As much as a pipe holds, and what was written meanwhile; the rest comes next time.
const TURN_BYTES: usize = 1 << 20;
/// A longer line is none of keepalived's.
const LINE_BYTES_MAX: usize = 4 << 10;

/// A FIFO that we read.
#[derive(Debug)]
pub(super) struct Fifo {
    path: String,
    open: Option<File>,
    partial: Vec<u8>,
}

// === impl Fifo ===

impl Fifo {
    pub(super) fn new(path: &str) -> Self {
        Self {
            path: path.trim_start_matches('/').to_owned(),
            open: None,
            partial: Vec::new(),
        }
    }

    /// Hands over what was notified since the last time. keepalived makes the FIFO; before that there is nothing.
    pub(super) fn read(&mut self, place: &Place, mut each: impl FnMut(Event)) -> io::Result<()> {
        if self.open.is_none() {
            self.open = Some(open(place, &self.path)?);
        }
        let Some(file) = &mut self.open else {
            return Ok(());
        };
        let mut chunk = vec![0; LINE_BYTES_MAX];
        let mut bytes = 0;
        while bytes < TURN_BYTES {
            match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => {
                    bytes += length;
                    self.partial
                        .extend_from_slice(chunk.get(..length).unwrap_or_default());
                    drain(&mut self.partial, &mut each);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.open = None;
                    return Err(error);
                }
            }
        }
        // Made anew under its name: the old one has no writer any more.
        if is_other(place, &self.path, file) {
            self.open = None;
        }
        Ok(())
    }
}

/// Opened for both, a FIFO never ends, and its writers never meet one without a reader.
fn open(place: &Place, path: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let peek = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = File::from(rustix::fs::open(place.path(path), peek, Mode::empty())?);
    if !found.metadata()?.file_type().is_fifo() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no FIFO"));
    }
    let file = File::from(rustix::fs::open(place.path(path), flags, Mode::empty())?);
    if !file.metadata()?.file_type().is_fifo() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no FIFO"));
    }
    Ok(file)
}

fn is_other(place: &Place, path: &str, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let named = std::fs::symlink_metadata(place.path(path));
    let (Ok(named), Ok(ours)) = (named, file.metadata()) else {
        return true;
    };
    (named.dev(), named.ino()) != (ours.dev(), ours.ino())
}

/// Takes whole lines off the front.
fn drain(bytes: &mut Vec<u8>, each: &mut impl FnMut(Event)) {
    let mut from = 0;
    while let Some(end) = bytes.iter().skip(from).position(|byte| *byte == b'\n') {
        let line = bytes.get(from..from + end).unwrap_or_default();
        if let Some(event) = std::str::from_utf8(line).ok().and_then(event) {
            each(event);
        }
        from += end + 1;
    }
    bytes.drain(..from);
    if LINE_BYTES_MAX < bytes.len() {
        bytes.clear();
    }
}

/// Reads a line; pure.
fn event(line: &str) -> Option<Event> {
    let line = line.trim_matches(['\0', ' ', '\r']);
    let (kind, rest) = line.split_once(' ')?;
    if kind == "INSTANCE" {
        let (instance, rest) = rest.strip_prefix('"')?.rsplit_once("\" ")?;
        let word = rest.split(' ').next()?;
        return Some(Event::State {
            instance: instance.to_owned(),
            // One that stopped is as one that has not begun.
            state: if word == "STOP" {
                0
            } else {
                vrrp::state(word)?
            },
        });
    }
    let (of, word) = rest.rsplit_once(' ')?;
    let up = match word {
        "UP" => true,
        "DOWN" => false,
        _ => return None,
    };
    match kind {
        "VS" => Some(Event::Quorum {
            service: service(of)?,
            gained: up,
        }),
        "RS" => {
            let (server, service) = server_and_service(of, " ")?;
            Some(Event::Placed {
                service,
                server,
                place: if up { Placed::In } else { Placed::Out },
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    /// What keepalived 2.2 wrote.
    const LINES: &[u8] = b"INSTANCE \"VI_1\" BACKUP 100\nINSTANCE \"VI_1\" MASTER 100\nRS [10.1.0.11]:tcp:80 [10.99.0.1]:tcp:80 DOWN\n\0VS [10.99.0.1]:tcp:80 DOWN\n\0GROUP \"G\" FAULT 0\nVS FWM 7 UP\n\0INSTANCE \"VI_1\" STOP 100\n";

    #[test]
    fn what_is_notified() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(directory.path());
        let mut fifo = Fifo::new("/run/notify");
        fs::create_dir(directory.path().join("run")).unwrap();
        let path = directory.path().join("run/notify");
        assert!(fifo.read(&place, |_| ()).is_err(), "not there yet");
        fs::write(&path, LINES).unwrap();
        assert!(fifo.read(&place, |_| ()).is_err(), "a plain file");
        for _ in 0..2 {
            fs::remove_file(&path).unwrap();
            rustix::fs::mknodat(
                rustix::fs::CWD,
                &path,
                rustix::fs::FileType::Fifo,
                Mode::RUSR | Mode::WUSR,
                0,
            )
            .unwrap();
            // Finds out that the one of the round before is gone.
            fifo.read(&place, |_| ()).unwrap();
            fifo.read(&place, |_| ()).unwrap();
            let mut writer = fs::OpenOptions::new().write(true).open(&path).unwrap();
            let mut seen = Vec::new();
            for part in LINES.chunks(37) {
                writer.write_all(part).unwrap();
                fifo.read(&place, |event| seen.push(event)).unwrap();
            }
            drop(writer);
            let states: Vec<u8> = seen
                .iter()
                .filter_map(|event| match event {
                    Event::State { state, .. } => Some(*state),
                    _ => None,
                })
                .collect();
            assert_eq!((states, seen.len()), (vec![1, 2, 0], 6), "{seen:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_a_panic(parts in prop::collection::vec("(INSTANCE \"|\" MASTER|RS |VS |\\[10.0.0.1\\]:tcp:80 |UP|\n|\0){0,20}", 0..5)) {
            let mut bytes = Vec::new();
            for part in parts {
                bytes.extend(part.into_bytes());
                drain(&mut bytes, &mut |_| ());
                prop_assert!(!bytes.contains(&b'\n'));
            }
        }
    }
}
