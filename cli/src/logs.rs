//! `nodetap logs`: searches the store, whether nodetap runs or not, or the cluster that nodetap ships to, and follows it.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use collector::clock::{Clock, SystemClock};
use jiff::tz::TimeZone;
use query::render::{Format, Options, Renderer};
use query::{Backend, BackendError, ElasticsearchBackend, Item, Query, StoreBackend, Summary};
use record::{Level, Timestamp};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::args::{Logs, Output};
use crate::failure::WrongUse;
use crate::place::Place;

/// How often a follower looks for new lines.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);
/// How many lines a terminal gets when no limit is given: more would scroll away unread.
const TERMINAL_LIMIT: usize = 1000;
/// With `-f` and no `--tail`, so many lines come before the new ones.
const FOLLOW_TAIL: usize = 10;
/// Text is written out in pieces of this many bytes.
const BUFFER_BYTES: usize = 64 << 10;

/// Searches and follows.
pub(crate) fn run(place: &Place, args: &Logs) -> anyhow::Result<ExitCode> {
    let terminal = io::stdout().is_terminal();
    let zone = TimeZone::system();
    let query = query(args, terminal, SystemClock::new().wall(), &zone)?;
    let mut backend = backend(place)?;
    let options = Options {
        format: match args.output {
            Output::Text => Format::Text,
            Output::Json => Format::Json,
            Output::Raw => Format::Raw,
        },
        colour: terminal && crate::wants_colour(),
        terminal,
        context: query.context > 0,
        zone,
    };
    let mut sink = Sink::new(Renderer::new(options, &query.predicate));
    let summary = if args.follow {
        follow(backend.as_mut(), &query, &mut sink)?
    } else {
        let summary = backend.search(&query, &mut |item| sink.take(&item));
        sink.done(summary)?
    };
    notes(
        &summary,
        terminal && args.limit.is_none() && args.tail.is_none(),
    );
    Ok(ExitCode::SUCCESS)
}

/// Where the lines are: in the cluster that was named, else in the store.
fn backend(place: &Place) -> anyhow::Result<Box<dyn Backend>> {
    if let Some(cluster) = place.elasticsearch() {
        let prefix = &place.config.elasticsearch.index_prefix;
        return Ok(Box::new(ElasticsearchBackend::open(&cluster, prefix)?));
    }
    let store = place.store();
    if !store
        .try_exists()
        .with_context(|| format!("look for the store {}", store.display()))?
    {
        return Err(anyhow!(
            "no store in {}: `nodetap up` makes it; --state names another directory",
            place.state.display()
        ));
    }
    Ok(Box::new(StoreBackend::open(&store)?))
}

/// Gives what is there, then what comes, until the reader goes away.
fn follow(backend: &mut dyn Backend, query: &Query, sink: &mut Sink) -> anyhow::Result<Summary> {
    let mut bookmark = backend.tail(query, &mut |item| sink.take(&item))?;
    sink.flush()?;
    while !reader_has_gone(FOLLOW_INTERVAL)? {
        let summary = backend.follow(query, &mut bookmark, &mut |item| sink.take(&item));
        sink.done(summary)?;
    }
    Ok(Summary::default())
}

/// Waits, and says whether the other end of stdout was closed meanwhile (poll(2): POLLERR for a pipe without reader).
fn reader_has_gone(patience: Duration) -> anyhow::Result<bool> {
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(patience.subsec_nanos()),
    };
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) => Ok(fds
            .iter()
            .any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP))),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(io::Error::from(error)).context("wait for new lines"),
    }
}

/// The flags and the text as one query; what is wrong with them is the user's mistake.
fn query(args: &Logs, terminal: bool, now: Timestamp, zone: &TimeZone) -> anyhow::Result<Query> {
    if args.follow && args.context.is_some() {
        return Err(WrongUse::new(
            "--context needs the lines after a hit, which --follow does not have yet",
        )
        .into());
    }
    if args.follow && args.until.is_some() {
        return Err(
            WrongUse::new("--until ends what --follow begins; leave one of them out").into(),
        );
    }
    let predicate = query::parse(args.query.as_deref().unwrap_or_default())
        .map_err(|error| WrongUse::new(format!("can't read the query\n{}", error.show())))?;
    let moment = |flag: &str, text: &Option<String>| {
        let text = text.as_deref();
        let moment = text
            .map(|text| query::parse_moment(text, now, zone))
            .transpose();
        moment.map_err(|error| WrongUse::new(format!("--{flag}: {error}")))
    };
    let level = match args.level.as_deref() {
        None => None,
        Some(word) => Some(Level::from_word(word.as_bytes()).ok_or_else(|| {
            WrongUse::new(format!(
                "--level: `{word}` is none of trace, debug, info, warn, error, fatal"
            ))
        })?),
    };
    let default_limit = (terminal && !args.follow && args.tail.is_none()).then_some(TERMINAL_LIMIT);
    let default_tail = args.follow.then_some(FOLLOW_TAIL);
    Ok(Query {
        predicate,
        namespaces: args.namespace.clone(),
        pods: args.pod.clone(),
        containers: args.container.clone(),
        level,
        since: moment("since", &args.since)?,
        until: moment("until", &args.until)?,
        limit: args.limit.or(default_limit),
        tail: args.tail.or(default_tail),
        context: args.context.unwrap_or(0),
    })
}

