//! How does an agent get into a JVM that runs already? By `HotSpot`'s own attach protocol, without tools of the JDK.
//!
//! The JVM opens a socket when it finds a file of its own user's and gets SIGQUIT. A JVM that does not catch SIGQUIT (one
//! started with `-Xrs`) would die of it, so that is looked at first, and that it is still the same process. All that is
//! done below the target's root is done by a thread with the target's user and group: whatever it meets there, it can do
//! no more than the target itself. The jar is copied in and removed again.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::{
    Gid, Pid, PidfdFlags, Signal, Uid, getegid, geteuid, kill_process, pidfd_open,
    pidfd_send_signal,
};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::place::Place;

use super::find::{self, Facts, Finder};
use super::inside::{Inside, InsideError};
use super::mapped::Machine;

/// How long the JVM may take for each step.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the socket is looked for.
const INTERVAL: Duration = Duration::from_millis(50);
/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// The bit of SIGQUIT, signal 3, in the masks of `/proc/<pid>/status`.
const SIGQUIT_BIT: u64 = 1 << 2;

/// Why an agent can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The pid is no JVM's.
    #[error("process {0} is no JVM, or may not be seen")]
    NoJvm(u32),
    /// The JVM does not let anybody.
    #[error("{0}")]
    Unwilling(&'static str),
    /// The process ended meanwhile, and perhaps another has its pid.
    #[error("the JVM has ended")]
    Ended,
    /// Its `/tmp` can't be used.
    #[error("use /tmp below the JVM's root")]
    Folder(#[source] InsideError),
    /// Nothing can be written to its `/tmp`.
    #[error("write to /tmp below the JVM's root: it needs a writable /tmp, such as an emptyDir")]
    Write(#[source] io::Error),
    /// We can't become its user.
    #[error("become user {uid} and group {gid} of the JVM")]
    Become {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
        /// Why not.
        source: io::Error,
    },
    /// The signal can't be sent.
    #[error("ask the JVM to listen")]
    Signal(#[source] io::Error),
    /// It did not open its socket.
    #[error("the JVM did not listen within {} s", PATIENCE.as_secs())]
    Silent,
    /// The talk broke off.
    #[error("talk to the JVM")]
    Talk(#[source] io::Error),
    /// It would not load the agent.
    #[error("the JVM did not load the agent: {0}")]
    Refused(String),
}

/// Loads an agent; the jar's bytes, and what it is told.
pub fn attach(place: &Place, pid: u32, jar: &[u8], options: &str) -> Result<(), AttachError> {
    let found = Finder::default()
        .look(place, std::time::SystemTime::now())
        .map_err(|_error| AttachError::NoJvm(pid))?;
    let jvm = found
        .iter()
        .find(|jvm| jvm.facts.pid == pid)
        .ok_or(AttachError::NoJvm(pid))?;
    let facts = &*jvm.facts;
    willing(place, facts)?;
    let inside = Inside::of(place, pid).map_err(AttachError::Folder)?;
    // The root is that of the process we looked at.
    if find::start_ticks(place, pid) != Some(facts.start_ticks) {
        return Err(AttachError::Ended);
    }
    // Credentials are a thread's own to the kernel; this one ends with them.
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            become_user(facts)?;
            load(place, facts, &inside, jar, options)
        });
        thread.join().unwrap_or(Err(AttachError::Refused(
            "bug: the thread panicked".to_owned(),
        )))
    })
}

/// Whether the JVM would survive the question, and answer it.
fn willing(place: &Place, facts: &Facts) -> Result<(), AttachError> {
    if facts.mapped.machine != Machine::HotSpot {
        return Err(AttachError::Unwilling("only HotSpot can be attached to"));
    }
    if facts.options.without_attach {
        return Err(AttachError::Unwilling(
            "the JVM runs with -XX:+DisableAttachMechanism",
        ));
    }
    let status = place.text(&format!("proc/{}/status", facts.pid));
    if !catches_quit(&status.unwrap_or_default()) {
        return Err(AttachError::Unwilling(
            "the JVM does not catch SIGQUIT and would die of it (-Xrs, or it is still starting)",
        ));
    }
    Ok(())
}

/// Whether a process catches SIGQUIT, by `/proc/<pid>/status`.
fn catches_quit(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & SIGQUIT_BIT != 0)
}

fn become_user(facts: &Facts) -> Result<(), AttachError> {
    let (uid, gid) = (Uid::from_raw(facts.uid), Gid::from_raw(facts.gid));
    if geteuid() == uid && getegid() == gid {
        return Ok(());
    }
    set_thread_groups(&[gid])
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map_err(|errno| AttachError::Become {
            uid: facts.uid,
            gid: facts.gid,
            source: errno.into(),
        })
}

/// A file of ours in the target's `/tmp`; removed when dropped.
struct Temporary<'a> {
    folder: &'a OwnedFd,
    name: String,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // Its `/tmp` may have gone with the container.
        unlinkat(self.folder, &self.name, AtFlags::empty()).unwrap_or_default();
    }
}

