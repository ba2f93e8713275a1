//! Is the clock right enough? Lines carry the node's time, and retention by age believes it.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Finding;
use crate::place::Place;

/// 2025-01-01T00:00:00Z in seconds since the epoch: no machine that runs this was built before.
const SECONDS_MIN: u64 = 1_735_689_600;

/// A file may be this much newer than the clock before that means something.
const SLACK: Duration = Duration::from_mins(1);

pub(super) fn look(place: &Place) -> Vec<Finding> {
    let newest = ["var/log", "var/log/pods", "var/log/containers"]
        .iter()
        .filter_map(|directory| fs::read_dir(place.root.join(directory)).ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        .filter_map(|entry| entry.metadata().ok()?.modified().ok())
        .max();
    vec![judge(SystemTime::now(), newest)]
}

fn judge(now: SystemTime, newest_file: Option<SystemTime>) -> Finding {
    let mend = "set the clock, and keep it with chrony or systemd-timesyncd";
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    if since.as_secs() < SECONDS_MIN {
        return Finding::fail(
            format!("the clock says {} seconds since 1970", since.as_secs()),
            mend,
        );
    }
    match newest_file.and_then(|newest| newest.duration_since(now).ok()) {
        Some(ahead) if ahead > SLACK => Finding::warn(
            format!(
                "the clock is {} behind the newest file below /var/log",
                page::units::seconds_text(ahead.as_secs_f64())
            ),
            mend,
        ),
        _ => Finding::ok("the clock is not behind the files"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn a_clock_behind_its_files_is_noticed() {
        let now = UNIX_EPOCH + Duration::from_secs(SECONDS_MIN + 1000);
        assert_eq!(judge(now, None).verdict, Verdict::Ok);
        assert_eq!(
            judge(now, Some(now + Duration::from_secs(30))).verdict,
            Verdict::Ok
        );
        assert_eq!(
            judge(now, Some(now + Duration::from_hours(1))).verdict,
            Verdict::Warn
        );
        assert_eq!(judge(UNIX_EPOCH, None).verdict, Verdict::Fail);
    }
}
