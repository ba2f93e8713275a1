//! What lines count into, and when it goes.

use record::{Container, Level, Pod, Tags};

use super::*;

const NOW: Timestamp = Timestamp(1_795_251_700_000_000_000);

fn origin(namespace: &str, pod: &str, container: &str) -> Origin {
    Origin {
        stream: format!("{pod}/{container}"),
        pod: Some(Pod {
            namespace: namespace.into(),
            name: pod.into(),
            ..Pod::default()
        }),
        container: Some(Container {
            name: container.into(),
            ..Container::default()
        }),
        ..Origin::default()
    }
}

fn entry(message: &str) -> Entry<'_> {
    Entry {
        time: NOW,
        output: OutputStream::Stdout,
        level: Level::Info,
        message,
        offset: 0,
        end: 1,
        end_started: 0,
        part: 0,
        tags: Tags::NONE,
        app: None,
        error: None,
    }
}

fn settings(rules: Vec<RawRule>) -> Settings {
    Settings::new(&RawSettings {
        rules,
        ..RawSettings::default()
    })
    .unwrap()
}

fn rule(name: &str, pattern: &str) -> RawRule {
    RawRule {
        name: name.into(),
        pattern: pattern.into(),
        pod: Some("order-*".into()),
        histogram: !name.ends_with("_total"),
        ..RawRule::default()
    }
}

/// `name{label="value",…} value`, a line for each sample; histograms as sum, count and filled buckets.
fn written(derive: &Derive) -> Vec<String> {
    let mut lines = Vec::new();
    for family in derive.snapshot(NOW, &[]).families {
        for sample in family.samples {
            let labels: Vec<String> = sample
                .labels
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let value = match sample.value {
                Value::Number(value) => value.to_string(),
                Value::Histogram(histogram) => {
                    format!("sum {} count {}", histogram.sum, histogram.count())
                }
            };
            lines.push(format!("{}{{{}}} {value}", family.name, labels.join(",")));
        }
    }
    lines
}

fn with(derive: &Derive, name: &str) -> Vec<String> {
    let mut lines = written(derive);
    lines.retain(|line| line.starts_with(name));
    lines
}

#[test]
fn every_level_is_there_from_the_first_sight_of_a_container() {
    let mut derive = Derive::new(settings(Vec::new()));
    let tap = derive.enter(&origin("shop", "order-1", "app"));
    assert_eq!(with(&derive, "log_messages_total").len(), Level::ALL.len());
    derive.count(&tap, &entry("a line"));
    let mut fatal = entry("the end");
    fatal.level = Level::Fatal;
    derive.count(&tap, &fatal);
    // A cut line counts once.
    derive.count(&tap, &Entry { part: 1, ..fatal });
    derive.count(&tap, &Entry { part: 2, ..fatal });
    let lines = with(&derive, "log_messages_total");
    let line = |level, count| {
        format!(
            "log_messages_total{{container=app,level={level},namespace=shop,pod=order-1}} {count}"
        )
    };
    assert!(lines.contains(&line("info", 1)), "{lines:?}");
    assert!(lines.contains(&line("fatal", 2)), "{lines:?}");
    assert!(lines.contains(&line("error", 0)), "{lines:?}");
}

#[test]
fn elections_are_there_from_the_first_sight_of_a_component() {
    let mut derive = Derive::new(settings(Vec::new()));
    assert_eq!(with(&derive, "control_plane"), [""; 0]);
    let scheduler = "kube-scheduler";
    let tap = derive.enter(&origin("kube-system", "kube-scheduler-node-1", scheduler));
    let other = derive.enter(&origin("shop", "mine", scheduler));
    let line = |component: &str, result: &str, count: u64| {
        format!(
            "control_plane_leader_elections_total{{component={component},result={result}}} {count}"
        )
    };
    assert_eq!(
        with(&derive, "control_plane"),
        [line(scheduler, "won", 0), line(scheduler, "lost", 0)]
    );
    let head = "I1121 12:06:59.713446       1 leaderelection.go:271]";
    for tap in [&tap, &other] {
        let won = format!("{head} successfully acquired lease kube-system/kube-scheduler");
        derive.count(tap, &entry(&won));
    }
    assert_eq!(
        with(&derive, "control_plane"),
        [line(scheduler, "won", 1), line(scheduler, "lost", 0)]
    );
}

