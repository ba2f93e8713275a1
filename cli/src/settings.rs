//! What do the crates below need to know? The configuration in their own words.

use std::sync::Arc;
use std::time::Duration;

use collector::config::{ReserveLimits, StartPolicy};
use collector::ship::elasticsearch::{self, Layout, TemplatePolicy};
use collector::{derive, discover, parse, redact};
use record::file::Node;

use crate::config::{Cluster, Config, Mode, Multiline, Start, Template};
use crate::failure::WrongUse;
use crate::place::Place;

/// How much may be on its way to the store, in bytes. Twice two batches: one is written while the next is filled.
const IN_FLIGHT_BYTES_MAX: u64 = 16 << 20;
/// A line is found within a second of being written, and two syncs a second cost an idle node little.
const BATCH_DELAY: Duration = Duration::from_millis(500);
/// How large a request to Elasticsearch is, in bytes before compression: large enough that its cost is that of its lines.
const REQUEST_BYTES: usize = 4 << 20;
/// A request has no sync to pay for, so a line need not wait long for company.
const REQUEST_DELAY: Duration = Duration::from_millis(100);
/// What is read again after a crash, at most; the store knows it already.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(2);

/// The collector's configuration.
pub(crate) fn collector(place: &Place, until_drained: bool) -> anyhow::Result<collector::Config> {
    let config = &place.config;
    Ok(collector::Config {
        discover: discovery(place)?,
        parse: parsing(config),
        redact: redaction(config)?,
        derive: derive::Settings::new(&config.derive).map_err(|found| wrong(&found))?,
        node: Arc::new(node(config)),
        state: place.state.clone(),
        start: match config.start {
            Start::Beginning => StartPolicy::Beginning,
            Start::End => StartPolicy::End,
            Start::Age(age) => StartPolicy::Age(age),
        },
        rate_limit: config.rate_limit,
        in_flight_bytes_max: IN_FLIGHT_BYTES_MAX,
        reserve: ReserveLimits {
            links: config.reserve_bytes > 0,
            bytes_max: config.reserve_bytes,
            age_max: config.reserve_age,
        },
        batch_delay: match place.elasticsearch() {
            Some(_) => REQUEST_DELAY,
            None => BATCH_DELAY,
        },
        checkpoint_interval: CHECKPOINT_INTERVAL,
        until_drained,
    })
}

/// What is hidden in lines.
pub(crate) fn redaction(config: &Config) -> anyhow::Result<redact::Settings> {
    Ok(redact::Settings::new(&config.redact).map_err(|found| wrong(&found))?)
}

/// All that is wrong with a part of the configuration.
fn wrong<E: std::fmt::Display>(problems: &[E]) -> WrongUse {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    WrongUse::new(all.join("\n"))
}

/// Where files are looked for, and which are wanted.
pub(crate) fn discovery(place: &Place) -> anyhow::Result<discover::Settings> {
    let config = &place.config;
    let select = discover::Selection::new(&config.include, &config.exclude)
        .map_err(|found| wrong(&found))?;
    let volumes = config.volumes.then(|| discover::VolumeLimits {
        depth_max: config.volume_depth_max as usize,
        directories_max: config.volume_directories_max as usize,
        ..discover::VolumeLimits::default()
    });
    Ok(discover::Settings {
        docker_roots: config.docker_roots.clone(),
        volumes,
        host_logs: config.host_logs.clone(),
        select,
        rescan_interval: config.rescan,
        ..discover::Settings::new(&place.root)
    })
}

/// How lines become entries.
pub(crate) fn parsing(config: &Config) -> parse::Settings {
    let preset = match config.multiline {
        Multiline::Off => None,
        Multiline::Auto => Some(parse::Preset::Auto),
        Multiline::Java => Some(parse::Preset::Java),
        Multiline::Python => Some(parse::Preset::Python),
        Multiline::Go => Some(parse::Preset::Go),
        Multiline::Node => Some(parse::Preset::Node),
        Multiline::Dotnet => Some(parse::Preset::Dotnet),
    };
    parse::Settings {
        line_bytes_max: config.line_bytes_max as usize,
        multiline: preset.map(parse::Multiline::new),
        app: config.app,
    }
}

/// The embedded store's options.
pub(crate) fn store(config: &Config) -> store::Options {
    store::Options {
        retention_bytes: config.retention_bytes,
        retention_age: config.retention_age,
        ..store::Options::default()
    }
}

/// How to ship to a cluster, if there is one.
pub(crate) fn shipping(place: &Place) -> Option<elasticsearch::Settings> {
    let cluster = &place.config.elasticsearch;
    Some(elasticsearch::Settings {
        cluster: place.elasticsearch()?,
        layout: layout(cluster),
        template: match cluster.template {
            Template::Install => TemplatePolicy::Install,
            Template::Verify => TemplatePolicy::Verify,
            Template::Off => TemplatePolicy::Off,
        },
        batch_bytes: REQUEST_BYTES,
        requests_max: cluster.requests_max,
        dead_letters: place.dead_letters(),
        dead_letters_bytes_max: place.config.dead_letters_bytes,
    })
}

/// Into which indices lines go.
pub(crate) fn layout(cluster: &Cluster) -> Layout {
    match cluster.mode {
        Mode::Index => Layout::Index {
            prefix: cluster.index_prefix.clone(),
        },
        Mode::DataStream => Layout::DataStream,
    }
}

/// What is the same in every document of this node.
pub(crate) fn node(config: &Config) -> Node {
    let machine = || {
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    };
    let variable = || std::env::var("NODE_NAME").unwrap_or_default();
    Node {
        host: config.host.clone().unwrap_or_else(machine),
        name: config.node.clone().unwrap_or_else(variable),
        cluster: config.cluster.clone(),
    }
}
