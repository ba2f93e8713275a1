//! What was found? A few lines for whoever started `up`.

use std::collections::BTreeSet;
use std::fmt::Write;

use collector::status::StreamStatus;
use record::origin::Kind;

/// How many of what were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pods: usize,
    pod_containers: usize,
    docker_containers: usize,
    volume_files: usize,
    host_logs: usize,
}

// === impl Found ===

impl Found {
    /// Counts streams by what they are of.
    pub(super) fn count(streams: &[StreamStatus]) -> Self {
        let mut found = Self::default();
        let mut pods = BTreeSet::new();
        for stream in streams {
            let origin = &stream.origin;
            match (origin.kind, &origin.pod) {
                (Kind::Container, Some(pod)) => {
                    pods.insert(pod.uid.as_str());
                    found.pod_containers += 1;
                }
                (Kind::Container, None) => found.docker_containers += 1,
                (Kind::Volume, _) => found.volume_files += 1,
                (Kind::Host, _) => found.host_logs += 1,
            }
        }
        found.pods = pods.len();
        found
    }

    /// One line for each kind, aligned.
    pub(super) fn lines(&self) -> String {
        let mut out = String::new();
        let mut line =
            |name: &str, text: String| writeln!(out, "  {name:<9}{text}").unwrap_or_default();
        let plural = |count: usize, one: &str, more: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {more}"),
        };
        line(
            "pods",
            format!(
                "{} of {}",
                plural(self.pod_containers, "container", "containers"),
                plural(self.pods, "pod", "pods")
            ),
        );
        line(
            "docker",
            plural(self.docker_containers, "container", "containers"),
        );
        line("volumes", plural(self.volume_files, "file", "files"));
        line("host", plural(self.host_logs, "log", "logs"));
        out
    }
}
