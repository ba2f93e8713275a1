//! How is keepalived made to write its dumps? By the two signals that it has for that.
//!
//! SIGUSR1 and SIGUSR2 end a process that does not expect them, so the process is held by a descriptor before its name is
//! looked at: a number that was given away meanwhile is never signalled. Numbers are those of our own process namespace,
//! so it must be the node's.

use std::io;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::place::Place;

/// Signals a running keepalived.
pub(super) fn dumps(place: &Place, pid: u64) -> io::Result<()> {
    if !numbers_are_ours(place) {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "we are in another process namespace than the node",
        ));
    }
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let number = number.ok_or(io::ErrorKind::InvalidInput)?;
    let held = pidfd_open(number, PidfdFlags::empty())?;
    if !super::is_keepalived(place, pid) {
        return Err(io::ErrorKind::NotFound.into());
    }
    pidfd_send_signal(&held, Signal::USR1)?;
    pidfd_send_signal(&held, Signal::USR2)?;
    Ok(())
}

fn numbers_are_ours(place: &Place) -> bool {
    let namespace = |path: &str| place.link(path).ok();
    place.is_here()
        || std::fs::read_link("/proc/self/ns/pid")
            .ok()
            .zip(namespace("proc/1/ns/pid"))
            .is_some_and(|(ours, theirs)| ours.to_str() == Some(&theirs))
}
