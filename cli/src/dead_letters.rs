//! `nodetap dead-letters`: what a cluster refused for good, and another try once that is mended.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use collector::ship::elasticsearch::dead_letters::{self, DeadLetter};
use collector::ship::elasticsearch::verdict::{Outcome, Verdict, verdict};
use elastic::Client;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::args;
use crate::failure::WrongUse;
use crate::place::Place;
use crate::table::visible;

/// How much one request of a replay holds, in bytes.
const REQUEST_BYTES: usize = 1 << 20;

/// The same as the collector asks for.
const BULK: &str = "/_bulk?timeout=20s&filter_path=took,errors,items.*.status,items.*.error.type,items.*.error.reason,\
                    items.*.failure_store";

/// Lists or replays.
pub(crate) fn run(place: &Place, args: args::DeadLetters) -> anyhow::Result<ExitCode> {
    match args.action {
        None => list(place, args.json),
        Some(args::DeadLetterAction::List(list_args)) => list(place, args.json || list_args.json),
        Some(args::DeadLetterAction::Replay) => replay(place),
    }
}

fn list(place: &Place, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut count = 0_usize;
    for letter in dead_letters::list(&place.dead_letters())? {
        match letter {
            Ok(letter) if json => {
                serde_json::to_writer(&mut out, &letter).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            Ok(letter) => show(&letter, &mut out)?,
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::new(error));
                tracing::warn!(%error, "dead letter passed over");
            }
        }
        count += 1;
    }
    if count == 0 && !json {
        writeln!(out, "no dead letters in {}", place.dead_letters().display())?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// One letter in three lines: when and where, why, what.
fn show(letter: &DeadLetter, out: &mut impl Write) -> io::Result<()> {
    let DeadLetter {
        time,
        index,
        id,
        status,
        reason,
        document,
    } = letter;
    writeln!(
        out,
        "{}  {}/{}\n  refused with {status}: {}\n  {}",
        visible(time),
        visible(index),
        visible(id),
        visible(reason),
        visible(document.get())
    )
}

/// What a replay has done so far.
#[derive(Debug, Default)]
struct Tally {
    created: usize,
    known: usize,
    refused: usize,
    kept: usize,
    /// Why it stopped; what was not sent then stays.
    failure: Option<String>,
}

fn replay(place: &Place) -> anyhow::Result<ExitCode> {
    let settings = place.elasticsearch().ok_or_else(|| {
        WrongUse::new("dead letters are sent to Elasticsearch: give --elasticsearch URL, or set elasticsearch.urls")
    })?;
    let client = Client::new(&settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start a runtime")?;
    let mut tally = Tally::default();
    let replayed = dead_letters::replay(&place.dead_letters(), |letters| {
        Ok::<_, std::convert::Infallible>(deliver(&runtime, &client, letters, &mut tally))
    })?;
    match replayed {
        Ok(()) => {}
        Err(never) => match never {},
    }
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{} created, {} known already, {} refused again, {} not sent",
        tally.created, tally.known, tally.refused, tally.kept
    )?;
    match tally.failure {
        Some(failure) => Err(anyhow!("{failure}; what was not sent stays")),
        None => Ok(ExitCode::from(u8::from(tally.refused > 0))),
    }
}

/// Sends letters and gives those back that must stay.
fn deliver(
    runtime: &Runtime,
    client: &Client,
    letters: Vec<DeadLetter>,
    tally: &mut Tally,
) -> Vec<DeadLetter> {
    let mut back = Vec::new();
    let mut letters = letters.into_iter().peekable();
    while letters.peek().is_some() {
        let mut body = Vec::new();
        let mut sent = Vec::new();
        while body.len() < REQUEST_BYTES
            && let Some(letter) = letters.next()
        {
            let action = json!({ "create": { "_index": letter.index, "_id": letter.id } });
            body.extend_from_slice(action.to_string().as_bytes());
            body.push(b'\n');
            body.extend_from_slice(letter.document.get().as_bytes());
            body.push(b'\n');
            sent.push(letter);
        }
        let outcomes = if tally.failure.is_some() {
            None
        } else {
            ask(runtime, client, body, sent.len(), tally)
        };
        if let Some(outcomes) = outcomes {
            settle(sent, outcomes, tally, &mut back);
        } else {
            tally.kept += sent.len();
            back.extend(sent);
        }
    }
    back
}

/// What the cluster makes of each; `None` with the failure noted when it does not say.
fn ask(
    runtime: &Runtime,
    client: &Client,
    body: Vec<u8>,
    count: usize,
    tally: &mut Tally,
) -> Option<Vec<Outcome>> {
    let failure = match runtime.block_on(client.send_lines(BULK, Bytes::from(body))) {
        Ok(answer) => match verdict(&answer, count) {
            Verdict::Items(outcomes) => return Some(outcomes),
            Verdict::TooLarge => answer.complaint(),
            Verdict::Again(again) => again.reason,
        },
        Err(error) => error.to_string(),
    };
    tally.failure = Some(failure);
    None
}

fn settle(
    sent: Vec<DeadLetter>,
    outcomes: Vec<Outcome>,
    tally: &mut Tally,
    back: &mut Vec<DeadLetter>,
) {
    for (letter, outcome) in sent.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Created => tally.created += 1,
            Outcome::Known => tally.known += 1,
            Outcome::Refused { status, reason } => {
                tally.refused += 1;
                back.push(DeadLetter {
                    status,
                    reason,
                    ..letter
                });
            }
            Outcome::Retry { reason } => {
                tally.kept += 1;
                tally.failure.get_or_insert(reason);
                back.push(letter);
            }
        }
    }
}
