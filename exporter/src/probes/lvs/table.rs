//! What is a virtual server? The nouns of IPVS, and the kernel's own text about them.
//!
//! `/proc/net/ip_vs` has weights and connections only; it is what is left where netlink is not allowed or a director's
//! kernel is patched (`FullNAT`). Numbers and addresses in it are hexadecimal, IPv6 is written out in brackets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::probe::ProbeError;

/// What a service is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A virtual address.
    Address {
        /// Its protocol.
        protocol: Protocol,
        /// The virtual IP.
        ip: IpAddr,
        /// The virtual port; 0 is any.
        port: u16,
    },
    /// A firewall mark.
    Mark {
        /// The mark.
        mark: u32,
        /// Whether it is for IPv6.
        ipv6: bool,
    },
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP
    Tcp,
    /// UDP
    Udp,
    /// SCTP
    Sctp,
    /// Any other, by its number.
    Other(u16),
}

/// How packets reach a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// With its address in place of the virtual one.
    Masquerade,
    /// It is this machine.
    Local,
    /// In a tunnel; replies pass by the director.
    Tunnel,
    /// By its hardware address; replies pass by the director.
    Route,
    /// Past IPVS.
    Bypass,
}

/// What was carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections.
    pub conns: u64,
    /// Packets from clients.
    pub inpkts: u64,
    /// Packets to clients.
    pub outpkts: u64,
    /// Bytes from clients.
    pub inbytes: u64,
    /// Bytes to clients.
    pub outbytes: u64,
}

/// A virtual server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What it is known by.
    pub key: Key,
    /// `rr`, `wlc` …
    pub scheduler: String,
    /// `IP_VS_SVC_F_*`
    pub flags: u32,
    /// How long a client keeps its destination, in seconds; `None` where it is not told.
    pub timeout_seconds: Option<u64>,
    /// `sip`, or nothing.
    pub persistence_engine: String,
    /// `None` where the source has none.
    pub counters: Option<Counters>,
    /// Whether the counters are 64 bits wide.
    pub wide: bool,
    /// Its real servers.
    pub destinations: Vec<Destination>,
}

/// A real server of a virtual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its address.
    pub ip: IpAddr,
    /// Its port; 0 is the client's.
    pub port: u16,
    /// How packets reach it.
    pub forward: Forward,
    /// `ipip`, `gue`, `gre`, or nothing.
    pub tunnel: &'static str,
    /// Its share; 0 takes no new connections.
    pub weight: i64,
    /// Connections from which on it gets no more; 0 is no limit.
    pub upper_threshold: Option<u32>,
    /// Connections below which it gets some again.
    pub lower_threshold: Option<u32>,
    /// Established connections.
    pub active: u64,
    /// All other connections.
    pub inactive: u64,
    /// Clients that come back to it.
    pub persistent: Option<u32>,
    /// `None` where the source has none.
    pub counters: Option<Counters>,
}

/// `IP_VS_SVC_F_PERSISTENT`
pub const FLAG_PERSISTENT: u32 = 1;
const FLAG_ONE_PACKET: u32 = 4;
const SCHEDULER_FLAGS: [u32; 3] = [8, 16, 32];

// === impl Key ===

impl Key {
    /// Whether its clients speak IPv6.
    pub fn is_ipv6(&self) -> bool {
        match self {
            Self::Address { ip, .. } => ip.is_ipv6(),
            Self::Mark { ipv6, .. } => *ipv6,
        }
    }
}

// === impl Protocol ===

impl Protocol {
    /// By its number in IP headers.
    pub fn of(number: u16) -> Self {
        match number {
            6 => Self::Tcp,
            17 => Self::Udp,
            132 => Self::Sctp,
            other => Self::Other(other),
        }
    }

    /// By its name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Tcp, Self::Udp, Self::Sctp]
            .into_iter()
            .find(|protocol| protocol.to_string().eq_ignore_ascii_case(name))
    }

    /// Its number in IP headers.
    pub fn number(self) -> u16 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
            Self::Other(number) => number,
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp => f.write_str("TCP"),
            Self::Udp => f.write_str("UDP"),
            Self::Sctp => f.write_str("SCTP"),
            Self::Other(number) => write!(f, "{number}"),
        }
    }
}

// === impl Forward ===

impl Forward {
    /// By the kernel's connection flags.
    pub fn of(flags: u32) -> Self {
        match flags & 7 {
            1 => Self::Local,
            2 => Self::Tunnel,
            3 => Self::Route,
            4 => Self::Bypass,
            _ => Self::Masquerade,
        }
    }

    fn named(name: &str) -> Self {
        match name {
            "Local" => Self::Local,
            "Tunnel" => Self::Tunnel,
            "Route" => Self::Route,
            "Bypass" => Self::Bypass,
            _ => Self::Masquerade,
        }
    }

