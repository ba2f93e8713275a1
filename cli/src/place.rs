//! Where does this process live? The configuration, the root of what it reads and the directory of what it keeps.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::args::Common;
use crate::config::Config;
use crate::failure::WrongUse;

/// What every subcommand starts from.
#[derive(Debug)]
pub(crate) struct Place {
    /// The configuration, defaults filled in.
    pub config: Config,
    /// Whether the hosts of the cluster are those of the command line.
    pub has_urls_of_its_own: bool,
    /// Prefix of every conventional path.
    pub root: PathBuf,
    /// The directory of positions and the store.
    pub state: PathBuf,
}

// === impl Place ===

impl Place {
    /// Reads the configuration and settles the directories.
    pub(crate) fn of(common: &Common) -> anyhow::Result<Self> {
        let config = Config::load(common.config.as_deref()).map_err(WrongUse::new)?;
        let config = config.with_urls(&common.elasticsearch);
        let state = match &common.state {
            Some(state) => state.clone(),
            None => default_state(
                rustix::process::geteuid().is_root(),
                std::env::var_os("XDG_STATE_HOME").map(PathBuf::from),
                std::env::var_os("HOME").map(PathBuf::from),
            )
            .context("no state directory: give --state, or set HOME")?,
        };
        Ok(Self {
            config,
            has_urls_of_its_own: !common.elasticsearch.is_empty(),
            root: common.root.clone(),
            state,
        })
    }

    /// The cluster that lines are shipped to and read from; `None` leaves both to the embedded store.
    pub(crate) fn elasticsearch(&self) -> Option<elastic::Settings> {
        let settings = &self.config.elasticsearch.settings;
        (!settings.urls.is_empty()).then(|| settings.clone())
    }

    /// Where the embedded store is.
    pub(crate) fn store(&self) -> PathBuf {
        self.state.join("store")
    }

    /// Where lines are kept that a cluster refuses for good.
    pub(crate) fn dead_letters(&self) -> PathBuf {
        self.state.join("dead-letters")
    }

    /// Where our own commands ask a process whose addresses want a password or a certificate.
    pub(crate) fn socket(&self) -> PathBuf {
        self.state.join("socket")
    }

    /// The file that holds the address of the running process.
    pub(crate) fn listen_file(&self) -> PathBuf {
        self.state.join("listen")
    }
}

/// /var/lib/nodetap for root, else nodetap in the XDG state directory (XDG Base Directory Specification 0.8).
fn default_state(root: bool, xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    if root {
        return Some(PathBuf::from("/var/lib/nodetap"));
    }
    let absolute = |path: &PathBuf| Path::is_absolute(path);
    let base = xdg
        .filter(absolute)
        .or_else(|| Some(home.filter(absolute)?.join(".local/state")))?;
    Some(base.join("nodetap"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_root_and_of_others() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(
            default_state(true, path("/x"), path("/h")),
            path("/var/lib/nodetap")
        );
        assert_eq!(
            default_state(false, path("/x"), path("/h")),
            path("/x/nodetap")
        );
        assert_eq!(
            default_state(false, path("relative"), path("/h")),
            path("/h/.local/state/nodetap")
        );
        assert_eq!(
            default_state(false, None, path("/h")),
            path("/h/.local/state/nodetap")
        );
        assert_eq!(default_state(false, None, None), None);
    }
}
