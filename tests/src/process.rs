//! How is the real program run? As people run it: by its command line, ended by signals, asked over HTTP.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::node::Node;
use crate::observe::{Metrics, Status};
use crate::patience::until;
use crate::writer::Writer;

mod shipping;

/// The variable that names the program.
pub const PROGRAM_VARIABLE: &str = "NODETAP_BIN";

/// `nobody` on Linux.
const ORDINARY_USER: u32 = 65_534;

/// One node's `nodetap`, not running.
#[derive(Clone, Debug)]
pub struct Nodetap {
    root: PathBuf,
    state: PathBuf,
    config: Option<PathBuf>,
    log: PathBuf,
    /// `up`, or `collect` where it ships to a cluster.
    subcommand: &'static str,
    urls: Vec<String>,
    flags: Vec<String>,
    program: PathBuf,
    user: Option<u32>,
}

/// A running `nodetap up` or `nodetap collect`; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    address: String,
    log: PathBuf,
}

/// The program under test: `NODETAP_BIN`, else `nodetap` in the folder where this test was built.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os(PROGRAM_VARIABLE) {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "{PROGRAM_VARIABLE} names no file: {}",
            path.display()
        );
        return path;
    }
    let test = std::env::current_exe().expect("know the own path");
    let folder = test
        .parent()
        .and_then(Path::parent)
        .expect("stand in a target folder");
    let path = folder.join("nodetap");
    assert!(
        path.is_file(),
        "no program to test at {}: run `cargo build -p cli` first, or set {PROGRAM_VARIABLE}",
        path.display()
    );
    path
}

// === impl Nodetap ===

impl Nodetap {
    /// The program on a node, with nothing but its directories given.
    pub fn on(node: &Node) -> Self {
        Self {
            state: node.state(),
            log: node.scratch("nodetap.log"),
            ..Self::at(&node.root(), &node.scratch(""))
        }
    }

    /// The program on any root directory; the state directory and the log stand in `home`.
    pub fn at(root: &Path, home: &Path) -> Self {
        Self {
            root: root.to_owned(),
            state: home.join("state"),
            config: None,
            log: home.join("nodetap.log"),
            subcommand: "up",
            urls: Vec::new(),
            flags: Vec::new(),
            program: program(),
            user: None,
        }
    }

    /// With this configuration (YAML).
    #[must_use]
    pub fn config(mut self, yaml: &str) -> Self {
        let path = self.log.with_file_name("nodetap.yaml");
        fs::write(&path, yaml).expect("write a configuration");
        self.config = Some(path);
        self
    }

    /// By `nodetap collect`, with whatever the configuration says.
    #[must_use]
    pub fn collects(mut self) -> Self {
        self.subcommand = "collect";
        self
    }

    /// The file of [`Nodetap::config`].
    pub fn config_file(&self) -> PathBuf {
        self.log.with_file_name("nodetap.yaml")
    }

    /// With another state directory.
    #[must_use]
    pub fn state(mut self, state: &Path) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// With a further flag of `up` or `collect`.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// As an ordinary user: with a copy of the program and a state directory of that user's own.
    #[must_use]
    pub fn unprivileged(mut self) -> Self {
        let own = |path: &Path| {
            let (user, group) = (Some(ORDINARY_USER), Some(ORDINARY_USER));
            std::os::unix::fs::chown(path, user, group).expect("give a path to an ordinary user");
        };
        let home = self.log.parent().expect("a node has a home");
        let program_copy = home.join("nodetap");
        // By another process: a descriptor of ours could be inherited by a child of another test, and then the copy can't
        // be run (ETXTBSY).
        let copied = Command::new("cp")
            .arg(program())
            .arg(&program_copy)
            .status();
        assert!(
            copied.is_ok_and(|status| status.success()),
            "copy the program"
        );
        fs::set_permissions(home, Permissions::from_mode(0o755)).expect("open the node's home");
        fs::write(&self.log, "").expect("make nodetap's log");
        own(&self.log);
        own(&self.state);
        self.program = program_copy;
        self.user = Some(ORDINARY_USER);
        self
    }

