//! From what servers said to what a person reads.

use std::path::Path;

use alertrules::why::{Facts, Firing, Labels};

use super::*;
use crate::config::{self, Config};

fn labels(text: &str) -> Labels {
    let pairs = text.split_ascii_whitespace();
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn alarm(name: &str, text: &str, summary: &str) -> Alarm {
    Alarm {
        firing: Firing {
            name: name.to_owned(),
            labels: labels(text),
            started_seconds: 1_795_291_200.0,
        },
        annotations: Labels::from([("summary".to_owned(), summary.to_owned())]),
        quiet: String::new(),
    }
}

fn asker(directory: &Path) -> Asker {
    let place = Place {
        config: Config::from(config::parse("", &|_| None).unwrap()),
        has_urls_of_its_own: false,
        root: "/".into(),
        state: directory.to_owned(),
    };
    let common = Common {
        config: None,
        root: "/".into(),
        state: Some("/var/lib/x".into()),
        elasticsearch: Vec::new(),
    };
    Asker::of(&place, &common)
}

fn told(alarms: Vec<Alarm>, facts: Vec<Facts>) -> Report {
    let directory = tempfile::tempdir().unwrap();
    let gathered = Gathered {
        asked: "http://am:9093".to_owned(),
        alarms,
        facts,
        notes: Vec::new(),
    };
    let topology = Topology::built_in().unwrap();
    let now = Timestamp(1_795_291_500 * 1_000_000_000);
    asker(directory.path()).tell(&topology, gathered, now)
}

#[test]
fn two_faults_are_told_as_two_causes_with_the_way_to_what_they_explain() {
    let report = told(
        vec![
            alarm(
                "NodeReadinessProbeFailed",
                "cluster=prod node=n1 severity=critical",
                "n1 is not ready",
            ),
            alarm(
                "LVSServiceTrafficDrop",
                "linkaddr=10.0.0.1 vport=80 protocol=TCP severity=warning",
                "traffic",
            ),
            alarm(
                "CoreSwitchUnreachable",
                "node=n1 target=10.9.0.1 severity=critical",
                "n1 can't reach \u{1b}[31m10.9.0.1",
            ),
            alarm(
                "KubeControllerManagerRestart",
                "node=n7 component=kube-controller-manager namespace=kube-system pod=kube-controller-manager-n7 severity=warning",
                "it restarted",
            ),
        ],
        vec![Facts {
            metric: "lvs_service_info".to_owned(),
            samples: vec![labels("node=n1 linkaddr=10.0.0.1 vport=80 protocol=TCP")],
        }],
    );
    let text = story::text(&report);
    let expect = "\
2 likely causes of 4 firing alerts (http://am:9093)

1. CoreSwitchUnreachable  critical  cluster=prod node=n1  since 2026-11-21T20:00:00Z
   n1 can't reach \\u{1b}[31m10.9.0.1
   what failed: a node's way to the core switch

   explains
   - NodeReadinessProbeFailed  critical  cluster=prod node=n1  since 2026-11-21T20:00:00Z
     by way of CoreSwitchUnreachable cluster=prod node=n1 → NodeReadinessProbeFailed cluster=prod node=n1
   - LVSServiceTrafficDrop  warning  cluster=prod linkaddr=10.0.0.1 vport=80 protocol=TCP  since 2026-11-21T20:00:00Z
     by way of CoreSwitchUnreachable cluster=prod node=n1 → ";
    assert!(text.starts_with(expect), "{text}");
    assert!(
        text.contains("\n2. KubeControllerManagerRestart  warning"),
        "{text}"
    );
    assert!(
        text.contains("$ nodetap logs --state /var/lib/x 'level:>=warn' -n kube-system -p kube-controller-manager-n7"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

#[test]
fn nothing_fires() {
    assert_eq!(
        story::text(&told(Vec::new(), Vec::new())),
        "Nothing fires, says http://am:9093.\n"
    );
}

#[test]
fn the_words_of_every_class_are_a_query() {
    for class in Topology::built_in().unwrap().classes() {
        let parsed = query::parse(&class.logs);
        assert!(parsed.is_ok(), "{}: {:?}", class.name, parsed.err());
    }
}

#[test]
fn the_command_line_goes_before_the_configuration() {
    let mut asker = asker(Path::new("/nowhere"));
    assert!(asker.is_blind());
    asker.alerts.alertmanager = Some("http://configured".to_owned());
    asker.alerts.prometheus = Some("http://configured".to_owned());
    let flags = |alertmanager: Option<&str>, prometheus: Option<&str>| args::Why {
        alertmanager: alertmanager.map(str::to_owned),
        prometheus: prometheus.map(str::to_owned),
        json: false,
    };
    // Whoever names a Prometheus alone wants its alerts.
    asker.go_before(&flags(None, Some("http://given")));
    assert_eq!(asker.alerts.alertmanager, None);
    assert_eq!(asker.alerts.prometheus.as_deref(), Some("http://given"));
    asker.go_before(&flags(Some("http://given"), None));
    assert_eq!(asker.alerts.alertmanager.as_deref(), Some("http://given"));
    assert!(!asker.is_blind());
}
