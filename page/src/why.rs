//! What is the likely cause of what fires? The report of `nodetap why`, and the page that shows it.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::html::Escaped;

/// Everything that is told about the alerts that fire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Who was asked for alerts.
    pub asked: String,
    /// How many alerts fire; those that were silenced or inhibited are among them.
    pub firing: usize,
    /// The likely causes, the gravest first.
    pub causes: Vec<Cause>,
    /// What could not be found out, and what to do about it.
    pub notes: Vec<String>,
}

/// A likely cause, what it explains, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The alert that no other one explains.
    pub alert: Alert,
    /// What kind of thing failed, in a few words; empty for alerts of others' rules.
    pub about: String,
    /// What it explains, the nearest first.
    pub explains: Vec<Effect>,
    /// What was said around the moment.
    pub logs: Logs,
    /// The first steps of the alert's runbook.
    pub steps: Vec<String>,
    /// Where the whole runbook is; empty if there is none.
    pub runbook: String,
}

/// An alert that is explained.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Which one.
    pub alert: Alert,
    /// The way from the cause to it, both included.
    pub path: Vec<Place>,
    /// Other causes that would explain it too.
    pub also: Vec<String>,
}

/// One place on a way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The class of the topology.
    pub class: String,
    /// Which instance, as `label=value` pairs.
    pub instance: String,
    /// The alert that fires there; empty where none does.
    pub alert: String,
}

/// An alert, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// `critical`, `warning`, …; empty if it has none.
    pub severity: String,
    /// Which instance, as `label=value` pairs.
    pub instance: String,
    /// What its rule says of it, in one line.
    pub summary: String,
    /// Since when it fires (RFC 3339).
    pub since: String,
    /// Why nobody was paged for it: `silenced`, `inhibited`; empty otherwise.
    pub quiet: String,
}

/// What was said around the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// The command that shows these lines, and more.
    pub command: String,
    /// The lines, ready to be read.
    pub lines: Vec<String>,
    /// Why there are none, if there are none.
    pub note: String,
}

// === impl Report ===

impl Report {
    /// The first line of it all.
    pub fn headline(&self) -> String {
        let count = |number: usize, what: &str| match number {
            1 => format!("1 {what}"),
            number => format!("{number} {what}s"),
        };
        if self.firing == 0 {
            return format!("Nothing fires, says {}.", self.asked);
        }
        let causes = count(self.causes.len(), "likely cause");
        let alerts = count(self.firing, "firing alert");
        format!("{causes} of {alerts} ({})", self.asked)
    }
}

/// The page; `Err` is why there is no report.
pub fn render(host: &str, report: Result<&Report, &str>) -> String {
    let mut out = String::with_capacity(16 << 10);
    // Writing to a String can't fail.
    if write_page(&mut out, host, report).is_err() {
        out.clear();
    }
    out
}

fn write_page(out: &mut String, host: &str, report: Result<&Report, &str>) -> fmt::Result {
    write!(
        out,
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=refresh content=30>\n<title>Why? – nodetap on {host}</title>\n<link rel=stylesheet href=/style.css>\n\
         <h1>Why? <span class=quiet>nodetap on <a href=/>{host}</a></span></h1>\n",
        host = Escaped(host)
    )?;
    match report {
        Err(why) => writeln!(out, "<p class=\"verdict troubled\">{}", Escaped(why))?,
        Ok(report) => {
            let class = if report.causes.is_empty() {
                "verdict"
            } else {
                "verdict hangs"
            };
            writeln!(out, "<p class=\"{class}\">{}", Escaped(&report.headline()))?;
            for cause in &report.causes {
                write_cause(out, cause)?;
            }
            for note in &report.notes {
                writeln!(out, "<p class=quiet>{}", Escaped(note))?;
            }
        }
    }
    out.write_str("</html>\n")
}

