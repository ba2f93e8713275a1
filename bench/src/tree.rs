//! Where do the logs of a container lie? A tree as the kubelet and the runtime lay it out.
//!
//! `pods/<namespace>_<pod>_<uid>/<container>/0.log`, and `containers/<pod>_<namespace>_<container>-<id>.log`, a link
//! to it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::chance::splitmix64;

const APPS: [&str; 8] = [
    "web", "checkout", "orders", "catalog", "search", "auth", "mailer", "billing",
];

/// What one container of the workload is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The namespace of its pod.
    pub namespace: String,
    /// The name of its pod.
    pub pod: String,
    /// The uid of its pod.
    pub uid: String,
    /// Its name within the pod.
    pub container: String,
    /// The runtime's id of it, 64 hexadecimal digits.
    pub id: String,
}

impl Names {
    /// The names of the `number`th container of the workload `seed`.
    pub fn of(seed: u64, number: u64) -> Self {
        let hash = |salt: u64| splitmix64(seed ^ (number << 8) ^ salt);
        let app = APPS[(number % APPS.len() as u64) as usize];
        let id = (0..4).fold(String::new(), |mut id, part| {
            let written = write!(id, "{:016x}", hash(16 + part));
            debug_assert!(written.is_ok(), "a string takes everything");
            id
        });
        let (high, low) = (hash(1), hash(2));
        Self {
            namespace: format!("team-{}", number % 7),
            pod: format!("{app}-{:08x}-{number:05x}", (high >> 32) as u32),
            uid: format!(
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                high as u32,
                (high >> 32) & 0xffff,
                (high >> 48) & 0xfff,
                low & 0xfff,
                (low >> 12) & 0xffff_ffff_ffff
            ),
            container: app.to_owned(),
            id,
        }
    }

    /// Makes the folders and the link below `logs` (a `/var/log`); returns the path of the log, which is not made.
    pub fn lay_out(&self, logs: &Path) -> io::Result<PathBuf> {
        let Self {
            namespace,
            pod,
            uid,
            container,
            id,
        } = self;
        let folder = logs
            .join("pods")
            .join(format!("{namespace}_{pod}_{uid}"))
            .join(container);
        fs::create_dir_all(&folder)?;
        let links = logs.join("containers");
        fs::create_dir_all(&links)?;
        let link = links.join(format!("{pod}_{namespace}_{container}-{id}.log"));
        if fs::symlink_metadata(&link).is_err() {
            symlink(fs::canonicalize(&folder)?.join("0.log"), link)?;
        }
        Ok(folder.join("0.log"))
    }
}

/// The live logs of all pods below `logs`, in the order of their paths.
pub fn live_logs(logs: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for pod in fs::read_dir(logs.join("pods"))? {
        for container in fs::read_dir(pod?.path())? {
            let path = container?.path().join("0.log");
            if path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
