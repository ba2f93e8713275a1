//! What does a person do when an alert fires? One page for each alert, in four parts.

/// A runbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runbook {
    /// The alert's name.
    pub alert: &'static str,
    /// The whole page, in Markdown.
    pub text: &'static str,
}

/// The headings that every runbook has, in this order.
pub const HEADINGS: [&str; 4] = ["Meaning", "Impact", "Look here", "Do this"];

macro_rules! runbooks {
    ($($alert:literal),* $(,)?) => {
        &[$(Runbook { alert: $alert, text: include_str!(concat!("../runbooks/", $alert, ".md")) }),*]
    };
}

/// All of them, by name.
pub const RUNBOOKS: &[Runbook] = runbooks![
    "CalicoBGPPeerDown",
    "CalicoFelixDataplaneErrors",
    "CalicoFelixNotInSync",
    "CalicoFelixNotReady",
    "CalicoUnhealthy",
    "ContainerCPUThrottled",
    "ContainerFatalLogs",
    "ControlPlaneContainerGone",
    "ControlPlaneCrashLooping",
    "ControlPlaneLeaderElections",
    "CoreSwitchPacketLossHigh",
    "CoreSwitchRTTHigh",
    "CoreSwitchUnreachable",
    "ElasticsearchWriteRejections",
    "EtcdRestart",
    "Ingress5xxRatioHigh",
    "IngressTrafficDrop",
    "IngressTrafficUnusual",
    "IngressUpstreamLatencyHigh",
    "JVMFullGCFrequent",
    "JVMGCTimeHigh",
    "JVMOldGenFullAfterGC",
    "JVMPerfDataUnavailable",
    "KeepalivedMiscCheckFailing",
    "KeepalivedMiscCheckWeightOutOfRange",
    "KeepalivedNoMasterOrSplitBrain",
    "KubeAPIServerRestart",
    "KubeControllerManagerRestart",
    "KubeSchedulerRestart",
    "LVSEndpointTrafficImbalance",
    "LVSMappedVIPNotProgrammed",
    "LVSMappingUnreadable",
    "LVSRealServerMissing",
    "LVSServiceNoReadyEndpoints",
    "LVSServiceTrafficDrop",
    "LVSServiceTrafficSpike",
    "LVSServiceTrafficUnusual",
    "LVSVIPUnmapped",
    "LogCollectionLagging",
    "LogConsumerLagGrowing",
    "LogDeadLetters",
    "LogLedgerImbalance",
    "LogLossImminent",
    "LogRecordsLost",
    "LogSinkRefusing",
    "ManyNodesReadinessFailed",
    "NodeAgentAbsent",
    "NodeAgentCollectorFailing",
    "NodeAgentConfigReloadFailed",
    "NodeAgentMissing",
    "NodeAgentSeriesLimitHit",
    "NodeAgentWatchdog",
    "NodeClockNotSynchronised",
    "NodeClockOffsetHigh",
    "NodeConntrackDrops",
    "NodeConntrackEarlyDrops",
    "NodeConntrackFullIn4h",
    "NodeConntrackInsertFailed",
    "NodeConntrackNearLimit",
    "NodeConntrackSaturated",
    "NodeReadinessFlapping",
    "NodeReadinessGuardActive",
    "NodeReadinessProbeFailed",
    "PodConntrackHog",
    "PodNetnsConntrackNearLimit",
];

/// The page of an alert.
pub fn of(alert: &str) -> Option<Runbook> {
    RUNBOOKS.iter().find(|found| found.alert == alert).copied()
}

/// What an alert says, in one line.
pub fn one_line(alert: &str) -> Option<&'static str> {
    of(alert)?.text.lines().nth(2)
}

// === impl Runbook ===

impl Runbook {
    /// What stands under a heading, without empty lines around it.
    pub fn part(&self, heading: &str) -> Option<&'static str> {
        let mark = format!("\n## {heading}\n");
        let (_, after) = self.text.split_once(&mark)?;
        let part = after.split_once("\n## ").map_or(after, |(part, _)| part);
        Some(part.trim_matches('\n'))
    }
}
