//! Which processes are JVMs, whose are they, and where are their counters?
//!
//! A process that maps `libjvm.so` is a JVM, whatever it is called; one that maps `hsperfdata_<user>/<pid>` writes its
//! counters there, and no other does, even where containers share a `/tmp` and both are process 1. What a process maps
//! is looked at once, and again while it is young: a scrape reads a few bytes of each process.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::place::{Place, ReadError};
use crate::pods::{Containers, PodName, Pods};

use super::counters;
use super::inside::Inside;
use super::mapped::{self, Machine, Mapped};
use super::options::{self, Endpoint, Options};
use super::perf::Perf;
use super::reason::NoPerf;

/// How long a process may take to become what it will be: a shell that execs, a launcher that loads the JVM.
const YOUNG: Duration = Duration::from_mins(1);
/// `USER_HZ`, in which /proc tells times; it is 100 on every architecture of today.
const TICKS_PER_SECOND: f64 = 100.0;
/// The most JVMs of a node.
const JVMS_MAX: usize = 2_000;
/// The most bytes of counters that are held at a time: those of three thousand JVMs that keep to the usual.
const COUNTERS_BYTES_MAX: usize = 64 << 20;
/// The largest note of an agent that is read, in bytes.
const NOTE_BYTES_MAX: u64 = 256;

/// Finds JVMs, and remembers what can't change.
#[derive(Debug, Default)]
pub struct Finder {
    known: HashMap<u32, Known>,
}

/// A JVM, and its counters at this moment.
#[derive(Clone, Debug)]
pub struct Jvm {
    /// What does not change.
    pub facts: Arc<Facts>,
    /// Its label: main class or jar; with the pid where two of a container have the same.
    pub name: String,
    /// Its counters, or why there are none.
    pub perf: Result<Perf, NoPerf>,
}

/// What does not change in a JVM's life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its number on the node.
    pub pid: u32,
    /// Its number in its own namespace.
    pub inner_pid: Option<u32>,
    /// When it started, in ticks since the boot; with the pid, which process it is.
    pub start_ticks: u64,
    /// Its user and group, as the node knows them.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its pod.
    pub pod: PodName,
    /// Its container's name.
    pub container: String,
    /// How it was started.
    pub options: Options,
    /// What it maps.
    pub mapped: Mapped,
}

#[derive(Debug)]
struct Known {
    program: String,
    start_ticks: u64,
    first_seen: SystemTime,
    is_settled: bool,
    facts: Option<Arc<Facts>>,
}

// === impl Finder ===

impl Finder {
    /// Finds the JVMs of the moment, by pid, and reads their counters.
    pub fn look(&mut self, place: &Place, now: SystemTime) -> Result<Vec<Jvm>, ReadError> {
        let uptime = place.text("proc/uptime").ok();
        let uptime = uptime.and_then(|text| text.split(' ').next()?.parse().ok());
        let mut room = COUNTERS_BYTES_MAX;
        let mut found: Vec<Jvm> = self
            .facts(place, now)?
            .into_iter()
            .map(|facts| {
                let perf = counters::read(place, &facts, is_young(uptime, facts.start_ticks));
                let perf = perf.and_then(|perf| {
                    room = room
                        .checked_sub(perf.kept_bytes())
                        .ok_or(NoPerf::TooLarge)?;
                    Ok(perf)
                });
                let name = name(&facts, perf.as_ref().ok());
                Jvm { facts, name, perf }
            })
            .collect();
        distinguish(&mut found);
        Ok(found)
    }

    /// Finds the JVMs of the moment, by pid.
    fn facts(&mut self, place: &Place, now: SystemTime) -> Result<Vec<Arc<Facts>>, ReadError> {
        let pids: Vec<u32> = place
            .names("proc")?
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        let alive: HashSet<u32> = pids.iter().copied().collect();
        self.known.retain(|pid, _| alive.contains(pid));
        let mut names = None;
        let mut found = Vec::new();
        for pid in pids {
            found.extend(self.process(place, pid, now, &mut names));
        }
        found.sort_unstable_by_key(|facts: &Arc<Facts>| facts.pid);
        found.truncate(JVMS_MAX);
        Ok(found)
    }

    fn process(
        &mut self,
        place: &Place,
        pid: u32,
        now: SystemTime,
        names: &mut Option<Names>,
    ) -> Option<Arc<Facts>> {
        let program = program(place, pid)?;
        let known = self
            .known
            .get(&pid)
            .filter(|known| known.program == program);
        // A process that is none, of a program that has none, need not be told from its successor.
        if known.is_some_and(|known| known.is_settled && known.facts.is_none()) {
            return None;
        }
        let start_ticks = start_ticks(place, pid)?;
        let known = known.filter(|known| known.start_ticks == start_ticks);
        if let Some(known) = known.filter(|known| known.is_settled) {
            return known.facts.clone();
        }
        let first_seen = known.map_or(now, |known| known.first_seen);
        let is_old = is_past(first_seen, now);
        // Between first sight and settling, only what is a JVM already is looked at again.
        let facts = match known {
            Some(known) if known.facts.is_none() && !is_old => None,
            _ => facts(place, pid, start_ticks, &program, names).map(Arc::new),
        };
        // A JVM that has its counters will not become anything else.
        let has_counters = |facts: &Arc<Facts>| facts.mapped.counters.is_some();
        let known = Known {
            program,
            start_ticks,
            first_seen,
            is_settled: is_old || facts.as_ref().is_some_and(has_counters),
            facts: facts.clone(),
        };
        self.known.insert(pid, known);
        facts
    }
}

