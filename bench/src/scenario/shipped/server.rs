//! The null Elasticsearch as a process of its own, so that its processor time is not nodetap's.

use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use crate::http;
use crate::process::Process;

const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(20);

/// A running sink; ends when dropped.
pub(super) struct Server {
    process: Process,
    port: u16,
    admin: String,
}

impl Server {
    /// Starts a sink that fails as `faults` say, and waits until it answers.
    pub(super) fn start(log: &Path, faults: &[&str]) -> anyhow::Result<Self> {
        let (port, admin_port) = free_ports()?;
        let mut arguments = vec![
            "sink".to_owned(),
            "--port".to_owned(),
            port.to_string(),
            "--admin-port".to_owned(),
            admin_port.to_string(),
        ];
        for fault in faults {
            arguments.extend(["--fault".to_owned(), (*fault).to_owned()]);
        }
        let mut server = Self {
            process: Process::start(&std::env::current_exe()?, arguments, log)?,
            port,
            admin: format!("127.0.0.1:{admin_port}"),
        };
        let start = Instant::now();
        while http::get(&server.admin, "/__stats").is_err() {
            if let Some(finished) = server.process.try_wait()? {
                bail!("the sink ended: {}", finished.status);
            }
            ensure!(start.elapsed() < PATIENCE, "the sink does not answer");
            thread::sleep(TICK);
        }
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn admin(&self) -> &str {
        &self.admin
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Two ports of the loopback that nobody listens at.
fn free_ports() -> anyhow::Result<(u16, u16)> {
    let (one, other) = (
        TcpListener::bind(("127.0.0.1", 0))?,
        TcpListener::bind(("127.0.0.1", 0))?,
    );
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}
