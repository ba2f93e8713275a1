//! `nodetap jvm`: which JVMs run on this node, how full their heaps are, and why one can't be read.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use exporter::place::Place as Node;
use exporter::probes::jvm::attach;
use exporter::probes::jvm::find::{Finder, Jvm};
use exporter::probes::jvm::names::{self, Collector, Heap};
use page::units::{bytes_text, seconds_text};
use serde::Serialize;

use crate::args;
use crate::failure::WrongUse;
use crate::place::Place;
use crate::table::Table;

/// The agent's jar, beside the program.
const AGENT: &str = "nodetap-jvm-agent.jar";
/// How long the agent may take to listen, and how often it is looked for.
const AGENT_PATIENCE: Duration = Duration::from_secs(15);
const INTERVAL: Duration = Duration::from_millis(100);

/// One JVM.
#[derive(Debug, Serialize)]
struct Row<'a> {
    pid: u32,
    namespace: &'a str,
    pod: &'a str,
    container: &'a str,
    jvm: &'a str,
    /// `ok`, or why its counters can't be read.
    counters: &'static str,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
    /// Ports at which agents serve metrics.
    agent_ports: Vec<u16>,
    #[serde(flatten)]
    numbers: Option<Numbers<'a>>,
}

#[derive(Debug, Serialize)]
struct Numbers<'a> {
    version: &'a str,
    collector: &'static str,
    heap_used_bytes: u64,
    heap_committed_bytes: u64,
    heap_max_bytes: u64,
    collections: u64,
    collection_seconds: f64,
    threads: u64,
}

/// Does what is asked for.
pub(crate) fn run(place: &Place, args: &args::Jvm) -> anyhow::Result<ExitCode> {
    match &args.action {
        args::JvmAction::List(args) => list(place, args.json),
        args::JvmAction::Attach(args) => attach(place, args),
    }
}

/// Loads the agent, and says where it listens.
fn attach(place: &Place, args: &args::JvmAttach) -> anyhow::Result<ExitCode> {
    let jar = match &args.agent {
        Some(path) => path.clone(),
        None => std::env::current_exe()
            .context("know the own path")?
            .with_file_name(AGENT),
    };
    let bytes = std::fs::read(&jar)
        .with_context(|| format!("read the agent {} (--agent FILE)", jar.display()))
        .map_err(WrongUse::new)?;
    let node = Node::new(&place.root);
    attach::attach(&node, args.pid, &bytes, &args.options)
        .with_context(|| format!("attach to {}", args.pid))?;
    let mut out = io::stdout().lock();
    match listening(&node, args.pid)? {
        Some(port) => writeln!(
            out,
            "the agent in {} listens on port {port} of its own network namespace",
            args.pid
        ),
        None => writeln!(
            out,
            "the agent is loaded into {}; where it listens it has not said yet",
            args.pid
        ),
    }
    .context("write the result")?;
    Ok(ExitCode::SUCCESS)
}

/// Waits until the agent has written down its port; it starts on a thread of its own.
fn listening(node: &Node, pid: u32) -> anyhow::Result<Option<u16>> {
    let end = Instant::now() + AGENT_PATIENCE;
    loop {
        let found = Finder::default()
            .look(node, SystemTime::now())
            .context("look for JVMs")?;
        let endpoints = found
            .iter()
            .find(|jvm| jvm.facts.pid == pid)
            .map(|jvm| jvm.facts.endpoints(node))
            .unwrap_or_default();
        if let Some(endpoint) = endpoints.first() {
            return Ok(Some(endpoint.port));
        }
        if Instant::now() > end {
            return Ok(None);
        }
        thread::sleep(INTERVAL);
    }
}

fn list(place: &Place, json: bool) -> anyhow::Result<ExitCode> {
    let node = Node::new(&place.root);
    let found = Finder::default()
        .look(&node, SystemTime::now())
        .context("look for JVMs")?;
    let rows: Vec<Row<'_>> = found.iter().map(|jvm| row(jvm, &node)).collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        serde_json::to_writer(&mut out, &rows).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        text(&rows, &mut out)?;
    }
    out.flush().context("write the list")?;
    Ok(ExitCode::SUCCESS)
}

fn row<'a>(jvm: &'a Jvm, node: &Node) -> Row<'a> {
    let facts = &jvm.facts;
    let reason = jvm.perf.as_ref().err();
    Row {
        pid: facts.pid,
        namespace: &facts.pod.namespace,
        pod: &facts.pod.pod,
        container: &facts.container,
        jvm: &jvm.name,
        counters: reason.map_or("ok", |reason| reason.as_str()),
        advice: reason.map(|reason| reason.advice()),
        agent_ports: facts
            .endpoints(node)
            .iter()
            .map(|endpoint| endpoint.port)
            .collect(),
        numbers: jvm.perf.as_ref().ok().map(|perf| {
            let Heap {
                used,
                committed,
                max,
                ..
            } = names::heap(perf);
            let (collections, collection_seconds) = names::collected(perf);
            Numbers {
                version: perf
                    .text("java.property.java.vm.version")
                    .unwrap_or_default(),
                collector: collector(names::collector(perf)),
                heap_used_bytes: used,
                heap_committed_bytes: committed,
                heap_max_bytes: max,
                collections,
                collection_seconds,
                threads: perf.count("java.threads.live").unwrap_or_default(),
            }
        }),
    }
}

fn collector(collector: Collector) -> &'static str {
    match collector {
        Collector::Serial => "Serial",
        Collector::Parallel => "Parallel",
        Collector::G1 => "G1",
        Collector::Z => "ZGC",
        Collector::Shenandoah => "Shenandoah",
        Collector::Other => "",
    }
}

fn text(rows: &[Row<'_>], out: &mut impl Write) -> anyhow::Result<()> {
    if rows.is_empty() {
        writeln!(out, "no JVM runs here, or none that may be seen")?;
        return Ok(());
    }
    let mut table = Table::new(&[
        ">pid",
        "where",
        "jvm",
        "gc",
        ">heap",
        ">of",
        ">collections",
        ">took",
        ">threads",
        "agent",
        "counters",
    ]);
    for row in rows {
        let mut cells = vec![row.pid.to_string(), whose(row), row.jvm.to_owned()];
        cells.extend(match &row.numbers {
            Some(numbers) => [
                numbers.collector.to_owned(),
                bytes_text(numbers.heap_used_bytes),
                bytes_text(numbers.heap_max_bytes),
                numbers.collections.to_string(),
                seconds_text(numbers.collection_seconds),
                numbers.threads.to_string(),
            ],
            None => std::array::from_fn(|_| String::new()),
        });
        let ports: Vec<String> = row
            .agent_ports
            .iter()
            .map(|port| format!(":{port}"))
            .collect();
        cells.push(ports.join(" "));
        cells.push(match row.advice {
            Some(advice) => format!("{}: {advice}", row.counters),
            None => row.counters.to_owned(),
        });
        table.row(&cells);
    }
    table.write(out).context("write the list")
}

/// `namespace/pod/container`, or `host`.
fn whose(row: &Row<'_>) -> String {
    if row.pod.is_empty() {
        "host".to_owned()
    } else {
        format!("{}/{}/{}", row.namespace, row.pod, row.container)
    }
}
