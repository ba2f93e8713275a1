//! Does the kernel allow what is needed? inotify watches and instances, and open files.

use std::fs;

use collector::discover::Report;

use super::Finding;

/// Descriptors that are needed beside those of log files: state, store, sockets, readers of the store.
const OTHER_DESCRIPTORS: u64 = 256;

pub(super) fn look(report: &Report) -> Vec<Finding> {
    let instances_max = fs::read_to_string("/proc/sys/fs/inotify/max_user_instances")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let directories = (report.watches.used + report.watches.missing) as u64;
    vec![
        watches(directories, report.watches.limit),
        instances(instances_max),
        descriptors(report.files as u64, hard),
    ]
}

fn watches(needed: u64, limit: Option<u64>) -> Finding {
    let Some(limit) = limit else {
        return Finding::warn(
            "the limit of inotify watches can't be read",
            "mount /proc; without inotify new files are found by the rescan only",
        );
    };
    // Other programs of the same user share the limit, so half of it is where it becomes narrow.
    if needed.saturating_mul(2) <= limit {
        return Finding::ok(format!(
            "inotify: {needed} directories to watch, {limit} watches allowed"
        ));
    }
    let raised = needed.saturating_mul(8).max(65_536);
    Finding::warn(
        format!("inotify: {needed} directories to watch, only {limit} watches allowed"),
        format!(
            "sysctl fs.inotify.max_user_watches={raised}; beyond the limit new files are found by the rescan only"
        ),
    )
}

fn instances(limit: Option<u64>) -> Finding {
    match limit {
        Some(limit) if limit < 16 => Finding::warn(
            format!("inotify: only {limit} instances allowed per user"),
            "sysctl fs.inotify.max_user_instances=512",
        ),
        Some(limit) => Finding::ok(format!("inotify: {limit} instances allowed per user")),
        None => Finding::warn(
            "the limit of inotify instances can't be read",
            "mount /proc",
        ),
    }
}

/// Each file may be open at once, rotated ones too.
fn descriptors(files: u64, hard: Option<u64>) -> Finding {
    let needed = files + OTHER_DESCRIPTORS;
    match hard {
        Some(hard) if hard < needed => Finding::warn(
            format!("open files: {needed} may be needed, {hard} are allowed (RLIMIT_NOFILE)"),
            "raise it: `LimitNOFILE=` in systemd, `ulimit -n` in a shell; files beyond it are opened in turn",
        ),
        Some(hard) => Finding::ok(format!(
            "open files: {needed} may be needed, {hard} are allowed"
        )),
        None => Finding::ok(format!(
            "open files: {needed} may be needed, any number is allowed"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn limits_that_are_too_narrow_say_what_to_set() {
        assert_eq!(watches(100, Some(8192)).verdict, Verdict::Ok);
        let narrow = watches(5000, Some(8192));
        assert_eq!(narrow.verdict, Verdict::Warn);
        assert!(
            narrow
                .mend
                .is_some_and(|mend| mend.starts_with("sysctl fs.inotify.max_user_watches=65536;"))
        );
        assert_eq!(watches(1, None).verdict, Verdict::Warn);
        assert_eq!(instances(Some(1)).verdict, Verdict::Warn);
        assert_eq!(instances(Some(128)).verdict, Verdict::Ok);
        assert_eq!(descriptors(1000, Some(1024)).verdict, Verdict::Warn);
        assert_eq!(descriptors(1000, Some(1 << 20)).verdict, Verdict::Ok);
        assert_eq!(descriptors(1000, None).verdict, Verdict::Ok);
    }
}
