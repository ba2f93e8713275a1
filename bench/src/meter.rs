//! What does a collector cost on the way to Elasticsearch, and what does it lose? One run against the sink.
//!
//! The collector under test, any collector, is started with the sink as its Elasticsearch. What was written beforehand
//! comes first; then, when asked, the live generator runs, the collector is killed and started again, the sink goes
//! down. The run ends when every record has arrived, or nothing new has for a while.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::clock::now_micros;
use crate::generate::Written;
use crate::http;
use crate::process::{Cpu, Memory, Process};

mod peer;

use self::peer::{Peer, split};

/// How often everything is looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long a collector may take to stop when asked.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// What is to be run and measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of the run in the result.
    pub label: String,
    /// The collector's program and arguments.
    pub command: Vec<String>,
    /// Where the collector's output goes.
    pub log: PathBuf,
    /// The sink's admin address.
    pub admin: String,
    /// The sink's process, so that its share of the machine is known.
    pub sink: Option<u32>,
    /// Records written beforehand.
    pub expected: u64,
    /// The generator's program and arguments, started once the expected records have arrived.
    pub generator: Option<Vec<String>>,
    /// The wait between the arrival of the expected records and the measured window.
    pub settle: Duration,
    /// The measured window when no generator runs; zero for none.
    pub window: Duration,
    /// When the collector is killed, from the start of the generator (or, without one, of the collector).
    pub kills: Vec<Duration>,
    /// The share of the expected records after which the collector is killed once.
    pub kill_share: Option<f64>,
    /// The wait before a collector that ended is started again.
    pub restart_after: Duration,
    /// When the sink goes down, on the clock of `kills`, and for how long.
    pub outage: Option<(Duration, Duration)>,
    /// The run ends when nothing new has arrived for this long.
    pub stall: Duration,
    /// The wait for late copies after the last record.
    pub linger: Duration,
    /// The run ends after this in any case.
    pub longest: Duration,
}

/// The time over which processor time and memory are averaged.
#[derive(Default)]
struct Window {
    start: Option<(Instant, f64)>,
    end: Option<(Duration, f64)>,
    resident_kib: u64,
    samples: u64,
}

impl Window {
    fn open(&mut self, cpu: Cpu) {
        self.start = Some((Instant::now(), cpu.seconds()));
    }

    fn sample(&mut self, memory: Memory) {
        if self.start.is_some() && self.end.is_none() {
            self.resident_kib += memory.resident_kib;
            self.samples += 1;
        }
    }

    fn close(&mut self, cpu: Cpu) {
        if let (Some((start, _)), None) = (self.start, self.end) {
            self.end = Some((start.elapsed(), cpu.seconds()));
        }
    }

    /// Length in seconds, per cent of a core, mean resident MiB.
    fn summary(&self) -> (f64, f64, f64) {
        let (Some((_, before)), Some((length, after))) = (self.start, self.end) else {
            return (0.0, 0.0, 0.0);
        };
        let seconds = length.as_secs_f64();
        let resident = self.resident_kib as f64 / self.samples.max(1) as f64 / 1024.0;
        (seconds, (after - before) / seconds * 100.0, resident)
    }
}

/// The live generator.
struct Generator {
    process: Process,
    start: Instant,
    written: Option<Written>,
}

impl Generator {
    fn start(command: &[String], log: &Path) -> io::Result<Self> {
        let (program, arguments) = split(command)?;
        let process = Process::start_piped(program, arguments, log)?;
        Ok(Self {
            process,
            start: Instant::now(),
            written: None,
        })
    }

    /// Takes what it wrote when it has just ended; true once.
    fn ended(&mut self) -> io::Result<bool> {
        if self.written.is_some() || self.process.try_wait()?.is_none() {
            return Ok(false);
        }
        let mut text = String::new();
        if let Some(mut output) = self.process.output() {
            output.read_to_string(&mut text)?;
        }
        let written = Written::from_json(&text);
        self.written = Some(written.ok_or_else(|| io::Error::other("the generator said nothing"))?);
        Ok(true)
    }
}

/// One run.
struct Run<'a> {
    plan: &'a Plan,
    peer: Peer<'a>,
    start: Instant,
    generator: Option<Generator>,
    window: Window,
    expected: u64,
    arrived: Option<Instant>,
    distinct: u64,
    last_change: Instant,
    cpu_at_last_new: Cpu,
    kills: Vec<Duration>,
    share_killed: bool,
    went_down: bool,
}

/// Runs `plan`; the result is one line of JSON.
pub fn run(plan: &Plan) -> io::Result<Value> {
    let stats = stats(&plan.admin)?;
    if stats["requests"] != 0 {
        return Err(io::Error::other(
            "the sink is not fresh: another client is at it",
        ));
    }
    let sink_before = sink_seconds(plan);
    let busy_before = Cpu::machine_seconds();
    let start_micros = now_micros();
    let mut run = Run {
        plan,
        peer: Peer::start(plan)?,
        start: Instant::now(),
        generator: None,
        window: Window::default(),
        expected: plan.expected,
        arrived: None,
        distinct: 0,
        last_change: Instant::now(),
        cpu_at_last_new: Cpu::default(),
        kills: plan.kills.clone(),
        share_killed: plan.kill_share.is_none(),
        went_down: plan.outage.is_none(),
    };
    let outcome = loop {
        sleep(TICK);
        if let Some(outcome) = run.tick()? {
            break outcome;
        }
    };
    sleep(plan.linger);
    run.peer.sample();
    let sink_seconds = sink_seconds(plan) - sink_before;
    // What all other processes took meanwhile, the generator among them.
    let others = Cpu::machine_seconds() - busy_before - sink_seconds - run.peer.cpu.seconds();
    let others = others / run.start.elapsed().as_secs_f64() * 100.0;
    run.finish(outcome, start_micros, sink_seconds, others)
}

