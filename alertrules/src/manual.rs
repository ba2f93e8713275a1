//! What does docs/alerts.md say? The alerts and the values, as they are in the files.

use std::fmt::Write;

use yaml::problem::Problems;

use crate::rules::{Optional, rules};
use crate::runbook;
use crate::values::{Kind, Values};

const HEAD: &str = r"# Alerts

`nodetap rules render -o DIR` writes them for Prometheus (`rule_files`), with `--format prometheusrule` for the Prometheus
operator, with `--format alertmanager` an example of Alertmanager's configuration, with `--format json` for programs.
`nodetap rules list` shows them, `nodetap rules test` runs their tests with promtool. Prometheus 2.42 or later is needed
(`keep_firing_for`).

Every alert was seen quiet, firing and resolved in a test beside its rule, and has a runbook in `alertrules/runbooks`.
Targets need the label `node` (deploy/prometheus sets it) for alerts to be joined; `cluster` may be missing where there is
one. Which failure explains which stands in `alertrules/topology.yml`: `nodetap why` walks it, and the inhibition of the
example for Alertmanager is made from it. Warnings never silence what is critical.

Optional rules are shipped and not rendered by themselves: `--optional TOPIC`, or `--optional all`.
[Unusual traffic](anomaly.md) is one of them.

## What differs between places

`--values FILE` takes a YAML file that sets any value of the table below, and:

```yaml
labels: {team: platform}            # on every alert
alerts:
  all: {keep_firing_for: 10m}       # for, keep_firing_for, severity, labels, enabled
  NodeConntrackNearLimit: {for: 30m, severity: info}
  NodeReadinessGuardActive: {enabled: false}
metadata:                           # of a PrometheusRule
  namespace: monitoring
  labels: {prometheus: k8s, role: alert-rules}
```

A value that no rule knows, or that no rendered rule uses, is refused.
";

/// The whole document.
pub fn text() -> Result<String, Problems> {
    let values = Values::built_in()?;
    let mut out = HEAD.to_owned();
    out.push_str("\n| value | kind | default | meaning |\n|---|---|---|---|\n");
    for value in values.known() {
        let kind = match value.kind {
            Kind::Number => "number",
            Kind::Duration => "duration",
            Kind::Text => "text",
        };
        let (name, default) = (&value.name, value.default.replace('|', "\\|"));
        line(
            &mut out,
            &format!("| `{name}` | {kind} | `{default}` | {} |", value.about),
        );
    }
    for file in rules(&values, &Optional::All)? {
        line(&mut out, &format!("\n## {}\n", file.name));
        line(
            &mut out,
            "| alert | severity | what it says |\n|---|---|---|",
        );
        for alert in file.alerts() {
            let name = &alert.name;
            let about = runbook::one_line(name).unwrap_or_default();
            let link = format!("[{name}](../alertrules/runbooks/{name}.md)");
            line(
                &mut out,
                &format!("| {link} | {} | {about} |", alert.severity()),
            );
        }
    }
    Ok(out)
}

fn line(out: &mut String, text: &str) {
    // Writing to a String can't fail.
    writeln!(out, "{text}").unwrap_or_default();
}
