//! `nodetap sources`: what was found, why, how far it is read, how far it is behind.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use collector::checkpoint::CheckpointError;
use collector::discover::Report;
use collector::status::StreamStatus;
use page::snapshot::{Health, Snapshot};
use page::units::{bytes_text, seconds_text};
use record::origin::Kind;
use serde::Serialize;

use crate::args;
use crate::ask;
use crate::place::Place;
use crate::table::{Table, visible};

mod rest;
mod shipping;

/// What the running process says, or what the state remembers when none runs.
enum Answer {
    Running(Box<Snapshot>),
    AtRest(Vec<StreamStatus>),
}

/// Lists the streams.
pub(crate) fn run(place: &Place, args: args::Sources) -> anyhow::Result<ExitCode> {
    let answer = ask(place)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        json(&answer, &mut out)?;
    } else {
        text(&answer, place, &mut out)?;
    }
    out.flush().context("write the list")?;
    Ok(ExitCode::SUCCESS)
}

fn ask(place: &Place) -> anyhow::Result<Answer> {
    let Some(address) = ask::door(&place.listen_file()) else {
        return at_rest(place);
    };
    match ask::status(&address) {
        Ok(snapshot) => Ok(Answer::Running(Box::new(snapshot))),
        // The address may be one that a killed process left behind: only when the state is in use does one run.
        Err(error) => at_rest(place).map_err(|busy| {
            if is_busy(&busy) {
                anyhow::Error::new(error).context("ask the running process")
            } else {
                busy
            }
        }),
    }
}

fn is_busy(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(CheckpointError::Busy { .. }))
}

fn at_rest(place: &Place) -> anyhow::Result<Answer> {
    rest::streams(place).map(Answer::AtRest)
}

fn json(answer: &Answer, out: &mut impl Write) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Listed<'a, T> {
        running: bool,
        #[serde(flatten)]
        rest: &'a T,
    }
    #[derive(Serialize)]
    struct AtRest<'a> {
        streams: &'a [StreamStatus],
    }
    match answer {
        Answer::Running(snapshot) => serde_json::to_writer(
            &mut *out,
            &Listed {
                running: true,
                rest: &**snapshot,
            },
        ),
        Answer::AtRest(streams) => serde_json::to_writer(
            &mut *out,
            &Listed {
                running: false,
                rest: &AtRest { streams },
            },
        ),
    }
    .context("write the list")?;
    writeln!(out).context("write the list")
}

fn text(answer: &Answer, place: &Place, out: &mut impl Write) -> anyhow::Result<()> {
    let streams = match answer {
        Answer::Running(snapshot) => &snapshot.collector.streams,
        Answer::AtRest(streams) => streams,
    };
    let mut table = Table::new(&[
        "namespace",
        "pod",
        "container or file",
        "found as",
        ">files",
        ">read",
        ">behind",
        ">oldest waiting",
        ">time to loss",
        "state",
    ]);
    for stream in streams {
        table.row(&row(stream));
    }
    table.write(out).context("write the list")?;
    match answer {
        Answer::Running(snapshot) => {
            writeln!(out)?;
            match snapshot.health() {
                Health::Well => {}
                Health::Troubled(text) | Health::Hangs(text) => {
                    writeln!(out, "needs a look: {}\n", visible(&text))?;
                }
            }
            shipping::describe(snapshot, out)?;
            found(&snapshot.collector.found, out)?;
        }
        Answer::AtRest(streams) => {
            let state = visible(&place.state.display().to_string());
            writeln!(
                out,
                "\nno nodetap runs on {state}: {} streams as it left them",
                streams.len()
            )?;
        }
    }
    Ok(())
}

fn row(stream: &StreamStatus) -> Vec<String> {
    let origin = &stream.origin;
    let container = match origin.container_name() {
        "" => origin.stream.clone(),
        name => name.to_owned(),
    };
    let kind = match (origin.kind, &origin.pod) {
        (Kind::Container, Some(_)) => "pod log",
        (Kind::Container, None) => "docker",
        (Kind::Volume, _) => "volume",
        (Kind::Host, _) => "host log",
    };
    let read: u64 = stream.files.iter().map(|file| file.acknowledged).sum();
    let or_dash = |text: &str| {
        if text.is_empty() {
            "–".to_owned()
        } else {
            text.to_owned()
        }
    };
    let state = match stream.files.iter().find_map(|file| file.trouble.clone()) {
        Some(trouble) => trouble,
        None if stream.limited => "held back by the rate limit".to_owned(),
        None if stream.drained => "drained".to_owned(),
        None => "reading".to_owned(),
    };
    vec![
        or_dash(origin.namespace()),
        or_dash(origin.pod_name()),
        container,
        kind.to_owned(),
        stream.files.len().to_string(),
        bytes_text(read),
        bytes_text(stream.lag_bytes),
        if stream.lag_bytes == 0 {
            "–".to_owned()
        } else {
            seconds_text(stream.lag_seconds)
        },
        stream
            .time_to_loss_seconds
            .map_or_else(|| "–".to_owned(), seconds_text),
        state,
    ]
}

/// Where was looked, and what was passed over.
fn found(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut roots = Table::new(&["looked in", "because", "there"]);
    for root in &report.roots {
        let there = if root.is_there { "yes" } else { "no" };
        roots.row(&[root.path.clone(), root.why.clone(), there.to_owned()]);
    }
    roots.write(out)?;
    let mut note = |text: String| writeln!(out, "{}", visible(&text));
    for (rule, count) in &report.excluded {
        note(format!("not taken: {count} files ({rule})"))?;
    }
    for refused in &report.refused {
        note(format!(
            "refused: {} files ({:?}), as {}",
            refused.count,
            refused.reason,
            refused.examples.join(", ")
        ))?;
    }
    for unreadable in &report.unreadable {
        note(format!(
            "can't be read: {}: {}",
            unreadable.path.display(),
            unreadable.error
        ))?;
    }
    for limit in &report.limits {
        note(format!("limit reached: {limit}"))?;
    }
    for (driver, count) in &report.other_drivers {
        note(format!(
            "not read: {count} Docker containers with the log driver {driver}"
        ))?;
    }
    if report.watches.missing > 0 {
        note(format!(
            "not watched: {} directories; raise fs.inotify.max_user_watches (see `nodetap check`)",
            report.watches.missing
        ))?;
    }
    Ok(())
}
