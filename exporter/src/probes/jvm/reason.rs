//! Why has a JVM no counters for us, and what can be done about it?

use super::inside::InsideError;

/// Why a JVM has no counters for us: the label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoPerf {
    /// `-XX:-UsePerfData`
    DisabledFlag,
    /// `-XX:+PerfDisableSharedMem`
    SharedMemDisabled,
    /// Its user has no line in its `/etc/passwd`, so the JVM knows no name for the file.
    NoPasswdEntry,
    /// It has no `/tmp`, or may not write there.
    NoTmp,
    /// We may not look.
    Permission,
    /// Another JVM with the same pid holds the file in a shared `/tmp`.
    LockedByOther,
    /// `OpenJ9` writes none.
    OpenJ9,
    /// It is still starting.
    NotReady,
    /// The file makes no sense.
    Corrupt,
    /// The counters of all JVMs together are more than is held.
    TooLarge,
    /// The file was removed under the JVM.
    Removed,
    /// The file is a link, or another user's.
    Untrusted,
    /// It maps none, and nothing says why.
    NoFile,
}

// === impl NoPerf ===

impl NoPerf {
    /// What it means that a file of the JVM's can't be read.
    pub fn of(error: &InsideError) -> Self {
        match error {
            // The process ended, or its file is about to be made.
            InsideError::Absent => Self::NoFile,
            InsideError::Forbidden => Self::Permission,
            InsideError::Untrusted(_) => Self::Untrusted,
            InsideError::Read(_) => Self::Corrupt,
        }
    }

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DisabledFlag => "disabled_flag",
            Self::SharedMemDisabled => "shared_mem_disabled",
            Self::NoPasswdEntry => "no_passwd_entry",
            Self::NoTmp => "no_tmp",
            Self::Permission => "permission",
            Self::LockedByOther => "locked_by_other",
            Self::OpenJ9 => "openj9",
            Self::NotReady => "not_ready",
            Self::Corrupt => "corrupt",
            Self::TooLarge => "too_large",
            Self::Removed => "removed",
            Self::Untrusted => "untrusted",
            Self::NoFile => "no_file",
        }
    }

    /// What a person can do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::DisabledFlag => "started with -XX:-UsePerfData: leave that out",
            Self::SharedMemDisabled => "started with -XX:+PerfDisableSharedMem: leave that out",
            Self::NoPasswdEntry => "its user has no line in its /etc/passwd: add one to the image",
            Self::NoTmp => "it can't write to /tmp: mount an emptyDir there",
            Self::Permission => {
                "nodetap may not look: it needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
            }
            Self::LockedByOther => {
                "another JVM with the same pid holds the file: do not share /tmp"
            }
            Self::OpenJ9 => "OpenJ9 has no such counters: use an agent",
            Self::NotReady => "it is still starting",
            Self::Corrupt => "its counters can't be understood",
            Self::TooLarge => {
                "some JVMs of this node have very many counters: look for a large -XX:PerfDataMemorySize"
            }
            Self::Removed => {
                "something removed the file from /tmp: exclude /tmp/hsperfdata_* there"
            }
            Self::Untrusted => "the file is a link or another user's",
            Self::NoFile => "it maps no counters, and nothing says why",
        }
    }
}