fn sink_seconds(plan: &Plan) -> f64 {
    plan.sink.and_then(Cpu::of).unwrap_or_default().seconds()
}

fn stats(admin: &str) -> io::Result<Value> {
    Ok(serde_json::from_str(&http::get(admin, "/__stats")?)?)
}

impl Run<'_> {
    /// Looks at everything once; the outcome when the run is over.
    fn tick(&mut self) -> io::Result<Option<&'static str>> {
        self.peer.sample();
        let distinct = stats(&self.plan.admin)?["distinct"].as_u64().unwrap_or(0);
        if distinct > self.distinct {
            self.distinct = distinct;
            self.last_change = Instant::now();
            self.cpu_at_last_new = self.peer.cpu;
        }
        if !self.peer.keep_alive()? {
            return Ok(Some("peer-exits"));
        }
        if self.arrived.is_none() && distinct >= self.plan.expected {
            self.arrived = Some(Instant::now());
        }
        self.advance_window()?;
        self.do_harm()?;
        Ok(self.outcome())
    }

    fn advance_window(&mut self) -> io::Result<()> {
        let settled = self
            .arrived
            .is_some_and(|arrived| arrived.elapsed() >= self.plan.settle);
        if settled && self.window.start.is_none() {
            if let Some(command) = &self.plan.generator {
                self.generator = Some(Generator::start(command, &self.plan.log)?);
                self.window.open(self.peer.cpu);
                self.last_change = Instant::now();
            } else if !self.plan.window.is_zero() {
                self.window.open(self.peer.cpu);
            }
        }
        self.window.sample(self.peer.memory);
        if let Some(generator) = &mut self.generator {
            if generator.ended()? {
                self.window.close(self.peer.cpu);
                self.expected += generator.written.map_or(0, |written| written.records);
                self.last_change = Instant::now();
            }
        } else if self
            .window
            .start
            .is_some_and(|(start, _)| start.elapsed() >= self.plan.window)
        {
            self.window.close(self.peer.cpu);
        }
        Ok(())
    }

    /// Kills and outages, on the clock of the generator when there is one.
    fn do_harm(&mut self) -> io::Result<()> {
        let clock = match (&self.generator, &self.plan.generator) {
            (Some(generator), _) => generator.start.elapsed(),
            (None, None) => self.start.elapsed(),
            (None, Some(_)) => return Ok(()),
        };
        let share = self.distinct as f64 / self.expected as f64;
        let due = self.kills.first().is_some_and(|at| clock >= *at);
        let share_due = !self.share_killed && self.plan.kill_share.is_some_and(|at| share >= at);
        if due || share_due {
            if due {
                self.kills.remove(0);
            }
            self.share_killed |= share_due;
            self.peer.kill_and_restart()?;
            self.last_change = Instant::now();
        }
        if let Some((at, length)) = self.plan.outage.filter(|_| !self.went_down)
            && clock >= at
        {
            self.went_down = true;
            http::get(
                &self.plan.admin,
                &format!("/__down?s={}", length.as_secs_f64()),
            )?;
        }
        Ok(())
    }

    fn outcome(&self) -> Option<&'static str> {
        let generated = match &self.generator {
            Some(generator) => generator.written.is_some(),
            None => self.plan.generator.is_none(),
        };
        let measured = self.plan.window.is_zero() || self.window.end.is_some();
        let harmed = self.kills.is_empty() && self.share_killed;
        if generated && measured && harmed && self.distinct >= self.expected {
            Some("complete")
        } else if self.last_change.elapsed() > self.plan.stall
            && (generated || self.arrived.is_none())
        {
            Some("stalled")
        } else if self.start.elapsed() > self.plan.longest {
            Some("timeout")
        } else {
            None
        }
    }

    fn finish(
        self,
        outcome: &str,
        start_micros: u64,
        sink_seconds: f64,
        others_percent: f64,
    ) -> io::Result<Value> {
        let peer = self.peer;
        let stopping = Instant::now();
        peer.process.stop(STOP_GRACE)?;
        let stop_seconds = stopping.elapsed().as_secs_f64();
        let sink = stats(&self.plan.admin)?;
        let since_start = |key: &str| {
            let micros = sink[key].as_u64().unwrap_or(0).saturating_sub(start_micros);
            micros as f64 / 1e6
        };
        let distinct = sink["distinct"].as_u64().unwrap_or(0);
        let wall_seconds = since_start("last_new_us").max(0.001);
        let cpu = self.cpu_at_last_new;
        let (window_seconds, window_percent, window_resident) = self.window.summary();
        Ok(json!({
            "label": self.plan.label,
            "outcome": outcome,
            "expected": self.expected,
            "distinct": distinct,
            "lost": self.expected as i64 - distinct as i64,
            "duplicates": sink["duplicates"],
            "wall_seconds": wall_seconds,
            "first_document_seconds": since_start("first_us"),
            "lines_per_second": distinct as f64 / wall_seconds,
            "cpu_user_seconds": cpu.user_seconds,
            "cpu_system_seconds": cpu.system_seconds,
            "cpu_seconds_per_million_lines": cpu.seconds() / (distinct as f64 / 1e6).max(1e-9),
            "peak_resident_mib": peer.peak_kib as f64 / 1024.0,
            "window_seconds": window_seconds,
            "window_cpu_percent": window_percent,
            "window_resident_mib": window_resident,
            "kills": peer.kills,
            "exits_by_itself": peer.exits,
            "stop_seconds": stop_seconds,
            "sink_cpu_seconds": sink_seconds,
            "others_cpu_percent": others_percent,
            "generator": self.generator.and_then(|g| g.written).map(Written::json),
            "sink": sink,
        }))
    }
}
