//! How does a busy node behave? Many writers at a rate, rotated by the kubelet's passes, until told to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use crate::kubelet::Rotation;
use crate::patience::Pace;
use crate::writer::Writer;

/// What a fleet does.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Raw bytes a second, over all writers.
    pub bytes_per_second: u64,
    /// The size at which a live file is rotated at the next pass.
    pub rotate_bytes: u64,
    /// How a file is rotated.
    pub rotation: Rotation,
    /// When to stop by itself, in bytes over all writers.
    pub bytes: u64,
}

/// A running fleet; [`Fleet::join`] ends it.
#[derive(Debug)]
pub struct Fleet<'scope, 'stop> {
    stop: &'stop AtomicBool,
    thread: ScopedJoinHandle<'scope, ()>,
}

// === impl Fleet ===

impl<'scope, 'stop: 'scope> Fleet<'scope, 'stop> {
    /// Lets the writers write in a thread of their own; `stop` begins as false.
    pub fn start(
        scope: &'scope Scope<'scope, '_>,
        stop: &'stop AtomicBool,
        writers: &'scope mut [Writer],
        plan: Plan,
    ) -> Self {
        let thread = scope.spawn(move || drive(writers, plan, stop));
        Self { stop, thread }
    }

    /// Whether the plan's bytes are written.
    pub fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// Stops the writers and waits for them.
    pub fn join(self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Writes in turn: a few lines each, a rotation pass whenever each had its share.
pub fn drive(writers: &mut [Writer], plan: Plan, stop: &AtomicBool) {
    let mut pace = Pace::new(plan.bytes_per_second);
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) && written < plan.bytes {
        for writer in writers.iter_mut() {
            let before = writer.bytes();
            let count = writer.random_lines();
            writer.lines(count);
            writer.rotate_beyond(plan.rotate_bytes, plan.rotation);
            let bytes = writer.bytes() - before;
            written += bytes;
            pace.wrote(bytes);
        }
    }
}

impl Plan {
    /// So many bytes at so many megabytes a second; files of 64 KiB, ten of them.
    pub fn of(bytes: u64, megabytes_per_second: u64) -> Self {
        Self {
            bytes_per_second: megabytes_per_second * 1_000_000,
            rotate_bytes: 64 * 1024,
            rotation: Rotation {
                max_files: 10,
                late_lines: 3,
            },
            bytes,
        }
    }
}