#[test]
fn a_pods_successor_of_the_same_name_counts_on() {
    let mut derive = Derive::new(settings(Vec::new()));
    let first = derive.enter(&origin("shop", "db-0", "app"));
    derive.count(&first, &entry("one"));
    let second = derive.enter(&origin("shop", "db-0", "app"));
    derive.count(&second, &entry("two"));
    derive.leave(&first, Duration::from_secs(1));
    derive.sweep(Duration::from_hours(2));
    let lines = with(&derive, "log_messages_total");
    assert!(lines.contains(
        &"log_messages_total{container=app,level=info,namespace=shop,pod=db-0} 2".to_owned()
    ));
}

#[test]
fn a_pods_series_go_some_time_after_the_pod() {
    let mut derive = Derive::new(settings(vec![rule("lost_total", "lost (?P<what>.*)")]));
    let tap = derive.enter(&origin("shop", "order-1", "app"));
    derive.count(&tap, &entry("lost it"));
    assert_eq!(
        with(&derive, "lost_total"),
        ["lost_total{container=app,namespace=shop,pod=order-1,what=it} 1"]
    );
    derive.leave(&tap, Duration::from_secs(100));
    derive.sweep(Duration::from_secs(100) + LINGER_DEFAULT / 2);
    assert_eq!(
        with(&derive, "log_messages_total").len(),
        Level::ALL.len(),
        "not scraped yet, perhaps"
    );
    derive.sweep(Duration::from_secs(100) + LINGER_DEFAULT);
    assert_eq!(with(&derive, "log_messages_total"), [""; 0]);
    assert_eq!(with(&derive, "lost_total"), [""; 0]);
    // Its place is free for another one, which begins at 0.
    let tap = derive.enter(&origin("shop", "order-2", "app"));
    derive.count(&tap, &entry("lost more"));
    assert_eq!(
        with(&derive, "lost_total"),
        ["lost_total{container=app,namespace=shop,pod=order-2,what=more} 1"]
    );
}

#[test]
fn thousands_of_short_lived_pods_do_not_pile_up() {
    let mut derive = Derive::new(settings(Vec::new()));
    for number in 0..5000 {
        let tap = derive.enter(&origin("jobs", &format!("job-{number}"), "app"));
        derive.leave(&tap, Duration::from_millis(number));
    }
    derive.sweep(Duration::from_mins(1));
    let lines = with(&derive, "log_messages_total");
    assert_eq!(lines.len(), 1000 * Level::ALL.len());
    assert!(
        lines.iter().any(|line| line.contains("job-4999")),
        "the latest stay"
    );
}

#[test]
fn rules_count_sum_and_measure() {
    let mut duration = rule(
        "query_duration_seconds",
        r"took (?P<value>[\d.]+)ms on (?P<table>\w+)",
    );
    duration.scale = Some(0.001);
    duration.buckets = Some(vec![0.01, 0.1]);
    let mut derive = Derive::new(settings(vec![
        rule("elections_lost_total", "lost leader election"),
        rule("sold_total", r"sold (?P<value>-?\w+) of (?P<what>\w+)"),
        duration,
    ]));
    let tap = derive.enter(&origin("shop", "order-1", "app"));
    let other = derive.enter(&origin("shop", "cart-1", "app"));
    assert_eq!(
        with(&derive, "elections"),
        ["elections_lost_total{container=app,namespace=shop,pod=order-1} 0"]
    );
    for message in [
        "lost leader election",
        "sold 3 of pears",
        "sold 4 of pears",
        "sold 1 of figs",
        "sold none of figs",
        "sold -2 of figs",
        "took 20ms on cart",
        "took 5000ms on cart",
        "nothing",
    ] {
        derive.count(&tap, &entry(message));
        derive.count(&other, &entry(message));
    }
    assert_eq!(
        with(&derive, "elections"),
        ["elections_lost_total{container=app,namespace=shop,pod=order-1} 1"]
    );
    assert_eq!(
        with(&derive, "sold"),
        [
            "sold_total{container=app,namespace=shop,pod=order-1,what=figs} 1",
            "sold_total{container=app,namespace=shop,pod=order-1,what=pears} 7",
        ]
    );
    assert_eq!(
        with(&derive, "query"),
        [
            "query_duration_seconds{container=app,namespace=shop,pod=order-1,table=cart} sum 5.02 count 2"
        ]
    );
    assert!(
        with(&derive, "nodetap_derive_refused_total")
            .contains(&"nodetap_derive_refused_total{rule=sold_total} 2".to_owned())
    );
}

