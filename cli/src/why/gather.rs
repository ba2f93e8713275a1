//! Which alerts fire, and which series join them? Alertmanager's API v2, and Prometheus's API v1.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use alertrules::topology::{Edge, Topology};
use alertrules::why::{Facts, Firing, Labels};
use anyhow::{Context, anyhow};
use elastic::{Client, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use crate::config::alerts::Alerts;

/// The label of an alert's name.
const NAME: &str = "alertname";
/// An alert that always fires, so that its absence is noticed, is no fault. Watchdogs have this severity.
const NO_SEVERITY: &str = "none";

/// Alerts with their annotations, and what joins them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Gathered {
    /// Who was asked for alerts.
    pub(super) asked: String,
    pub(super) alarms: Vec<Alarm>,
    pub(super) facts: Vec<Facts>,
    /// What could not be asked.
    pub(super) notes: Vec<String>,
}

/// A firing alert as it was received.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Alarm {
    pub(super) firing: Firing,
    pub(super) annotations: Labels,
    /// `silenced`, `inhibited`, or nothing.
    pub(super) quiet: String,
}

// === impl Alarm ===

impl Alarm {
    /// Whether it is the same alert, however its cluster was found out.
    pub(super) fn is(&self, firing: &Firing) -> bool {
        let labels = |alert: &Firing| -> BTreeSet<(String, String)> {
            let known = alert.labels.iter();
            let known = known.filter(|(name, value)| *name != "cluster" && !value.is_empty());
            known
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let cluster = |alert: &Firing| alert.labels.get("cluster").cloned().unwrap_or_default();
        let (ours, theirs) = (cluster(&self.firing), cluster(firing));
        self.firing.name == firing.name
            && (ours.is_empty() || ours == theirs)
            && labels(&self.firing) == labels(firing)
    }

    /// What its rule says of it.
    pub(super) fn summary(&self) -> String {
        let annotation = |name: &str| self.annotations.get(name).filter(|text| !text.is_empty());
        let text = annotation("description").or_else(|| annotation("summary"));
        text.map_or_else(String::new, |text| {
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        })
    }

    /// Where its runbook is.
    pub(super) fn runbook(&self) -> String {
        self.annotations
            .get("runbook_url")
            .cloned()
            .unwrap_or_default()
    }
}

/// Asks Alertmanager for the alerts, or Prometheus where there is none, and Prometheus for the series.
pub(super) fn gather(servers: &Alerts, topology: &Topology) -> anyhow::Result<Gathered> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start a runtime")?;
    let server =
        |url: &'_ String| Client::new(&servers.server(url)).map(|client| (url.clone(), client));
    let alertmanager = servers.alertmanager.as_ref().map(server).transpose()?;
    let prometheus = servers.prometheus.as_ref().map(server).transpose()?;
    let mut gathered = match (&alertmanager, &prometheus) {
        (Some((url, client)), _) => Gathered {
            asked: url.clone(),
            alarms: from_alertmanager(&get::<Vec<ManagedAlert>>(
                &runtime,
                client,
                ALERTMANAGER_ALERTS,
            )?),
            ..Gathered::default()
        },
        (None, Some((url, client))) => Gathered {
            asked: url.clone(),
            alarms: from_prometheus(&get(&runtime, client, "/api/v1/alerts")?),
            ..Gathered::default()
        },
        (None, None) => return Err(anyhow!("nobody is named who knows which alerts fire")),
    };
    let wanted = wanted(topology, &gathered.alarms);
    let Some((_, client)) = &prometheus else {
        if !wanted.is_empty() {
            let metrics: Vec<&str> = wanted.keys().copied().collect();
            gathered.notes.push(format!(
                "Series that could join further alerts were not asked for: name a Prometheus that has {}",
                metrics.join(", ")
            ));
        }
        return Ok(gathered);
    };
    for (metric, labels) in wanted {
        let asked = get::<Envelope<Vector>>(&runtime, client, &query(metric, &labels));
        match asked {
            Ok(answer) => gathered.facts.push(facts(metric, answer)),
            Err(error) => gathered
                .notes
                .push(format!("{metric} could not be asked for: {error:#}")),
        }
    }
    Ok(gathered)
}

/// Active alerts, those that nobody is paged for too.
const ALERTMANAGER_ALERTS: &str =
    "/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true";

fn get<T: DeserializeOwned>(runtime: &Runtime, client: &Client, path: &str) -> anyhow::Result<T> {
    let answer = runtime.block_on(client.send(Method::Get, path, None))?;
    let host = || client.hosts().collect::<Vec<_>>().join(", ");
    if !answer.is_success() {
        return Err(anyhow!("{} answered {}", host(), answer.complaint()));
    }
    serde_json::from_slice(&answer.body)
        .with_context(|| format!("understand the answer of {}", host()))
}

