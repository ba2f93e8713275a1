//! What does a process cost? Its processor time and its memory, seen from outside.
//!
//! Source: `/proc/<pid>/stat` and `status`, proc(5). The kernel scales user and system time so that their sum is the
//! exact time that the process ran; a process that has ended keeps it until its parent asks for the exit status.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Processor time so far, of all threads, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cpu {
    /// In the program.
    pub user_seconds: f64,
    /// In the kernel on its behalf.
    pub system_seconds: f64,
}

/// Memory in use, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All resident pages.
    pub resident_kib: u64,
    /// Resident pages that no file holds: heap and stacks.
    pub anonymous_kib: u64,
    /// The most that was ever resident.
    pub peak_kib: u64,
}

impl Cpu {
    /// User and system time together.
    pub fn seconds(self) -> f64 {
        self.user_seconds + self.system_seconds
    }

    /// What process `id` used, also when it has ended but was not waited for; `None` when it is gone.
    pub fn of(id: u32) -> Option<Self> {
        parse_stat(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// What the whole machine has been busy, in seconds over all processors.
    pub fn machine_seconds() -> f64 {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        parse_machine(&text).unwrap_or_default()
    }
}

impl std::ops::Add for Cpu {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            user_seconds: self.user_seconds + other.user_seconds,
            system_seconds: self.system_seconds + other.system_seconds,
        }
    }
}

fn parse_stat(text: &str) -> Option<Cpu> {
    // The name stands in parentheses and may hold any character, so the fields are counted from the last one.
    let mut fields = text.get(text.rfind(')')? + 2..)?.split(' ').skip(11);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / ticks());
    Some(Cpu {
        user_seconds: seconds()?,
        system_seconds: seconds()?,
    })
}

fn parse_machine(text: &str) -> Option<f64> {
    let fields: Vec<f64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .map_while(|f| f.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; the time of guests is in user already.
    let [
        user,
        nice,
        system,
        _,
        _,
        interrupts,
        soft_interrupts,
        steal,
        ..,
    ] = fields[..]
    else {
        return None;
    };
    Some((user + nice + system + interrupts + soft_interrupts + steal) / ticks())
}

fn ticks() -> f64 {
    clock_ticks_per_second() as f64
}

impl Memory {
    /// What process `id` holds; `None` when it is gone.
    pub fn of(id: u32) -> Option<Self> {
        parse_status(&fs::read_to_string(format!("/proc/{id}/status")).ok()?)
    }

    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            resident_kib: self.resident_kib.max(other.resident_kib),
            anonymous_kib: self.anonymous_kib.max(other.anonymous_kib),
            peak_kib: self.peak_kib.max(other.peak_kib),
        }
    }
}

fn parse_status(text: &str) -> Option<Memory> {
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Memory {
        resident_kib: kib("VmRSS:")?,
        anonymous_kib: kib("RssAnon:")?,
        peak_kib: kib("VmHWM:")?,
    })
}

/// A command under measurement; it ends when this value is dropped, and when this process ends.
///
/// The second is done by this same program's `leash`.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

/// How a measured command ended.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it used over its whole life.
    pub cpu: Cpu,
}

impl Process {
    /// Starts `program` with its output appended to `log`.
    ///
    /// The thread that calls this must live as long as the process: the kernel ties them together.
    pub fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        log: &Path,
    ) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        Self::spawn(program, arguments, log.try_clone()?.into(), log)
    }

    /// Starts `program` with its standard output for us to read, see [`Process::output`].
    pub fn start_piped<S: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        log: &Path,
    ) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        Self::spawn(program, arguments, Stdio::piped(), log)
    }

    fn spawn<S: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        output: Stdio,
        errors: File,
    ) -> io::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .arg("leash")
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()?;
        Ok(Self { child })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The standard output of a process that was started piped, once.
    pub fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// What it used so far.
    pub fn cpu(&self) -> Cpu {
        Cpu::of(self.id()).unwrap_or_default()
    }

    /// What it holds now.
    pub fn memory(&self) -> Memory {
        Memory::of(self.id()).unwrap_or_default()
    }

    /// Its exit status when it has ended.
    pub fn try_wait(&mut self) -> io::Result<Option<Finished>> {
        let pid = Pid::from_child(&self.child);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        if waitid(WaitId::Pid(pid), options)?.is_none() {
            return Ok(None);
        }
        self.reap().map(Some)
    }

    /// Waits for its end.
    pub fn wait(mut self) -> io::Result<Finished> {
        let pid = Pid::from_child(&self.child);
        waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )?;
        self.reap()
    }

    /// The processor time is asked for while the ended process still has it.
    fn reap(&mut self) -> io::Result<Finished> {
        let cpu = self.cpu();
        Ok(Finished {
            status: self.child.wait()?,
            cpu,
        })
    }

    /// Kills it without a chance to write anything more.
    pub fn kill_now(&mut self) -> io::Result<Finished> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::KILL)?;
        waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )?;
        self.reap()
    }

    /// Asks it to end, and kills it when it has not after `grace`.
    pub fn stop(mut self, grace: Duration) -> io::Result<Finished> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let asked = Instant::now();
        while asked.elapsed() < grace {
            if let Some(finished) = self.try_wait()? {
                return Ok(finished);
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.kill_now()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program `name` in the folder of this one: Cargo puts what is built together there.
pub fn beside(name: &str) -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 250 50 0 0 20 0 1 0 1 2 3";
        let cpu = parse_stat(text).unwrap();
        assert!((cpu.seconds() * ticks() - 300.0).abs() < 1e-6);
    }

    #[test]
    fn memory_is_read_from_the_status() {
        let text = "Name:\tx\nVmHWM:\t  30 kB\nVmRSS:\t  20 kB\nRssAnon:\t 5 kB\n";
        let expected = Memory {
            resident_kib: 20,
            anonymous_kib: 5,
            peak_kib: 30,
        };
        assert_eq!(parse_status(text), Some(expected));
    }

    #[test]
    fn this_process_has_used_something() {
        assert!(Memory::of(std::process::id()).unwrap().resident_kib > 0);
        assert!(Cpu::machine_seconds() > 0.0);
        assert!(Cpu::of(std::process::id()).is_some());
    }
}
