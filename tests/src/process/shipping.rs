//! How does the program ship to a cluster, and what of it stays on the node? Its configuration, secrets, dead letters.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::Nodetap;
use crate::cluster::Access;

// === impl Nodetap ===

impl Nodetap {
    /// Ships to a cluster, by `nodetap collect`; `more` are further keys of the section `elasticsearch`, `rest` other sections.
    #[must_use]
    pub fn ships_to(mut self, access: &Access, more: &[&str], rest: &str) -> Self {
        let mut yaml = String::from("elasticsearch:\n");
        let mut key = |line: &str| {
            yaml.push_str("  ");
            yaml.push_str(line);
            yaml.push('\n');
        };
        if let Some(path) = &access.ca_file {
            key(&format!("ca_file: {}", path.display()));
        }
        let secret = |name: &str, text: &str| {
            let path = self.log.with_file_name(name);
            fs::write(&path, text).expect("write a secret");
            path
        };
        if let Some((user, password)) = &access.basic {
            key(&format!("user: {user}"));
            let path = secret("password", password);
            key(&format!("password_file: {}", path.display()));
        }
        if let Some(api_key) = &access.api_key {
            let path = secret("api_key", api_key);
            key(&format!("api_key_file: {}", path.display()));
        }
        // A section must not be empty.
        key("gzip: 1");
        for line in more {
            key(line);
        }
        yaml.push_str(rest);
        self.subcommand = "collect";
        self.urls.clone_from(&access.urls);
        self.config(&yaml)
    }

    /// The file that holds the password or the API key of [`Nodetap::ships_to`].
    pub fn secret(&self, name: &str) -> PathBuf {
        self.log.with_file_name(name)
    }

    /// What the cluster refused for good, oldest first: lines of `<state>/dead-letters`.
    pub fn dead_letters(&self) -> Vec<Value> {
        let Ok(entries) = fs::read_dir(self.state.join("dead-letters")) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|suffix| suffix == "ndjson"));
        paths.sort();
        let texts = paths
            .iter()
            .map(|path| fs::read_to_string(path).expect("read dead letters"));
        let texts: Vec<String> = texts.collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        lines
            .map(|line| {
                serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("not a dead letter: {error}: {line}"))
            })
            .collect()
    }
}