    /// The command `nodetap <subcommand>` with the node's directories.
    pub fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
            .arg(subcommand)
            .arg("--root")
            .arg(&self.root)
            .arg("--state")
            .arg(&self.state);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        for url in &self.urls {
            command.arg("--elasticsearch").arg(url);
        }
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Runs a subcommand to its end.
    pub fn run(&self, subcommand: &str, arguments: &[&str]) -> Output {
        self.command(subcommand)
            .args(arguments)
            .output()
            .expect("run nodetap")
    }

    /// Starts `up` (or `collect`) and waits until it answers.
    pub fn start(&self) -> Running {
        self.start_by(|_| {})
    }

    /// Starts `up` with a last change to its command, and waits until it answers.
    pub fn start_by(&self, change: impl FnOnce(&mut Command)) -> Running {
        let address_file = self.state.join("listen");
        drop(fs::remove_file(&address_file));
        let mut command = self.up();
        change(&mut command);
        // Made before it answers, so that it does not outlive a test that waits in vain.
        let mut running = Running {
            child: command.spawn().expect("start nodetap up"),
            address: String::new(),
            log: self.log.clone(),
        };
        running.address = until("nodetap up answers", || {
            let ended = running
                .child
                .try_wait()
                .map_err(|error| error.to_string())?;
            if let Some(status) = ended {
                panic!("nodetap up ended at once with {status}");
            }
            let address = fs::read_to_string(&address_file).map_err(|error| error.to_string())?;
            let address = address.trim().to_owned();
            get(&address, "/healthz").map(|_| address)
        });
        running
    }

    /// Reads what is there with `up --until-drained`; gives its exit code.
    pub fn drain(&self) -> i32 {
        let mut child = self
            .up()
            .arg("--until-drained")
            .spawn()
            .expect("start nodetap up");
        let status = wait(&mut child, "nodetap up --until-drained ends", &self.log);
        status
            .code()
            .unwrap_or_else(|| panic!("nodetap died: {status}\n{}", tail(&self.log)))
    }

    /// Drains and insists on exit code 0: nothing was abandoned.
    pub fn drain_all(&self) {
        let code = self.drain();
        assert_eq!(
            code,
            0,
            "nodetap up --until-drained gave something up\n{}",
            tail(&self.log)
        );
    }

    /// The end of the program's own log.
    pub fn log(&self) -> String {
        tail(&self.log)
    }

    fn up(&self) -> Command {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("open nodetap's log");
        let mut command = self.command(self.subcommand);
        command.args(["--listen", "127.0.0.1:0"]).args(&self.flags);
        command
            .stdout(log.try_clone().expect("share nodetap's log"))
            .stderr(log);
        command
    }
}

// === impl Running ===

