//! What was asked for? The command line, as docs and scripts know it.

use std::fmt::{Display, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub mod install;

/// Every container's log on this node: found, kept, searchable.
#[derive(Debug, Parser)]
#[command(
    name = "nodetap",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What all subcommands share.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The flags of every subcommand.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The configuration (docs/configuration.md describes its keys)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Prefix of every conventional path, /proc included
    #[arg(long, global = true, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// Where positions and the store are kept [default: /var/lib/nodetap as root, else the XDG state directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Elasticsearch or OpenSearch to ship to and read from, instead of the embedded store (may be given several times)
    #[arg(long, global = true, value_name = "URL", value_parser = cluster_url)]
    pub elasticsearch: Vec<String>,
}

impl Common {
    /// The flags that another command needs in order to mean the same lines.
    pub fn again(&self) -> String {
        let mut flags = String::new();
        // Writing to a String can't fail.
        let mut flag = |name: &str, value: &dyn Display| {
            write!(flags, " --{name} {value}").unwrap_or_default();
        };
        if let Some(config) = &self.config {
            flag("config", &config.display());
        }
        if let Some(state) = &self.state {
            flag("state", &state.display());
        }
        for url in &self.elasticsearch {
            flag("elasticsearch", url);
        }
        flags
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Collect logs, keep or ship them, and export the node's plumbing; serve the page and metrics
    Up(Up),
    /// The collector alone: logs only
    Collect(Up),
    /// What was found, why, its position, and how far behind it is
    Sources(Sources),
    /// Search the store, show lines around a hit, follow
    Logs(Box<Logs>),
    /// One file: its identity, its chain of rotated files, its position, and the exact document of a line
    Explain(Explain),
    /// The exporter alone: the node's plumbing as metrics
    Export(Export),
    /// One scrape of the node's plumbing to the terminal
    Metrics(Metrics),
    /// The JVMs of this node: their heaps, their collections, and why one can't be read
    Jvm(Jvm),
    /// Which firing alert is the likely cause of the others, and what was said around the moment
    Why(Why),
    /// What Elasticsearch refused for good: list it, send it again
    DeadLetters(DeadLetters),
    /// The alert rules: list them, render them for Prometheus and Alertmanager, run their tests
    Rules(Rules),
    /// Configuration and environment: what is wrong and how to mend it
    Check(Check),
    /// Put dashboards, saved searches, the index template and the lifecycle in place
    Install(install::Install),
    /// The configuration: what is in force, and its schema
    Config(ConfigArgs),
}

/// `nodetap up` and `nodetap collect`
#[derive(Clone, Debug, Args)]
pub struct Up {
    /// Where the page and the metrics are served; port 0 takes a free one [default: 127.0.0.1:9797]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// A second address for /metrics, /ready and /healthz alone, for scrapers and probes of other machines
    #[arg(long, value_name = "ADDR")]
    pub listen_metrics: Option<SocketAddr>,
    /// An address for /ready and /healthz alone, plain and without a password, for load balancers and kubelets
    #[arg(long, value_name = "ADDR")]
    pub listen_ready: Option<SocketAddr>,
    /// TLS and passwords, in the web-config format of Prometheus and its exporters
    #[arg(long, value_name = "FILE")]
    pub web_config: Option<PathBuf>,
    /// Read what is there, wait until all of it is kept, and exit: 0, or 1 if anything was given up
    #[arg(long)]
    pub until_drained: bool,
}

/// `nodetap sources`
#[derive(Clone, Copy, Debug, Args)]
pub struct Sources {
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// `nodetap logs`
#[derive(Clone, Debug, Args)]
pub struct Logs {
    /// What to find, as in `level:error AND timeout` (docs/query.md); everything when it is left out
    pub query: Option<String>,
    /// Namespaces (glob; may be given several times)
    #[arg(short, long, value_name = "NS")]
    pub namespace: Vec<String>,
    /// Pods (glob; may be given several times)
    #[arg(short, long, value_name = "POD")]
    pub pod: Vec<String>,
    /// Containers (glob; may be given several times)
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Vec<String>,
    /// From this time on: 15m, 2h30m, 2026-11-21, 10:00, or RFC 3339
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Of this level or graver: trace, debug, info, warn, error, fatal
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<String>,
    /// Go on with new lines as they come
    #[arg(short, long)]
    pub follow: bool,
    /// Show so many lines before and after each hit
    #[arg(short = 'C', long, value_name = "N")]
    pub context: Option<usize>,
    /// Start with the newest N hits
    #[arg(long, value_name = "N")]
    pub tail: Option<usize>,
    /// Keep the newest N hits [default: 1000 to a terminal, else all]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// How lines are written
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// How `logs` writes lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Time, place and message
    Text,
    /// One whole document a line
    Json,
    /// The message alone
    Raw,
}

/// `nodetap explain`
#[derive(Clone, Debug, Args)]
pub struct Explain {
    /// A log file, as it is found below --root
    pub file: PathBuf,
    /// Show the line at or after this offset of its uncompressed text [default: the first line]
    #[arg(long, value_name = "N")]
    pub offset: Option<u64>,
}

/// `nodetap export`
#[derive(Clone, Debug, Args)]
pub struct Export {
    /// Where metrics are served; port 0 takes a free one [default: 127.0.0.1:9798]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// An address for /ready and /healthz alone, plain and without a password, for load balancers and kubelets
    #[arg(long, value_name = "ADDR")]
    pub listen_ready: Option<SocketAddr>,
    /// TLS and passwords, in the web-config format of Prometheus and its exporters
    #[arg(long, value_name = "FILE")]
    pub web_config: Option<PathBuf>,
}

/// `nodetap metrics`
#[derive(Clone, Debug, Args)]
pub struct Metrics {
    /// A family's name, a glob of names, or a probe's name; everything when it is left out
    pub family: Option<String>,
}

/// `nodetap why`
#[derive(Clone, Debug, Args)]
pub struct Why {
    /// The Alertmanager that is asked for firing alerts [default: `alerts.alertmanager` of the configuration]
    #[arg(long, value_name = "URL", value_parser = server_url)]
    pub alertmanager: Option<String>,
    /// The Prometheus that is asked for what joins them, and for the alerts where no Alertmanager is named [default:
    /// `alerts.prometheus` of the configuration]
    #[arg(long, value_name = "URL", value_parser = server_url)]
    pub prometheus: Option<String>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// `nodetap dead-letters`
#[derive(Clone, Copy, Debug, Args)]
pub struct DeadLetters {
    /// What to do [default: list]
    #[command(subcommand)]
    pub action: Option<DeadLetterAction>,
    /// One JSON object for each line
    #[arg(long)]
    pub json: bool,
}

/// What to do with dead letters.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum DeadLetterAction {
    /// Each refused line: when, why, and its document
    List(DeadLetterList),
    /// Send all of them again; those that are refused again stay
    Replay,
}

/// `nodetap dead-letters list`
#[derive(Clone, Copy, Debug, Args)]
pub struct DeadLetterList {
    /// One JSON object for each line
    #[arg(long)]
    pub json: bool,
}

/// `nodetap jvm`
#[derive(Clone, Debug, Args)]
pub struct Jvm {
    /// What to do
    #[command(subcommand)]
    pub action: JvmAction,
}

/// What to do with JVMs.
#[derive(Clone, Debug, Subcommand)]
pub enum JvmAction {
    /// Each with its pod, its collector, its heap, and whether its counters can be read
    List(JvmList),
    /// Load the agent into a running JVM, without a restart: its metrics and log levels are relayed from then on
    Attach(JvmAttach),
}

/// `nodetap jvm list`
#[derive(Clone, Copy, Debug, Args)]
pub struct JvmList {
    /// One JSON array
    #[arg(long)]
    pub json: bool,
}

/// `nodetap jvm attach`
#[derive(Clone, Debug, Args)]
pub struct JvmAttach {
    /// The JVM, as `nodetap jvm list` shows it
    pub pid: u32,
    /// The agent's jar [default: nodetap-jvm-agent.jar beside this program]
    #[arg(long, value_name = "FILE")]
    pub agent: Option<PathBuf>,
    /// What the agent is told, as in `port=9404,host=0.0.0.0`; port 0 takes a free one
    #[arg(long, value_name = "OPTIONS", default_value = "port=0")]
    pub options: String,
}

/// `nodetap config`
#[derive(Clone, Copy, Debug, Args)]
pub struct ConfigArgs {
    /// What to print
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What to print of the configuration.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigAction {
    /// Every key with what holds for it, and where that is from
    Show,
    /// A JSON Schema of the file (draft 2020-12), for editors and checks
    Schema,
}

/// `nodetap check`
#[derive(Clone, Copy, Debug, Args)]
pub struct Check {}

/// A URL that another server can have.
fn server_url(text: &str) -> Result<String, elastic::UrlError> {
    elastic::parse_url(text).map(|_| text.to_owned())
}

/// A URL that a cluster can have.
fn cluster_url(text: &str) -> Result<String, elastic::UrlError> {
    elastic::parse_url(text).map(|_| text.to_owned())
}

/// `nodetap rules`
#[derive(Clone, Debug, Args)]
pub struct Rules {
    /// What to do
    #[command(subcommand)]
    pub action: RulesAction,
}

/// What to do with the rules.
#[derive(Clone, Debug, Subcommand)]
pub enum RulesAction {
    /// Each alert with its severity and one line
    List(RulesList),
    /// Write files that Prometheus, its operator or Alertmanager can load
    Render(RulesRender),
    /// Run the rules' own tests with promtool
    Test(RulesTest),
}

/// `nodetap rules list`
#[derive(Clone, Copy, Debug, Args)]
pub struct RulesList {
    /// One JSON object for each line
    #[arg(long)]
    pub json: bool,
}

/// `nodetap rules render`
#[derive(Clone, Debug, Args)]
pub struct RulesRender {
    /// What the files are for
    #[arg(long, value_enum, default_value_t = RulesFormat::Prometheus)]
    pub format: RulesFormat,
    /// Where they are written to
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// What differs in this place (docs/alerts.md lists the values)
    #[command(flatten)]
    pub choice: RulesChoice,
}

/// `nodetap rules test`
#[derive(Clone, Debug, Args)]
pub struct RulesTest {
    /// The promtool to use
    #[arg(long, value_name = "PATH", default_value = "promtool")]
    pub promtool: PathBuf,
    /// What differs in this place; the tests run on the defaults, and this is checked besides
    #[command(flatten)]
    pub choice: RulesChoice,
}

/// Values and optional files.
#[derive(Clone, Debug, Args)]
pub struct RulesChoice {
    /// What differs in this place (docs/alerts.md lists the values)
    #[arg(long, value_name = "FILE")]
    pub values: Option<PathBuf>,
    /// Optional rules too: one of their topics, or all (may be given several times)
    #[arg(long, value_name = "TOPIC")]
    pub optional: Vec<String>,
}

/// What rendered rules are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RulesFormat {
    /// Files for `rule_files`
    Prometheus,
    /// Objects of the kind `PrometheusRule`
    Prometheusrule,
    /// Alertmanager's configuration, with inhibition from the topology
    Alertmanager,
    /// Files for `rule_files`, in JSON
    Json,
}