    /// The label `forward_method`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Masquerade => "masq",
            Self::Local => "local",
            Self::Tunnel => "tunnel",
            Self::Route => "route",
            Self::Bypass => "bypass",
        }
    }
}

// === impl Service ===

impl Service {
    /// The label `flags`: `persistent`, `ops` (one packet a connection) and the scheduler's own, as ipvsadm names them.
    pub fn flag_names(&self) -> String {
        let scheduler = |number: usize| match (self.scheduler.as_str(), number) {
            (name @ ("sh" | "mh"), 1) => format!("{name}-fallback"),
            (name @ ("sh" | "mh"), 2) => format!("{name}-port"),
            _ => format!("flag-{number}"),
        };
        let mut names = Vec::new();
        if self.flags & FLAG_PERSISTENT != 0 {
            names.push("persistent".to_owned());
        }
        if self.flags & FLAG_ONE_PACKET != 0 {
            names.push("ops".to_owned());
        }
        for (index, flag) in SCHEDULER_FLAGS.iter().enumerate() {
            if self.flags & flag != 0 {
                names.push(scheduler(index + 1));
            }
        }
        names.join(",")
    }
}

/// Reads `/proc/net/ip_vs`; pure. A destination belongs to the last service above it, of whatever protocol.
pub fn parse(text: &str) -> Result<Vec<Service>, ProbeError> {
    let mut services: Vec<Service> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = || ProbeError::malformed("/proc/net/ip_vs", format!("line {}", number + 1));
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        match fields.as_slice() {
            [] | ["IP", "Virtual", ..] | ["Prot", ..] | ["->", "RemoteAddress:Port", ..] => {}
            ["->", address, forward, weight, active, inactive] => {
                let (ip, port) = address_of(address).ok_or_else(wrong)?;
                let service = services.last_mut().ok_or_else(wrong)?;
                // The file does not tell for which family a mark is; its real servers do.
                if let Key::Mark { ipv6, .. } = &mut service.key {
                    *ipv6 = ip.is_ipv6();
                }
                service.destinations.push(Destination {
                    ip,
                    port,
                    forward: Forward::named(forward),
                    tunnel: "",
                    weight: weight.parse().ok().ok_or_else(wrong)?,
                    upper_threshold: None,
                    lower_threshold: None,
                    active: active.parse().ok().ok_or_else(wrong)?,
                    inactive: inactive.parse().ok().ok_or_else(wrong)?,
                    persistent: None,
                    counters: None,
                });
            }
            ["FWM", mark, scheduler, flags @ ..] => {
                let mark = u32::from_str_radix(mark, 16).ok().ok_or_else(wrong)?;
                let key = Key::Mark { mark, ipv6: false };
                services.push(bare(key, scheduler, flags));
            }
            [protocol, address, scheduler, flags @ ..] => {
                let (ip, port) = address_of(address).ok_or_else(wrong)?;
                let protocol = Protocol::named(protocol).ok_or_else(wrong)?;
                let key = Key::Address { protocol, ip, port };
                services.push(bare(key, scheduler, flags));
            }
            _ => return Err(wrong()),
        }
    }
    Ok(services)
}

fn bare(key: Key, scheduler: &str, flags: &[&str]) -> Service {
    let mut bits = 0;
    if flags.contains(&"persistent") {
        bits |= FLAG_PERSISTENT;
    }
    if flags.contains(&"ops") {
        bits |= FLAG_ONE_PACKET;
    }
    Service {
        key,
        scheduler: scheduler.to_owned(),
        flags: bits,
        // The file has it in ticks of a length that it does not tell.
        timeout_seconds: None,
        persistence_engine: String::new(),
        counters: None,
        wide: false,
        destinations: Vec::new(),
    }
}

/// `0A630001:1F90`, `[fd00:0099:0000:0000:0000:0000:0000:0001]:0050`
fn address_of(text: &str) -> Option<(IpAddr, u16)> {
    let (ip, port) = text.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let ip = match ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
        Some(ip) => ip.parse::<Ipv6Addr>().ok()?.into(),
        None if ip.len() == 8 => Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?).into(),
        None => return None,
    };
    Some((ip, port))
}

/// Reads the totals in `/proc/net/ip_vs_stats`; pure. Hexadecimal: connections, packets in and out, bytes in and out.
pub fn parse_totals(text: &str) -> Option<Counters> {
    let mut fields = text
        .lines()
        .nth(2)?
        .split_ascii_whitespace()
        .map(|field| u64::from_str_radix(field, 16).ok());
    let mut next = || fields.next().flatten();
    Some(Counters {
        conns: next()?,
        inpkts: next()?,
        outpkts: next()?,
        inbytes: next()?,
        outbytes: next()?,
    })
}
