//! What is in the folder? Every file that people edit, carried in the binary.

/// A file of rules or of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name below the folder, as in `optional/lvs.rules.yml`.
    pub path: &'static str,
    /// What is in it.
    pub text: &'static str,
}

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(File { path: $path, text: include_str!(concat!("../", $path)) }),*]
    };
}

/// The rules.
pub const RULES: &[File] = files![
    "control_plane.rules.yml",
    "readiness.rules.yml",
    "conntrack.rules.yml",
    "lvs.rules.yml",
    "keepalived.rules.yml",
    "jvm.rules.yml",
    "ingress.rules.yml",
    "calico.rules.yml",
    "logs.rules.yml",
    "self.rules.yml",
    "optional/readiness.rules.yml",
    "optional/conntrack.rules.yml",
    "optional/lvs.rules.yml",
    "optional/jvm.rules.yml",
    "optional/logs.rules.yml",
    "optional/self.rules.yml",
    "optional/anomaly.rules.yml",
];

/// Their tests, in promtool's format.
pub const TESTS: &[File] = files![
    "control_plane.test.yml",
    "readiness.test.yml",
    "conntrack.test.yml",
    "lvs.test.yml",
    "lvs_traffic.test.yml",
    "keepalived.test.yml",
    "jvm.test.yml",
    "ingress.test.yml",
    "ingress_traffic.test.yml",
    "calico.test.yml",
    "logs.test.yml",
    "self.test.yml",
    "optional/readiness.test.yml",
    "optional/conntrack.test.yml",
    "optional/lvs.test.yml",
    "optional/jvm.test.yml",
    "optional/logs.test.yml",
    "optional/self.test.yml",
    "optional/anomaly.test.yml",
];

/// What differs between places, with its defaults.
pub const VALUES: &str = include_str!("../values.yml");

/// Alertmanager's configuration but for what is made from the topology.
pub const ALERTMANAGER: &str = include_str!("../alertmanager.yml");

// === impl File ===

impl File {
    /// Whether it is shipped, but loaded only when it is asked for.
    pub fn is_optional(&self) -> bool {
        self.path.starts_with("optional/")
    }

    /// What its rules are about: the file's name before its first dot.
    pub fn topic(&self) -> &'static str {
        let name = self.path.rsplit('/').next().unwrap_or(self.path);
        name.split('.').next().unwrap_or(name)
    }
}
