//! A real keepalived's log and dump, beside what the kernel had.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::log::{CheckResult, event};
use super::*;
use crate::text;

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keepalived");
    fs::read_to_string(path.join(name)).unwrap()
}

/// The model after the log's lines up to the first that has a text.
fn after(until: &str) -> Model {
    let mut model = Model::default();
    for line in fixture("log.txt").lines() {
        if let Some(event) = event(line) {
            model.take(event);
        }
        if line.contains(until) {
            return model;
        }
    }
    panic!("no line has {until:?}");
}

fn shown(model: &Model, carried: Option<&Carried>) -> String {
    let mut out = Families::new(10_000);
    emit(model, carried, &mut out);
    out.settle();
    assert!(out.take_dropped().is_empty(), "no two series are the same");
    let mut shown = String::new();
    for group in out.groups() {
        text::write(group, &mut shown);
    }
    shown
}

const OF_FIRST: &str = "endpoint=\"10.1.0.11\",fwmark=\"\",linkaddr=\"10.99.0.1\",port=\"80\",protocol=\"TCP\",vport=\"80\"";

fn server(number: u8, port: u16) -> Server {
    ([10, 1, 0, number].into(), port)
}

fn http() -> Key {
    log::service("[10.99.0.1]:tcp:80").unwrap()
}

#[test]
fn failing_checks_as_the_log_tells_them() {
    let model = after("Lost quorum 1-0=1 > 0 for VS [10.99.0.1]:udp:53");
    assert_eq!(model.servers[&(http(), server(11, 80))].place, Placed::Out);
    assert_eq!(
        model.servers[&(http(), server(12, 80))].place,
        Placed::Inhibited
    );
    assert_eq!(model.servers[&(http(), server(13, 80))].place, Placed::In);
    assert_eq!(model.instances["VI_1"], 2, "master");
    let shown = shown(&model, None);
    for line in [
        "keepalived_vrrp_state{iname=\"VI_1\"} 2\n",
        "keepalived_virtualserver_quorum_up{fwmark=\"\",linkaddr=\"10.99.0.1\",protocol=\"UDP\",vport=\"53\"} 0\n",
        "keepalived_virtualserver_quorum_up{fwmark=\"7\",linkaddr=\"\",protocol=\"\",vport=\"\"} 1\n",
        &format!("keepalived_realserver_alive{{{OF_FIRST}}} 0\n"),
        "keepalived_checker_up{checker=\"check\",dynamic=\"\",endpoint=\"10.1.0.11\",fwmark=\"\",linkaddr=\"10.99.0.1\",method=\"MISC_CHECK\",port=\"80\",protocol=\"TCP\",vport=\"80\"} 0\n",
        "keepalived_misc_check_results_total{checker=\"check\",endpoint=\"10.1.0.11\",port=\"80\",result=\"failed\"} 1\n",
        "keepalived_misc_check_results_total{checker=\"check\",endpoint=\"10.1.0.11\",port=\"80\",result=\"timed_out\"} 0\n",
    ] {
        assert!(shown.contains(line), "no {line} in:\n{shown}");
    }
    assert!(!shown.contains("mismatch"), "nothing to compare with");
}

#[test]
fn what_the_kernel_has_and_should_not() {
    let model = after("Lost quorum 1-0=1 > 0 for VS [10.99.0.1]:udp:53");
    let right = Carried::from([((http(), server(12, 80)), 0), ((http(), server(13, 80)), 2)]);
    for number in [11, 12, 13] {
        assert_eq!(model.mismatches(&http(), server(number, 80), &right), []);
    }
    let wrong = Carried::from([((http(), server(11, 80)), 3), ((http(), server(12, 80)), 1)]);
    let found = |number| model.mismatches(&http(), server(number, 80), &wrong);
    assert_eq!(found(11), [Mismatch::UnexpectedInIpvs]);
    assert_eq!(found(12), [Mismatch::Weight], "it should be inhibited");
    assert_eq!(found(13), [Mismatch::MissingInIpvs]);
    let shown = shown(&model, Some(&wrong));
    let line = "keepalived_realserver_ipvs_mismatch{endpoint=\"10.1.0.11\",fwmark=\"\",kind=\"unexpected_in_ipvs\",linkaddr=\"10.99.0.1\",port=\"80\",protocol=\"TCP\",vport=\"80\"} 1\n";
    assert!(shown.contains(line), "no {line} in:\n{shown}");
}

#[test]
fn the_sorry_server_stands_in_for_all() {
    let model = after("Removing alive servers from the pool for VS [10.99.0.1]:tcp:80");
    assert_eq!(
        model.servers[&(http(), server(12, 80))].place,
        Placed::Inhibited
    );
    assert_eq!(
        model.mismatches(&http(), server(12, 80), &Carried::new()),
        []
    );
    let model = after("Adding alive servers to the pool for VS [10.99.0.1]:tcp:80");
    assert_eq!(
        model.mismatches(&http(), server(13, 80), &Carried::new()),
        [Mismatch::MissingInIpvs]
    );
}

