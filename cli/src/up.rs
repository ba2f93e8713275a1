//! `nodetap up`: collects into the embedded store and shows how it goes, until it is stopped or everything is kept.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use collector::Outcome;
use collector::clock::{Clock, SystemClock};
use collector::ship::Waker;
use collector::ship::embedded::Embedded;
use collector::{Collector, StartError};
use page::Source;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::found::Found;
use self::progress::Progress;
use self::watch::Watch;
use crate::args;
use crate::place::Place;
use crate::settings;

mod found;
pub(crate) mod progress;
mod watch;

/// How often it is looked whether the loop has ended by itself: soon when that is what is waited for.
const DRAINED_INTERVAL: Duration = Duration::from_millis(20);
const ALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// Why the process ends.
enum End {
    /// SIGTERM or SIGINT.
    Asked,
    /// The loop ended: drained, or broken.
    Finished,
}

/// Runs until it is asked to stop; with `until_drained` until everything is kept.
pub(crate) fn run(place: &Place, args: &args::Up) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the HTTP thread's runtime")?;
    let guard = runtime.enter();
    // From here on a signal is kept until it is waited for.
    let signals = Signals::new().context("wait for signals")?;
    raise_descriptor_limit();
    let ready = prepare(place, args)?;
    drop(guard);
    let code = runtime.block_on(serve(ready, signals, place, args.until_drained));
    drop(fs::remove_file(place.listen_file()));
    code
}

/// Everything that the collector needs, and where it is shown.
struct Ready {
    watch: Arc<Watch>,
    listener: tokio::net::TcpListener,
    config: collector::Config,
    sink: Embedded,
    waker: Waker,
    clock: SystemClock,
}

/// Opens the store, binds the address and says where everything is.
fn prepare(place: &Place, args: &args::Up) -> anyhow::Result<Ready> {
    fs::create_dir_all(&place.state)
        .with_context(|| format!("make state directory {}", place.state.display()))?;
    let clock = SystemClock::new();
    let writer = store::Writer::open(&place.store(), settings::store(&place.config), clock.wall())
        .map_err(|error| match error {
            store::OpenError::Busy { pid, .. } => anyhow!(
                "state directory {} is in use by another nodetap (process {pid}); \
                 stop it, or give another directory with --state",
                place.state.display()
            ),
            other => anyhow::Error::new(other),
        })?;
    let wanted = args.listen.unwrap_or(place.config.listen);
    let listener = TcpListener::bind(wanted).with_context(|| format!("listen on {wanted}"))?;
    listener
        .set_nonblocking(true)
        .context("prepare the listener")?;
    let address = listener
        .local_addr()
        .context("ask for the listener's address")?;
    let listener = tokio::net::TcpListener::from_std(listener).context("prepare the listener")?;

    let waker = Waker::new()
        .map_err(io::Error::from)
        .context("make a waker")?;
    let sink = Embedded::start(writer, waker.clone(), Box::new(clock))
        .context("start the store's thread")?;
    let config = settings::collector(place, args.until_drained)?;
    let host = config.node.host.clone();
    write_address(&place.listen_file(), address)
        .with_context(|| format!("write {}", place.listen_file().display()))?;
    // Nobody needs to read this.
    drop(say(place, address, &host));
    let watch = Watch::new(host, place.state.display().to_string(), place.store());
    Ok(Ready {
        watch: Arc::new(watch),
        listener,
        config,
        sink,
        waker,
        clock,
    })
}

fn say(place: &Place, address: SocketAddr, host: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let state = if place.default_state {
        String::new()
    } else {
        format!(" --state {}", place.state.display())
    };
    writeln!(out, "nodetap {} on {host}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  page     http://{address}/")?;
    writeln!(out, "  metrics  http://{address}/metrics")?;
    writeln!(out, "  search   nodetap logs -f{state}")?;
    out.flush()
}

