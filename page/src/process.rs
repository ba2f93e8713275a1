//! What does this process use? The `process_*` metrics, from its own directory in /proc.
//!
//! Names and meanings are those of the Prometheus client libraries. Always this machine's /proc, whatever `--root` is:
//! the process lives here. Sources: `proc_pid_stat(5)`, `proc_stat(5)`, `getrlimit(2)`.

use std::fs;

/// What the process uses; what can't be read is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// User and system time in seconds.
    pub cpu_seconds: Option<f64>,
    /// Resident memory in bytes.
    pub resident_bytes: Option<f64>,
    /// Address space in bytes.
    pub virtual_bytes: Option<f64>,
    /// Start in seconds since the epoch.
    pub start_seconds: Option<f64>,
    /// Open file descriptors.
    pub open_descriptors: Option<f64>,
    /// How many may be open.
    pub descriptors_max: Option<f64>,
}

// === impl Process ===

impl Process {
    /// Reads this process's own numbers.
    pub fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let boot = fs::read_to_string("/proc/stat")
            .ok()
            .and_then(|text| boot_seconds(&text));
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let own = Self::parse(&stat, boot, ticks, rustix::param::page_size() as f64);
        // The listing itself holds one descriptor.
        let open = fs::read_dir("/proc/self/fd")
            .ok()
            .map(|fds| fds.count().saturating_sub(1) as f64);
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        Self {
            open_descriptors: open,
            descriptors_max: limit.map(|limit| limit as f64),
            ..own
        }
    }

    /// Reads `/proc/self/stat`; pure. The fields are counted from behind the name, which may hold anything.
    fn parse(
        stat: &str,
        boot_seconds: Option<f64>,
        ticks_per_second: f64,
        page_bytes: f64,
    ) -> Self {
        let fields: Vec<&str> = stat.rsplit_once(')').map_or(Vec::new(), |(_, rest)| {
            rest.split_ascii_whitespace().collect()
        });
        // Field numbers are those of the manual, which counts from 1 and has two fields before the name's end.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let cpu = field(14)
            .zip(field(15))
            .map(|(user, system)| (user + system) / ticks_per_second);
        Self {
            cpu_seconds: cpu,
            resident_bytes: field(24).map(|pages| pages * page_bytes),
            virtual_bytes: field(23),
            start_seconds: boot_seconds
                .zip(field(22))
                .map(|(boot, start)| boot + start / ticks_per_second),
            open_descriptors: None,
            descriptors_max: None,
        }
    }
}

fn boot_seconds(stat: &str) -> Option<f64> {
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let stat =
            "77 (a) b (c) S 1 77 77 0 -1 4194560 500 0 0 0 250 50 0 0 20 0 3 0 1000 8192 12 99 0\n";
        let process = Process::parse(stat, boot_seconds("cpu 1\nbtime 1000000\n"), 100.0, 4096.0);
        assert_eq!(process.cpu_seconds, Some(3.0));
        assert_eq!(process.start_seconds, Some(1_000_010.0));
        assert_eq!(process.virtual_bytes, Some(8192.0));
        assert_eq!(process.resident_bytes, Some(12.0 * 4096.0));
        assert_eq!(Process::parse("", None, 100.0, 4096.0), Process::default());
    }

    #[test]
    fn this_process_has_all_of_it() {
        let process = Process::read();
        assert!(
            process.resident_bytes.is_some_and(|bytes| bytes > 0.0),
            "{process:?}"
        );
        assert!(
            process.open_descriptors.is_some_and(|open| open >= 3.0),
            "{process:?}"
        );
        assert!(
            process.start_seconds.is_some_and(|start| start > 1e9),
            "{process:?}"
        );
    }
}
