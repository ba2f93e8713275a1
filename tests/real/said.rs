//! What was said in each situation? The output of a script that marks its situations with `## NAME`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The lines of one situation.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// All that are not samples.
    pub(crate) lines: Vec<String>,
    /// Samples of ours: name and labels, and the value.
    samples: BTreeMap<String, f64>,
}

// === impl Said ===

impl Said {
    /// Runs a script, which is told our program, a directory of its own and `more`, and takes apart what it says.
    pub(crate) fn by(script: &mut Command, more: &[&Path]) -> BTreeMap<String, Self> {
        let directory = tempfile::tempdir().expect("make a directory");
        let done = script
            .arg(tests::process::program())
            .arg(directory.path())
            .args(more)
            .output()
            .expect("run the script");
        let out = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(
            done.status.success(),
            "{}\n{out}\n{}",
            done.status,
            String::from_utf8_lossy(&done.stderr)
        );
        Self::situations(&out)
    }

    /// Takes a script's output apart.
    pub(crate) fn situations(text: &str) -> BTreeMap<String, Self> {
        let mut situations: BTreeMap<String, Self> = BTreeMap::new();
        let mut name = String::new();
        for line in text.lines() {
            if let Some(title) = line.strip_prefix("## ") {
                title.clone_into(&mut name);
                continue;
            }
            let said = situations.entry(name.clone()).or_default();
            match line
                .rsplit_once(' ')
                .filter(|(sample, _)| is_sample(sample))
            {
                Some((sample, value)) => {
                    let value = value.parse().expect("a number");
                    said.samples.insert(sample.to_owned(), value);
                }
                None => said.lines.push(line.to_owned()),
            }
        }
        situations
    }

    /// What follows `NAME=` in every line that begins so.
    pub(crate) fn facts(&self, name: &str) -> Vec<&str> {
        let value = |line: &'_ String| -> Option<usize> {
            line.strip_prefix(name)?
                .starts_with('=')
                .then_some(name.len() + 1)
        };
        self.lines
            .iter()
            .filter_map(|line| line.get(value(line)?..))
            .collect()
    }

    /// The value of a sample that must be there.
    pub(crate) fn sample(&self, name: &str) -> f64 {
        *self
            .samples
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {:#?}", self.samples))
    }

    /// Whether a sample is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.samples.contains_key(name)
    }

    /// The samples of one family.
    pub(crate) fn family(&self, name: &str) -> Vec<(&str, f64)> {
        self.samples
            .iter()
            .filter(|(sample, _)| sample.split('{').next() == Some(name))
            .map(|(sample, value)| (sample.as_str(), *value))
            .collect()
    }
}

fn is_sample(text: &str) -> bool {
    [
        "bird_",
        "calico_",
        "cgroup_",
        "conntrack_",
        "felix_",
        "keepalived_",
        "lvs_",
        "node_",
        "nodetap_",
        "ping_",
        "pod_",
        "readiness_",
    ]
    .iter()
    .any(|prefix| text.starts_with(prefix))
}
