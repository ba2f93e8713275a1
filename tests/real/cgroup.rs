//! A real cgroup with a quota and too little memory: its cost is what the kernel says.

use std::process::Command;

use crate::component::folder;
use crate::said::Said;
use crate::stopwatch::Stopwatch;

const LABELS: &str = r#"{container="proxy",namespace="shop",pod="edge-1",program="nginx"}"#;

#[test]
fn a_container_that_is_held_back_is_shown_with_its_cost() {
    let mut watch = Stopwatch::start("cgroup");
    let said = run();
    watch.did("held a container back");
    let number = |name: &str| said.sample(&format!("cgroup_{name}{LABELS}"));
    // What moves was read by the script before and after.
    let within = |fact: &str, found: f64| {
        let facts = said.facts(fact);
        let bounds: Vec<f64> = facts
            .iter()
            .map(|fact| fact.parse().expect("a number"))
            .collect();
        assert!(
            bounds[0] <= found && found <= bounds[1],
            "{fact}: {found} in {bounds:?}"
        );
    };
    within("used", (number("cpu_usage_seconds_total") * 1e9).round());
    within("throttled", number("cpu_throttled_periods_total"));
    assert!(number("cpu_periods_total") >= number("cpu_throttled_periods_total"));
    assert!(number("cpu_throttled_seconds_total") > 0.0);
    assert_eq!(number("cpu_limit_cores").to_string(), "0.1");
    assert_eq!(
        number("memory_limit_bytes").to_string(),
        (32 << 20).to_string()
    );
    let used = number("memory_usage_bytes");
    assert!(used > 0.0 && number("memory_working_set_bytes") <= used);
    assert_eq!(
        said.facts("kills"),
        [number("memory_oom_kills_total").to_string()]
    );
    assert!(number("memory_oom_kills_total") >= 1.0);
}

fn run() -> Said {
    let mut script = Command::new(folder().join("cgroup/room.sh"));
    Said::by(script.env("NODETAP_LOG", "error"), &[])
        .remove("busy")
        .expect("its situation")
}
