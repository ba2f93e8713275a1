//! Are values filled in, and refused where they can't be meant?

use proptest::prelude::*;

use super::*;

fn refused(text: &str, expect: &str) {
    let problems = Values::read(text).unwrap_err();
    assert_eq!(problems.to_string(), expect, "{text}");
}

#[test]
fn every_value_is_told_of() {
    let values = Values::built_in().unwrap();
    let find = |name: &str| {
        values
            .known()
            .iter()
            .find(|value| value.name == name)
            .unwrap()
    };
    assert_eq!(find("job").kind, Kind::Text);
    assert_eq!(find("restart_window").kind, Kind::Duration);
    assert_eq!(find("conntrack_near_ratio").kind, Kind::Number);
    assert_eq!(find("job").about, "The `job` of the scrapes of nodetap.");
}

#[test]
fn what_can_not_be_meant_is_refused_with_its_line() {
    refused(
        "jop: x\n",
        "line 1: unknown value `jop`; did you mean `job`?",
    );
    refused(
        "job: x\nlog_lag_seconds: long\n",
        "line 2: `log_lag_seconds` must be a number, as in `300`",
    );
    refused(
        "restart_window: 10\n",
        "line 1: `restart_window` must be a duration, as in `10m`",
    );
    refused(
        "job: 'a\"} or up{x=\"'\n",
        "line 1: `job` must be a text without `\"`, `\\` and `<<`, as in `nodetap`",
    );
    refused(
        "alerts: {X: {fro: 1m}}\n",
        "line 1: X: unknown key `fro`; did you mean `for`?",
    );
    refused(
        "alerts: {X: {for: soon}}\n",
        "line 1: X: `soon` is no duration, as in `5m`",
    );
}

#[test]
fn a_rule_that_names_no_value_is_refused() {
    let values = Values::built_in().unwrap();
    let mut used = BTreeSet::new();
    let filled = values.fill("up{job=\"<<job>>\"}", &mut used).unwrap();
    assert_eq!(filled, "up{job=\"nodetap\"}\n");
    assert!(used.contains("job"));
    let problems = values.fill("a\n<<jbo>> <<x", &mut used).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "line 2: `<<` without `>>`\nline 2: unknown value `jbo`; did you mean `job`?"
    );
}

proptest! {
    #[test]
    fn any_file_of_values_is_read_or_refused(text in "[-a-z0-9:{}\\[\\],'\"<> \n_]{0,120}") {
        drop(Values::read(&text));
    }

    #[test]
    fn durations_are_as_prometheus_takes_them(text in "[0-9]{0,3}[a-z]{0,2}[0-9]{0,2}[smhdwy]?") {
        let units = regex::Regex::new("^([0-9]+(ms|[smhdwy]))+$").unwrap();
        prop_assert_eq!(is_duration(&text), units.is_match(&text));
    }
}
