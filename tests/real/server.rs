//! How does a real Elasticsearch or OpenSearch run? One node on loopback, started, stopped and killed by the test.

mod cluster;
mod config;
mod turn;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tests::cluster::{Engine, Fault};

use crate::component::{folder, prepare};
use crate::curl::Curl;
use crate::stopwatch::within;

pub(crate) use turn::take;

/// A server answers within ten seconds on two quiet cores, and within two minutes on two that are ten times overloaded.
const PATIENCE: Duration = Duration::from_mins(5);

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doors {
    /// Everybody, over plain HTTP.
    Open,
    /// Users with their passwords, over TLS with an authority of our own.
    Guarded,
}

/// One node with its data; gone when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    engine: Engine,
    doors: Doors,
    component: PathBuf,
    home: TempDir,
    /// 0 until the first start; kept from then on.
    port: u16,
    process: Option<Process>,
    fault: Option<Fault>,
}

#[derive(Debug)]
struct Process {
    /// The script; it ends with the server.
    script: Child,
    /// The script, the engine's own launcher and the server itself.
    group: Pid,
}

// === impl Server ===

impl Server {
    /// Starts an empty server and waits until it answers.
    pub(crate) fn start(engine: Engine, doors: Doors) -> Self {
        let name = config::name(engine);
        let home = tempfile::Builder::new()
            .prefix(&format!("nodetap-real-{name}-"))
            .tempdir()
            .expect("make a home");
        config::prepare(engine, doors, home.path());
        let mut server = Self {
            engine,
            doors,
            component: prepare(name),
            home,
            port: 0,
            process: None,
            fault: None,
        };
        server.run(&[]);
        server
    }

    /// How an administrator asks it.
    pub(crate) fn curl(&self) -> Curl {
        Curl {
            url: self.url(),
            ca_file: self.ca_file(),
            user: (self.doors == Doors::Guarded).then(|| config::ADMINISTRATOR.to_owned()),
        }
    }

    /// SIGTERM, and it is gone when this returns.
    pub(crate) fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// SIGKILL, and it is gone when this returns.
    pub(crate) fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    /// Starts it again on its data and its port with further settings, and waits until its shards are back.
    pub(crate) fn run(&mut self, settings: &[(&str, &str)]) {
        let home = self.home.path();
        config::write(self.engine, self.doors, home, self.port, settings);
        for stale in ["pid", "logs/http.ports"] {
            drop(fs::remove_file(home.join(stale)));
        }
        let mut script = Command::new(folder().join("components/server.sh"))
            .arg(config::name(self.engine))
            .arg(&self.component)
            .arg(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // An interrupt at the terminal must not end the one who cleans up.
            .process_group(0)
            .spawn()
            .expect("start server.sh");
        let group = within(PATIENCE, "the server has a process", || {
            let text = fs::read_to_string(home.join("pid")).map_err(|error| error.to_string())?;
            let id = text.trim().parse().ok().and_then(Pid::from_raw);
            id.ok_or_else(|| format!("not an id: {text}"))
        });
        within(PATIENCE, "the server answers", || {
            if let Ok(Some(status)) = script.try_wait() {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            self.port = self.published_port()?;
            self.is_well()
        });
        self.process = Some(Process { script, group });
    }

    /// The end of what it said.
    pub(crate) fn log(&self) -> String {
        let text = fs::read(self.home.path().join("server.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn url(&self) -> String {
        let scheme = match self.doors {
            Doors::Open => "http",
            Doors::Guarded => "https",
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    fn ca_file(&self) -> Option<PathBuf> {
        (self.doors == Doors::Guarded).then(|| self.home.path().join("config/certs/ca.crt"))
    }

    fn published_port(&self) -> Result<u16, String> {
        let ports = self.home.path().join("logs/http.ports");
        let text = fs::read_to_string(ports).map_err(|error| error.to_string())?;
        text.lines()
            .find_map(|line| line.rsplit(':').next()?.parse().ok())
            .ok_or_else(|| format!("no port: {text}"))
    }

    /// After a kill HTTP answers before the shards are back.
    fn is_well(&self) -> Result<(), String> {
        let path = "/_cluster/health?wait_for_status=yellow&wait_for_no_initializing_shards=true&timeout=2s";
        let (status, health) = self.curl().json("GET", path, None)?;
        if status == 200 && health["timed_out"] == false {
            Ok(())
        } else {
            Err(format!("HTTP {status}: {health}"))
        }
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // An error is that it has ended by itself meanwhile.
        if kill_process_group(process.group, signal).is_err() {
            drop(process.script.stdin.take());
        }
        within(PATIENCE, "the server ends", || {
            match process.script.try_wait() {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err("it still runs".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() && std::env::var_os("NODETAP_KEEP").is_some() {
            self.home.disable_cleanup(true);
        }
    }
}
