//! Can nodetap work here? Every finding in one line, with how to mend it.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::place::Place;

mod clock;
mod cluster;
mod files;
mod found;
mod limits;
mod state;
mod web;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, with less than it could.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How grave it is.
    pub verdict: Verdict,
    /// What was found.
    pub what: String,
    /// How to mend it.
    pub mend: Option<String>,
}

/// Looks at everything; 1 when something does not work.
pub(crate) fn run(place: &Place) -> anyhow::Result<ExitCode> {
    let mut findings = vec![Finding::ok("the configuration is right")];
    findings.extend(files::look(place));
    match found::report(place) {
        Ok(report) => {
            findings.extend(found::look(&report));
            findings.extend(limits::look(&report));
        }
        Err(error) => {
            findings.push(Finding::fail(
                format!("can't look for logs: {error:#}"),
                "mend what it names, and check again",
            ));
        }
    }
    findings.extend(state::look(place));
    findings.extend(clock::look(place));
    findings.extend(web::look(place));
    findings.extend(cluster::look(place));
    let mut out = io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    let failed = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Fail);
    Ok(ExitCode::from(u8::from(failed)))
}

// === impl Finding ===

impl Finding {
    pub(crate) fn ok(what: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Ok,
            what: what.into(),
            mend: None,
        }
    }

    pub(crate) fn warn(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warn,
            what: what.into(),
            mend: Some(mend.into()),
        }
    }

    pub(crate) fn fail(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            what: what.into(),
            mend: Some(mend.into()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        write!(f, "{verdict}  {}", self.what)?;
        if let Some(mend) = &self.mend {
            write!(f, "\n      → {mend}")?;
        }
        Ok(())
    }
}
