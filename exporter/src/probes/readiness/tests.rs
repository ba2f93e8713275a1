//! Rounds against this machine's own loopback, and what is made of them.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Instant, SystemTime};

use super::*;
use crate::place::Place;
use crate::text;

fn scrape(pings: &mut Pings, place: &Place) -> String {
    let context = Context {
        place,
        now: SystemTime::now(),
        deadline: Instant::now() + Duration::from_secs(10),
    };
    let mut out = Families::new(1000);
    // Without a target it says so; what it emitted counts here.
    drop(pings.collect(&context, &mut out));
    out.settle();
    assert!(out.take_dropped().is_empty());
    let mut shown = String::new();
    for group in out.groups() {
        text::write(group, &mut shown);
    }
    shown
}

#[test]
fn a_target_that_answers_and_one_that_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::new(directory.path());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut settings = Settings::new(directory.path());
    settings.ping_targets = vec![
        Target::new(
            "here",
            Ipv4Addr::LOCALHOST.into(),
            "core_switch",
            Some(port),
        ),
        // A class that is not routed anywhere: sending fails at once.
        Target::new("nowhere", Ipv4Addr::BROADCAST.into(), "dns", None),
    ];
    let mut pings = Pings::new(&settings);
    for _ in 0..THRESHOLDS.fail {
        scrape(&mut pings, &place);
    }
    let shown = scrape(&mut pings, &place);
    let of = |family: &str, target: &str| {
        let line = shown.lines().find(|line| {
            line.starts_with(&format!("{family}{{"))
                && line.contains(&format!("target=\"{target}\""))
        });
        let line = line.unwrap_or_else(|| panic!("no {family} of {target} in:\n{shown}"));
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    let is = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found}\n{shown}");
    is(of("ping_up", "here"), 1.0);
    is(of("ping_loss_ratio", "here"), 0.0);
    is(of("ping_probes_received_total", "here"), 6.0);
    is(of("ping_response_duration_seconds_count", "here"), 6.0);
    is(of("ping_up", "nowhere"), 0.0);
    is(of("ping_loss_ratio", "nowhere"), 1.0);
    is(of("ping_method_info", "here"), 1.0);
    assert!(
        shown.contains("readiness_check_ready{check=\"core_switch\"} 1\n"),
        "{shown}"
    );
    assert!(
        shown.contains("readiness_check_ready{check=\"dns\"} 0\n"),
        "{shown}"
    );
    assert!(shown.contains("readiness_ready 0\n"), "{shown}");
    assert_eq!(settings.readiness.answer(SystemTime::now()).0, 503);
}

#[test]
fn a_node_without_targets_is_ready() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings::new(directory.path());
    let shown = scrape(&mut Pings::new(&settings), &Place::new(directory.path()));
    assert!(shown.contains("readiness_ready 1\n"), "{shown}");
    assert_eq!(settings.readiness.answer(SystemTime::now()).0, 200);
}

#[test]
fn a_gateway_that_answered_once_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("state/answered");
    let gateway = Target {
        automatic: true,
        ..Target::new(
            "192.0.2.1",
            "192.0.2.1".parse().unwrap(),
            target::GATEWAY,
            None,
        )
    };
    let round = |outcome| Answer {
        method: Method::IcmpRaw,
        outcome,
        duplicates: 0,
    };
    let mut settings = Settings::new(directory.path());
    settings.state = Some(directory.path().join("state"));
    let mut pings = Pings::new(&settings);
    pings.take(&gateway, round(Ok(None)));
    assert!(!pings.known[&gateway].streak.gates);
    for _ in 0..THRESHOLDS.recover {
        pings.take(&gateway, round(Ok(Some(0.001))));
    }
    assert!(pings.known[&gateway].streak.gates);
    assert_eq!(fs::read_to_string(file).unwrap(), "192.0.2.1\n");
    let mut after = Pings::new(&settings);
    after.take(&gateway, round(Err(Fault::Send)));
    assert!(
        after.known[&gateway].streak.gates,
        "though it is silent now"
    );
}