#[test]
fn a_rule_stops_at_its_limit_and_says_so() {
    let mut raw = RawSettings {
        rules: vec![rule("seen_total", "user (?P<user>.*)")],
        series_max: Some(3),
        ..RawSettings::default()
    };
    let mut derive = Derive::new(Settings::new(&raw).unwrap());
    let tap = derive.enter(&origin("shop", "order-1", "app"));
    for user in 0..10 {
        derive.count(&tap, &entry(&format!("user {user}")));
        derive.count(&tap, &entry("user 0"));
    }
    assert_eq!(with(&derive, "seen").len(), 3);
    assert!(
        with(&derive, "seen")
            .contains(&"seen_total{container=app,namespace=shop,pod=order-1,user=0} 11".to_owned())
    );
    assert_eq!(
        with(&derive, "nodetap_series"),
        ["nodetap_series_dropped_total{probe=derive,reason=cap} 7"]
    );
    // New settings: the rule that stays the same counts on, the limit is new, what was dropped stays counted.
    raw.series_max = Some(4);
    derive.reconfigure(Settings::new(&raw).unwrap());
    let mut tap = tap;
    derive.renew(&mut tap, &origin("shop", "order-1", "app"));
    derive.count(&tap, &entry("user 8"));
    assert_eq!(with(&derive, "seen").len(), 4);
    raw.rules.clear();
    derive.reconfigure(Settings::new(&raw).unwrap());
    derive.renew(&mut tap, &origin("shop", "order-1", "app"));
    derive.count(&tap, &entry("user 9"));
    assert_eq!(with(&derive, "seen"), [""; 0]);
    assert_eq!(
        with(&derive, "nodetap_series"),
        ["nodetap_series_dropped_total{probe=derive,reason=cap} 7"]
    );
}

#[test]
fn long_values_are_cut_at_a_character() {
    let mut derive = Derive::new(settings(vec![rule("seen_total", "user (?P<user>.*)")]));
    let tap = derive.enter(&origin("shop", "order-1", "app"));
    derive.count(&tap, &entry(&format!("user {}", "ä".repeat(1000))));
    derive.count(&tap, &entry(&format!("user {}", "ä".repeat(2000))));
    let expect = format!(
        "seen_total{{container=app,namespace=shop,pod=order-1,user={}}} 2",
        "ä".repeat(64)
    );
    assert_eq!(with(&derive, "seen"), [expect]);
}

