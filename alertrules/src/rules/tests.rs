//! Are rules rendered as a place wants them, and are mistakes of a place said?

use super::*;
use crate::render::{Format, render};

fn values(text: &str) -> Values {
    Values::read(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn refused(text: &str, optional: &Optional) -> String {
    let values = values(text);
    rules(&values, optional).unwrap_err().to_string()
}

fn alert(values: &Values, name: &str) -> Option<Alert> {
    let files = rules(values, &Optional::All).unwrap_or_else(|problems| panic!("{problems}"));
    let found = files.iter().flat_map(RuleFile::alerts);
    let mut found = found.filter(|alert| alert.name == name);
    found.next().cloned()
}

#[test]
fn a_place_sets_thresholds_times_and_labels() {
    let place = values(
        "job: node-agents\nconntrack_near_ratio: 0.5\nlabels: {team: net}\n\
         alerts: {all: {for: 1m}, NodeConntrackNearLimit: {for: 3m, severity: info, labels: {team: own}}}\n",
    );
    let near = alert(&place, "NodeConntrackNearLimit").unwrap();
    assert!(
        near.expr.contains(r#"{job="node-agents"}"#),
        "{}",
        near.expr
    );
    assert!(near.expr.ends_with("> 0.5"), "{}", near.expr);
    assert_eq!(near.hold.as_deref(), Some("3m"));
    assert_eq!(near.severity(), "info");
    assert!(near.labels.contains(&("team".to_owned(), "own".to_owned())));
    let full = alert(&place, "NodeConntrackSaturated").unwrap();
    assert_eq!(full.hold.as_deref(), Some("1m"));
    assert!(full.labels.contains(&("team".to_owned(), "net".to_owned())));
}

#[test]
fn an_alert_that_is_not_wanted_is_left_out_and_silences_nothing() {
    let place = values("alerts: {ManyNodesReadinessFailed: {enabled: false}}\n");
    assert_eq!(alert(&place, "ManyNodesReadinessFailed"), None);
    let made = render(Format::Alertmanager, &place, &Optional::None).unwrap();
    assert!(
        !made[0]
            .text
            .contains("\"alertname=\\\"ManyNodesReadinessFailed")
    );
}

#[test]
fn optional_rules_are_there_when_they_are_asked_for() {
    let names = |optional: &Optional| -> Vec<String> {
        let files = rules(&Values::built_in().unwrap(), optional).unwrap();
        files.into_iter().map(|file| file.name).collect()
    };
    assert!(!names(&Optional::None).contains(&"lvs-optional".to_owned()));
    let some = names(&Optional::Of(vec!["lvs".to_owned()]));
    assert!(
        some.contains(&"lvs-optional".to_owned()) && !some.contains(&"jvm-optional".to_owned())
    );
    assert!(names(&Optional::All).contains(&"jvm-optional".to_owned()));
    assert!(
        refused("", &Optional::Of(vec!["lsv".to_owned()])).contains("did you mean `lvs`?"),
        "an optional file that is not there"
    );
}

#[test]
fn what_a_place_sets_for_nothing_is_said() {
    assert_eq!(
        refused("lvs_imbalance_times: 5\n", &Optional::None),
        "line 1: `lvs_imbalance_times` is used by no rule that is rendered; is it one of the optional files'?"
    );
    assert_eq!(
        refused(
            "alerts: {NodeConntrackNearLimt: {for: 1m}}\n",
            &Optional::None
        ),
        "line 1: unknown alert `NodeConntrackNearLimt`; did you mean `NodeConntrackNearLimit`?"
    );
}

#[test]
fn a_chain_of_causes_is_one_page() {
    let made = render(
        Format::Alertmanager,
        &Values::built_in().unwrap(),
        &Optional::None,
    )
    .unwrap();
    let text = &made[0].text;
    let rule = |source: &str, target: &str| {
        text.split("  - source_matchers:").any(|rule| {
            let (sources, targets) = rule.split_once("target_matchers:").unwrap_or((rule, ""));
            sources.contains(source) && targets.contains(target)
        })
    };
    assert!(rule("ManyNodesReadinessFailed", "CoreSwitchUnreachable"));
    assert!(rule("CoreSwitchUnreachable", "NodeReadinessProbeFailed"));
    assert!(rule("NodeConntrackSaturated", "NodeConntrackNearLimit"));
    assert!(rule(
        "ControlPlaneCrashLooping",
        "KubeControllerManagerRestart"
    ));
    assert!(rule("LVSServiceNoReadyEndpoints", "LVSServiceTrafficDrop"));
    assert!(rule("NodeAgentAbsent", "NodeAgentMissing"));
    assert!(
        !rule("KeepalivedMiscCheckFailing", "LVSServiceNoReadyEndpoints"),
        "a warning silences nothing that is critical"
    );
}
