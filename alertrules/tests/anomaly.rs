//! How often are the alerts about unusual traffic right? Six synthetic weeks, replayed by promtool.
//!
//! The weeks have what real ones have: days and nights, weekends, growth, noise, sales that are no fault, and outages of
//! every size. Each alert's alarms of the last three weeks are counted against the list of outages; docs/anomaly.md states
//! what was found, and this test holds it to that.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use alertrules::rules::{Optional, rules};
use alertrules::values::Values;
use yaml::emit;

/// A sample each quarter of an hour.
const STEPS_PER_DAY: u32 = 96;
const DAYS: u32 = 42;
/// An alarm may come so much later than the outage ends and still be right, in steps.
const LATE_STEPS: u32 = 2;

/// A service: requests a second at a step, and how large its noise is.
struct Service {
    name: &'static str,
    noise: f64,
    usual: fn(u32) -> f64,
}

/// From a step to another, what is left of a service's traffic.
struct Change {
    service: &'static str,
    day: u32,
    hours: (f64, f64),
    /// 1 changes nothing; below 0 the series is gone.
    factor: f64,
    /// Whether somebody should be told.
    is_fault: bool,
}

const SERVICES: [Service; 6] = [
    Service {
        name: "shop",
        noise: 0.05,
        usual: |step| 20.0 + 180.0 * day(step),
    },
    Service {
        name: "growing",
        noise: 0.05,
        usual: |step| (50.0 + 100.0 * day(step)) * 1.08_f64.powf(week(step)),
    },
    Service {
        name: "office",
        noise: 0.05,
        usual: |step| 2.0 + 98.0 * day(step).powi(3),
    },
    Service {
        name: "weekend",
        noise: 0.05,
        usual: |step| {
            (60.0 + 60.0 * day(step))
                * if week(step).fract() > 5.0 / 7.0 {
                    0.4
                } else {
                    1.0
                }
        },
    },
    Service {
        name: "noisy",
        noise: 0.2,
        usual: |step| 40.0 + 60.0 * day(step),
    },
    Service {
        name: "calm",
        noise: 0.03,
        usual: |_| 30.0,
    },
];

const fn fault(service: &'static str, day: u32, hours: (f64, f64), factor: f64) -> Change {
    Change {
        service,
        day,
        hours,
        factor,
        is_fault: true,
    }
}

const fn sale(service: &'static str, day: u32, hours: (f64, f64), factor: f64) -> Change {
    Change {
        service,
        day,
        hours,
        factor,
        is_fault: false,
    }
}

const CHANGES: [Change; 12] = [
    fault("shop", 22, (14.0, 15.0), 0.02),
    fault("shop", 37, (13.0, 15.0), 0.5),
    fault("growing", 30, (10.0, 11.0), 0.1),
    fault("growing", 41, (20.0, 20.75), 0.05),
    fault("office", 25, (12.0, 13.0), 0.0),
    // At night two requests a second are left to lose: below every floor.
    fault("office", 33, (3.0, 4.0), 0.0),
    fault("weekend", 26, (11.0, 13.0), -1.0),
    fault("noisy", 38, (15.0, 17.0), 0.4),
    fault("noisy", 34, (9.0, 10.0), 0.1),
    // A third is lost: too little for either.
    fault("calm", 40, (9.0, 12.0), 0.7),
    sale("calm", 24, (8.0, 20.0), 6.0),
    sale("shop", 28, (9.0, 21.0), 4.0),
];

/// Between night (0) and the afternoon's peak (1).
fn day(step: u32) -> f64 {
    let hour = f64::from(step % STEPS_PER_DAY) * 24.0 / f64::from(STEPS_PER_DAY);
    f64::midpoint(1.0, ((hour - 14.0) / 24.0 * std::f64::consts::TAU).cos())
}

fn week(step: u32) -> f64 {
    f64::from(step) / f64::from(STEPS_PER_DAY * 7)
}

/// Numbers around 0 with a deviation of 1, always the same ones: the sum of twelve even ones, less six.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        let mut sum = -6.0;
        for _ in 0..12 {
            // Knuth's MMIX generator.
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += f64::from((self.0 >> 32) as u32) / f64::from(u32::MAX);
        }
        sum
    }
}

fn steps(change: &Change) -> (u32, u32) {
    let at =
        |hour: f64| change.day * STEPS_PER_DAY + (hour / 24.0 * f64::from(STEPS_PER_DAY)) as u32;
    (at(change.hours.0), at(change.hours.1))
}

/// A service's six weeks in promtool's notation.
fn samples(service: &Service, noise: &mut Noise) -> String {
    let mut text = String::new();
    for step in 0..DAYS * STEPS_PER_DAY {
        let hit = CHANGES.iter().find(|change| {
            let (from, to) = steps(change);
            change.service == service.name && (from..to).contains(&step)
        });
        let factor = hit.map_or(1.0, |change| change.factor);
        let wobble = (1.0 + service.noise * noise.next()).max(0.0);
        if factor < 0.0 {
            text.push_str("_ ");
        } else {
            write!(text, "{:.1} ", (service.usual)(step) * factor * wobble).unwrap();
        }
    }
    text
}

