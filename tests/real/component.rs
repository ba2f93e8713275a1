//! Where do the real components come from? From `components/prepare.sh`, which makes each once and keeps it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of this file.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("real")
}

/// The directory of a component, as `prepare.sh` names them.
pub(crate) fn prepare(component: &str) -> PathBuf {
    let done = Command::new(folder().join("components/prepare.sh"))
        .arg(component)
        .stdin(Stdio::null())
        .output()
        .expect("run prepare.sh");
    assert!(
        done.status.success(),
        "could not prepare {component}:\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
    PathBuf::from(String::from_utf8(done.stdout).expect("a path").trim())
}
