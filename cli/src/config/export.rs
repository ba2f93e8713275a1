//! What is the exporter told, every default filled in?

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use exporter::http::{Content, Server};
use exporter::probes::readiness::target::Target;
use exporter::subnet::Subnet;

/// How often metrics are pushed.
const PUSH_INTERVAL: Duration = Duration::from_secs(15);
/// What of them may wait, in bytes: some minutes of a busy director, an hour of another node.
const PUSH_BUFFER_BYTES: u64 = 16 << 20;

/// The section `export`, as it was written.
#[derive(Clone, Debug, Default)]
pub struct RawExport {
    /// `export.listen`
    pub listen: Option<SocketAddr>,
    /// `export.listen_ready`
    pub listen_ready: Option<SocketAddr>,
    /// `export.probes_off`
    pub off: Option<Vec<String>>,
    /// `export.env`
    pub env: Option<String>,
    /// `export.conntrack_top`
    pub conntrack_top: Option<bool>,
    /// `export.conntrack_bypass`
    pub conntrack_bypass: Option<Vec<Subnet>>,
    /// `export.lvs_mapping`
    pub lvs_mapping: Option<PathBuf>,
    /// `export.lvs_configmap`: namespace and name.
    pub lvs_configmap: Option<(String, String)>,
    /// `export.kubeconfig`
    pub kubeconfig: Option<PathBuf>,
    /// `export.keepalived_log`
    pub keepalived_log: Option<PathBuf>,
    /// `export.jvm_discovery`
    pub jvm_discovery: Option<bool>,
    /// `export.keepalived_fifo`
    pub keepalived_fifo: Option<PathBuf>,
    /// `export.keepalived_dump`
    pub keepalived_dump: Option<bool>,
    /// `export.push_url`
    pub push_url: Option<String>,
    /// `export.push_interval`
    pub push_interval: Option<Duration>,
    /// `export.push_buffer`
    pub push_buffer: Option<u64>,
    /// `export.push_user`
    pub push_user: Option<String>,
    /// `export.push_password_file`
    pub push_password_file: Option<PathBuf>,
    /// `export.push_token_file`
    pub push_token_file: Option<PathBuf>,
    /// `export.push_ca_file`
    pub push_ca_file: Option<PathBuf>,
    /// `export.ping_gateways`
    pub ping_gateways: Option<bool>,
    /// `export.ping_from_pods`
    pub ping_from_pods: Option<bool>,
    /// `export.ping_targets`
    pub ping_targets: Option<Vec<Target>>,
}

/// The section `export`.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the configuration"
)]
pub struct Export {
    /// Where metrics are served.
    pub listen: SocketAddr,
    /// Where readiness alone is served too.
    pub listen_ready: Option<SocketAddr>,
    /// Probes that do not run.
    pub off: Vec<String>,
    /// The label `env`; `None` makes it the cluster's name.
    pub env: Option<String>,
    /// Whether connections are counted by pod.
    pub conntrack_top: bool,
    /// Whose packets should pass by connection tracking.
    pub conntrack_bypass: Vec<Subnet>,
    /// Where the mapping of virtual addresses is.
    pub lvs_mapping: Option<PathBuf>,
    /// The object that has this mapping: namespace and name.
    pub lvs_configmap: Option<(String, String)>,
    /// How the API server is reached; `None` is as a pod does.
    pub kubeconfig: Option<PathBuf>,
    /// keepalived's log, below the root.
    pub keepalived_log: Option<PathBuf>,
    /// Whether agents in JVMs are listed for Prometheus instead of relayed.
    pub jvm_discovery: bool,
    /// keepalived's notify FIFO, below the root.
    pub keepalived_fifo: Option<PathBuf>,
    /// Whether keepalived may be signalled to write its dumps.
    pub keepalived_dump: bool,
    /// Where metrics are pushed to, and how; `None` pushes nothing.
    pub push: Option<Push>,
    /// Whether default gateways are pinged.
    pub ping_gateways: bool,
    /// Whether the targets are asked from inside pods too.
    pub ping_from_pods: bool,
    /// Who else is pinged.
    pub ping_targets: Vec<Target>,
}

