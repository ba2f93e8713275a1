//! What remains when the power goes? An ext4 of its own whose unsynced writes are dropped at a moment of choice.
//!
//! ext4 itself does the dropping: `EXT4_IOC_SHUTDOWN` without a flush of the journal (Linux, `fs/ext4/ioctl.c`) refuses
//! all further I/O; what the next mount finds is what a cut of power leaves.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted ext4 over a file; unmounted when dropped.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    at: PathBuf,
}

// === impl Disk ===

impl Disk {
    /// Makes a disk of `bytes` in the file `image` and mounts it at `at`; panics when that is impossible.
    pub fn mount(image: &Path, at: &Path, bytes: u64) -> Self {
        let file = File::create(image).expect("make a disk");
        file.set_len(bytes).expect("size a disk");
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image));
        let disk = Self {
            image: image.to_owned(),
            at: at.to_owned(),
        };
        disk.attach();
        disk
    }

    /// The power goes: what was not synced is lost, and whoever still runs gets errors.
    pub fn cut(&self) {
        // The request number and the flag for "drop everything" are ext4's (EXT4_GOING_FLAGS_NOLOGFLUSH).
        let script = r#"
            open(my $disk, "<", $ARGV[0]) or die "open: $!";
            my $flag = pack("L", 2);
            ioctl($disk, 0x8004587d, $flag) or die "ioctl: $!";
        "#;
        run(Command::new("perl").args(["-e", script]).arg(&self.at));
    }

    /// The power is back: the disk is mounted anew. Nobody may have a file open there.
    pub fn restore(&self) {
        run(Command::new("umount").arg(&self.at));
        self.attach();
    }

    fn attach(&self) {
        run(Command::new("mount")
            .args(["-o", "loop"])
            .args([&self.image, &self.at]));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.at).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("could not unmount {}", self.at.display());
        }
    }
}

fn run(command: &mut Command) {
    let done = command
        .output()
        .unwrap_or_else(|error| panic!("this test needs {command:?}: {error}"));
    assert!(
        done.status.success(),
        "this test needs the right to mount an ext4 (root): {command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}
