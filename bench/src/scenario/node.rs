//! A node with nodetap on it: its root, its state, the running process, and questions asked of it.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::http;
use crate::process::{Finished, Memory, Process};

/// How long the program may take to start, and to end when asked.
const PATIENCE: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(20);

/// One node below a folder of its own.
#[derive(Debug)]
pub(super) struct Node {
    nodetap: PathBuf,
    folder: PathBuf,
}

/// What a whole run of the program took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drained {
    pub(super) wall: Duration,
    pub(super) cpu_seconds: f64,
    pub(super) memory: Memory,
}

/// What a search gave.
#[derive(Debug)]
pub(super) struct Found {
    /// From the start of the process to its end.
    pub(super) wall: Duration,
    pub(super) output: Vec<u8>,
}

impl Node {
    pub(super) fn new(nodetap: &Path, folder: &Path) -> Self {
        Self {
            nodetap: nodetap.to_owned(),
            folder: folder.to_owned(),
        }
    }

    /// The `/var/log` of the node.
    pub(super) fn logs(&self) -> PathBuf {
        self.folder.join("root/var/log")
    }

    /// The folder that has everything of it.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The folder of the embedded store.
    pub(super) fn store(&self) -> PathBuf {
        self.state().join("store")
    }

    pub(super) fn remove_state(&self) -> anyhow::Result<()> {
        match fs::remove_dir_all(self.state()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", self.state().display()))
            }
            _ => Ok(()),
        }
    }

    fn up(&self, arguments: &[&str]) -> anyhow::Result<Process> {
        let (root, state) = (self.root(), self.state());
        let all = ["up".as_ref(), "--root".as_ref(), root.as_os_str()]
            .into_iter()
            .chain(["--state".as_ref(), state.as_os_str()])
            .chain(arguments.iter().map(AsRef::as_ref));
        fs::create_dir_all(&state)?;
        Process::start(&self.nodetap, all, &self.folder.join("nodetap.log"))
            .with_context(|| format!("start {}", self.nodetap.display()))
    }

    /// Runs `nodetap up` until everything that is there is stored.
    pub(super) fn drain(&self) -> anyhow::Result<Drained> {
        let start = Instant::now();
        let address = free_address()?;
        let mut process = self.up(&["--until-drained", "--listen", &address])?;
        let mut memory = Memory::default();
        loop {
            if let Some(Finished { status, cpu }) = process.try_wait()? {
                let wall = start.elapsed();
                ensure!(
                    status.success(),
                    "{status}; see {}/nodetap.log",
                    self.folder.display()
                );
                return Ok(Drained {
                    wall,
                    cpu_seconds: cpu.seconds(),
                    memory,
                });
            }
            memory = memory.max(process.memory());
            thread::sleep(TICK);
        }
    }

    /// Starts `nodetap up`, and returns when it answers.
    pub(super) fn start(&self) -> anyhow::Result<Process> {
        let address = free_address()?;
        let mut process = self.up(&["--listen", &address])?;
        let start = Instant::now();
        while http::get(&address, "/healthz").is_err() {
            if let Some(Finished { status, .. }) = process.try_wait()? {
                bail!("{status}; see {}/nodetap.log", self.folder.display());
            }
            ensure!(start.elapsed() < PATIENCE, "no answer at {address}");
            thread::sleep(TICK);
        }
        Ok(process)
    }

    /// Asks `nodetap logs`; what it prints on standard error goes to ours.
    pub(super) fn search(&self, arguments: &[&str]) -> anyhow::Result<Found> {
        let start = Instant::now();
        let output = Command::new(&self.nodetap)
            .arg("logs")
            .arg("--state")
            .arg(self.state())
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("run {}", self.nodetap.display()))?;
        let wall = start.elapsed();
        ensure!(
            output.status.success(),
            "nodetap logs {arguments:?}: {}",
            output.status
        );
        Ok(Found {
            wall,
            output: output.stdout,
        })
    }

    /// The arguments of `nodetap logs`, for someone who reads its output while it runs.
    pub(super) fn search_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.nodetap);
        command
            .arg("logs")
            .arg("--state")
            .arg(self.state())
            .args(arguments);
        command
    }
}

impl Found {
    pub(super) fn lines(&self) -> usize {
        memchr::memchr_iter(b'\n', &self.output).count()
    }
}

/// Asks a process to end, in order.
pub(super) fn stop(process: Process) -> anyhow::Result<Finished> {
    Ok(process.stop(PATIENCE)?)
}

/// An address of the loopback that nobody listens at.
fn free_address() -> anyhow::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.to_string())
}
