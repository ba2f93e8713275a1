//! Which probes are there? One file each, and this table.

use std::path::PathBuf;
use std::sync::Arc;

use crate::probe::Entry;
use crate::subnet::Subnet;

use self::lvs::api::ConfigMap;
use self::pod_readiness::PodReadiness;
use self::readiness::target::Target;
use self::readiness::verdict::Readiness;
use self::talkers::top::Top;

pub mod bypass;
pub mod calico;
pub mod cgroup;
pub mod clock;
pub mod conntrack;
pub mod control_plane;
pub mod jvm;
pub mod keepalived;
pub mod lvs;
pub mod pod_readiness;
pub mod readiness;
pub mod talkers;

/// Every probe, in the order of the manual.
pub const PROBES: &[Entry] = &[
    conntrack::ENTRY,
    bypass::ENTRY,
    talkers::ENTRY,
    lvs::ENTRY,
    keepalived::ENTRY,
    readiness::ENTRY,
    pod_readiness::ENTRY,
    control_plane::ENTRY,
    clock::ENTRY,
    calico::ENTRY,
    cgroup::ENTRY,
    jvm::ENTRY,
    // Strangers' families come last: of two kinds under one name the first stays.
    jvm::agents::ENTRY,
];

/// What the probes are told.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the configuration that says yes or no"
)]
#[derive(Clone, Debug)]
pub struct Settings {
    /// The root of the node's file systems.
    pub root: PathBuf,
    /// Names of probes that do not run.
    pub off: Vec<String>,
    /// The label `env`: which of several environments this node belongs to.
    pub env: String,
    /// Whether connections are counted by pod, which reads the whole table.
    pub conntrack_top: bool,
    /// Whose packets should pass by connection tracking.
    pub conntrack_bypass: Vec<Subnet>,
    /// Who talks most; `/debug/conntrack/top` answers it.
    pub top: Arc<Top>,
    /// Where the mapping from virtual addresses to services is: a file, or a mounted `ConfigMap`.
    pub lvs_mapping: Option<PathBuf>,
    /// The object that has this mapping, where it is not in a file.
    pub lvs_configmap: Option<ConfigMap>,
    /// keepalived's log, below the root; where it usually is when not given.
    pub keepalived_log: Option<String>,
    /// keepalived's notify FIFO, below the root, if nobody else reads it.
    pub keepalived_fifo: Option<String>,
    /// Whether keepalived may be signalled to write its dumps.
    pub keepalived_dump: bool,
    /// Who is pinged, beside the default gateways.
    pub ping_targets: Vec<Target>,
    /// Whether the default gateways are pinged.
    pub ping_gateways: bool,
    /// Whether the targets are also asked from inside each pod's network.
    pub ping_from_pods: bool,
    /// Where a probe remembers what must survive a restart.
    pub state: Option<PathBuf>,
    /// What the pings mean; `/ready` answers it.
    pub readiness: Arc<Readiness>,
    /// The same for each pod; `/ready/<namespace>/<pod>` answers it.
    pub pod_readiness: Arc<PodReadiness>,
    /// Which JVMs' numbers come from their agents.
    pub told_jvms: Arc<jvm::Told>,
    /// What is done with agents in JVMs, and where they are.
    pub jvm_agents: Arc<jvm::agents::Shared>,
}

// === impl Settings ===

impl Settings {
    /// All probes on, nothing configured.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            off: Vec::new(),
            env: String::new(),
            conntrack_top: false,
            conntrack_bypass: Vec::new(),
            top: Arc::new(Top::default()),
            lvs_mapping: None,
            lvs_configmap: None,
            keepalived_log: None,
            keepalived_fifo: None,
            keepalived_dump: false,
            ping_targets: Vec::new(),
            ping_gateways: true,
            ping_from_pods: false,
            state: None,
            readiness: Arc::new(Readiness::default()),
            pod_readiness: Arc::default(),
            told_jvms: Arc::default(),
            jvm_agents: Arc::default(),
        }
    }

    /// With this probe on and all others off.
    #[must_use]
    pub fn only(mut self, name: &str) -> Self {
        let others = PROBES.iter().map(|entry| entry.name);
        self.off
            .extend(others.filter(|other| *other != name).map(str::to_owned));
        self
    }
}
