//! How is a server asked? By curl, which has nothing in common with the program under test.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Longer than a server waits for a shard.
const SECONDS_MAX: &str = "90";

/// Where one server answers, and who asks.
#[derive(Clone, Debug)]
pub(crate) struct Curl {
    /// `http://127.0.0.1:9200`
    pub(crate) url: String,
    /// The authority that signed the server's certificate.
    pub(crate) ca_file: Option<PathBuf>,
    /// `name:password`
    pub(crate) user: Option<String>,
}

// === impl Curl ===

impl Curl {
    /// Sends a request with a body of JSON; gives the status and the answer, `Null` where that is no JSON.
    pub(crate) fn json(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), String> {
        let body = body.map(Value::to_string);
        let (status, text) = self.send(method, path, body.as_deref(), "application/json")?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// Sends a request; gives the status and the body, or why there is none.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        content_type: &str,
    ) -> Result<(u16, String), String> {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--max-time", SECONDS_MAX]);
        command.args(["--request", method, "--write-out", "\n%{http_code}"]);
        if let Some(ca_file) = &self.ca_file {
            command.arg("--cacert").arg(ca_file);
        }
        if let Some(user) = &self.user {
            command.args(["--user", user]);
        }
        if body.is_some() {
            let header = format!("Content-Type: {content_type}");
            command.args(["--header", &header, "--data-binary", "@-"]);
        }
        let mut child = command
            .arg(format!("{}{path}", self.url))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run curl");
        if let (Some(body), Some(mut input)) = (body, child.stdin.take()) {
            // curl may end before it has read all; its status tells.
            drop(input.write_all(body.as_bytes()));
        }
        let done = child.wait_with_output().expect("wait for curl");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let (text, status) = said.rsplit_once('\n').unwrap_or(("", "000"));
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).trim().to_owned());
        }
        Ok((status.parse().expect("a status"), text.to_owned()))
    }
}
