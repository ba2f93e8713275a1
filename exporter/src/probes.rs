//! Which probes are there? One file each, and this table.

use std::path::PathBuf;

use crate::probe::Entry;

pub mod conntrack;
pub mod lvs;

/// Every probe, in the order of the manual.
pub const PROBES: &[Entry] = &[conntrack::ENTRY, lvs::ENTRY];

/// What the probes are told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The root of the node's file systems.
    pub root: PathBuf,
    /// Names of probes that do not run.
    pub off: Vec<String>,
    /// The label `env`: which of several environments this node belongs to.
    pub env: String,
    /// Where the mapping from virtual addresses to services is: a file, or a mounted `ConfigMap`.
    pub lvs_mapping: Option<PathBuf>,
}

// === impl Settings ===

impl Settings {
    /// All probes on, nothing configured.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            off: Vec::new(),
            env: String::new(),
            lvs_mapping: None,
        }
    }
}