/// Where metrics are pushed to, and how.
#[derive(Clone, Debug)]
pub struct Push {
    /// The receiver.
    pub server: Server,
    /// How often.
    pub interval: Duration,
    /// What may wait, in bytes.
    pub buffer_bytes_max: u64,
}

// === impl Export ===

impl From<RawExport> for Export {
    fn from(raw: RawExport) -> Self {
        let RawExport {
            listen,
            listen_ready,
            off,
            env,
            conntrack_top,
            conntrack_bypass,
            lvs_mapping,
            lvs_configmap,
            kubeconfig,
            keepalived_log,
            keepalived_fifo,
            keepalived_dump,
            push_url,
            push_interval,
            push_buffer,
            push_user,
            push_password_file,
            push_token_file,
            push_ca_file,
            jvm_discovery,
            ping_gateways,
            ping_from_pods,
            ping_targets,
        } = raw;
        let push = push_url.map(|url| Push {
            server: Server {
                url,
                authorities: push_ca_file.map(Content::File),
                token: push_token_file.map(Content::File),
                basic: push_user.zip(push_password_file.map(Content::File)),
                ..Server::default()
            },
            interval: push_interval.unwrap_or(PUSH_INTERVAL),
            buffer_bytes_max: push_buffer.unwrap_or(PUSH_BUFFER_BYTES),
        });
        Self {
            listen: listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 9798))),
            listen_ready,
            off: off.unwrap_or_default(),
            env,
            conntrack_top: conntrack_top.unwrap_or(false),
            conntrack_bypass: conntrack_bypass.unwrap_or_default(),
            lvs_mapping,
            lvs_configmap,
            kubeconfig,
            keepalived_log,
            keepalived_fifo,
            keepalived_dump: keepalived_dump.unwrap_or(false),
            jvm_discovery: jvm_discovery.unwrap_or(false),
            push,
            ping_gateways: ping_gateways.unwrap_or(true),
            ping_from_pods: ping_from_pods.unwrap_or(false),
            ping_targets: ping_targets.unwrap_or_default(),
        }
    }
}

/// Reads `ROLE=ADDRESS` or `ROLE=NAME@ADDRESS`; pure.
pub(super) fn target(text: &str) -> Result<Target, String> {
    let form =
        || format!("`{text}` is not like `core_switch=10.0.0.1` or `dns=first@10.0.0.53:53`");
    let (role, rest) = text.split_once('=').ok_or_else(form)?;
    let (name, address) = rest.split_once('@').unwrap_or((rest, rest));
    let is_word =
        |word: &str| !word.is_empty() && word.len() <= 64 && !word.chars().any(char::is_control);
    if !is_word(role) || !is_word(name) {
        return Err(form());
    }
    let (ip, port) = match address.parse::<SocketAddr>() {
        Ok(socket) => (socket.ip(), Some(socket.port())),
        Err(_) => (address.parse::<IpAddr>().ok().ok_or_else(form)?, None),
    };
    Ok(Target::new(name, ip, role, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_target() {
        let read = |text| {
            let target = target(text).unwrap();
            (target.role, target.name, target.ip.to_string(), target.port)
        };
        let of = |role: &str, name: &str, ip: &str, port| {
            (role.to_owned(), name.to_owned(), ip.to_owned(), port)
        };
        assert_eq!(
            read("core_switch=10.0.0.1"),
            of("core_switch", "10.0.0.1", "10.0.0.1", 80)
        );
        assert_eq!(
            read("dns=first@10.0.0.53:53"),
            of("dns", "first", "10.0.0.53", 53)
        );
        assert_eq!(read("peer=fd00::7"), of("peer", "fd00::7", "fd00::7", 80));
        assert_eq!(
            read("peer=[fd00::7]:22"),
            of("peer", "[fd00::7]:22", "fd00::7", 22)
        );
        for wrong in [
            "10.0.0.1",
            "=10.0.0.1",
            "dns=",
            "dns=@10.0.0.1",
            "dns=host.example",
            "a=1.2.3.4:99999",
        ] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
