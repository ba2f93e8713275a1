//! What does a scrape of a whole node look like? `tests/fixtures/node`, as the exporter shows it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use exporter::{Exporter, Selection, Settings};

/// The probes that have something to read there.
const PROBES: [&str; 5] = ["bypass", "conntrack", "control_plane", "keepalived", "lvs"];

/// What differs from run to run, or from checkout to checkout.
const PASSING: [&str; 3] = [
    "nodetap_probe_duration_seconds{",
    "nodetap_probe_last_run_timestamp_seconds{",
    "control_plane_container_log_modified_timestamp_seconds{",
];

#[test]
fn golden_scrape_of_the_fixture_node() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let mut settings = Settings::new(fixtures.join("node"));
    settings.env = "lab".to_owned();
    settings.ping_gateways = false;
    let exporter = Exporter::start(&settings).unwrap();
    let selection = Selection::only(PROBES.map(str::to_owned).into());
    let text = exporter.scrape(&selection, Duration::from_mins(1)).text();
    let found: String = text
        .lines()
        .filter(|line| !PASSING.iter().any(|passing| line.starts_with(passing)))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let golden = fixtures.join("metrics.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &found).unwrap();
    }
    let wanted = fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        found == wanted,
        "tests/fixtures/metrics.golden differs; UPDATE_GOLDEN=1 cargo test -p exporter --test golden writes it anew:\n{found}"
    );
}
