//! What does a JVM count, and if nothing: why?
//!
//! The file is `/tmp/hsperfdata_<user>/<pid>` as the JVM sees it; it must be the JVM's own, and no link.

use crate::place::Place;

use super::find::Facts;
use super::inside::{Inside, InsideError};
use super::mapped::Machine;
use super::perf::{self, Perf, PerfError};
use super::reason::NoPerf;

/// The largest `/etc/passwd` that is read, in bytes.
const PASSWD_BYTES_MAX: u64 = 256 << 10;
/// How often a file is read again that changed meanwhile.
const ATTEMPTS_MAX: usize = 3;

/// Reads a JVM's counters.
pub(super) fn read(place: &Place, facts: &Facts, is_young: bool) -> Result<Perf, NoPerf> {
    match facts.mapped.machine {
        Machine::OpenJ9 => return Err(NoPerf::OpenJ9),
        Machine::Hidden => return Err(NoPerf::Permission),
        Machine::HotSpot | Machine::None => {}
    }
    let Some((user, name)) = &facts.mapped.counters else {
        return Err(why_none(place, facts, is_young));
    };
    if facts.mapped.is_removed {
        return Err(NoPerf::Removed);
    }
    let inside = Inside::of(place, facts.pid).map_err(|error| NoPerf::of(&error))?;
    file(&inside, user, name, facts.uid)
}

fn file(inside: &Inside, user: &str, name: &str, uid: u32) -> Result<Perf, NoPerf> {
    let folder = format!("tmp/{user}");
    let path = format!("{folder}/{name}");
    // The JVM maps it, so it was there.
    let refuse = |error| match error {
        InsideError::Absent => NoPerf::Removed,
        other => NoPerf::of(&other),
    };
    let found = inside.look(&folder).map_err(refuse)?;
    if found.uid() != uid || found.others_write() {
        return Err(NoPerf::Untrusted);
    }
    for _ in 0..ATTEMPTS_MAX {
        let found = inside.look(&path).map_err(refuse)?;
        if found.uid() != uid || found.links() != 1 {
            return Err(NoPerf::Untrusted);
        }
        let file = found.open().map_err(refuse)?;
        let bytes = found
            .read_from(&file, perf::FILE_BYTES_MAX)
            .map_err(refuse)?;
        let after = found
            .read_from(&file, perf::PROLOGUE_BYTES as u64)
            .map_err(refuse)?;
        let before = perf::stamp(&bytes);
        let parsed = perf::parse(bytes);
        if parsed.is_ok() && before != perf::stamp(&after) {
            continue;
        }
        return parsed.map_err(|error| match error {
            PerfError::NotReady => NoPerf::NotReady,
            PerfError::Corrupt { .. } => NoPerf::Corrupt,
        });
    }
    Err(NoPerf::NotReady)
}

/// Why a JVM maps no counters.
fn why_none(place: &Place, facts: &Facts, is_young: bool) -> NoPerf {
    if facts.options.without_perf_data {
        return NoPerf::DisabledFlag;
    }
    if facts.options.without_shared_memory {
        return NoPerf::SharedMemDisabled;
    }
    let inside = match Inside::of(place, facts.pid) {
        Ok(inside) => inside,
        Err(error) => return NoPerf::of(&error),
    };
    let passwd = inside.read("etc/passwd", PASSWD_BYTES_MAX);
    let passwd = String::from_utf8_lossy(&passwd.unwrap_or_default()).into_owned();
    let map = place.text(&format!("proc/{}/uid_map", facts.pid));
    let user = user_of(&passwd, inner_id(&map.unwrap_or_default(), facts.uid));
    let Some(user) = user else {
        return NoPerf::NoPasswdEntry;
    };
    let pid = facts.inner_pid.unwrap_or(facts.pid);
    match inside.look(&format!("tmp/hsperfdata_{user}/{pid}")) {
        Ok(_) if is_young => NoPerf::NotReady,
        Ok(_) => NoPerf::LockedByOther,
        Err(InsideError::Forbidden) => NoPerf::Permission,
        Err(_) if !can_have_tmp(place, &inside, facts) => NoPerf::NoTmp,
        Err(_) if is_young => NoPerf::NotReady,
        Err(_) => NoPerf::NoFile,
    }
}

/// Whether a process has a `/tmp` that it may write to.
fn can_have_tmp(place: &Place, inside: &Inside, facts: &Facts) -> bool {
    let mounts = place.text(&format!("proc/{}/mountinfo", facts.pid));
    inside.look("tmp").is_ok() && !is_read_only(&mounts.unwrap_or_default(), "/tmp")
}

/// Whether the mount that holds a path is read-only, by `/proc/<pid>/mountinfo`.
fn is_read_only(mounts: &str, path: &str) -> bool {
    let mut best: Option<(usize, bool)> = None;
    for line in mounts.lines() {
        let mut fields = line.split_ascii_whitespace().skip(4);
        let (Some(point), Some(options)) = (fields.next(), fields.next()) else {
            continue;
        };
        let holds = point == "/"
            || path
                .strip_prefix(point)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        // Of two on one point the later hides the earlier.
        if holds && best.is_none_or(|(length, _)| point.len() >= length) {
            best = Some((point.len(), options.split(',').any(|option| option == "ro")));
        }
    }
    best.is_some_and(|(_, read_only)| read_only)
}

/// A user's id within its user namespace, by `/proc/<pid>/uid_map`.
fn inner_id(map: &str, id: u32) -> u32 {
    let mut found = map.lines().filter_map(|line| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse::<u32>);
        let inside = numbers.next()?.ok()?;
        let outside = numbers.next()?.ok()?;
        let count = numbers.next()?.ok()?;
        let distance = id.checked_sub(outside)?;
        (distance < count).then(|| inside.saturating_add(distance))
    });
    found.next().unwrap_or(id)
}

/// A user's name, as the JVM finds it.
fn user_of(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields
            .next()
            .filter(|name| !name.is_empty() && !name.contains('/'))?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests;
