//! `nodetap why`: reads the firing alerts, walks the topology, and names the likely causes with what was said around the
//! moment.
//!
//! Read (`gather`) · judge (`alertrules::why`, pure) · look into the logs (`lines`) · tell (`story`).

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;

use alertrules::topology::Topology;
use alertrules::why::{self, Explained, Explanation, Step};
use anyhow::Context;
use collector::clock::{Clock, SystemClock};
use page::why::{Cause, Effect, Place as Spot, Report};
use record::Timestamp;

use self::gather::{Alarm, Gathered};
use self::lines::Lines;
use crate::args::{self, Common};
use crate::config::alerts::Alerts;
use crate::failure::WrongUse;
use crate::place::Place;

mod gather;
mod lines;
mod runbook;
mod story;

/// So many causes get the lines around their moment; each is a search.
const SEARCHED_MAX: usize = 10;
/// A class without words of its own is searched for these.
const GRAVE: &str = "level:>=warn";

/// Tells it to the terminal.
pub(crate) fn run(place: &Place, common: &Common, args: &args::Why) -> anyhow::Result<ExitCode> {
    let mut asker = Asker::of(place, common);
    asker.go_before(args);
    if asker.is_blind() {
        return Err(WrongUse::new(
            "nobody to ask for alerts: give --alertmanager URL or --prometheus URL, or set them in the section `alerts` of \
             the configuration",
        )
        .into());
    }
    let report = asker.report()?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &report).context("write the report")?;
        writeln!(out)?;
    } else {
        out.write_all(story::text(&report).as_bytes())?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Whoever can be asked for a report: the command, and the page.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    alerts: Alerts,
    lines: Lines,
}

// === impl Asker ===

impl Asker {
    /// Asks whom the configuration names.
    pub(crate) fn of(place: &Place, common: &Common) -> Self {
        Self {
            alerts: place.config.alerts.clone(),
            lines: Lines::of(place, common),
        }
    }

    /// What the command line names goes before what the configuration does.
    fn go_before(&mut self, args: &args::Why) {
        if args.alertmanager.is_some() || args.prometheus.is_some() {
            self.alerts.alertmanager.clone_from(&args.alertmanager);
        }
        if args.prometheus.is_some() {
            self.alerts.prometheus.clone_from(&args.prometheus);
        }
    }

    /// Whether nobody is named.
    pub(crate) fn is_blind(&self) -> bool {
        self.alerts.alertmanager.is_none() && self.alerts.prometheus.is_none()
    }

    /// Asks, judges, and looks into the logs.
    pub(crate) fn report(&self) -> anyhow::Result<Report> {
        let topology = Topology::built_in().context("read the topology")?;
        let gathered = gather::gather(&self.alerts, &topology)?;
        let now = SystemClock::new().wall();
        Ok(self.tell(&topology, gathered, now))
    }

    fn tell(&self, topology: &Topology, gathered: Gathered, now: Timestamp) -> Report {
        let Gathered {
            asked,
            alarms,
            facts,
            mut notes,
        } = gathered;
        let firing = alarms.iter().map(|alarm| alarm.firing.clone()).collect();
        let explanation = why::explain(topology, firing, &facts);
        if explanation.left_out > 0 {
            notes.push(format!(
                "{} more alerts fire than are judged at a time; the gravest are",
                explanation.left_out
            ));
        }
        let teller = Teller {
            topology,
            explanation: &explanation,
            alarms: &alarms,
        };
        let causes = explanation.causes.iter().enumerate();
        let causes = causes.map(|(rank, cause)| {
            let mut told = teller.cause(cause);
            if rank < SEARCHED_MAX {
                let alert = &explanation.alerts[cause.alert];
                told.logs = self.lines.around(&teller.words(cause.alert), alert, now);
            }
            told
        });
        Report {
            asked,
            firing: explanation.alerts.len() + explanation.left_out,
            causes: causes.collect(),
            notes,
        }
    }
}

/// Turns what was found out into what people read.
struct Teller<'a> {
    topology: &'a Topology,
    explanation: &'a Explanation,
    alarms: &'a [Alarm],
}

// === impl Teller ===

impl Teller<'_> {
    fn cause(&self, cause: &why::Cause) -> Cause {
        let alert = self.alert(cause.alert);
        let class = self.class(cause.alert);
        Cause {
            about: class.map_or_else(String::new, |class| class.about.clone()),
            explains: cause
                .explains
                .iter()
                .map(|effect| self.effect(effect))
                .collect(),
            logs: page::why::Logs::default(),
            steps: runbook::steps(&alert.name),
            runbook: self
                .alarm(cause.alert)
                .map_or_else(String::new, Alarm::runbook),
            alert,
        }
    }

    fn effect(&self, effect: &Explained) -> Effect {
        let name = |alert: &usize| self.alert(*alert).name;
        let also: BTreeSet<String> = effect.also.iter().map(name).collect();
        Effect {
            alert: self.alert(effect.alert),
            path: effect.path.iter().map(|step| self.spot(step)).collect(),
            also: also.into_iter().collect(),
        }
    }

    fn spot(&self, step: &Step) -> Spot {
        let class = self.topology.class(&step.class);
        let of_class = class.map_or(&[][..], |class| &class.labels[..]);
        Spot {
            class: step.class.clone(),
            instance: story::instance(&step.labels, of_class),
            alert: step.alert.map_or_else(String::new, |alert| {
                self.explanation.alerts[alert].name.clone()
            }),
        }
    }

    fn alert(&self, alert: usize) -> page::why::Alert {
        let firing = &self.explanation.alerts[alert];
        let of_class = self.class(alert).map_or(&[][..], |class| &class.labels[..]);
        let text = |value: Option<&String>| value.cloned().unwrap_or_default();
        let alarm = self.alarm(alert);
        page::why::Alert {
            name: firing.name.clone(),
            severity: text(firing.labels.get("severity")),
            instance: story::instance(&firing.labels, of_class),
            summary: alarm.map_or_else(String::new, Alarm::summary),
            since: story::moment(firing.started_seconds),
            quiet: alarm.map_or_else(String::new, |alarm| alarm.quiet.clone()),
        }
    }

    /// What to look for in the logs.
    fn words(&self, alert: usize) -> String {
        let words = self.class(alert).map_or("", |class| class.logs.as_str());
        if words.is_empty() { GRAVE } else { words }.to_owned()
    }

    fn class(&self, alert: usize) -> Option<&alertrules::topology::Class> {
        let firing = &self.explanation.alerts[alert];
        let label = |name: &str| firing.labels.get(name).map(String::as_str);
        self.topology.class_of(&firing.name, label)
    }

    /// The alert as it was received.
    fn alarm(&self, alert: usize) -> Option<&Alarm> {
        let firing = &self.explanation.alerts[alert];
        self.alarms.iter().find(|alarm| alarm.is(firing))
    }
}

#[cfg(test)]
mod tests;
