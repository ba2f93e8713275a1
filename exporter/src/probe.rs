//! What must a probe do? Read, parse, emit; and say why it can't.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use crate::family::{Families, Family};
use crate::place::{Place, ReadError};
use crate::probes::Settings;

/// One line of the table of probes.
#[derive(Debug)]
pub struct Entry {
    /// Its name: the label `probe`, the argument of `collect[]`.
    pub name: &'static str,
    /// The question it answers.
    pub about: &'static str,
    /// Every family it may have.
    pub families: &'static [Family],
    /// When it runs.
    pub pace: Pace,
    /// How many series it may have.
    pub series_max: usize,
    /// Makes it.
    pub make: fn(&Settings) -> Box<dyn Probe>,
}

/// When a probe runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Within each scrape: it costs little.
    Scrape,
    /// On its own interval; a scrape shows the last result.
    Every(Duration),
}

/// What a probe is given each time.
#[derive(Debug)]
pub struct Context<'a> {
    /// Where files are read.
    pub place: &'a Place,
    /// The wall clock.
    pub now: SystemTime,
    /// When nobody waits for the result any more.
    pub deadline: Instant,
}

/// Reads one subsystem of the node.
pub trait Probe: Send {
    /// Emits what there is now. What was emitted before an error is kept.
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError>;
}

/// Why a probe has nothing, or not all.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The subsystem is not on this node, or we have no right to it: a state, not a failure.
    #[error("{detail}")]
    Unavailable {
        /// The label.
        reason: Reason,
        /// What exactly.
        detail: String,
    },
    /// A file could not be read though it is there.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The kernel refused.
    #[error("ask the kernel for {what}")]
    Kernel {
        /// What was asked for.
        what: &'static str,
        /// Its answer.
        source: io::Error,
    },
    /// What was read makes no sense.
    #[error("understand {what}: {why}")]
    Malformed {
        /// What was read.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Why a probe is or isn't available: the label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It is.
    Ok,
    /// It went wrong; the log says how.
    Failed,
    /// It did not answer before the scrape's deadline.
    Late,
    /// A file that it reads is not there.
    NoFile,
    /// The kernel's module is not loaded.
    NoModule,
    /// Nothing is configured for it to do.
    NotConfigured,
    /// It may not read what it needs.
    Permission,
    /// We are in another network namespace than the node.
    OtherNetwork,
}

// === impl ProbeError ===

impl ProbeError {
    /// A state with a reason.
    pub fn unavailable(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Unavailable {
            reason,
            detail: detail.into(),
        }
    }

    /// What a file that can't be read means: absent and forbidden are states.
    pub fn of_read(error: ReadError, absent: Reason) -> Self {
        if error.is_absent() {
            Self::unavailable(absent, format!("/{} is not there", error.path))
        } else if error.is_forbidden() {
            Self::unavailable(
                Reason::Permission,
                format!("/{} may not be read", error.path),
            )
        } else {
            Self::Read(error)
        }
    }

    /// Bytes that make no sense.
    pub fn malformed(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Malformed {
            what: what.into(),
            why: why.into(),
        }
    }

    /// The label `reason`.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unavailable { reason, .. } => *reason,
            Self::Read(_) | Self::Kernel { .. } | Self::Malformed { .. } => Reason::Failed,
        }
    }
}

// === impl Reason ===

impl Reason {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::NoFile => "no_file",
            Self::NoModule => "no_module",
            Self::NotConfigured => "not_configured",
            Self::Permission => "permission",
            Self::OtherNetwork => "other_network_namespace",
        }
    }

    /// Whether a person should look: everything else is how the node is.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Late)
    }
}
