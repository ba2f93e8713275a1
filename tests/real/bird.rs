//! Two real BIRDs in network namespaces of their own: a session comes up, its peer is killed, and comes back.

use std::collections::BTreeMap;
use std::process::Command;

use crate::component::{folder, prepare};
use crate::said::Said;
use crate::stopwatch::Stopwatch;

#[test]
fn bgp_sessions_are_what_birdc_says() {
    let mut watch = Stopwatch::start("bird");
    let situations = run();
    watch.did("lived through every situation");
    for name in ["up", "back"] {
        let said = &situations[name];
        the_routes_agree(name, said);
        for (session, version) in [("mesh", "4"), ("mesh6", "6")] {
            assert_eq!(up(said, session, version), ("Established".to_owned(), 1.0));
        }
        assert_eq!(said.family("calico_healthy"), [healthy("ok", 1.0)]);
    }
    let imported = |said: &Said, session: &str, version: &str| {
        said.sample(&routes("import", session, version))
    };
    assert_eq!(imported(&situations["up"], "mesh", "4").to_string(), "2");
    assert_eq!(imported(&situations["up"], "mesh6", "6").to_string(), "1");
    let killed = &situations["killed"];
    for (session, version) in [("mesh", "4"), ("mesh6", "6")] {
        let (state, is_up) = up(killed, session, version);
        assert!(
            is_up < 0.5 && state != "Established",
            "{session} is {state}"
        );
        assert_eq!(imported(killed, session, version).to_string(), "0");
    }
    assert_eq!(
        killed.family("calico_healthy"),
        [healthy("bgp_session_down", 0.0)]
    );
    watch.did("compared");
}

#[test]
fn felix_is_passed_on_and_its_health_is_told() {
    let situations = run();
    let said = &situations["felix"];
    let health = |check: &str| {
        let name = "calico_health_probe_success";
        said.sample(&format!("{name}{{check=\"{check}\",component=\"felix\"}}"))
    };
    assert_eq!(
        (
            health("liveness").to_string(),
            health("readiness").to_string()
        ),
        ("1".into(), "0".into())
    );
    assert_eq!(
        said.family("calico_healthy"),
        [healthy("felix_not_ready", 0.0)]
    );
    assert_eq!(said.sample("felix_int_dataplane_failures").to_string(), "7");
    assert_eq!(said.sample("felix_resync_state").to_string(), "2");
    assert!(
        !said.lines.iter().any(|line| line.starts_with("go_")),
        "{:?}",
        said.lines
    );
}

fn healthy(reason: &str, value: f64) -> (&'static str, f64) {
    let sample = match reason {
        "ok" => "calico_healthy{reason=\"ok\"}",
        "bgp_session_down" => "calico_healthy{reason=\"bgp_session_down\"}",
        _ => "calico_healthy{reason=\"felix_not_ready\"}",
    };
    (sample, value)
}

/// The state and value of a session's `bird_protocol_up`.
fn up(said: &Said, session: &str, version: &str) -> (String, f64) {
    let wanted = format!("ip_version=\"{version}\",name=\"{session}\",proto=\"BGP\"");
    let found = said.family("bird_protocol_up");
    let (sample, value) = found
        .iter()
        .find(|(sample, _)| sample.contains(&wanted))
        .unwrap_or_else(|| panic!("no {wanted} in {found:?}"));
    let state = sample.split("state=\"").nth(1).expect("a state");
    (state.split('"').next().expect("its end").to_owned(), *value)
}

fn routes(what: &str, session: &str, version: &str) -> String {
    format!(
        "bird_protocol_prefix_{what}_count{{ip_version=\"{version}\",name=\"{session}\",proto=\"BGP\"}}"
    )
}

/// Every count that birdc shows is ours too.
fn the_routes_agree(situation: &str, said: &Said) {
    let facts = said.facts("routes");
    assert!(facts.len() >= 4, "{situation}: {facts:?}");
    for fact in facts {
        let words: Vec<&str> = fact.split_ascii_whitespace().collect();
        let [name, version, state, "Routes:", counts @ ..] = words.as_slice() else {
            panic!("{situation}: {fact}");
        };
        assert_eq!(*state, "up");
        let proto = if name.starts_with("mesh") {
            "BGP"
        } else {
            "Static"
        };
        for pair in counts.chunks_exact(2) {
            let what = match pair[1] {
                "imported" => "import",
                "filtered" => "filter",
                "exported" => "export",
                _ => "preferred",
            };
            let sample = format!(
                "bird_protocol_prefix_{what}_count{{ip_version=\"{version}\",name=\"{name}\",proto=\"{proto}\"}}"
            );
            assert_eq!(
                said.sample(&sample).to_string(),
                pair[0],
                "{situation}: {sample}"
            );
        }
    }
}

fn run() -> BTreeMap<String, Said> {
    let mut script = Command::new("unshare");
    script
        .args(["--net", "--"])
        .arg(folder().join("bird/room.sh"))
        .env("NODETAP_LOG", "error");
    Said::by(&mut script, &[&prepare("bird")])
}
