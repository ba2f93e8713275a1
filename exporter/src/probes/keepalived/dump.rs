//! What does keepalived know? The dump of its checkers (`/tmp/keepalived_check.data`), pure.
//!
//! Order and wording change with its versions: sections are known by their rulers, values by their names, and what is
//! unknown is passed over.

use std::net::IpAddr;

use super::log::{Server, base_name, service};
use crate::probes::lvs::table::{Key, Protocol};

/// More lines nobody's dump has.
const LINES_MAX: usize = 1_000_000;

/// All that a dump tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// Virtual servers.
    pub services: Vec<VirtualServer>,
    /// Health checkers.
    pub checkers: Vec<Checker>,
}

/// A virtual server as it is configured and stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualServer {
    /// What it is known by.
    pub key: Key,
    /// How much weight of real servers it needs.
    pub quorum: Option<u64>,
    /// Whether it has that.
    pub quorum_up: Option<bool>,
    /// Whether it is alive.
    pub alive: Option<bool>,
    /// Its real servers.
    pub servers: Vec<RealServer>,
}

/// A real server as it is configured and stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealServer {
    /// Its address.
    pub server: Server,
    /// Its configured weight.
    pub weight: Option<i64>,
    /// The weight it has now.
    pub effective_weight: Option<i64>,
    /// Whether its checks are well.
    pub alive: bool,
    /// How many of its checks are not.
    pub failed_checkers: Option<u64>,
    /// Whether keepalived has put it into the kernel's table.
    pub set: bool,
    /// Whether it stays there with weight 0 when it fails.
    pub inhibited: bool,
}

/// A health checker.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a line of the dump that says yes or no"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checker {
    /// The virtual server.
    pub service: Key,
    /// The real server.
    pub server: Server,
    /// `MISC_CHECK`, `TCP_CHECK` …
    pub method: String,
    /// Its script, without its directory and arguments; empty for other methods.
    pub script: String,
    /// Whether its exit code sets the weight.
    pub dynamic: bool,
    /// Whether it runs at all.
    pub enabled: bool,
    /// Whether it is well.
    pub up: bool,
    /// Whether it has run yet.
    pub has_run: bool,
    /// What it adds to the weight.
    pub weight: Option<i64>,
}

/// Where in the dump we are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Other,
    Service,
    Server,
    Checkers,
}

/// Reads a dump.
pub fn parse(text: &str) -> Dump {
    let mut dump = Dump::default();
    let mut section = Section::Other;
    for line in text.lines().take(LINES_MAX) {
        let line = line.trim();
        if let Some(ruler) = line.strip_prefix("------<") {
            section = match ruler.trim_end_matches('-').trim_matches(['<', '>', ' ']) {
                "Virtual server" => Section::Service,
                "Real server" => Section::Server,
                "Health checkers" => Section::Checkers,
                _ => Section::Other,
            };
            continue;
        }
        match section {
            Section::Other => {}
            Section::Service => of_service(&mut dump, line),
            Section::Server => of_server(&mut dump, line),
            Section::Checkers => of_checker(&mut dump, line),
        }
    }
    dump
}

fn of_service(dump: &mut Dump, line: &str) {
    if let Some(rest) = line.strip_prefix("VS ") {
        dump.services.extend(virtual_server(rest));
        return;
    }
    let Some(found) = dump.services.last_mut() else {
        return;
    };
    match line.split_once(" = ") {
        Some(("protocol", name)) => {
            if let (Key::Address { protocol, .. }, Some(named)) =
                (&mut found.key, Protocol::named(name))
            {
                *protocol = named;
            }
        }
        Some(("quorum", rest)) => found.quorum = number(rest),
        Some(("quorum_state_up", value)) => found.quorum_up = Some(value == "1"),
        Some(("alive", value)) => found.alive = Some(value == "1"),
        _ => {}
    }
}

/// `VIP = 10.99.0.1, VPORT = 80`, `FWMARK = 7`. The protocol follows on a line of its own.
fn virtual_server(rest: &str) -> Option<VirtualServer> {
    let (name, value) = rest.split_once(" = ")?;
    let key = match name {
        "FWMARK" => Key::Mark {
            mark: value.trim().parse().ok()?,
            ipv6: false,
        },
        "VIP" => {
            let (ip, port) = value.split_once(", VPORT = ")?;
            Key::Address {
                protocol: Protocol::Tcp,
                ip: ip.parse().ok()?,
                port: port.trim().parse().ok()?,
            }
        }
        // A group of addresses is several virtual servers of the kernel.
        _ => return None,
    };
    Some(VirtualServer {
        key,
        quorum: None,
        quorum_up: None,
        alive: None,
        servers: Vec::new(),
    })
}

fn of_server(dump: &mut Dump, line: &str) {
    let Some(servers) = dump.services.last_mut().map(|found| &mut found.servers) else {
        return;
    };
    if let Some(rest) = line.strip_prefix("RIP = ") {
        servers.extend(real_server(rest));
        return;
    }
    let Some(found) = servers.last_mut() else {
        return;
    };
    match line.split_once(" = ") {
        Some(("initial weight", value)) => found.weight = value.parse().ok(),
        Some(("effective weight", value)) => found.effective_weight = value.parse().ok(),
        Some(("alive", value)) => found.alive = value == "1",
        Some(("num failed checkers", value)) => found.failed_checkers = number(value),
        Some(("RS set", value)) => found.set = value == "1",
        _ if line == "Inhibit on failure is ON" => found.inhibited = true,
        _ => {}
    }
}

/// `10.1.0.11, RPORT = 80, WEIGHT = 3 EFF WEIGHT = 3`
fn real_server(rest: &str) -> Option<RealServer> {
    let (ip, rest) = rest.split_once(", RPORT = ")?;
    let ip: IpAddr = ip.parse().ok()?;
    Some(RealServer {
        server: (ip, number(rest)? as u16),
        weight: None,
        effective_weight: None,
        alive: false,
        failed_checkers: None,
        set: false,
        inhibited: false,
    })
}

fn of_checker(dump: &mut Dump, line: &str) {
    if let Some((of, server)) = line.split_once(" -> ") {
        let socket = |text: &str| -> Option<Server> {
            let (ip, rest) = text.strip_prefix('[')?.split_once("]:")?;
            let (_, port) = rest.split_once(':')?;
            Some((ip.parse().ok()?, port.parse().ok()?))
        };
        if let Some((service, server)) = service(of).zip(socket(server)) {
            dump.checkers.push(Checker {
                service,
                server,
                method: String::new(),
                script: String::new(),
                dynamic: false,
                enabled: false,
                up: false,
                has_run: false,
                weight: None,
            });
        }
        return;
    }
    let Some(found) = dump.checkers.last_mut() else {
        return;
    };
    match line.split_once(" = ") {
        Some(("Enabled", value)) => found.enabled = value == "yes",
        Some(("Up", value)) => found.up = value == "yes",
        Some(("Has run", value)) => found.has_run = value == "yes",
        Some(("Current weight", value)) => found.weight = value.parse().ok(),
        Some(("Keepalive method", value)) => {
            let method = value.split([',', ' ']).next().unwrap_or_default();
            method.clone_into(&mut found.method);
        }
        Some(("script", value)) => found.script = base_name(value),
        Some(("dynamic", value)) => found.dynamic = value == "YES",
        _ => {}
    }
}

/// The digits at the beginning of a text.
fn number(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    text.get(..end.unwrap_or(text.len()))?.parse().ok()
}
