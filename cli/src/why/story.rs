//! How is it told on a terminal?

use std::fmt::{self, Write};

use alertrules::why::Labels;
use page::why::{Alert, Cause, Effect, Report, place};

use crate::table::visible;

/// Labels that name no instance.
const NO_INSTANCE: [&str; 3] = ["severity", "prometheus", "job"];

/// The whole report, safe for a terminal.
pub(super) fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String can't fail.
    write_report(&mut out, report).unwrap_or_default();
    out
}

fn write_report(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "{}", visible(&report.headline()))?;
    for (index, cause) in report.causes.iter().enumerate() {
        write_cause(out, index + 1, cause)?;
    }
    for note in &report.notes {
        writeln!(out, "\n{}", visible(note))?;
    }
    Ok(())
}

fn write_cause(out: &mut String, number: usize, cause: &Cause) -> fmt::Result {
    writeln!(out, "\n{number}. {}", line(&cause.alert))?;
    if !cause.alert.summary.is_empty() {
        writeln!(out, "   {}", visible(&cause.alert.summary))?;
    }
    if !cause.about.is_empty() {
        writeln!(out, "   what failed: {}", visible(&cause.about))?;
    }
    if !cause.explains.is_empty() {
        writeln!(out, "\n   explains")?;
    }
    for effect in &cause.explains {
        write_effect(out, effect)?;
    }
    if !cause.logs.command.is_empty() {
        writeln!(out, "\n   $ {}", visible(&cause.logs.command))?;
    }
    for line in &cause.logs.lines {
        writeln!(out, "   {}", visible(line))?;
    }
    if !cause.logs.note.is_empty() {
        writeln!(out, "   {}", visible(&cause.logs.note))?;
    }
    if !cause.steps.is_empty() {
        writeln!(out, "\n   look here")?;
    }
    for step in &cause.steps {
        writeln!(out, "   - {}", visible(step))?;
    }
    if !cause.runbook.is_empty() {
        writeln!(out, "   runbook: {}", visible(&cause.runbook))?;
    }
    Ok(())
}

fn write_effect(out: &mut String, effect: &Effect) -> fmt::Result {
    writeln!(out, "   - {}", line(&effect.alert))?;
    let way: Vec<String> = effect.path.iter().map(place).collect();
    writeln!(out, "     by way of {}", visible(&way.join(" → ")))?;
    if !effect.also.is_empty() {
        writeln!(out, "     or by {}", visible(&effect.also.join(", ")))?;
    }
    Ok(())
}

/// An alert on one line.
fn line(alert: &Alert) -> String {
    let mut line = alert.name.clone();
    for part in [&alert.severity, &alert.instance] {
        if !part.is_empty() {
            line.push_str("  ");
            line.push_str(part);
        }
    }
    if !alert.since.is_empty() {
        line.push_str("  since ");
        line.push_str(&alert.since);
    }
    if !alert.quiet.is_empty() {
        line.push_str("  (");
        line.push_str(&alert.quiet);
        line.push(')');
    }
    visible(&line)
}

/// Which instance: the labels that name it in its class, or all where there is no class.
pub(super) fn instance(labels: &Labels, of_class: &[String]) -> String {
    let names: Vec<&String> = if of_class.is_empty() {
        let is_one = |name: &&String| !NO_INSTANCE.contains(&name.as_str());
        labels.keys().filter(is_one).collect()
    } else {
        of_class.iter().collect()
    };
    let pairs = names.into_iter().filter_map(|name| {
        let value = labels.get(name).filter(|value| !value.is_empty())?;
        Some(format!("{name}={value}"))
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// Seconds since the epoch as RFC 3339; empty for 0.
pub(super) fn moment(seconds: f64) -> String {
    if seconds <= 0.0 {
        return String::new();
    }
    let moment = jiff::Timestamp::from_second(seconds as i64);
    moment.map_or_else(|_| String::new(), |moment| moment.to_string())
}
