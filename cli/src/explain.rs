//! `nodetap explain FILE`: what the file is to nodetap, how far it is read, and the exact document of one of its lines.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, anyhow};
use collector::checkpoint::{self, Checkpoint, FileState};
use collector::discover::{Discovery, Found};
use collector::status::FileStatus;
use collector::tail::{Carrier, FirstLine, first_line};
use collector::{enrich, parse};
use page::units::bytes_text;
use record::origin::Format;
use record::{Fingerprint, Timestamp};

use self::line::{Lookup, Naming};
use crate::args;
use crate::ask;
use crate::failure::WrongUse;
use crate::place::Place;
use crate::settings;
use crate::table::{Table, hexadecimal, visible};

mod line;

/// What is known of a file's position.
enum Known {
    /// The running process follows it.
    Running(FileStatus),
    /// The state remembers it.
    Remembered(Box<FileState>),
    /// Nobody has read it.
    Nobody,
}

/// Explains one file.
pub(crate) fn run(place: &Place, args: &args::Explain) -> anyhow::Result<ExitCode> {
    let mut discovery = Discovery::new(settings::discovery(place)?)?;
    let path = below_root(&place.root, &args.file)?;
    let chain = chain(&mut discovery, &path).ok_or_else(|| {
        WrongUse::new(format!(
            "{} is no log file that is taken; `nodetap sources` lists what is, and why the rest is not",
            visible(&path.display().to_string())
        ))
    })?;
    let found = chain
        .iter()
        .find(|found| found.source.path == path)
        .context("find the file again")?;
    let file = discovery.open(&found.source)?;
    let mut carrier = Carrier::new(file, found.source.link.gzip);
    let first = first_line(&mut carrier).with_context(|| format!("read {}", path.display()))?;
    let size = carrier.size().context("ask for the file's size")?;
    let timed = match &first {
        FirstLine::Complete(line) if found.source.format != Format::Text => Some(line.as_slice()),
        FirstLine::Complete(_) | FirstLine::Incomplete(_) => None,
    };
    let fingerprint = timed.map(Fingerprint::of_first_line);
    let known = known(place, found, fingerprint)?;

    let mut out = io::BufWriter::new(io::stdout().lock());
    describe(found, fingerprint, &known, size, &mut out)?;
    list_chain(&chain, &path, &mut out)?;
    let started = match &known {
        Known::Running(status) => {
            Timestamp::parse_rfc3339(status.started.as_bytes()).map(|time| time.0)
        }
        Known::Remembered(state) => Some(state.started),
        Known::Nobody => None,
    };
    let started = started
        .or_else(|| Some(parse::first_time(found.source.format, timed?)?.0))
        .unwrap_or(found.modified.0);
    let key = match (&known, fingerprint) {
        (Known::Remembered(state), _) => state.key,
        (Known::Running(status), _) => line::key(&status.key).unwrap_or(record::FileKey([0; 16])),
        (Known::Nobody, Some(fingerprint)) => fingerprint.key(0),
        (Known::Nobody, None) => record::FileKey([0; 16]),
    };
    let node = Arc::new(settings::node(&place.config));
    let file = enrich::file(&found.source, &node, key, fingerprint, started);
    let lookup = Lookup {
        file,
        format: found.source.format,
        seen: found.modified,
        redact: settings::redaction(&place.config)?,
        naming: place.elasticsearch().map(|_| Naming {
            layout: settings::layout(&place.config.elasticsearch),
            moments: match known {
                Known::Remembered(state) => state.named,
                Known::Running(_) | Known::Nobody => Vec::new(),
            },
        }),
    };
    writeln!(out)?;
    let shown = lookup.show(
        carrier,
        args.offset.unwrap_or(0),
        &settings::parsing(&place.config),
        &mut out,
    )?;
    out.flush()?;
    if !shown {
        return Err(anyhow!(
            "no whole line begins at offset {} or after it",
            args.offset.unwrap_or(0)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The path without the root: it may be given with or without it.
fn below_root(root: &Path, file: &Path) -> anyhow::Result<PathBuf> {
    let absolute = std::path::absolute(file).context("make the path absolute")?;
    let root = std::path::absolute(root).context("make the root absolute")?;
    Ok(match absolute.strip_prefix(&root) {
        Ok(below) => Path::new("/").join(below),
        Err(_) => absolute,
    })
}

/// All files of the stream that `path` belongs to, oldest first.
fn chain(discovery: &mut Discovery, path: &Path) -> Option<Vec<Found>> {
    let listings = discovery.scan(Instant::now());
    let all: Vec<Found> = listings
        .into_iter()
        .flat_map(|listing| listing.files)
        .collect();
    let stream = all
        .iter()
        .find(|found| found.source.path == path)?
        .source
        .origin
        .stream
        .clone();
    let mut chain: Vec<Found> = all
        .into_iter()
        .filter(|found| found.source.origin.stream == stream)
        .collect();
    chain.sort_by(|a, b| a.source.link.cmp(&b.source.link));
    Some(chain)
}

fn known(place: &Place, found: &Found, fingerprint: Option<Fingerprint>) -> anyhow::Result<Known> {
    let running = ask::door(&place.listen_file()).and_then(|address| ask::status(&address).ok());
    if let Some(snapshot) = running {
        let path = found.source.path.display().to_string();
        let print = fingerprint
            .map(|fingerprint| fingerprint.to_string())
            .unwrap_or_default();
        let streams = snapshot.collector.streams.iter();
        let own = streams.filter(|stream| stream.origin.stream == found.source.origin.stream);
        let mut files: Vec<FileStatus> = own.flat_map(|stream| stream.files.clone()).collect();
        // A renamed file may still be known by its former path, so what it says of itself goes first.
        let by_print = files
            .iter()
            .position(|file| !print.is_empty() && file.fingerprint == print);
        let at = by_print.or_else(|| files.iter().position(|file| file.path == path));
        return Ok(at.map_or(Known::Nobody, |at| Known::Running(files.swap_remove(at))));
    }
    if !place
        .state
        .join(checkpoint::FILE_NAME)
        .try_exists()
        .context("look for the state")?
    {
        return Ok(Known::Nobody);
    }
    let states: BTreeMap<u64, FileState> = Checkpoint::read(&place.state)?;
    let own = states
        .into_values()
        .filter(|state| state.source.origin.stream == found.source.origin.stream);
    let is_it = |state: &FileState| match (fingerprint, state.fingerprint) {
        (Some(found), Some(remembered)) => found == remembered,
        _ => (state.device, state.inode) == (found.device, found.inode),
    };
    let best = own.filter(is_it).max_by_key(|state| state.started);
    Ok(best.map_or(Known::Nobody, |state| Known::Remembered(Box::new(state))))
}

fn describe(
    found: &Found,
    fingerprint: Option<Fingerprint>,
    known: &Known,
    size: u64,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let source = &found.source;
    let format = match source.format {
        Format::Cri => "CRI (kubelet's runtimes)",
        Format::JsonFile => "json-file (Docker)",
        Format::Text => "plain text",
    };
    let mut line = |name: &str, value: String| writeln!(out, "{name:<13}{}", visible(&value));
    line("file", source.path.display().to_string())?;
    line("stream", source.origin.stream.clone())?;
    line("format", format.to_owned())?;
    line(
        "text",
        format!(
            "{size} bytes{}",
            if source.link.gzip {
                ", compressed on disk"
            } else {
                ""
            }
        ),
    )?;
    line(
        "inode",
        format!("{} on device {}", found.inode, found.device),
    )?;
    let print = match fingerprint {
        Some(fingerprint) => fingerprint.to_string(),
        None if source.format == Format::Text => {
            "none: plain text is known by a key of its own".to_owned()
        }
        None => "none yet: the first line is not complete".to_owned(),
    };
    line("fingerprint", print)?;
    let (key, read, how) = match known {
        Known::Running(status) => (
            status.key.clone(),
            status.acknowledged,
            "by the running nodetap",
        ),
        Known::Remembered(state) => {
            let key = hexadecimal(&state.key.0);
            (key, state.acknowledged, "by the state; no nodetap runs")
        }
        Known::Nobody => {
            line("position", "not read yet".to_owned())?;
            return Ok(());
        }
    };
    line("key", key)?;
    let left = bytes_text(size.saturating_sub(read));
    line(
        "position",
        format!("kept up to offset {read}, {left} left ({how})"),
    )?;
    Ok(())
}

fn list_chain(chain: &[Found], path: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "\nchain, oldest first:")?;
    let mut table = Table::new(&["", "file", ">on disk", "inode", "written last"]);
    for found in chain {
        let mark = if found.source.path == path { "→" } else { "" };
        table.row(&[
            mark.to_owned(),
            found.source.path.display().to_string(),
            bytes_text(found.size),
            found.inode.to_string(),
            found.modified.to_string(),
        ]);
    }
    table.write(out)?;
    Ok(())
}