#[test]
fn a_weight_that_no_script_can_mean() {
    let mut model = after("Changing weight from 2 to 40");
    let carried = |weight| Carried::from([((http(), server(13, 80)), weight)]);
    assert_eq!(model.mismatches(&http(), server(13, 80), &carried(40)), []);
    assert_eq!(
        model.mismatches(&http(), server(13, 80), &carried(2)),
        [Mismatch::Weight]
    );
    let line = "Sat Nov 21 11:58:53 2026: Changing weight from 40 to 65534 for active service [10.1.0.13]:tcp:80 of VS [10.99.0.1]:tcp:80";
    model.take(event(line).unwrap());
    assert_eq!(
        model.mismatches(&http(), server(13, 80), &carried(65_534)),
        [Mismatch::WeightRange]
    );
}

#[test]
fn a_dump_tells_all_of_it() {
    let dump = dump::parse(&fixture("check.data"));
    assert_eq!(dump.services.len(), 4);
    assert_eq!(dump.checkers.len(), 7);
    let dynamic = dump
        .checkers
        .iter()
        .find(|checker| checker.dynamic)
        .unwrap();
    assert_eq!((dynamic.server, dynamic.weight), (server(13, 80), Some(38)));
    assert!(
        dump.checkers
            .iter()
            .all(|checker| checker.has_run && checker.enabled)
    );
    let methods: Vec<&str> = dump
        .checkers
        .iter()
        .map(|checker| checker.method.as_str())
        .collect();
    assert_eq!(
        methods,
        [
            "MISC_CHECK",
            "MISC_CHECK",
            "MISC_CHECK",
            "TCP_CHECK",
            "HTTP_GET",
            "MISC_CHECK",
            "PING_CHECK"
        ]
    );
    let mut model = Model::default();
    model.replace(dump);
    assert_eq!(
        model.servers[&(http(), server(12, 80))].place,
        Placed::Inhibited
    );
    assert_eq!(model.servers[&(http(), server(13, 80))].weight, Some(40));
    let udp = log::service("[10.99.0.1]:udp:53").unwrap();
    assert_eq!(model.services[&udp].quorum, Some(1));
    let shown = shown(&model, None);
    let line = format!(
        "keepalived_realserver_effective_weight{{{}}} 40\n",
        OF_FIRST.replace("10.1.0.11", "10.1.0.13")
    );
    assert!(shown.contains(&line), "no {line} in:\n{shown}");
}

#[test]
fn every_way_a_line_can_begin() {
    let text = "Misc check for [[10.1.0.11]:tcp:80 VS [10.99.0.1]:tcp:80] by ['/etc/check' 'secret'] timed out.";
    for beginning in [
        "Nov 21 11:58:35 lb Keepalived_healthcheckers[910]: ",
        "2026-11-21T11:58:35.1+00:00 lb Keepalived_healthcheckers[910]: ",
        "<30>1 2026-11-21T11:58:35Z lb Keepalived_healthcheckers 910 - - ",
        "Sat Nov 21 11:58:35 2026: ",
    ] {
        let found = event(&format!("{beginning}{text}"));
        let Some(log::Event::Checked {
            checker,
            result,
            server: of,
            ..
        }) = found
        else {
            panic!("{beginning}: {found:?}");
        };
        assert_eq!(
            (checker.as_str(), result, of),
            ("check", CheckResult::TimedOut, server(11, 80))
        );
    }
    assert_eq!(event(text), None, "anybody could have said that");
    let old = "Nov 21 11:58:35 lb Keepalived_healthcheckers[910]: Misc check to [10.1.0.11] for [/etc/check rs1] failed.";
    assert!(
        matches!(event(old), Some(log::Event::Checked { service: None, .. })),
        "{:?}",
        event(old)
    );
}

#[test]
fn a_node_without_keepalived_is_no_failure() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::new(directory.path());
    let mut probe = Keepalived::new(&Settings::new(directory.path()));
    let context = Context {
        place: &place,
        now: SystemTime::now(),
        deadline: Instant::now(),
    };
    let error = probe.collect(&context, &mut Families::new(10)).unwrap_err();
    assert_eq!(error.reason(), Reason::NoFile);
    // A dump that is a link, as somebody may plant in /tmp.
    fs::create_dir(directory.path().join("tmp")).unwrap();
    let planted = format!("tmp/{DUMP}");
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join(&planted)).unwrap();
    assert!(dump_text(&place, &planted).is_err());
    fs::write(directory.path().join("tmp/plain"), "text").unwrap();
    assert_eq!(dump_text(&place, "tmp/plain").unwrap().0, "text");
}

proptest! {
    #[test]
    fn any_line_ends_without_a_panic(line in "(Keepalived\\[1\\]: )?(Misc check for |Adding service |Changing weight from |Gained | VS |for |to |by |[\\[\\]():.0-9a-f]{1,8}| ){0,30}") {
        let mut model = Model::default();
        if let Some(event) = event(&line) {
            model.take(event);
        }
        prop_assert!(model.servers.len() + model.services.len() + model.instances.len() <= 2);
        let dump = dump::parse(&line.replace(' ', "\n"));
        prop_assert!(dump.services.len() + dump.checkers.len() <= line.len());
    }
}
