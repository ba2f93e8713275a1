//! How does a disk become full? A small file system of memory, mounted for one test and gone with it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted tmpfs; unmounted when dropped.
#[derive(Debug)]
pub struct Tmpfs {
    at: PathBuf,
}

// === impl Tmpfs ===

impl Tmpfs {
    /// Mounts `bytes` of memory at `at`; panics when that is impossible, for the test could not say anything.
    pub fn mount(at: &Path, bytes: u64) -> Self {
        std::fs::create_dir_all(at).expect("make a mount point");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "nodetap-it"])
            .arg(at));
        Self { at: at.to_owned() }
    }

    /// Gives the file system another size.
    pub fn resize(&self, bytes: u64) {
        run(Command::new("mount")
            .args(["-o", &format!("remount,size={bytes}")])
            .arg(&self.at));
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process that a failed test left may still hold a file there.
        let done = Command::new("umount").arg("-l").arg(&self.at).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("could not unmount {}", self.at.display());
        }
    }
}

fn run(command: &mut Command) {
    let done = command.output().expect("start mount");
    assert!(
        done.status.success(),
        "this test needs the right to mount a tmpfs (root): {command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}
