//! `nodetap export`: the node's plumbing as metrics, until it is stopped.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use exporter::Exporter;
use exporter::family::{Families, Family};
use exporter::labels::Labels;
use exporter::probes::jvm::agents;
use exporter::probes::lvs::api::ConfigMap;
use exporter::push::Push;
use exporter::serve::{Own, probe_router};
use page::process::Process;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::args;
use crate::failure::WrongUse;
use crate::kubeconfig;
use crate::place::Place;
use crate::web::Web;

/// How many scrapes may run at a time; Prometheus needs one, a second one and a person a few more.
const SCRAPES_MAX: usize = 4;

const BUILD_INFO: Family = Family::gauge(
    "nodetap_build_info",
    &["version"],
    "1; the version is a label.",
);
const CPU_SECONDS: Family = Family::counter(
    "process_cpu_seconds_total",
    &[],
    "User and system time of this process.",
);
const DESCRIPTORS_MAX: Family = Family::gauge(
    "process_max_fds",
    &[],
    "File descriptors that this process may have open.",
);
const DESCRIPTORS: Family = Family::gauge(
    "process_open_fds",
    &[],
    "File descriptors that this process has open.",
);
const RESIDENT_BYTES: Family = Family::gauge(
    "process_resident_memory_bytes",
    &[],
    "Resident memory of this process.",
);
const START_SECONDS: Family = Family::gauge(
    "process_start_time_seconds",
    &[],
    "Start of this process since the epoch.",
);
const VIRTUAL_BYTES: Family = Family::gauge(
    "process_virtual_memory_bytes",
    &[],
    "Address space of this process.",
);

/// Runs until it is asked to stop.
pub(crate) fn run(place: &Place, args: &args::Export) -> anyhow::Result<ExitCode> {
    let config = &place.config;
    let web_config = args.web_config.as_ref().or(config.web_config.as_ref());
    let web = Web::load(web_config.map(|path| &**path)).map_err(WrongUse::new)?;
    let mut settings = settings(place);
    settings.lvs_configmap = lvs_configmap(place)?;
    let exporter = Exporter::start(&settings).map_err(WrongUse::new)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the HTTP thread's runtime")?;
    let exporter = Arc::new(exporter);
    let own = push(place, &exporter)?;
    runtime.block_on(serve(
        exporter,
        own,
        &web,
        args.listen.unwrap_or(config.export.listen),
        args.listen_ready.or(config.export.listen_ready),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// What the exporter is told.
pub(crate) fn settings(place: &Place) -> exporter::Settings {
    let config = &place.config.export;
    exporter::Settings {
        off: config.off.clone(),
        env: config
            .env
            .clone()
            .unwrap_or_else(|| place.config.cluster.clone()),
        conntrack_top: config.conntrack_top,
        conntrack_bypass: config.conntrack_bypass.clone(),
        lvs_mapping: config.lvs_mapping.clone(),
        keepalived_log: config.keepalived_log.as_deref().map(text_of),
        keepalived_fifo: config.keepalived_fifo.as_deref().map(text_of),
        keepalived_dump: config.keepalived_dump,
        jvm_agents: Arc::new(agents::Shared::new(if config.jvm_discovery {
            agents::Use::Discover
        } else {
            agents::Use::Relay
        })),
        ping_targets: config.ping_targets.clone(),
        ping_gateways: config.ping_gateways,
        ping_from_pods: config.ping_from_pods,
        state: Some(place.state.join("export")),
        ..exporter::Settings::new(&place.root)
    }
}

/// The object with the mapping of virtual addresses, and how it is reached.
pub(crate) fn lvs_configmap(place: &Place) -> anyhow::Result<Option<ConfigMap>> {
    let config = &place.config.export;
    let Some((namespace, name)) = config.lvs_configmap.clone() else {
        return Ok(None);
    };
    let server = kubeconfig::server(config.kubeconfig.as_deref()).map_err(WrongUse::new)?;
    Ok(Some(ConfigMap {
        server,
        namespace,
        name,
    }))
}

fn text_of(path: &Path) -> String {
    path.display().to_string()
}

/// Begins to push, where that is configured; what the process says of itself then tells of it too.
fn push(place: &Place, exporter: &Arc<Exporter>) -> anyhow::Result<Own> {
    let Some(config) = &place.config.export.push else {
        return Ok(Arc::new(own));
    };
    let node = crate::settings::node(&place.config);
    let name = [node.name.as_str(), &node.host]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default()
        .to_owned();
    let labels = [
        ("cluster", place.config.cluster.clone()),
        ("instance", name.clone()),
        ("job", "nodetap".to_owned()),
        ("node", name),
    ];
    let push = Arc::new(Push::default());
    let told = Arc::clone(&push);
    let all: Own = Arc::new(move |out| {
        own(out);
        told.emit(out);
    });
    let settings = exporter::push::Settings {
        server: config.server.clone(),
        interval: config.interval,
        buffer_bytes_max: usize::try_from(config.buffer_bytes_max).unwrap_or(usize::MAX),
        labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
    };
    push.start(Arc::clone(exporter), Arc::clone(&all), settings)
        .context("start the threads that push")?;
    Ok(all)
}

async fn serve(
    exporter: Arc<Exporter>,
    own: Own,
    web: &Web,
    wanted: SocketAddr,
    wanted_ready: Option<SocketAddr>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for signals")?;
    let (listener, address) = listen(wanted).await?;
    let mut says = format!(
        "nodetap {}\n  metrics  {}://{address}/metrics\n",
        env!("CARGO_PKG_VERSION"),
        web.scheme()
    );
    let mut probes = None;
    if let Some(wanted) = wanted_ready {
        let (listener, address) = listen(wanted).await?;
        // Writing to a String can't fail.
        writeln!(says, "  ready    http://{address}/ready").unwrap_or_default();
        probes = Some((listener, probe_router(Arc::clone(&exporter))));
    }
    // Nobody needs to read this.
    drop(io::stdout().write_all(says.as_bytes()));
    let router = exporter::serve::router(exporter, own, SCRAPES_MAX);
    let plain = Web::open();
    let answer_probes = async {
        match probes {
            Some((listener, router)) => plain.serve(listener, router).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        served = web.serve(listener, router) => served.context("serve metrics"),
        served = answer_probes => served.context("serve readiness"),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

async fn listen(wanted: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(wanted)
        .await
        .with_context(|| format!("listen on {wanted}"))?;
    let address = listener
        .local_addr()
        .context("ask for the listener's address")?;
    Ok((listener, address))
}

/// What this process says of itself.
pub(crate) fn own(out: &mut Families) {
    let process = Process::read();
    let values = [
        (&CPU_SECONDS, process.cpu_seconds),
        (&DESCRIPTORS_MAX, process.descriptors_max),
        (&DESCRIPTORS, process.open_descriptors),
        (&RESIDENT_BYTES, process.resident_bytes),
        (&START_SECONDS, process.start_seconds),
        (&VIRTUAL_BYTES, process.virtual_bytes),
    ];
    for (family, value) in values {
        if let Some(value) = value {
            out.push(family, &Labels::none(), value);
        }
    }
    let version = Labels::of(&[("version", env!("CARGO_PKG_VERSION"))]);
    out.push(&BUILD_INFO, &version, 1_u64);
}