/// Whether a process has just started, by the machine's own clock: it may not have made its counters yet.
fn is_young(uptime_seconds: Option<f64>, start_ticks: u64) -> bool {
    uptime_seconds
        .is_some_and(|uptime| uptime - start_ticks as f64 / TICKS_PER_SECOND < YOUNG.as_secs_f64())
}

/// Whether a process is no longer young. A clock that was set back makes none young for ever.
fn is_past(first_seen: SystemTime, now: SystemTime) -> bool {
    now.duration_since(first_seen).is_ok_and(|age| age >= YOUNG)
}

/// Gives those of a container that have one name their pids.
fn distinguish(found: &mut [Jvm]) {
    let mut counts: HashMap<(PodName, String, String), usize> = HashMap::new();
    let key = |jvm: &Jvm| {
        (
            jvm.facts.pod.clone(),
            jvm.facts.container.clone(),
            jvm.name.clone(),
        )
    };
    for jvm in &*found {
        *counts.entry(key(jvm)).or_default() += 1;
    }
    for jvm in found {
        if counts.get(&key(jvm)).is_some_and(|count| *count > 1) {
            jvm.name = format!("{} {}", jvm.name, jvm.facts.pid);
        }
    }
}

fn name(facts: &Facts, perf: Option<&Perf>) -> String {
    perf.and_then(|perf| perf.text("sun.rt.javaCommand"))
        .and_then(options::program)
        .or_else(|| facts.options.program.clone())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The program of a process, with `?` before a name that only it gave itself; none of a kernel thread.
fn program(place: &Place, pid: u32) -> Option<String> {
    match place.link(&format!("proc/{pid}/exe")) {
        Ok(program) => Some(program),
        Err(error) if error.is_forbidden() => {
            let name = place.text(&format!("proc/{pid}/comm")).ok()?;
            Some(format!("?{}", name.trim_end()))
        }
        Err(_) => None,
    }
}

/// Field 22 of `/proc/<pid>/stat`; the second field may hold anything, spaces and parentheses too.
pub fn start_ticks(place: &Place, pid: u32) -> Option<u64> {
    let text = place.text(&format!("proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// All about a process, if it is a JVM.
fn facts(
    place: &Place,
    pid: u32,
    start_ticks: u64,
    program: &str,
    names: &mut Option<Names>,
) -> Option<Facts> {
    let is_java = program.rsplit(['/', '?']).next() == Some("java");
    let mapped = match place.read(&format!("proc/{pid}/maps")) {
        Ok(maps) => mapped::read(&String::from_utf8_lossy(&maps)),
        Err(error) if error.is_forbidden() && is_java => Mapped {
            machine: Machine::Hidden,
            ..Mapped::default()
        },
        Err(_) => return None,
    };
    if mapped.machine == Machine::None {
        return None;
    }
    let status = place.text(&format!("proc/{pid}/status")).ok()?;
    let number = |name: &str| number_of(&status, name);
    let cgroup = place
        .text(&format!("proc/{pid}/cgroup"))
        .unwrap_or_default();
    let names = names.get_or_insert_with(|| Names::read(place));
    let file = |name: &str| {
        place
            .read(&format!("proc/{pid}/{name}"))
            .unwrap_or_default()
    };
    Some(Facts {
        pid,
        inner_pid: number("NSpid:"),
        start_ticks,
        uid: effective(&status, "Uid:")?,
        gid: effective(&status, "Gid:")?,
        pod: names.pods.of_cgroup(&cgroup).cloned().unwrap_or_default(),
        container: names
            .containers
            .of_cgroup(&cgroup)
            .unwrap_or_default()
            .to_owned(),
        options: Options::read(&file("cmdline"), &file("environ")),
        mapped,
    })
}

/// The last number of a line of `/proc/<pid>/status`.
fn number_of(status: &str, name: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next_back()?.parse().ok()
}

/// The effective id, second of four.
fn effective(status: &str, name: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Names that only the node's log directories know.
struct Names {
    pods: Pods,
    containers: Containers,
}

// === impl Names ===

impl Names {
    fn read(place: &Place) -> Self {
        Self {
            pods: Pods::read(place),
            containers: Containers::read(place),
        }
    }
}

// === impl Facts ===

impl Facts {
    /// Where agents of this JVM serve metrics: by its options, and by the note of one that was loaded later.
    pub fn endpoints(&self, place: &Place) -> Vec<Endpoint> {
        let mut endpoints = self.options.agents.clone();
        if let Ok(inside) = Inside::of(place, self.pid) {
            endpoints.extend(note(&inside, self));
        }
        endpoints.sort_unstable();
        endpoints.dedup_by_key(|endpoint| endpoint.port);
        endpoints
    }

    /// The name of the note that our agent leaves below `/tmp`.
    pub fn note_name(&self) -> String {
        format!(".nodetap-jvm-{}", self.inner_pid.unwrap_or(self.pid))
    }
}

/// What our agent wrote down: `port=9404`, perhaps `host=…`.
fn note(inside: &Inside, facts: &Facts) -> Option<Endpoint> {
    let found = inside.look(&format!("tmp/{}", facts.note_name())).ok()?;
    if found.uid() != facts.uid || found.others_write() {
        return None;
    }
    let text = String::from_utf8(found.read(NOTE_BYTES_MAX).ok()?).ok()?;
    let value = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find_map(|(known, value)| (known == name).then_some(value))
    };
    Some(Endpoint {
        host: value("host").map(str::to_owned),
        port: value("port")?.parse().ok().filter(|port| *port != 0)?,
    })
}

#[cfg(test)]
mod tests;
