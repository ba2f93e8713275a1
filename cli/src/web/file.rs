//! What does the web-config file say now? It is read again when it or a certificate has changed, without a restart.
//!
//! A renewed certificate must not need anybody's hand. A file that is wrong, or that would take the lock off the door of
//! a running process (half written, emptied by mistake), changes nothing and is said.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::tls::{self, TlsError};
use crate::config::Problems;
use crate::config::web::{self, WebConfig};

/// How often it is looked whether a file has changed.
const INTERVAL: Duration = Duration::from_secs(1);

/// Why a web-config file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    /// It can't be read.
    #[error("read web-config {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It says things that are wrong.
    #[error("{} is wrong:\n{problems}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// All of them.
        problems: Problems,
    },
    /// Its certificates can't be used.
    #[error("prepare TLS as {} says", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: TlsError,
    },
    /// It would let in who was not let in before.
    #[error("{} has no {what} any more: that takes a restart", path.display())]
    Opened {
        /// The file.
        path: PathBuf,
        /// What is gone.
        what: &'static str,
    },
}

/// A web-config file that was read well.
pub(super) struct Loaded {
    /// What it says.
    pub config: WebConfig,
    /// Its certificates, ready.
    pub tls: Option<Arc<ServerConfig>>,
}

/// The file as it is now.
pub(super) struct Current {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

struct State {
    looked: Instant,
    /// What the files looked like when they were last read.
    stamps: Vec<(PathBuf, Option<Stamp>)>,
    loaded: Arc<Loaded>,
}

/// Device, inode, size, and time of the last change: what a new file can't have all of.
type Stamp = (u64, u64, u64, i64, i64);

// === impl Current ===

impl Current {
    /// Reads a file, if there is one.
    pub(super) fn load(path: Option<&Path>) -> Result<Self, WebError> {
        let Some(path) = path else {
            return Ok(Self::open());
        };
        let loaded = Arc::new(load(path)?);
        Ok(Self {
            path: Some(path.to_owned()),
            state: Mutex::new(State {
                looked: Instant::now(),
                stamps: stamps(path, &loaded.config),
                loaded,
            }),
        })
    }

    /// Without a file.
    pub(super) fn open() -> Self {
        let loaded = Arc::new(Loaded {
            config: WebConfig::default(),
            tls: None,
        });
        Self {
            path: None,
            state: Mutex::new(State {
                looked: Instant::now(),
                stamps: Vec::new(),
                loaded,
            }),
        }
    }

    /// What holds now.
    pub(super) fn now(&self) -> Arc<Loaded> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &self.path
            && INTERVAL <= state.looked.elapsed()
        {
            state.looked = Instant::now();
            look(path, &mut state);
        }
        Arc::clone(&state.loaded)
    }
}

/// Reads again if anything has changed; each change once, whether it was good or not.
fn look(path: &Path, state: &mut State) {
    let known = state
        .stamps
        .iter()
        .map(|(path, _)| (path.clone(), stamp(path)))
        .collect::<Vec<_>>();
    if known == state.stamps {
        return;
    }
    match load(path).and_then(|loaded| closed(path, &state.loaded, loaded)) {
        Ok(loaded) => {
            state.stamps = stamps(path, &loaded.config);
            state.loaded = Arc::new(loaded);
            tracing::info!(path = %path.display(), "web-config read again");
        }
        Err(error) => {
            state.stamps = known;
            let error = anyhow::Error::new(error);
            tracing::error!(
                error = format!("{error:#}"),
                "web-config not taken over, the one before stays in force"
            );
        }
    }
}

/// Refuses what would open a closed door.
fn closed(path: &Path, before: &Loaded, after: Loaded) -> Result<Loaded, WebError> {
    let has_gone = |had: bool, has: bool, what| {
        if had && !has {
            let path = path.to_owned();
            return Err(WebError::Opened { path, what });
        }
        Ok(())
    };
    has_gone(before.tls.is_some(), after.tls.is_some(), "TLS")?;
    has_gone(
        !before.config.users.is_empty(),
        !after.config.users.is_empty(),
        "users",
    )?;
    Ok(after)
}

fn load(path: &Path) -> Result<Loaded, WebError> {
    let text = fs::read_to_string(path).map_err(|source| WebError::Read {
        path: path.to_owned(),
        source,
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let config = web::parse(&text, folder).map_err(|problems| WebError::Wrong {
        path: path.to_owned(),
        problems,
    })?;
    let tls = match &config.tls {
        Some(tls) => Some(Arc::new(tls::server(tls).map_err(|source| {
            WebError::Tls {
                path: path.to_owned(),
                source,
            }
        })?)),
        None => None,
    };
    Ok(Loaded { config, tls })
}

fn stamps(path: &Path, config: &WebConfig) -> Vec<(PathBuf, Option<Stamp>)> {
    let own = path.to_owned();
    let files = config.tls.iter().flat_map(tls::files).cloned();
    [own]
        .into_iter()
        .chain(files)
        .map(|path| {
            let stamp = stamp(&path);
            (path, stamp)
        })
        .collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((
        found.dev(),
        found.ino(),
        found.size(),
        found.mtime(),
        found.mtime_nsec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_would_open_the_door_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        let user = |name: &str| format!("{name}: {}\n", bcrypt::hash("x", 4).unwrap());
        fs::write(&path, format!("basic_auth_users:\n  {}", user("one"))).unwrap();
        let current = Current::load(Some(&path)).unwrap();
        let mut state = current.state.lock().unwrap();
        let mut users_after = |text: String| {
            fs::write(&path, text).unwrap();
            look(&path, &mut state);
            let users = state.loaded.config.users.keys().cloned();
            users.collect::<Vec<_>>().join(" ")
        };
        for wrong in ["", "basic_auth_users: {}\n", "basic_auth_user: {}\n", "%"] {
            assert_eq!(users_after(wrong.to_owned()), "one", "{wrong}");
        }
        let both = format!("basic_auth_users:\n  {}  {}", user("one"), user("two"));
        assert_eq!(users_after(both), "one two");
        fs::remove_file(&path).unwrap();
        look(&path, &mut state);
        assert_eq!(state.loaded.config.users.len(), 2);
    }
}
