//! An error with the chain of its causes: what whoever handles an error prints.

use std::error::Error;
use std::fmt;

/// Prints `open /var/log/a.log: permission denied`: an error, then each cause behind a colon.
#[derive(Debug)]
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
