//! A real keepalived beside a kernel with IPVS: its scripts fail, its real servers go, and someone changes the table.

use std::collections::BTreeMap;

use crate::ipvs;
use crate::said::Said;
use crate::stopwatch::Stopwatch;

/// What must be: situation, family, the end of the real server's address, what else the labels have, value.
const EXPECTED: &str = r#"
well     keepalived_realserver_effective_weight 13 linkaddr="10.99.0.1"          -
failing  keepalived_realserver_alive            11 linkaddr="10.99.0.1"          0
failing  keepalived_realserver_alive            12 linkaddr="10.99.0.1"          0
failing  keepalived_checker_up                  11 checker="check"               0
failing  keepalived_checker_up                  13 checker="check"               1
failing  keepalived_realserver_effective_weight 13 linkaddr="10.99.0.1"          40
failing  keepalived_misc_check_results_total    12 result="failed"               1
notified keepalived_realserver_alive            11 linkaddr="10.99.0.1"          0
meddled  keepalived_realserver_ipvs_mismatch    13 kind="missing_in_ipvs"        1
meddled  keepalived_realserver_ipvs_mismatch    11 kind="unexpected_in_ipvs"     1
meddled  keepalived_realserver_ipvs_mismatch    12 kind="weight"                 0
dumped   keepalived_realserver_set              13 linkaddr="10.99.0.1"          1
dumped   keepalived_realserver_weight           11 linkaddr="10.99.0.1"          3
dumped   keepalived_checker_weight              13 dynamic="true"                38
dumped   keepalived_checker_has_run             12 method="MISC_CHECK"           1
dumped   keepalived_realserver_ipvs_mismatch    13 kind="missing_in_ipvs"        1
"#;

#[test]
fn a_failing_check_and_a_table_that_was_meddled_with() {
    let mut watch = Stopwatch::start("keepalived");
    let situations = ipvs::run("keepalived.sh");
    watch.did("ran keepalived and its scripts");
    let one = |situation: &str, sample: &str| situations[situation].sample(sample).to_string();
    assert!(
        situations["none"].has("nodetap_probe_available{probe=\"keepalived\",reason=\"no_file\"}")
    );
    assert_eq!(
        one("none", "nodetap_probe_success{probe=\"keepalived\"}"),
        "1"
    );
    assert_eq!(one("well", "keepalived_up"), "1");
    assert_eq!(one("well", "keepalived_vrrp_state{iname=\"VI_1\"}"), "2");
    for server in ["11", "12", "13"] {
        must_be(
            &situations["well"],
            "keepalived_realserver_alive",
            server,
            "",
            "1",
        );
        must_be(
            &situations["well"],
            "keepalived_checker_up",
            server,
            "method=\"MISC_CHECK\"",
            "1",
        );
    }
    for situation in ["well", "failing"] {
        let mismatches = situations[situation].family("keepalived_realserver_ipvs_mismatch");
        assert_eq!(mismatches.len(), 12, "four kinds of three servers");
        let bad: Vec<_> = mismatches
            .iter()
            .filter(|(_, value)| *value > 0.0)
            .collect();
        assert!(bad.is_empty(), "{situation}: {bad:?}");
    }
    for line in EXPECTED.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [situation, family, server, more, wanted] = fields.as_slice() else {
            panic!("not five fields: {line}");
        };
        must_be(&situations[*situation], family, server, more, wanted);
    }
    assert!(
        !situations["dumped"]
            .family("keepalived_dump_timestamp_seconds")
            .is_empty()
    );
    let quorum = "keepalived_virtualserver_quorum{fwmark=\"\",linkaddr=\"10.99.0.1\",protocol=\"TCP\",vport=\"80\"}";
    assert_eq!(one("dumped", quorum), "2");
    vrrp(&situations);
    assert_eq!(one("ended", "keepalived_up"), "0");
    watch.did("compared");
}

/// VRRP by the FIFO alone, and by the dumps that keepalived was made to write.
fn vrrp(situations: &BTreeMap<String, Said>) {
    let notified = situations["notified"].sample("keepalived_vrrp_state{iname=\"VI_1\"}");
    assert_eq!(notified.to_string(), "2");
    // keepalived may be done with some of them while the same command still waits for its pings.
    let signalled = situations["signalled"].family("keepalived_dump_timestamp_seconds");
    assert!(signalled.len() <= 3, "{signalled:?}");
    let before = situations["meddled"].family("keepalived_dump_timestamp_seconds");
    assert!(before.is_empty(), "no signal without leave: {before:?}");
    let dumped = &situations["dumped"];
    assert_eq!(dumped.family("keepalived_dump_timestamp_seconds").len(), 3);
    let address = "keepalived_vrrp_address_info{iname=\"VI_1\",intf=\"client\",ip_address=\"10.99.0.50\",vrid=\"51\"}";
    assert_eq!(dumped.sample(address).to_string(), "1");
    let of = "{iname=\"VI_1\",intf=\"client\",vrid=\"51\"}";
    let masters = dumped.sample(&format!("keepalived_become_master_total{of}"));
    assert_eq!(masters.to_string(), "1");
    let sent = dumped.sample(&format!("keepalived_advertisements_sent_total{of}"));
    assert!(sent >= 1.0, "{sent}");
}

/// Checks a family's sample for one real server; `-` is no sample.
fn must_be(said: &Said, family: &str, server: &str, more: &str, wanted: &str) {
    let endpoint = format!("endpoint=\"10.1.0.{server}\"");
    let samples = said.family(family);
    let found = samples
        .iter()
        .find(|(sample, _)| sample.contains(&endpoint) && sample.contains(more))
        .map_or_else(|| "-".to_owned(), |(_, value)| value.to_string());
    assert_eq!(found, wanted, "{family} of {server} {more}: {said:#?}");
}