/// When an alarm about a fault is right, in promtool's notation.
fn truth(change: &Change) -> String {
    let (from, to) = steps(change);
    let after = DAYS * STEPS_PER_DAY - to - LATE_STEPS;
    format!("_x{} 1x{} _x{after}", from - 1, to - from + LATE_STEPS)
}

/// What was found of one alert: alarms, those that were right, faults that were found.
struct Found {
    name: &'static str,
    alerts: &'static str,
    alarms: u32,
    right: u32,
    faults: u32,
}

const FOUND: [Found; 3] = [
    Found {
        name: "`IngressTrafficDrop` (week on week)",
        alerts: r#"alertname="IngressTrafficDrop""#,
        alarms: 7,
        right: 6,
        faults: 6,
    },
    Found {
        name: "`IngressTrafficUnusual`, below",
        alerts: r#"alertname="IngressTrafficUnusual", side="below""#,
        alarms: 11,
        right: 8,
        faults: 8,
    },
    Found {
        name: "`IngressTrafficUnusual`, both sides",
        alerts: r#"alertname="IngressTrafficUnusual""#,
        alarms: 17,
        right: 8,
        faults: 8,
    },
];

/// The three questions about an alert, with the answers that are expected.
fn questions(found: &Found, out: &mut String) {
    let fires = format!(
        r#"count by (service) (ALERTS{{{}, alertstate="firing"}})"#,
        found.alerts
    );
    let before = format!(
        r#"count by (service) (ALERTS{{{}, alertstate="firing"}} offset 15m)"#,
        found.alerts
    );
    let asked = [
        (
            format!("sum(count_over_time(({fires} unless {before})[3w:15m])) or vector(0)"),
            found.alarms,
        ),
        (
            format!(
                "sum(count_over_time((({fires} unless {before}) and on (service) truth)[3w:15m])) or vector(0)"
            ),
            found.right,
        ),
        (
            format!(
                "count(count by (event) (count_over_time((truth and on (service) {fires})[3w:15m]))) or vector(0)"
            ),
            found.faults,
        ),
    ];
    for (query, answer) in asked {
        writeln!(out, "      - expr: {}", serde_json::Value::from(query)).unwrap();
        writeln!(out, "        eval_time: {DAYS}d").unwrap();
        writeln!(
            out,
            "        exp_samples: [{{labels: '{{}}', value: {answer}}}]"
        )
        .unwrap();
    }
}

#[test]
fn unusual_traffic_is_found_as_often_as_the_document_says() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = Optional::Of(vec!["anomaly".to_owned()]);
    for file in rules(&Values::built_in().unwrap(), &wanted).unwrap() {
        if ["ingress", "anomaly-optional"].contains(&file.name.as_str()) {
            let mut text = emit::block(&file.tree());
            // What is replayed is the recorded series itself.
            text = text.replace(
                "record: \"ingress_service:requests:rate\"",
                "record: replaced",
            );
            fs::write(folder.path().join(format!("{}.yml", file.name)), text).unwrap();
        }
    }
    let mut test = "rule_files: [ingress.yml, anomaly-optional.yml]\nevaluation_interval: 15m\ntests:\n  - interval: 15m\n    input_series:\n".to_owned();
    let mut noise = Noise(6);
    for service in &SERVICES {
        let series = format!(
            r#"ingress_service:requests:rate{{namespace="shop", service="{}"}}"#,
            service.name
        );
        writeln!(
            test,
            "      - {{series: '{series}', values: '{}'}}",
            samples(service, &mut noise)
        )
        .unwrap();
    }
    for (event, change) in CHANGES
        .iter()
        .enumerate()
        .filter(|(_, change)| change.is_fault)
    {
        let series = format!(r#"truth{{service="{}", event="{event}"}}"#, change.service);
        writeln!(
            test,
            "      - {{series: '{series}', values: '{}'}}",
            truth(change)
        )
        .unwrap();
    }
    test.push_str("    promql_expr_test:\n");
    for found in &FOUND {
        questions(found, &mut test);
    }
    let path = folder.path().join("replay.yml");
    fs::write(&path, test).unwrap();
    let output = Command::new("promtool")
        .args(["test", "rules"])
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    document_says_so();
}

fn document_says_so() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/anomaly.md");
    let document = fs::read_to_string(path).unwrap();
    let faults = CHANGES.iter().filter(|change| change.is_fault).count();
    for found in &FOUND {
        let percent = |part: u32, of: u32| (f64::from(part) / f64::from(of.max(1)) * 100.0).round();
        let row = format!(
            "| {} | {} | {} | {} % | {} of {faults} | {} % |",
            found.name,
            found.alarms,
            found.right,
            percent(found.right, found.alarms),
            found.faults,
            percent(found.faults, faults as u32),
        );
        assert!(document.contains(&row), "docs/anomaly.md lacks\n{row}");
    }
}
