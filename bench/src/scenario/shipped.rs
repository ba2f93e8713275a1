//! What does it cost to ship to Elasticsearch, and what is lost on the way? nodetap, the null Elasticsearch and the meter.
//!
//! Each scenario is a [`Trial`]: which logs are there, what is written meanwhile, what goes wrong. The sink knows every
//! record by its token, so that "lost" and "doubled" are counts, not estimates.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use self::server::Server;
use super::node::Node;
use super::{Settings, fresh_folder};
use crate::generate::Workload;
use crate::meter::{self, Plan};
use crate::report::{Outcome, Target};

mod server;
mod backfill;
mod live;
mod trouble;

pub(super) use self::backfill::measure as measure_backfill;
pub(super) use self::live::{measure as measure_live, measure_idle, measure_slow};
pub(super) use self::trouble::{
    measure_crash, measure_crash_backfill, measure_faults, measure_outage,
};

/// Records in each file before nodetap starts: the first of them say that the start is over.
const OLD_RECORDS: u64 = 10;
/// What the kubelet keeps beside the live file by default.
const KEEP_FILES: u64 = 4;
/// Small enough that every log is rotated at every look of the kubelet.
const ROTATE_BYTES: u64 = 256 * 1024;

/// One run of nodetap against the sink.
struct Trial<'a> {
    scenario: &'static str,
    settings: &'a Settings,
    node: Node,
    /// nodetap's configuration; empty for the defaults.
    configuration: &'a str,
    /// How the sink fails from the start, as in `fail503=0.02`.
    faults: &'a [&'a str],
    /// Records that are there before the start.
    expected: u64,
    generator: Option<Vec<String>>,
    kills: Vec<Duration>,
    kill_share: Option<f64>,
    outage: Option<(Duration, Duration)>,
    settle: Duration,
}

/// What is written while nodetap runs.
struct Load {
    containers: u64,
    rate: u64,
    duration: Duration,
    rotates: bool,
}

impl<'a> Trial<'a> {
    /// Nothing but the start, over the logs of `node`.
    fn new(scenario: &'static str, settings: &'a Settings, node: Node, expected: u64) -> Self {
        Self {
            scenario,
            settings,
            node,
            configuration: "",
            faults: &[],
            expected,
            generator: None,
            kills: Vec::new(),
            kill_share: None,
            outage: None,
            settle: Duration::from_secs(3),
        }
    }

    /// A new tree with a few records in each of `files`, which grows under `load`.
    fn growing(
        scenario: &'static str,
        settings: &'a Settings,
        files: u64,
        load: &Load,
    ) -> anyhow::Result<Self> {
        let node = Node::new(&settings.nodetap, &fresh_folder(settings, scenario)?);
        let old = Workload::new(&node.logs(), files).prefill(files * OLD_RECORDS)?;
        let mut trial = Self::new(scenario, settings, node, old.records);
        trial.generator = Some(trial.load_command(load)?);
        Ok(trial)
    }

    fn load_command(&self, load: &Load) -> anyhow::Result<Vec<String>> {
        let program = std::env::current_exe()?.display().to_string();
        let mut command = vec![program, "genlogs".to_owned(), "live".to_owned()];
        let mut flag = |name: &str, value: String| command.extend([name.to_owned(), value]);
        flag("--dir", self.node.logs().display().to_string());
        flag("--containers", load.containers.to_string());
        flag("--rate", load.rate.to_string());
        flag("--seconds", load.duration.as_secs_f64().to_string());
        flag("--base-seq", self.expected.to_string());
        if load.rotates {
            flag("--rotate-bytes", ROTATE_BYTES.to_string());
            flag("--keep", KEEP_FILES.to_string());
            command.push("--compress".to_owned());
        }
        Ok(command)
    }

    /// Runs it; what the meter says.
    fn run(&self) -> anyhow::Result<Value> {
        self.node.remove_state()?;
        fs::create_dir_all(self.node.state())?;
        let folder = self.node.folder();
        let server = Server::start(&folder.join("sink.log"), self.faults)?;
        let configuration = folder.join("nodetap.yaml");
        fs::write(&configuration, self.configuration)?;
        let words: [(&str, String); 5] = [
            ("--config", configuration.display().to_string()),
            ("--root", folder.join("root").display().to_string()),
            ("--state", self.node.state().display().to_string()),
            ("--listen", "127.0.0.1:0".to_owned()),
            ("--elasticsearch", server.url()),
        ];
        let words = words
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        let program = self.settings.nodetap.display().to_string();
        let command = [program, "collect".to_owned()].into_iter().chain(words);
        let started = Instant::now();
        let result = meter::run(&Plan {
            label: self.scenario.to_owned(),
            command: command.collect(),
            log: folder.join("nodetap.log"),
            admin: server.admin().to_owned(),
            sink: Some(server.id()),
            expected: self.expected,
            generator: self.generator.clone(),
            settle: self.settle,
            window: Duration::ZERO,
            kills: self.kills.clone(),
            kill_share: self.kill_share,
            restart_after: Duration::from_secs(1),
            outage: self.outage,
            stall: Duration::from_secs(30),
            linger: Duration::from_secs(3),
            longest: Duration::from_mins(15),
        })
        .with_context(|| format!("measure {} after {:?}", self.scenario, started.elapsed()))?;
        let outcome = result["outcome"].as_str().unwrap_or_default();
        ensure!(
            outcome != "peer-exits",
            "nodetap ended by itself; see {}/nodetap.log",
            folder.display()
        );
        Ok(result)
    }
}

fn number(result: &Value, pointer: &str) -> f64 {
    result
        .pointer(pointer)
        .and_then(Value::as_f64)
        .unwrap_or(f64::NAN)
}

/// An outcome that begins with what every scenario promises: nothing lost, nothing doubled.
fn outcome_of(scenario: &'static str, result: &Value) -> Outcome {
    let mut outcome = Outcome::new(scenario);
    for (what, pointer) in [("lost", "/lost"), ("doubled", "/duplicates")] {
        outcome.measure(what, number(result, pointer), "lines", Target::AtMost(0.0));
    }
    for fact in [
        "outcome",
        "expected",
        "wall_seconds",
        "cpu_user_seconds",
        "cpu_system_seconds",
        "kills",
        "exits_by_itself",
        "others_cpu_percent",
        "sink_cpu_seconds",
        "sink",
    ] {
        outcome.fact(fact, result[fact].clone());
    }
    outcome
}

/// Adds one value of the result to an outcome.
fn measure(
    outcome: &mut Outcome,
    what: &'static str,
    result: &Value,
    pointer: &str,
    unit: &'static str,
    target: Target,
) {
    outcome.measure(what, number(result, pointer), unit, target);
}