fn write_cause(out: &mut String, cause: &Cause) -> fmt::Result {
    let alert = &cause.alert;
    writeln!(
        out,
        "<h2>{} <span class=quiet>{} · {} · since {}{}</span></h2>\n<p>{}",
        Escaped(&alert.name),
        Escaped(&alert.severity),
        Escaped(&alert.instance),
        Escaped(&alert.since),
        Quiet(alert),
        Escaped(&alert.summary),
    )?;
    if !cause.explains.is_empty() {
        writeln!(
            out,
            "<div class=wide><table><tr><th>explains<th>of<th>since<th>by way of"
        )?;
        for effect in &cause.explains {
            let way: Vec<String> = effect.path.iter().map(place).collect();
            let mut way = way.join(" → ");
            if !effect.also.is_empty() {
                way = format!("{way} (or by {})", effect.also.join(", "));
            }
            writeln!(
                out,
                "<tr><td>{}{}<td>{}<td>{}<td>{}",
                Escaped(&effect.alert.name),
                Quiet(&effect.alert),
                Escaped(&effect.alert.instance),
                Escaped(&effect.alert.since),
                Escaped(&way)
            )?;
        }
        writeln!(out, "</table></div>")?;
    }
    if !cause.steps.is_empty() {
        writeln!(out, "<ol>")?;
        for step in &cause.steps {
            writeln!(out, "<li>{}", Escaped(step))?;
        }
        writeln!(out, "</ol>")?;
    }
    if !cause.runbook.is_empty() {
        writeln!(
            out,
            "<p class=quiet>runbook <code>{}</code>",
            Escaped(&cause.runbook)
        )?;
    }
    if !cause.logs.command.is_empty() {
        writeln!(
            out,
            "<p><code>{}</code>\n<pre class=wide>",
            Escaped(&cause.logs.command)
        )?;
        for line in &cause.logs.lines {
            writeln!(out, "{}", Escaped(line))?;
        }
        writeln!(out, "</pre>")?;
    }
    if !cause.logs.note.is_empty() {
        writeln!(out, "<p class=quiet>{}", Escaped(&cause.logs.note))?;
    }
    Ok(())
}

/// Why nobody was paged, behind the alert's name.
struct Quiet<'a>(&'a Alert);

impl fmt::Display for Quiet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.quiet.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", Escaped(&self.0.quiet))
    }
}

/// A place in a few words.
pub fn place(place: &Place) -> String {
    let what = if place.alert.is_empty() {
        &place.class
    } else {
        &place.alert
    };
    if place.instance.is_empty() {
        what.clone()
    } else {
        format!("{what} {}", place.instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let alert = |name: &str, instance: &str| Alert {
            name: name.to_owned(),
            severity: "critical".to_owned(),
            instance: instance.to_owned(),
            summary: "it is <b>bad</b>".to_owned(),
            since: "2026-11-21T20:00:00Z".to_owned(),
            quiet: String::new(),
        };
        let place = |class: &str, alert: &str| Place {
            class: class.to_owned(),
            instance: "node=n1".to_owned(),
            alert: alert.to_owned(),
        };
        let inhibited = Alert {
            quiet: "inhibited".to_owned(),
            ..alert("NodeReadinessProbeFailed", "node=n1")
        };
        Report {
            asked: "http://127.0.0.1:9093".to_owned(),
            firing: 2,
            causes: vec![Cause {
                alert: alert("CoreSwitchUnreachable", "node=n1"),
                about: "a node's way to the core switch".to_owned(),
                explains: vec![Effect {
                    alert: inhibited,
                    path: vec![
                        place("node_network", "CoreSwitchUnreachable"),
                        place("node_readiness", ""),
                    ],
                    also: Vec::new(),
                }],
                logs: Logs {
                    command: "nodetap logs 'a & b'".to_owned(),
                    lines: vec!["<script>".to_owned()],
                    note: String::new(),
                },
                steps: vec!["ask the switch".to_owned()],
                runbook: String::new(),
            }],
            notes: vec!["series were not asked".to_owned()],
        }
    }

    #[test]
    fn a_page_tells_the_cause_and_what_it_explains() {
        let text = render("n1", Ok(&report()));
        for expect in [
            "1 likely cause of 2 firing alerts (http://127.0.0.1:9093)",
            "<h2>CoreSwitchUnreachable",
            "it is &lt;b&gt;bad&lt;/b&gt;",
            "NodeReadinessProbeFailed (inhibited)",
            "CoreSwitchUnreachable node=n1 → node_readiness node=n1",
            "<li>ask the switch",
            "nodetap logs &#39;a &amp; b&#39;",
            "&lt;script&gt;",
            "series were not asked",
        ] {
            assert!(text.contains(expect), "{expect}\n{text}");
        }
        assert!(!text.contains("<script>"), "{text}");
    }

    #[test]
    fn a_page_without_a_report_says_why() {
        let text = render("n1", Err("no Alertmanager is named"));
        assert!(text.contains("no Alertmanager is named"), "{text}");
        let nothing = Report {
            asked: "x".to_owned(),
            ..Report::default()
        };
        assert!(render("n1", Ok(&nothing)).contains("Nothing fires, says x."));
    }
}