/// What a reader should know beside the lines; on stderr, so that stdout has lines only.
fn notes(summary: &Summary, is_default_limit: bool) {
    let mut stderr = io::stderr().lock();
    if summary.limited && is_default_limit {
        drop(writeln!(
            stderr,
            "nodetap: the newest {} are shown; --limit or --since shows more",
            summary.hits
        ));
    }
    if summary.shards_failed > 0 {
        drop(writeln!(
            stderr,
            "nodetap: {} of the cluster's shards did not answer: lines may be missing",
            summary.shards_failed
        ));
    }
    if summary.files_damaged > 0 {
        drop(writeln!(
            stderr,
            "nodetap: {} damaged files were left out: lines may be missing (`nodetap check` names them)",
            summary.files_damaged
        ));
    }
}

/// Takes items to stdout.
struct Sink {
    renderer: Renderer,
    text: Vec<u8>,
    error: Option<io::Error>,
}

// === impl Sink ===

impl Sink {
    fn new(renderer: Renderer) -> Self {
        Self {
            renderer,
            text: Vec::with_capacity(2 * BUFFER_BYTES),
            error: None,
        }
    }

    fn take(&mut self, item: &Item) -> ControlFlow<()> {
        self.renderer.write(item, &mut self.text);
        if self.text.len() < BUFFER_BYTES {
            return ControlFlow::Continue(());
        }
        match self.write() {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Writes the rest, and gives the search's own result unless writing failed first.
    fn done(&mut self, summary: Result<Summary, BackendError>) -> anyhow::Result<Summary> {
        if let Some(error) = self.error.take() {
            return Err(error).context("write lines");
        }
        self.flush()?;
        Ok(summary?)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if let Some(error) = self.error.take() {
            return Err(error).context("write lines");
        }
        self.write().context("write lines")
    }

    fn write(&mut self) -> io::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(&self.text)?;
        self.text.clear();
        stdout.flush()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn read(arguments: &[&str]) -> anyhow::Result<Query> {
        let cli = Cli::parse_from(["nodetap", "logs"].iter().chain(arguments));
        let Command::Logs(args) = cli.command else {
            panic!("not logs")
        };
        query(&args, true, Timestamp(3_600_000_000_000), &TimeZone::UTC)
    }

    #[test]
    fn flags_become_a_query() {
        let found = read(&[
            "boom", "-n", "shop", "-n", "lab-*", "-p", "a", "--since", "15m", "--level", "WARN",
            "-C", "5",
        ])
        .unwrap();
        assert_eq!(found.namespaces, ["shop", "lab-*"]);
        assert_eq!(found.since, Some(Timestamp(2_700_000_000_000)));
        assert_eq!(found.level, Some(Level::Warn));
        assert_eq!(
            (found.context, found.limit, found.tail),
            (5, Some(TERMINAL_LIMIT), None)
        );
        let found = read(&["-f"]).unwrap();
        assert_eq!((found.limit, found.tail), (None, Some(FOLLOW_TAIL)));
        let found = read(&["--tail", "3", "--limit", "7"]).unwrap();
        assert_eq!((found.limit, found.tail), (Some(7), Some(3)));
    }

    #[test]
    fn mistakes_are_the_users() {
        let check = |arguments: &[&str], expect: &str| {
            let error = read(arguments).unwrap_err();
            assert!(error.downcast_ref::<WrongUse>().is_some(), "{error:?}");
            assert!(error.to_string().contains(expect), "{error}");
        };
        check(&["(boom"], "can't read the query\n(boom");
        check(&["--level", "loud"], "`loud` is none of trace, debug");
        check(&["--since", "soon"], "--since: read the time \"soon\"");
        check(&["-f", "-C", "3"], "--context");
        check(&["-f", "--until", "10:00"], "--until");
    }
}
