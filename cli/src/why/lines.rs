//! What was said around the moment? A search of the store or the cluster, and the command that does the same.

use std::ops::ControlFlow;
use std::path::PathBuf;

use alertrules::why::Firing;
use jiff::tz::TimeZone;
use page::why::Logs;
use query::render::{Format, Options, Renderer};
use query::{Backend, ElasticsearchBackend, Query, StoreBackend};
use record::Timestamp;

use crate::args::Common;
use crate::place::Place;

/// A rule waits before it fires, up to a quarter of an hour, so the search begins this long before, in seconds.
const BEFORE_SECONDS: i64 = 20 * 60;
/// … and ends this long after.
const AFTER_SECONDS: i64 = 5 * 60;
/// So many of the newest lines are shown.
const LINES_MAX: usize = 5;
/// A line is shown up to here, in characters.
const CHARACTERS_MAX: usize = 240;
const NANOSECONDS: i64 = 1_000_000_000;

/// Where lines are kept.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// The cluster, with the beginning of its indices' names.
    cluster: Option<(elastic::Settings, String)>,
    store: PathBuf,
    /// The flags that make `nodetap logs` read the same.
    flags: String,
}

// === impl Lines ===

impl Lines {
    /// Where this node keeps them.
    pub(crate) fn of(place: &Place, common: &Common) -> Self {
        let prefix = place.config.elasticsearch.index_prefix.clone();
        Self {
            cluster: place.elasticsearch().map(|cluster| (cluster, prefix)),
            store: place.store(),
            flags: common.again(),
        }
    }

    /// The newest lines around an alert's start that have these words and are of what the alert is about.
    pub(super) fn around(&self, words: &str, alert: &Firing, now: Timestamp) -> Logs {
        let started = (alert.started_seconds * 1e3) as i64 * (NANOSECONDS / 1000);
        let started = if started == 0 { now.0 } else { started };
        let since = Timestamp(started - BEFORE_SECONDS * NANOSECONDS);
        let until = Timestamp((started + AFTER_SECONDS * NANOSECONDS).min(now.0));
        let label = |names: &[&str]| -> Vec<String> {
            let values = names.iter().filter_map(|name| alert.labels.get(*name));
            values.take(1).cloned().collect()
        };
        let (namespace, pod) = (label(&["namespace"]), label(&["pod"]));
        let container = label(&["container", "component"]);
        let mut command = format!("nodetap logs{} {}", self.flags, quoted(words));
        for (flag, values) in [("-n", &namespace), ("-p", &pod), ("-c", &container)] {
            for value in values {
                command = format!("{command} {flag} {}", quoted(value));
            }
        }
        for (flag, time) in [("--since", since), ("--until", until)] {
            let moment = super::story::moment(time.0 as f64 / 1e9);
            command = format!("{command} {flag} {moment}");
        }
        let question = query::parse(words).map(|predicate| Query {
            predicate,
            namespaces: namespace,
            pods: pod,
            containers: container,
            since: Some(since),
            until: Some(until),
            limit: Some(LINES_MAX),
            ..Query::default()
        });
        let found = question
            .map_err(|error| error.to_string())
            .and_then(|question| self.search(&question));
        let (lines, note) = match found {
            Ok(lines) if lines.is_empty() => (lines, "No such line around the moment.".to_owned()),
            Ok(lines) => (lines, String::new()),
            Err(why) => (Vec::new(), format!("The logs could not be searched: {why}")),
        };
        Logs {
            command,
            lines,
            note,
        }
    }

    fn open(&self) -> Result<Box<dyn Backend>, String> {
        if let Some((cluster, prefix)) = &self.cluster {
            let backend = ElasticsearchBackend::open(cluster, prefix);
            return Ok(Box::new(backend.map_err(|error| error.to_string())?));
        }
        if !self.store.is_dir() {
            return Err(format!("no store in {}", self.store.display()));
        }
        let backend = StoreBackend::open(&self.store);
        Ok(Box::new(backend.map_err(|error| error.to_string())?))
    }

    fn search(&self, question: &Query) -> Result<Vec<String>, String> {
        let backend = self.open()?;
        let options = Options {
            format: Format::Text,
            colour: false,
            terminal: true,
            context: false,
            zone: TimeZone::system(),
        };
        let mut renderer = Renderer::new(options, &question.predicate);
        let mut text = Vec::new();
        let searched = backend.search(question, &mut |item| {
            renderer.write(&item, &mut text);
            ControlFlow::Continue(())
        });
        searched.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&text);
        let short = |line: &str| -> String {
            let mut short: String = line.chars().take(CHARACTERS_MAX).collect();
            if short.len() < line.len() {
                short.push('…');
            }
            short
        };
        // A record of several lines is as long as it is: its beginning is enough here.
        Ok(text.lines().take(4 * LINES_MAX).map(short).collect())
    }
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_it_for_one_word() {
        for (text, expect) in [
            ("kube-system", "kube-system"),
            ("", "''"),
            ("level:>=warn", "'level:>=warn'"),
            ("it's $(rm)", r"'it'\''s $(rm)'"),
        ] {
            assert_eq!(quoted(text), expect);
        }
    }

    #[test]
    fn the_command_asks_for_what_the_alert_is_about() {
        let lines = Lines {
            cluster: None,
            store: PathBuf::from("/nowhere/store"),
            flags: " --state /nowhere".to_owned(),
        };
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let alert = Firing {
            name: "KubeControllerManagerRestart".to_owned(),
            labels: [
                label("namespace", "kube-system"),
                label("pod", "kube-controller-manager-n1"),
                label("component", "kube-controller-manager"),
            ]
            .into(),
            started_seconds: 1_795_291_200.0,
        };
        let now = Timestamp(1_795_291_260 * NANOSECONDS);
        let logs = lines.around("level:>=warn", &alert, now);
        assert_eq!(
            logs.command,
            "nodetap logs --state /nowhere 'level:>=warn' -n kube-system -p kube-controller-manager-n1 \
             -c kube-controller-manager --since 2026-11-21T19:40:00Z --until 2026-11-21T20:01:00Z"
        );
        assert!(logs.note.contains("no store in /nowhere/store"), "{logs:?}");
    }
}