#[test]
fn rules_that_cannot_work_are_refused_with_every_reason() {
    let check = |rule: RawRule, expect: &str| {
        let problems = Settings::new(&RawSettings {
            rules: vec![rule],
            ..RawSettings::default()
        })
        .unwrap_err();
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            texts.iter().any(|text| text.contains(expect)),
            "{expect}: {texts:?}"
        );
    };
    check(rule("1_total", "x"), "no digit first");
    check(rule("größe_total", "x"), "only letters");
    check(rule("", "x"), "only letters");
    check(rule("log_lines_total", "x"), "nodetap's own");
    check(rule("ingress_access_requests_total", "x"), "nodetap's own");
    check(
        RawRule {
            histogram: false,
            ..rule("seen", "x")
        },
        "ends in _total",
    );
    check(
        RawRule {
            histogram: true,
            ..rule("seen_count", "(?P<value>x)")
        },
        "gets such endings itself",
    );
    check(rule("took_seconds", "took"), "needs a group");
    check(rule("seen_total", "("), "read the pattern");
    check(rule("seen_total", r"(\w{1000}){1000}"), "read the pattern");
    check(rule("seen_total", "(?P<pod>x)"), "already");
    check(rule("seen_total", "(?P<le>x)"), "Prometheus");
    check(
        RawRule {
            pod: None,
            ..rule("seen_total", "x")
        },
        "choose the containers",
    );
    check(
        RawRule {
            pod: Some("[".into()),
            ..rule("seen_total", "x")
        },
        "choose the containers",
    );
    check(
        RawRule {
            scale: Some(-1.0),
            ..rule("seen_total", "x")
        },
        "above 0",
    );
    check(
        RawRule {
            buckets: Some(vec![1.0]),
            ..rule("seen_total", "x")
        },
        "has no buckets",
    );
    check(
        RawRule {
            buckets: Some(vec![2.0, 1.0]),
            ..rule("took_seconds", "(?P<value>x)")
        },
        "each larger",
    );
    let twice = RawSettings {
        rules: vec![rule("a_total", "x"), rule("a_total", "y")],
        ..RawSettings::default()
    };
    assert!(matches!(
        Settings::new(&twice).unwrap_err()[..],
        [SettingsError::Twice(_)]
    ));
    let by_path = RawSettings {
        access: Some(vec![discover::RawRule {
            path: Some("/x".into()),
            ..Default::default()
        }]),
        ..RawSettings::default()
    };
    assert!(matches!(
        Settings::new(&by_path).unwrap_err()[..],
        [SettingsError::AccessPath]
    ));
}

const ACCESS: &str = "1.2.3.4 - - [21/Nov/2026:09:00:01 +0000] \"GET / HTTP/1.1\" 200 100 \"-\" \"-\" 50 0.020 \
                      [shop-order-80] [] 10.0.0.1:80 100 0.004 200 ab";

fn controller(settings: &RawSettings) -> (Derive, Tap) {
    let mut derive = Derive::new(Settings::new(settings).unwrap());
    let tap = derive.enter(&origin(
        "ingress-nginx",
        "ingress-nginx-controller-6f7-x",
        "controller",
    ));
    (derive, tap)
}

#[test]
fn an_ingress_controllers_lines_become_requests() {
    let (mut derive, tap) = controller(&RawSettings::default());
    assert!(
        with(&derive, "ingress_access_lines_total")
            .contains(&"ingress_access_lines_total{} 0".to_owned())
    );
    assert_eq!(
        with(&derive, "ingress_access_parse_errors_total").len(),
        6,
        "every reason at 0"
    );
    derive.count(&tap, &entry(ACCESS));
    derive.count(
        &tap,
        &entry(
            &ACCESS
                .replace("shop-order-80", "shop-order-443")
                .replace("GET", "BREW"),
        ),
    );
    derive.count(&tap, &entry("NGINX Ingress controller"));
    let of_nginx = Entry {
        output: OutputStream::Stderr,
        ..entry("2026/11/21 [error] upstream timed out")
    };
    derive.count(&tap, &of_nginx);
    let backend = "ingress=,namespace=shop,service=order";
    assert_eq!(with(&derive, "ingress_access"), [
        "ingress_access_lines_total{} 3".to_owned(),
"ingress_access_parse_errors_total{reason=shape} 1".to_owned(),
"ingress_access_parse_errors_total{reason=time} 0".to_owned(),
"ingress_access_parse_errors_total{reason=status} 0".to_owned(),
"ingress_access_parse_errors_total{reason=number} 0".to_owned(),
"ingress_access_parse_errors_total{reason=upstream} 0".to_owned(),
"ingress_access_parse_errors_total{reason=json} 0".to_owned(),
        "ingress_access_lag_seconds{} 99".to_owned(),
        "ingress_access_requests_total{code=200,ingress=,method=GET,namespace=shop,service=order} 1".to_owned(),
        "ingress_access_requests_total{code=200,ingress=,method=other,namespace=shop,service=order} 1".to_owned(),
        format!("ingress_access_request_bytes_total{{{backend}}} 100"),
        format!("ingress_access_response_bytes_total{{{backend}}} 200"),
        format!("ingress_access_request_duration_seconds{{{backend}}} sum 0.04 count 2"),
        format!("ingress_access_upstream_response_duration_seconds{{{backend}}} sum 0.008 count 2"),
        format!("ingress_access_upstream_attempts_total{{code=200,{backend}}} 2"),
    ]);
}

