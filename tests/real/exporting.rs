//! How does `nodetap export` run for a test? On free ports, with a web-config file or without, until it is dropped.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running `nodetap export`; killed when dropped.
#[derive(Debug)]
pub(crate) struct Exporting {
    child: Child,
    /// `http://127.0.0.1:41234`
    pub(crate) url: String,
    /// The same for `/ready` alone.
    pub(crate) ready: String,
}

// === impl Exporting ===

impl Exporting {
    /// Starts it and waits until it says where it is.
    pub(crate) fn start<S: AsRef<OsStr>>(flags: impl IntoIterator<Item = S>) -> Self {
        let mut child = Command::new(tests::process::program())
            .args(["export", "--listen", "127.0.0.1:0"])
            .args(["--listen-ready", "127.0.0.1:0"])
            .args(flags)
            .env("NODETAP_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start nodetap export");
        let out = child.stdout.take().expect("its output");
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        let mut next = |name: &str, path: &str| {
            let line = lines.find(|line| line.trim_start().starts_with(name));
            let line = line.unwrap_or_else(|| panic!("it never said its {name}"));
            let url = line.split_whitespace().next_back().expect("a URL");
            url.trim_end_matches(path).to_owned()
        };
        Self {
            url: next("metrics", "/metrics"),
            ready: next("ready", "/ready"),
            child,
        }
    }
}

impl Drop for Exporting {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
