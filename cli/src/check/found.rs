//! What is there to collect, and what of it can't be taken? The same look that the collector begins with.

use std::time::Instant;

use collector::discover::{Discovery, Report};

use super::Finding;
use crate::place::Place;
use crate::settings;
use crate::table::visible;

/// How many names a finding shows.
const SHOWN_MAX: usize = 3;

/// Looks once at everything, as `up` does when it starts.
pub(super) fn report(place: &Place) -> anyhow::Result<Report> {
    let mut discovery = Discovery::new(settings::discovery(place)?)?;
    discovery.scan(Instant::now());
    Ok(discovery.report())
}

pub(super) fn look(report: &Report) -> Vec<Finding> {
    let mut findings = vec![Finding::ok(format!(
        "found: {} in {}",
        counted(report.files, "log file", "log files"),
        counted(report.directories, "directory", "directories")
    ))];
    if !report.unreadable.is_empty() {
        let names = report
            .unreadable
            .iter()
            .map(|own| format!("{}: {}", own.path.display(), own.error));
        findings.push(Finding::fail(
            format!(
                "can't be read: {} directories, as {}",
                report.unreadable.len(),
                some(names)
            ),
            "run as root, or with the capability DAC_READ_SEARCH",
        ));
    }
    for refused in &report.refused {
        findings.push(Finding::warn(
            format!(
                "never opened: {} files, as {} ({:?})",
                refused.count,
                some(refused.examples.iter().cloned()),
                refused.reason
            ),
            "nothing to mend if a container made them; logs are regular files without links",
        ));
    }
    for limit in &report.limits {
        findings.push(Finding::warn(
            format!("limit reached: {}", visible(limit)),
            "raise discover.volume_depth_max or discover.volume_directories_max, or exclude what is not wanted",
        ));
    }
    if report.without_configuration > 0 {
        findings.push(Finding::warn(
            format!(
                "{} Docker containers have no readable configuration",
                report.without_configuration
            ),
            "their lines carry the container's id without name and image",
        ));
    }
    for (driver, count) in &report.other_drivers {
        findings.push(Finding::warn(
            format!(
                "{count} Docker containers use the log driver {}, which leaves no files",
                visible(driver)
            ),
            "use the driver json-file for containers whose logs are wanted",
        ));
    }
    findings
}

fn counted(count: usize, one: &str, more: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {more}"),
    }
}

fn some(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names
        .take(SHOWN_MAX + 1)
        .map(|name| visible(&name))
        .collect();
    if names.len() > SHOWN_MAX {
        names.truncate(SHOWN_MAX);
        names.push("…".to_owned());
    }
    names.join(", ")
}
