//! `nodetap up` and `nodetap collect`: collects, keeps or ships, and shows how it goes, until it is stopped or everything
//! is kept.

use std::fs;
use std::io::{self, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use collector::Outcome;
use collector::clock::SystemClock;
use collector::ship::elasticsearch::Remote;
use collector::ship::{Sink, Waker};
use collector::{Collector, StartError};
use exporter::Exporter;
use exporter::probes::readiness;
use exporter::serve::Find;
use page::Source;

use self::claim::Claim;
use self::found::Found;
use self::progress::Progress;
use self::reload::Reloader;
use self::servers::Addresses;
use self::signals::{Asked, Signals};
use self::watch::Watch;
use crate::args::{self, Common};
use crate::export;
use crate::place::Place;
use crate::settings;
use crate::why::Asker;

mod claim;
mod destination;
mod found;
mod further;
pub(crate) mod progress;
mod reload;
mod servers;
mod signals;
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
///
/// With `exports` the node's plumbing is part of the metrics.
pub(crate) fn run(
    place: Place,
    common: &Common,
    args: &args::Up,
    exports: bool,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the HTTP thread's runtime")?;
    let guard = runtime.enter();
    // From here on a signal is kept until it is waited for.
    let signals = Signals::new().context("wait for signals")?;
    raise_descriptor_limit();
    fs::create_dir_all(&place.state)
        .with_context(|| format!("make state directory {}", place.state.display()))?;
    let _claim = Claim::of(&place.state)?;
    let (ready, remote) = prepare(&place, common, args, exports)?;
    drop(guard);
    let (listen_file, socket) = (place.listen_file(), place.socket());
    let reloader = Reloader::new(place, common.clone(), remote);
    let code = runtime.block_on(serve(ready, signals, reloader, args.until_drained));
    drop(fs::remove_file(listen_file));
    drop(fs::remove_file(socket));
    code
}

/// Everything that the collector needs, and where it is shown.
struct Ready {
    watch: Arc<Watch>,
    addresses: Addresses,
    /// Whose readiness is asked for.
    find: Find,
    config: collector::Config,
    sink: Box<dyn Sink>,
    waker: Waker,
    clock: SystemClock,
}

/// Opens the sink, binds the address and says where everything is.
fn prepare(
    place: &Place,
    common: &Common,
    args: &args::Up,
    exports: bool,
) -> anyhow::Result<(Ready, Option<Remote>)> {
    let clock = SystemClock::new();
    let waker = Waker::new()
        .map_err(io::Error::from)
        .context("make a waker")?;
    let (sink, remote) = destination::open(place, waker.clone(), clock)?;
    let addresses = Addresses::bind(place, args)?;
    let config = settings::collector(place, args.until_drained)?;
    let host = config.node.host.clone();
    // Nobody needs to read this.
    drop(addresses.say(place, common));
    let store = place.elasticsearch().is_none().then(|| place.store());
    let mut settings = export::settings(place);
    if exports {
        // What it would name has no names then; that is no reason to collect nothing.
        settings.lvs_configmap = export::lvs_configmap(place).unwrap_or_else(|error| {
            tracing::error!(
                error = format!("{error:#}"),
                "the mapping of virtual addresses is not read"
            );
            None
        });
    }
    let exporter = exports.then(|| exporter(&settings)).flatten();
    let find = readiness(exporter.clone(), exports, settings);
    let asker = Asker::of(place, common);
    let state = place.state.display().to_string();
    let watch = Watch::new(host, state, store, exporter, asker);
    let ready = Ready {
        watch: Arc::new(watch),
        addresses,
        find,
        config,
        sink,
        waker,
        clock,
    };
    Ok((ready, remote))
}

/// The node's plumbing. That it can't be read is no reason to collect nothing.
fn exporter(settings: &exporter::Settings) -> Option<Arc<Exporter>> {
    Exporter::start(settings)
        .inspect_err(|error| tracing::error!(%error, "the node's plumbing is not exported"))
        .map(Arc::new)
        .ok()
}

/// Whose readiness is asked for: the exporter's, or without one (`collect`) that of pings which begin when somebody asks.
fn readiness(running: Option<Arc<Exporter>>, exports: bool, settings: exporter::Settings) -> Find {
    if exports {
        return Arc::new(move || running.clone());
    }
    let alone = OnceLock::new();
    Arc::new(move || {
        let begin = || exporter(&settings.clone().only(readiness::ENTRY.name));
        alone.get_or_init(begin).clone()
    })
}

/// Serves, shows progress, and stops the collector when the time has come.
async fn serve(
    ready: Ready,
    mut signals: Signals,
    mut reloader: Reloader,
    until_drained: bool,
) -> anyhow::Result<ExitCode> {
    let Ready {
        watch,
        addresses,
        find,
        config,
        sink,
        waker,
        clock,
    } = ready;
    let source: Arc<dyn Source> = Arc::<Watch>::clone(&watch);
    let servers = addresses.serve(&source, &find);
    // The first look at a full node takes a while; probes are answered meanwhile.
    let started = Arc::clone(&watch);
    let start = tokio::task::spawn_blocking(move || -> Result<(), StartError> {
        let handle = Collector::start(config, sink, waker, Box::new(clock))?;
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
    let end = {
        let mut ended = pin!(finished(&watch, until_drained));
        let mut shown = pin!(show_progress(&watch));
        loop {
            tokio::select! {
                asked = signals.recv() => match asked {
                    Asked::Stop => break End::Asked,
                    Asked::Reload => watch.reloaded(reloader.reload(&watch)),
                },
                () = &mut ended => break End::Finished,
                () = &mut shown => break End::Finished,
            }
        }
    };
    let place = reloader.place();
    let grace = place.config.grace;
    if matches!(end, End::Asked) {
        tracing::info!(?grace, "stopping: what was read is kept first");
    }
    let stopped = Arc::clone(&watch);
    let outcome = tokio::task::spawn_blocking(move || stopped.stop(grace)).await;
    for server in servers {
        server.abort();
    }
    let outcome = outcome.context("wait for the collector")?;
    if until_drained && outcome.is_some() {
        destination::seal(place)?;
    }
    verdict(&end, outcome, until_drained)
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