fn create<'a>(
    folder: &'a OwnedFd,
    name: String,
    bytes: &[u8],
) -> Result<Temporary<'a>, AttachError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(folder, &name, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| AttachError::Write(errno.into()))?;
    let temporary = Temporary { folder, name };
    File::from(file)
        .write_all(bytes)
        .map_err(AttachError::Write)?;
    Ok(temporary)
}

fn load(
    place: &Place,
    facts: &Facts,
    inside: &Inside,
    jar: &[u8],
    options: &str,
) -> Result<(), AttachError> {
    let folder = inside.look("tmp").map_err(AttachError::Folder)?;
    if folder.kind() != FileType::Directory {
        return Err(AttachError::Folder(InsideError::Absent));
    }
    let folder = folder.into_handle();
    let pid = facts.inner_pid.unwrap_or(facts.pid);
    let mut random = [0; 8];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut random))
        .map_err(AttachError::Write)?;
    let name = format!(".nodetap-agent-{:016x}.jar", u64::from_le_bytes(random));
    let jar = create(&folder, name, jar)?;
    let mut stream = connect(place, facts, inside, &folder, pid)?;
    let said =
        say(&mut stream, &format!("/tmp/{}", jar.name), options).map_err(AttachError::Talk)?;
    understand(&said)
}

/// Connects to the JVM's socket, having it opened first if need be.
fn connect(
    place: &Place,
    facts: &Facts,
    inside: &Inside,
    folder: &OwnedFd,
    pid: u32,
) -> Result<UnixStream, AttachError> {
    let socket = || -> Option<UnixStream> {
        let found = inside.look(&format!("tmp/.java_pid{pid}")).ok()?;
        let is_its = found.kind() == FileType::Socket && found.uid() == facts.uid;
        // One that a JVM before it left behind refuses.
        is_its
            .then(|| UnixStream::connect(found.path()).ok())
            .flatten()
    };
    if let Some(stream) = socket() {
        return Ok(stream);
    }
    let _trigger = create(folder, format!(".attach_pid{pid}"), &[])?;
    ask_to_listen(place, facts)?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(stream) = socket() {
            return Ok(stream);
        }
        thread::sleep(INTERVAL);
    }
    Err(AttachError::Silent)
}

/// Sends SIGQUIT to the process that was looked at, and to no other.
fn ask_to_listen(place: &Place, facts: &Facts) -> Result<(), AttachError> {
    let target = Pid::from_raw(facts.pid as i32).ok_or(AttachError::Ended)?;
    // From here on the number can't become another's. Linux before 5.3 has no such handle.
    let handle = match pidfd_open(target, PidfdFlags::empty()) {
        Ok(handle) => Some(handle),
        Err(Errno::NOSYS) => None,
        Err(Errno::SRCH) => return Err(elsewhere(place, facts)),
        Err(errno) => return Err(AttachError::Signal(errno.into())),
    };
    // What a signal calls by this number is what our own /proc does, whichever the node's is.
    if find::start_ticks(&Place::new("/"), facts.pid) != Some(facts.start_ticks) {
        return Err(elsewhere(place, facts));
    }
    match handle {
        Some(handle) => pidfd_send_signal(handle, Signal::QUIT),
        None => kill_process(target, Signal::QUIT),
    }
    .map_err(|errno| AttachError::Signal(errno.into()))
}

/// Why the number is not the JVM's for us.
fn elsewhere(place: &Place, facts: &Facts) -> AttachError {
    if find::start_ticks(place, facts.pid) == Some(facts.start_ticks) {
        AttachError::Unwilling(
            "the JVM can't be signalled from this pid namespace: run nodetap on the node itself, or with hostPID",
        )
    } else {
        AttachError::Ended
    }
}

/// Protocol 1: a version, a command and three arguments, each ended with NUL; the answer ends with the connection.
fn say(stream: &mut UnixStream, jar: &str, options: &str) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let message = format!("1\0load\0instrument\0false\0{jar}={options}\0");
    stream.write_all(message.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The first line is what the JVM says of the command, the second what the agent returned: `0`, or `return code: 0`.
fn understand(answer: &str) -> Result<(), AttachError> {
    let mut lines = answer.lines();
    let command = lines.next().unwrap_or_default().trim();
    let agent = lines.next().unwrap_or_default().trim();
    let code = agent.strip_prefix("return code:").unwrap_or(agent).trim();
    if command == "0" && matches!(code, "" | "0") {
        return Ok(());
    }
    let said: String = answer
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(300)
        .collect();
    Err(AttachError::Refused(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_catches_sigquit_is_asked() {
        assert!(catches_quit("Name:\tjava\nSigCgt:\t2000000181005ccf\n"));
        assert!(!catches_quit("SigCgt:\t0000000180004ccb\n"));
        assert!(!catches_quit("SigCgt:\tx\n"));
        assert!(!catches_quit(""));
    }

    #[test]
    fn what_jvms_answer() {
        for answer in ["0\n0\n", "0\nreturn code: 0\n", "0\n"] {
            assert!(understand(answer).is_ok(), "{answer:?}");
        }
        for answer in [
            "",
            "100\n",
            "0\n102\n",
            "0\nreturn code: 102\n",
            "101\n",
            "0\nDynamic agent loading is not enabled.\n",
        ] {
            assert!(understand(answer).is_err(), "{answer:?}");
        }
    }
}
