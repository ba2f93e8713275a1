//! Can positions and lines be kept? The state directory: rights, space, kind of file system, and the store in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use page::units::bytes_text;

use super::Finding;
use crate::ask;
use crate::place::Place;

/// With less than this free, in bytes, not even positions can be written safely.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// `f_type` of tmpfs, from linux/magic.h.
const TMPFS_MAGIC: u64 = 0x0102_1994;

pub(super) fn look(place: &Place) -> Vec<Finding> {
    let mut findings = vec![writable(&place.state)];
    findings.extend(space(place));
    if place.elasticsearch().is_none() {
        findings.push(store(&place.store()));
    }
    findings.extend(running(place));
    findings
}

fn writable(state: &Path) -> Finding {
    let shown = state.display();
    let present = nearest_present(state);
    let probe = present.join(format!(".nodetap-check-{}", std::process::id()));
    let tried = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)
        .map(drop);
    let removed = if tried.is_ok() {
        fs::remove_file(&probe)
    } else {
        Ok(())
    };
    match tried.and(removed) {
        Ok(()) if present == state => Finding::ok(format!("state directory {shown} is writable")),
        Ok(()) => Finding::ok(format!("state directory {shown} can be made")),
        Err(error) => Finding::fail(
            format!(
                "state directory {shown}: cannot write to {}: {error}",
                present.display()
            ),
            "run as root, or give a directory of your own with --state",
        ),
    }
}

fn space(place: &Place) -> Vec<Finding> {
    let present = nearest_present(&place.state);
    let (space, kind) = match (rustix::fs::statvfs(&present), rustix::fs::statfs(&present)) {
        (Ok(space), Ok(kind)) => (space, kind),
        (Err(error), _) | (_, Err(error)) => {
            let what = format!(
                "cannot tell the free space of {}: {error}",
                present.display()
            );
            return vec![Finding::warn(what, "look at it with `df`")];
        }
    };
    let mut findings = Vec::new();
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    findings.push(match place.elasticsearch() {
        None => free_space(
            free,
            stored_bytes(&place.store()),
            place.config.retention_bytes,
        ),
        // Positions are small; what may grow is what the cluster refuses.
        Some(_) => free_space(free, 0, Some(place.config.dead_letters_bytes)),
    });
    if kind.f_type as u64 == TMPFS_MAGIC {
        findings.push(Finding::warn(
            format!(
                "state directory {} is in memory (tmpfs): a reboot forgets positions and lines",
                place.state.display()
            ),
            "give a directory on a disk with --state",
        ));
    }
    findings
}

/// Judges free bytes against what the store may still take.
fn free_space(free: u64, stored: u64, retention: Option<u64>) -> Finding {
    let shown = bytes_text(free);
    if free < FREE_BYTES_MIN {
        return Finding::fail(
            format!("{shown} free for state and store"),
            "make space, or give a directory on another disk with --state",
        );
    }
    match retention.map(|retention| retention.saturating_sub(stored)) {
        Some(wanted) if wanted > free => Finding::warn(
            format!(
                "{shown} free for state and what is kept there, which may grow by {}",
                bytes_text(wanted)
            ),
            "make space, or lower store.retention_bytes or dead_letters.bytes: with a full disk reading stops until there is some",
        ),
        Some(_) => Finding::ok(format!("{shown} free for state and store")),
        None => Finding::warn(
            format!(
                "{shown} free, and store.retention_bytes is none: the store grows until the disk is full"
            ),
            "set store.retention_bytes",
        ),
    }
}

fn store(directory: &Path) -> Finding {
    match store::Reader::open(directory) {
        Ok(reader) => {
            let extent = reader.extent();
            let range = extent.range.map_or_else(String::new, |(oldest, newest)| {
                format!(", {oldest} to {newest}")
            });
            Finding::ok(format!(
                "the store opens: {} lines, {}{range}",
                extent.rows,
                bytes_text(extent.bytes)
            ))
        }
        Err(error) => Finding::fail(
            format!("the store does not open: {:#}", anyhow::Error::new(error)),
            "look at the file; moving it away lets the rest be read",
        ),
    }
}

fn running(place: &Place) -> Option<Finding> {
    let address = ask::door(&place.listen_file())?;
    match ask::get(&address, "/healthz") {
        Ok(answer) if answer.trim() == "ok" => {
            Some(Finding::ok(format!("nodetap runs at {address}")))
        }
        Ok(answer) => Some(Finding::warn(
            format!("nodetap runs at {address}: {}", answer.trim()),
            "`nodetap sources` and its log say more",
        )),
        Err(ask::AskError::Connect { .. }) => None,
        Err(error) => Some(Finding::fail(
            format!("nodetap at {address} is ill: {error}"),
            "look at its log; restart it",
        )),
    }
}

fn stored_bytes(directory: &Path) -> u64 {
    store::Reader::open(directory).map_or(0, |reader| reader.extent().bytes)
}

/// The directory itself, or the nearest one above it that is there.
fn nearest_present(directory: &Path) -> PathBuf {
    let missing = |path: &Path| {
        fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let present = directory
        .ancestors()
        .find(|path| !path.as_os_str().is_empty() && !missing(path));
    present.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn free_space_is_judged_by_what_the_store_may_still_take() {
        let check = |free, stored, retention, expect| {
            assert_eq!(
                free_space(free, stored, retention).verdict,
                expect,
                "{free} {stored} {retention:?}"
            );
        };
        let gib = 1 << 30;
        check(1 << 20, 0, Some(gib), Verdict::Fail);
        check(2 * gib, 0, Some(10 * gib), Verdict::Warn);
        check(2 * gib, 9 * gib, Some(10 * gib), Verdict::Ok);
        check(2 * gib, 0, None, Verdict::Warn);
    }

    #[test]
    fn a_state_directory_that_is_not_there_yet_can_be_made() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("a/b");
        assert_eq!(writable(&state).verdict, Verdict::Ok);
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            0,
            "the probe stayed"
        );
        fs::write(directory.path().join("a"), "a file").unwrap();
        assert_eq!(writable(&state).verdict, Verdict::Fail);
    }
}
