//! What servers answer, as they answer it.

use super::*;

const MANAGED: &str = r#"[
  {"annotations": {"summary": "n1 can't reach 10.9.0.1", "runbook_url": "https://runbooks/CoreSwitchUnreachable.md"},
   "endsAt": "2026-11-21T20:10:00.000Z", "fingerprint": "aa", "receivers": [{"name": "network"}],
   "startsAt": "2026-11-21T20:00:00.500Z", "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
   "updatedAt": "2026-11-21T20:06:00.000Z", "generatorURL": "http://prometheus:9090/graph",
   "labels": {"alertname": "CoreSwitchUnreachable", "node": "n1", "severity": "critical", "cluster": "prod"}},
  {"annotations": {}, "startsAt": "2026-11-21T20:01:00.000Z", "labels": {"alertname": "NodeReadinessProbeFailed", "node": "n1"},
   "status": {"inhibitedBy": ["aa"], "silencedBy": [], "state": "suppressed"}},
  {"annotations": {}, "startsAt": "nonsense", "labels": {"alertname": "Silenced"},
   "status": {"inhibitedBy": ["aa"], "silencedBy": ["x"], "state": "suppressed"}},
  {"labels": {"alertname": "NodeAgentWatchdog", "severity": "none"}},
  {"labels": {"severity": "critical"}}
]"#;

#[test]
fn alertmanager_tells_who_was_not_paged() {
    let alarms = from_alertmanager(&serde_json::from_str::<Vec<ManagedAlert>>(MANAGED).unwrap());
    let told: Vec<(&str, &str)> = alarms
        .iter()
        .map(|alarm| (alarm.firing.name.as_str(), alarm.quiet.as_str()))
        .collect();
    let expect = [
        ("CoreSwitchUnreachable", ""),
        ("NodeReadinessProbeFailed", "inhibited"),
        ("Silenced", "silenced"),
    ];
    assert_eq!(told, expect);
    assert!((alarms[0].firing.started_seconds - 1_795_291_200.5).abs() < 0.001);
    assert_eq!(alarms[0].summary(), "n1 can't reach 10.9.0.1");
    assert_eq!(
        alarms[0].runbook(),
        "https://runbooks/CoreSwitchUnreachable.md"
    );
    assert!(!alarms[0].firing.labels.contains_key("alertname"));
}

#[test]
fn prometheus_tells_what_fires_and_what_only_waits() {
    let text = r#"{"status": "success", "data": {"alerts": [
        {"labels": {"alertname": "A"}, "annotations": {"description": "two\n  lines", "summary": "one"}, "state": "firing",
         "activeAt": "2026-11-21T20:00:00.123456789Z", "value": "1e+00"},
        {"labels": {"alertname": "B"}, "annotations": {}, "state": "pending", "activeAt": "2026-11-21T20:00:00Z", "value": "1e+00"}
    ]}}"#;
    let alarms = from_prometheus(&serde_json::from_str(text).unwrap());
    assert_eq!(alarms.len(), 1);
    assert_eq!(
        (alarms[0].firing.name.as_str(), alarms[0].summary()),
        ("A", "two lines".to_owned())
    );
}

#[test]
fn only_series_that_could_explain_something_are_asked_for() {
    let topology = Topology::parse(
        "classes:\n  node: {about: a, labels: [node], alerts: [N]}\n  pod: {about: a, labels: [pod], alerts: [P]}\n  \
         vip: {about: a, labels: [vip], alerts: [V]}\nedges:\n  - {cause: node, effect: pod, via: [{kube_pod_info: [cluster, node]}], \
         on: [cluster, namespace, {pod: pod}]}\n  - {cause: pod, effect: vip, via: [{endpoint: [pod]}], on: [vip]}\n",
    )
    .unwrap();
    let alarm = |name: &str| Alarm {
        firing: Firing {
            name: name.to_owned(),
            ..Firing::default()
        },
        ..Alarm::default()
    };
    let of_pod = wanted(&topology, &[alarm("P")]);
    let labels = BTreeSet::from(["cluster", "namespace", "node", "pod"]);
    assert_eq!(of_pod, BTreeMap::from([("kube_pod_info", labels)]));
    let of_vip: Vec<&str> = wanted(&topology, &[alarm("V")]).into_keys().collect();
    assert_eq!(of_vip, ["endpoint", "kube_pod_info"]);
    assert_eq!(
        wanted(&topology, &[alarm("N"), alarm("Foreign")]),
        BTreeMap::new()
    );
}

#[test]
fn a_query_gives_each_combination_once() {
    let path = query("kube_pod_info", &BTreeSet::from(["node", "pod"]));
    assert_eq!(
        path,
        "/api/v1/query?query=group%20by%20%28node%2C%20pod%29%20%28kube_pod_info%29"
    );
    let answer = r#"{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {"node": "n1", "pod": "p"}, "value": [1, "1"]}]}}"#;
    let facts = facts("kube_pod_info", serde_json::from_str(answer).unwrap());
    assert_eq!(facts.samples.len(), 1);
    assert_eq!(facts.samples[0]["node"], "n1");
}

#[test]
fn an_alert_is_known_again_when_its_cluster_was_filled_in() {
    let alarm = |cluster: &str| Alarm {
        firing: Firing {
            name: "A".to_owned(),
            labels: Labels::from([
                ("cluster".to_owned(), cluster.to_owned()),
                ("x".to_owned(), "1".to_owned()),
            ]),
            started_seconds: 0.0,
        },
        ..Alarm::default()
    };
    assert!(alarm("").is(&alarm("prod").firing));
    assert!(alarm("prod").is(&alarm("prod").firing));
    assert!(!alarm("test").is(&alarm("prod").firing));
}
