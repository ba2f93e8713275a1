//! What machine is it? How many CPUs it has, and when it started.

use procfs::{FromBufReadSI, KernelStats};

use crate::place::Place;

/// What `/proc/stat` tells of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// CPUs that are on.
    pub cpus: usize,
    /// Its start in seconds since the epoch.
    pub booted: u64,
}

// === impl Machine ===

impl Machine {
    /// Reads it; `None` where /proc is not what it should be.
    pub fn read(place: &Place) -> Option<Self> {
        Self::parse(&place.read("proc/stat").ok()?)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let stats = KernelStats::from_buf_read(bytes, procfs::current_system_info()).ok()?;
        Some(Self {
            cpus: stats.cpu_time.len(),
            booted: stats.btime,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cpus_and_boot() {
        let text = "cpu  9 1 7 80\ncpu0 4 0 3 40\ncpu1 5 1 4 40\nintr 1\nctxt 5\nbtime 1000\nprocesses 7\n";
        let wanted = Machine {
            cpus: 2,
            booted: 1000,
        };
        assert_eq!(Machine::parse(text.as_bytes()), Some(wanted));
        assert_eq!(Machine::parse(b"btime 1\n"), None);
        assert!(Machine::read(&Place::new("/")).is_some_and(|machine| 0 < machine.cpus));
    }

    proptest! {
        #[test]
        fn any_text_ends_without_a_panic(text in "(cpu|btime |ctxt |processes |[0-9]{1,30}|[ \n(]){0,60}") {
            if let Some(machine) = Machine::parse(text.as_bytes()) {
                prop_assert!(machine.cpus <= text.lines().count());
            }
        }
    }
}
