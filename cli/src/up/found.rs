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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use collector::ledger::Ledger;
    use record::{Container, Origin, Pod};

    use super::*;

    fn stream(kind: Kind, uid: Option<&str>) -> StreamStatus {
        let pod = uid.map(|uid| Pod {
            uid: uid.to_owned(),
            ..Pod::default()
        });
        let origin = Origin {
            pod,
            container: Some(Container::default()),
            kind,
            ..Origin::default()
        };
        StreamStatus {
            origin: Arc::new(origin),
            files: Vec::new(),
            ledger: Ledger::default(),
            in_flight_bytes: 0,
            unread_bytes: 0,
            lag_bytes: 0,
            lag_seconds: 0.0,
            time_to_loss_seconds: None,
            drained: true,
            limited: false,
        }
    }

    #[test]
    fn streams_are_counted_by_what_they_are_of() {
        let streams = [
            stream(Kind::Container, Some("a")),
            stream(Kind::Container, Some("a")),
            stream(Kind::Volume, Some("a")),
            stream(Kind::Container, None),
            stream(Kind::Host, None),
            stream(Kind::Host, None),
        ];
        assert_eq!(
            Found::count(&streams).lines(),
            "  pods     2 containers of 1 pod\n  docker   1 container\n  volumes  1 file\n  host     2 logs\n"
        );
    }
}