/// Serves, shows progress, and stops the collector when the time has come.
async fn serve(
    ready: Ready,
    mut signals: Signals,
    place: &Place,
    until_drained: bool,
) -> anyhow::Result<ExitCode> {
    let Ready {
        watch,
        listener,
        config,
        sink,
        waker,
        clock,
    } = ready;
    let source: Arc<dyn Source> = Arc::<Watch>::clone(&watch);
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, page::router(source)).await {
            tracing::error!(%error, "the page is not served any more");
        }
    });
    // The first look at a full node takes a while; probes are answered meanwhile.
    let started = Arc::clone(&watch);
    let start = tokio::task::spawn_blocking(move || -> Result<(), StartError> {
        let handle = Collector::start(config, Box::new(sink), waker, Box::new(clock))?;
        started.started(handle);
        if let Some(status) = started.first_status() {
            drop(write!(
                io::stdout(),
                "{}",
                Found::count(&status.streams).lines()
            ));
        }
        Ok(())
    });
    // A signal that comes before the collector has begun waits for it: only then can it be stopped well.
    start.await.context("wait for the collector")??;
    let end = tokio::select! {
        () = signals.recv() => End::Asked,
        () = finished(&watch, until_drained) => End::Finished,
        () = show_progress(&watch) => End::Finished,
    };
    if matches!(end, End::Asked) {
        tracing::info!(grace = ?place.config.grace, "stopping: what was read is kept first");
    }
    let stopped = Arc::clone(&watch);
    let grace = place.config.grace;
    let outcome = tokio::task::spawn_blocking(move || stopped.stop(grace)).await;
    server.abort();
    let outcome = outcome.context("wait for the collector")?;
    if until_drained && outcome.is_some() {
        seal(place)?;
    }
    verdict(&end, outcome, until_drained)
}

/// Leaves nothing fresh behind: whoever drains wants to read the sealed files with other programs.
fn seal(place: &Place) -> anyhow::Result<()> {
    let now = SystemClock::new().wall();
    store::Writer::open(&place.store(), settings::store(&place.config), now)
        .context("open the store again to seal it")?
        .settle(now, true)
        .context("seal the store")?;
    Ok(())
}

/// 0 when everything that was promised is done.
fn verdict(end: &End, outcome: Option<Outcome>, until_drained: bool) -> anyhow::Result<ExitCode> {
    let outcome = outcome
        .context("the collector broke; what it had not kept is read again at the next start")?;
    let status = &outcome.status;
    tracing::info!(
        lines = status.total.lines,
        bytes_kept = status.total.acknowledged,
        bytes_waiting = status.unread_bytes + status.in_flight_bytes,
        bytes_lost = status.total.abandoned,
        "stopped"
    );
    if !outcome.saved {
        return Err(anyhow!(
            "positions could not be written; what was kept since they last were is read again, and not stored twice"
        ));
    }
    match end {
        End::Asked => Ok(ExitCode::SUCCESS),
        End::Finished if until_drained && status.total.abandoned == 0 => Ok(ExitCode::SUCCESS),
        End::Finished if until_drained => {
            let reasons = status
                .abandoned_bytes
                .iter()
                .filter(|(_, bytes)| **bytes > 0);
            let reasons: Vec<String> = reasons
                .map(|(reason, bytes)| format!("{reason} {bytes} bytes"))
                .collect();
            Err(anyhow!("some lines were lost: {}", reasons.join(", ")))
        }
        End::Finished => Err(anyhow!("the collector ended by itself")),
    }
}

async fn finished(watch: &Watch, until_drained: bool) {
    let period = if until_drained {
        DRAINED_INTERVAL
    } else {
        ALIVE_INTERVAL
    };
    let mut interval = tokio::time::interval(period);
    while !watch.is_finished() {
        interval.tick().await;
    }
}

/// Never ends; without a terminal it never wakes either.
async fn show_progress(watch: &Watch) {
    let Some(mut progress) = Progress::on_terminal() else {
        return std::future::pending().await;
    };
    let mut interval = tokio::time::interval(progress::INTERVAL);
    loop {
        interval.tick().await;
        progress.show(&watch.snapshot(), Instant::now());
    }
}

/// Written whole or not at all: others read it at any time.
fn write_address(file: &Path, address: SocketAddr) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, format!("{address}\n"))?;
    fs::rename(new, file)
}

/// Each followed file is an open one; the usual soft limit of 1024 is a default for `select`, not a need.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, limit = ?limit.current, "cannot raise the limit of open files");
    }
}

/// The signals that ask for an end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

// === impl Signals ===

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
