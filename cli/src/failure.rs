//! How does the process end when it can't do what was asked? 1 when it failed, 2 when it was used wrongly.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// A mistake of whoever typed the command or wrote the configuration.
#[derive(Debug)]
pub struct WrongUse(Box<dyn std::error::Error + Send + Sync>);

// === impl WrongUse ===

impl WrongUse {
    /// Marks an error as the user's.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for WrongUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for WrongUse {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// Says what went wrong on stderr and gives the exit code. A reader that has gone away (`| head`) is no failure.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if error.chain().any(is_broken_pipe) {
        return ExitCode::SUCCESS;
    }
    let code = if error.downcast_ref::<WrongUse>().is_some() {
        2
    } else {
        1
    };
    // Nothing is left to do when even stderr is gone.
    drop(writeln!(io::stderr(), "nodetap: {}", chain(error)));
    ExitCode::from(code)
}

/// Every cause, each once: `open store: permission denied`.
fn chain(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn is_broken_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let pipe =
            anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("write lines");
        assert_eq!(
            format!("{:?}", report(&pipe)),
            format!("{:?}", ExitCode::SUCCESS)
        );
        let full =
            anyhow::Error::new(io::Error::from(io::ErrorKind::StorageFull)).context("write lines");
        assert_eq!(
            format!("{:?}", report(&full)),
            format!("{:?}", ExitCode::from(1))
        );
        let wrong = anyhow::Error::new(WrongUse::new("no such level"));
        assert_eq!(
            format!("{:?}", report(&wrong)),
            format!("{:?}", ExitCode::from(2))
        );
    }
}