#[test]
fn other_containers_lines_are_no_requests_and_no_family_is_shown_for_them() {
    let mut derive = Derive::new(settings(Vec::new()));
    let tap = derive.enter(&origin("shop", "order-1", "app"));
    derive.count(&tap, &entry(ACCESS));
    assert_eq!(with(&derive, "ingress_access"), [""; 0]);
}

#[test]
fn invented_codes_and_backends_stop_at_the_limit() {
    let raw = RawSettings {
        series_max: Some(20),
        ..RawSettings::default()
    };
    let (mut derive, tap) = controller(&raw);
    for code in 100..400 {
        derive.count(&tap, &entry(&ACCESS.replace(" 200 ", &format!(" {code} "))));
        derive.count(&tap, &entry(&ACCESS.replace("order", &format!("o{code}"))));
    }
    let sets = with(&derive, "ingress_access_requests_total").len()
        + with(&derive, "ingress_access_upstream_attempts").len();
    assert!(sets <= 20, "{sets}");
    assert!(!with(&derive, "nodetap_series")[0].ends_with(" 0"));
    assert_eq!(
        with(&derive, "ingress_access_lines_total"),
        ["ingress_access_lines_total{} 600"]
    );
}

#[test]
fn backends_without_requests_for_an_hour_go() {
    let (mut derive, tap) = controller(&RawSettings::default());
    derive.count(&tap, &entry(ACCESS));
    let later = ACCESS.replace("shop-order", "shop-cart");
    derive.sweep(Duration::from_secs(10));
    derive.count(&tap, &entry(&later));
    derive.sweep(Duration::from_mins(30));
    derive.sweep(Duration::from_secs(3620));
    let requests = with(&derive, "ingress_access_requests_total");
    assert_eq!(
        requests,
        [
            "ingress_access_requests_total{code=200,ingress=,method=GET,namespace=shop,service=cart} 1"
        ]
    );
    derive.count(&tap, &entry(&later));
    derive.count(&tap, &entry(ACCESS));
    let requests = with(&derive, "ingress_access_requests_total");
    assert_eq!(
        requests,
        [
            "ingress_access_requests_total{code=200,ingress=,method=GET,namespace=shop,service=cart} 2",
            "ingress_access_requests_total{code=200,ingress=,method=GET,namespace=shop,service=order} 1",
        ]
    );
}

#[test]
fn no_name_and_no_label_set_is_there_twice() {
    let (mut derive, tap) = controller(&RawSettings {
        rules: vec![RawRule {
            pod: Some("*".into()),
            ..rule("seen_total", "(?P<a>.)")
        }],
        ..RawSettings::default()
    });
    for message in [
        ACCESS,
        "{\"status\":200,\"namespace\":\"shop\",\"service\":\"order\"}",
        "ab",
        "ac",
    ] {
        derive.count(&tap, &entry(message));
    }
    let lines = written(&derive);
    let mut names: Vec<&str> = lines
        .iter()
        .map(|line| line.rsplit_once("} ").unwrap().0)
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "{lines:#?}");
    for described in descriptions() {
        assert!(
            described.help.ends_with('.') && described.labels.is_sorted(),
            "{described:?}"
        );
        assert_eq!(
            described.name.ends_with("_total"),
            described.kind == Kind::Counter,
            "{described:?}"
        );
    }
}
