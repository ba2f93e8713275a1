//! Is all well, what was found, and which containers are behind? One plain page, made on the server.

use std::fmt::{self, Write};

use collector::status::StreamStatus;

use crate::html::Escaped;
use crate::snapshot::{Health, Snapshot};
use crate::units::{bytes_text, seconds_text};

/// How many streams the page lists; the rest is in `/api/sources`.
pub const STREAMS_MAX: usize = 500;

/// The style sheet: the system's own colours, so that dark and light need no more.
pub const STYLE: &str = "\
:root { color-scheme: light dark; --line: color-mix(in srgb, CanvasText 18%, Canvas); --quiet: color-mix(in srgb, CanvasText 62%, Canvas); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: CanvasText; background: Canvas; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
.quiet { color: var(--quiet); }
.verdict { padding: .6rem .9rem; border-left: .3rem solid #2e9d55; background: color-mix(in srgb, #2e9d55 10%, Canvas); margin: 1rem 0; }
.troubled { border-color: #d98a00; background: color-mix(in srgb, #d98a00 12%, Canvas); }
.hangs { border-color: #d1383d; background: color-mix(in srgb, #d1383d 12%, Canvas); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--quiet); } td.n, th.n { text-align: right; }
code { font-size: .92em; } pre { font-size: .86em; }
a { color: LinkText; }
";

/// The page.
pub fn render(snapshot: &Snapshot) -> String {
    let mut out = String::with_capacity(32 << 10);
    // Writing to a String can't fail.
    if write_page(&mut out, snapshot).is_err() {
        out.clear();
    }
    out
}

fn write_page(out: &mut String, snapshot: &Snapshot) -> fmt::Result {
    let host = Escaped(&snapshot.host);
    write!(
        out,
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=refresh content=5>\n<title>nodetap on {host}</title>\n<link rel=stylesheet href=/style.css>\n\
         <h1>nodetap <span class=quiet>on {host}</span></h1>\n"
    )?;
    verdict(out, snapshot)?;
    numbers(out, snapshot)?;
    cluster(out, snapshot)?;
    losses(out, snapshot)?;
    streams(out, &snapshot.collector.streams)?;
    if !snapshot.reload.needs_restart.is_empty() {
        writeln!(
            out,
            "<p>Changed, and in force after a restart: {}.",
            Escaped(&snapshot.reload.needs_restart.join(", "))
        )?;
    }
    write!(
        out,
        "<p class=quiet>nodetap {} · state in <code>{}</code> · <a href=/why>why?</a> · <a href=/metrics>metrics</a> · <a href=/api/sources>sources</a> · \
         <a href=/api/status>status</a> · search with <code>nodetap logs</code>\n</html>\n",
        Escaped(&snapshot.version),
        Escaped(&snapshot.state)
    )
}

fn verdict(out: &mut String, snapshot: &Snapshot) -> fmt::Result {
    let status = &snapshot.collector;
    match snapshot.health() {
        Health::Well if status.drained => writeln!(
            out,
            "<p class=verdict>All is well: every line that is there is kept."
        ),
        Health::Well => writeln!(
            out,
            "<p class=verdict>All is well: {} are on their way.",
            bytes_text(status.unread_bytes + status.in_flight_bytes)
        ),
        Health::Troubled(trouble) => {
            writeln!(
                out,
                "<p class=\"verdict troubled\">Needs a look: {}.",
                Escaped(&trouble)
            )
        }
        Health::Hangs(why) => {
            writeln!(out, "<p class=\"verdict hangs\">Broken: {}.", Escaped(&why))
        }
    }
}

fn numbers(out: &mut String, snapshot: &Snapshot) -> fmt::Result {
    let status = &snapshot.collector;
    let total = &status.total;
    writeln!(out, "<h2>Since the start</h2>\n<div class=wide><table>")?;
    let mut row = |name: &str, value: &str| writeln!(out, "<tr><th>{name}<td>{value}");
    row("streams", &status.streams.len().to_string())?;
    row("records kept or on their way", &total.lines.to_string())?;
    row("bytes seen", &bytes_text(total.seen))?;
    row("bytes kept", &bytes_text(total.acknowledged))?;
    row("bytes passed over on purpose", &bytes_text(total.filtered))?;
    row("bytes not yet read", &bytes_text(status.unread_bytes))?;
    row("bytes on their way", &bytes_text(status.in_flight_bytes))?;
    row(
        "bytes of deleted files that are still held",
        &bytes_text(status.held_deleted_bytes),
    )?;
    if let Some(store) = snapshot.store {
        row(
            "store",
            &format!("{} in {} lines", bytes_text(store.bytes), store.rows),
        )?;
    }
    writeln!(out, "</table></div>")
}

/// What becomes of the lines that are shipped.
fn cluster(out: &mut String, snapshot: &Snapshot) -> fmt::Result {
    let sink = &snapshot.collector.sink;
    if sink.name != "elasticsearch" {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>Elasticsearch</h2>\n<div class=wide><table><tr><th>bytes on their way<td>{}",
        bytes_text(sink.in_flight_bytes)
    )?;
    for (result, count) in &sink.items {
        writeln!(
            out,
            "<tr><th>lines {}<td>{count}",
            Escaped(&result.replace('_', " "))
        )?;
    }
    for (code, count) in &sink.requests {
        writeln!(out, "<tr><th>answers {}<td>{count}", Escaped(code))?;
    }
    for waiting in &sink.waiting {
        writeln!(out, "<tr><th>waits<td>{}", Escaped(waiting))?;
    }
    writeln!(out, "</table></div>")
}

fn losses(out: &mut String, snapshot: &Snapshot) -> fmt::Result {
    let status = &snapshot.collector;
    if status.total.abandoned == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>Lost</h2>\n<div class=wide><table><tr><th>reason<th class=n>bytes<th class=n>gaps"
    )?;
    for (reason, bytes) in status
        .abandoned_bytes
        .iter()
        .filter(|(_, bytes)| **bytes > 0)
    {
        let gaps = status.gaps.get(reason).copied().unwrap_or_default();
        writeln!(
            out,
            "<tr><td>{}<td class=n>{}<td class=n>{gaps}",
            Escaped(reason),
            bytes_text(*bytes)
        )?;
    }
    writeln!(out, "</table></div>")
}

fn streams(out: &mut String, streams: &[StreamStatus]) -> fmt::Result {
    let mut listed: Vec<&StreamStatus> = streams.iter().collect();
    listed.sort_by(|a, b| {
        b.lag_bytes
            .cmp(&a.lag_bytes)
            .then_with(|| a.origin.stream.cmp(&b.origin.stream))
    });
    let (all, shown) = (listed.len(), listed.len().min(STREAMS_MAX));
    writeln!(
        out,
        "<h2>Streams <span class=quiet>{shown} of {all}, those furthest behind first</span></h2>\n<div class=wide><table>\
         <tr><th>namespace<th>pod<th>container or file<th class=n>seen<th class=n>behind<th class=n>oldest waiting<th class=n>time to loss<th>state"
    )?;
    for stream in listed.into_iter().take(STREAMS_MAX) {
        let origin = &stream.origin;
        let container = match origin.container_name() {
            "" => &origin.stream,
            name => name,
        };
        let loss = stream
            .time_to_loss_seconds
            .map_or_else(|| "–".to_owned(), seconds_text);
        writeln!(
            out,
            "<tr><td>{}<td>{}<td>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{loss}<td>{}",
            Escaped(origin.namespace()),
            Escaped(origin.pod_name()),
            Escaped(container),
            bytes_text(stream.ledger.seen),
            bytes_text(stream.lag_bytes),
            seconds_text(stream.lag_seconds),
            Escaped(state(stream)),
        )?;
    }
    writeln!(out, "</table></div>")
}

/// One or two words about a stream.
fn state(stream: &StreamStatus) -> &str {
    match stream.files.iter().find_map(|file| file.trouble.as_deref()) {
        Some(trouble) => trouble,
        None if stream.limited => "held back by the rate limit",
        None if stream.drained => "drained",
        None => "reading",
    }
}

#[cfg(test)]
mod tests;