#[derive(Debug, Deserialize)]
struct ManagedAlert {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    #[serde(default, rename = "startsAt")]
    starts_at: String,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
struct Status {
    #[serde(default, rename = "inhibitedBy")]
    inhibited_by: Vec<String>,
    #[serde(default, rename = "silencedBy")]
    silenced_by: Vec<String>,
}

/// What Prometheus puts around each answer.
#[derive(Debug, Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Debug, Deserialize)]
struct RuleAlerts {
    alerts: Vec<RuleAlert>,
}

#[derive(Debug, Deserialize)]
struct RuleAlert {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    state: String,
    #[serde(default, rename = "activeAt")]
    active_at: String,
}

#[derive(Debug, Deserialize)]
struct Vector {
    #[serde(default)]
    result: Vec<Sample>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    metric: Labels,
}

fn from_alertmanager(alerts: &[ManagedAlert]) -> Vec<Alarm> {
    let alarms = alerts.iter().filter_map(|alert| {
        let quiet = if !alert.status.silenced_by.is_empty() {
            "silenced"
        } else if !alert.status.inhibited_by.is_empty() {
            "inhibited"
        } else {
            ""
        };
        alarm(&alert.labels, &alert.annotations, &alert.starts_at, quiet)
    });
    alarms.collect()
}

fn from_prometheus(answer: &Envelope<RuleAlerts>) -> Vec<Alarm> {
    let firing = answer
        .data
        .alerts
        .iter()
        .filter(|alert| alert.state == "firing");
    firing
        .filter_map(|alert| alarm(&alert.labels, &alert.annotations, &alert.active_at, ""))
        .collect()
}

/// `None` for what is no fault, and for what has no name.
fn alarm(labels: &Labels, annotations: &Labels, started: &str, quiet: &str) -> Option<Alarm> {
    if labels
        .get("severity")
        .is_some_and(|severity| severity == NO_SEVERITY)
    {
        return None;
    }
    let mut labels = labels.clone();
    let name = labels.remove(NAME)?;
    let started: Option<jiff::Timestamp> = started.parse().ok();
    Some(Alarm {
        firing: Firing {
            name,
            labels,
            started_seconds: started.map_or(0.0, |started| started.as_millisecond() as f64 / 1e3),
        },
        annotations: annotations.clone(),
        quiet: quiet.to_owned(),
    })
}

/// The series that edges upstream of the firing alerts go through, each with the labels that are needed of it.
fn wanted<'a>(topology: &'a Topology, alarms: &[Alarm]) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let class = |alarm: &Alarm| {
        let label = |name: &str| alarm.firing.labels.get(name).map(String::as_str);
        topology.class_of(&alarm.firing.name, label)
    };
    let mut classes: BTreeSet<&str> = alarms
        .iter()
        .filter_map(|alarm| Some(class(alarm)?.name.as_str()))
        .collect();
    let mut waiting: Vec<&str> = classes.iter().copied().collect();
    let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    while let Some(effect) = waiting.pop() {
        for edge in topology.edges().iter().filter(|edge| edge.effect == effect) {
            needs(edge, &mut wanted);
            if classes.insert(&edge.cause) {
                waiting.push(&edge.cause);
            }
        }
    }
    wanted
}

fn needs<'a>(edge: &'a Edge, wanted: &mut BTreeMap<&'a str, BTreeSet<&'a str>>) {
    for (place, step) in edge.via.iter().enumerate() {
        let labels = wanted.entry(step.metric.as_str()).or_default();
        labels.extend(step.on.iter().map(|join| join.here.as_str()));
        let next = edge.via.get(place + 1).map_or(&edge.on, |step| &step.on);
        labels.extend(next.iter().map(|join| join.there.as_str()));
    }
}

/// An instant query that gives each combination of the labels once.
fn query(metric: &str, labels: &BTreeSet<&str>) -> String {
    let labels: Vec<&str> = labels.iter().copied().collect();
    let text = format!("group by ({}) ({metric})", labels.join(", "));
    let mut path = String::from("/api/v1/query?query=");
    for byte in text.bytes() {
        // RFC 3986 section 2.3: what never needs an escape.
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            write!(path, "%{byte:02X}").unwrap_or_default();
        }
    }
    path
}

fn facts(metric: &str, answer: Envelope<Vector>) -> Facts {
    let samples = answer.data.result.into_iter().map(|sample| sample.metric);
    Facts {
        metric: metric.to_owned(),
        samples: samples.collect(),
    }
}

#[cfg(test)]
mod tests;