impl Running {
    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and the process is gone when this returns.
    pub fn kill(mut self) {
        self.child.kill().expect("kill nodetap");
        self.child.wait().expect("wait for nodetap");
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(mut self) -> ExitStatus {
        signal(&self.child, Signal::TERM);
        wait(&mut self.child, "nodetap ends on SIGTERM", &self.log)
    }

    /// SIGTERM that must end well.
    pub fn stop(self) {
        let log = self.log.clone();
        let status = self.terminate();
        assert!(
            status.success(),
            "nodetap ended with {status} on SIGTERM\n{}",
            tail(&log)
        );
    }

    /// SIGSTOP: the process stands still and holds what it holds.
    pub fn pause(&self) {
        signal(&self.child, Signal::STOP);
    }

    /// SIGCONT after [`Running::pause`].
    pub fn resume(&self) {
        signal(&self.child, Signal::CONT);
    }

    /// SIGHUP: the configuration is read again.
    pub fn reload(&self) {
        signal(&self.child, Signal::HUP);
    }

    /// The body of a page.
    pub fn get(&self, path: &str) -> Result<String, String> {
        get(&self.address, path)
    }

    /// What `/metrics` says now.
    pub fn metrics(&self) -> Metrics {
        until("/metrics answers", || {
            self.get("/metrics").map(|text| Metrics::parse(&text))
        })
    }

    /// What `/api/status` says now.
    pub fn status(&self) -> Status {
        until("/api/status answers", || {
            let text = self.get("/api/status")?;
            serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
        })
    }

    /// Waits until the program itself says that it has everything.
    pub fn settle(&self) -> Status {
        until("nodetap has read and stored what is there", || {
            let status = self.status();
            if status.drained {
                Ok(status)
            } else {
                Err(status.summary())
            }
        })
    }

    /// Waits until this process, which must be the first on its state, has read all that the writer wrote.
    pub fn settle_read(&self, writer: &Writer) {
        until("nodetap has read what was written", || {
            let status = self.status();
            let stream = status
                .stream(writer.stream())
                .ok_or("the stream is not known yet")?;
            if stream.ledger.read >= writer.bytes() {
                Ok(())
            } else {
                Err(format!("{} bytes are written: {stream:?}", writer.bytes()))
            }
        });
    }

    /// The end of the program's own log.
    pub fn log(&self) -> String {
        tail(&self.log)
    }

    /// Resident anonymous memory in bytes (`RssAnon` of `/proc/<pid>/status`).
    pub fn anonymous_bytes(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("read the process's status");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .unwrap_or("0");
        line.trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .unwrap_or(0)
            * 1024
    }

    /// Which files the process holds open for reading or writing, as its descriptors name them.
    pub fn open_files(&self) -> Vec<PathBuf> {
        // `O_PATH` in the octal flags of proc_pid_fdinfo(5): a place, not an open file.
        const PATH_ONLY: u32 = 0o10_000_000;
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let flags = |name: &OsStr| {
            let text = fs::read_to_string(process.join("fdinfo").join(name)).ok()?;
            let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
            u32::from_str_radix(flags.trim(), 8).ok()
        };
        let target = |name: &OsStr| fs::read_link(process.join("fd").join(name)).ok();
        fs::read_dir(process.join("fd"))
            .expect("list the process's descriptors")
            .flatten()
            .filter_map(|entry| {
                // A number may be given to another file meanwhile: what counts is the same before and after.
                let path = target(&entry.file_name())?;
                let is_open = flags(&entry.file_name())? & PATH_ONLY == 0;
                (is_open && target(&entry.file_name())? == path).then_some(path)
            })
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if std::thread::panicking() {
            eprintln!("nodetap's log ended so:\n{}", tail(&self.log));
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    let id = Pid::from_raw(child.id() as i32).expect("a process has an id");
    kill_process(id, signal).expect("signal nodetap");
}

fn wait(child: &mut Child, what: &str, log: &Path) -> ExitStatus {
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        until(what, || match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("it still runs".to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }));
    ended.unwrap_or_else(|panic| {
        drop(child.kill());
        drop(child.wait());
        eprintln!("nodetap's log ended so:\n{}", tail(log));
        std::panic::resume_unwind(panic)
    })
}

/// One GET; HTTP/1.0, so that the body ends with the connection.
fn get(address: &str, path: &str) -> Result<String, String> {
    let say = |error: std::io::Error| error.to_string();
    let mut connection = TcpStream::connect(address).map_err(say)?;
    connection
        .set_read_timeout(Some(Duration::from_secs(10)))
        .map_err(say)?;
    connection
        .write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())
        .map_err(say)?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).map_err(say)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or("an answer without a head")?;
    let status = head.lines().next().unwrap_or_default();
    if status.contains(" 200") {
        Ok(body.to_owned())
    } else {
        Err(format!("{status}: {body}"))
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
