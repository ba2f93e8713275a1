//! Real JVMs: five collectors beside JMX, one in namespaces of its own under another user, agents that are loaded at the
//! start and later, and the public JMX exporter's.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tests::patience::until;
use tests::process::program;

use crate::component;

mod agents;
mod collectors;

/// The libraries of a web application that logs with logback.
const LOGBACK: &[&str] = &["logback-classic", "logback-core"];
/// The same with log4j2.
const LOG4J2: &[&str] = &["log4j-slf4j2-impl", "log4j-api", "log4j-core"];
const JETTY: &[&str] = &[
    "jetty-http",
    "jetty-io",
    "jetty-server",
    "jetty-util",
    "slf4j-api",
];

/// Where [`folder`] is within a container.
const INSIDE: &str = "/tmp/app";

/// One test at a time: JVMs of one name are told apart by their pids, which would change what they are called.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The application's folder: libraries, classes, the agent.
fn folder() -> PathBuf {
    component::prepare("jvm")
}

/// How the application is started.
#[derive(Default)]
struct Start<'a> {
    options: &'a [&'a str],
    log: &'a [&'a str],
    /// A command that runs `java` with what follows it.
    within: Option<&'a str>,
}

/// The application, running; ended when dropped.
struct App {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

// === impl App ===

impl App {
    fn start(start: &Start<'_>) -> Self {
        let folder = folder();
        let seen = match start.within {
            Some(_) => PathBuf::from(INSIDE),
            None => folder.clone(),
        };
        let jars = JETTY.iter().chain(start.log);
        let path: Vec<String> = jars
            .map(|jar| format!("{}/lib/{jar}.jar", seen.display()))
            .chain([seen.join("classes").display().to_string()])
            .collect();
        let mut words: Vec<String> = vec!["java".to_owned(), "-Xmx128m".to_owned()];
        words.extend(start.options.iter().map(|option| (*option).to_owned()));
        words.extend(["-cp".to_owned(), path.join(":"), "App".to_owned()]);
        words.push("--password=secret".to_owned());
        let mut command = if let Some(within) = start.within {
            let mut command = Command::new("unshare");
            command.args(["--net", "--mount", "--pid", "--fork", "--mount-proc"]);
            command.args(["sh", "-c", within, "sh"]).args(&words);
            command
        } else {
            let mut command = Command::new("java");
            command.args(&words[1..]);
            command
        };
        let mut child = command
            .env("FOLDER", &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the application");
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("its output"));
        let mut app = Self {
            child,
            commands,
            answers,
        };
        assert_eq!(app.answer(), Some("ready".to_owned()));
        app
    }

    /// The next line that is an answer; its log is passed over.
    fn answer(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            let count = self.answers.read_line(&mut line).expect("read its output");
            assert!(count > 0, "the application ended");
            if let Some(answer) = line.trim_end().strip_prefix("> ") {
                return (answer != ".").then(|| answer.to_owned());
            }
        }
    }

    /// What it answers to a command.
    fn ask(&mut self, command: &str) -> Vec<String> {
        let stdin = self.commands.as_mut().expect("its input");
        writeln!(stdin, "{command}").expect("write to it");
        std::iter::from_fn(|| self.answer()).collect()
    }

    /// The JVM's own pid: it may be a descendant of what was started.
    fn pid(&self) -> u64 {
        let row = self.row();
        row["pid"].as_u64().expect("a pid")
    }

    /// What `nodetap jvm list` says of it.
    fn row(&self) -> Value {
        let ours = u64::from(self.child.id());
        until("the JVM in the list", || {
            let said = nodetap(&["jvm", "list", "--json"]);
            let rows: Vec<Value> =
                serde_json::from_slice(&said.stdout).map_err(|error| error.to_string())?;
            let found = rows
                .into_iter()
                .find(|row| descends(row["pid"].as_u64().unwrap_or_default(), ours));
            found.ok_or_else(|| String::from_utf8_lossy(&said.stdout).into_owned())
        })
    }

    /// Its row once it has started.
    fn ready_row(&self) -> Value {
        until("counters or a reason", || {
            let row = self.row();
            if row["counters"] == "not_ready" {
                Err(row.to_string())
            } else {
                Ok(row)
            }
        })
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // Without its input the application ends itself.
        self.commands = None;
        let ended = self.child.wait();
        drop(ended);
    }
}

/// Whether a process is another, or a descendant of it.
fn descends(pid: u64, of: u64) -> bool {
    let mut pid = pid;
    while pid > 1 {
        if pid == of {
            return true;
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1)?.parse().ok());
        pid = parent.unwrap_or(0);
    }
    false
}

fn nodetap(arguments: &[&str]) -> Output {
    Command::new(program())
        .args(arguments)
        .env("NODETAP_LOG", "warn")
        .output()
        .expect("run nodetap")
}

/// The samples of a text: name with labels, and value.
fn samples(text: &str) -> Vec<(&str, f64)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (sample, value) = line.rsplit_once(' ')?;
            Some((sample, value.parse().expect("a number")))
        })
        .collect()
}

/// The only sample of a family with all these labels, written as `name="value"`.
fn sample(text: &str, family: &str, labels: &[&str]) -> Option<f64> {
    let found: Vec<f64> = samples(text)
        .into_iter()
        .filter(|(sample, _)| sample.split('{').next() == Some(family))
        .filter(|(sample, _)| labels.iter().all(|label| sample.contains(label)))
        .map(|(_, value)| value)
        .collect();
    assert!(found.len() < 2, "{family} {labels:?}: {found:?}\n{text}");
    found.first().copied()
}

fn metrics(what: &str) -> String {
    let said = nodetap(&["metrics", what]);
    let text = String::from_utf8(said.stdout).expect("text");
    assert!(
        !text.contains("secret"),
        "a command line in the metrics:\n{text}"
    );
    text
}

fn name_label(row: &Value) -> String {
    format!("jvm=\"{}\"", row["jvm"].as_str().expect("a name"))
}

/// What of ours lies in a `/tmp`.
fn left_over(tmp: &Path) -> Vec<String> {
    let names = fs::read_dir(tmp).expect("read /tmp");
    names
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(".nodetap-agent") || name.starts_with(".attach_pid"))
        .collect()
}
