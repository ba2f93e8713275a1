//! What is one entry of the table? Two ends, a protocol and a state, from a message or from a line; pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::netlink::Attributes;

/// The states of TCP by the kernel's numbers (`enum tcp_conntrack`).
pub const TCP: [&str; 10] = [
    "none",
    "syn_sent",
    "syn_recv",
    "established",
    "fin_wait",
    "close_wait",
    "last_ack",
    "time_wait",
    "close",
    "syn_sent2",
];
/// The states of SCTP (`enum sctp_conntrack`).
pub const SCTP: [&str; 10] = [
    "none",
    "closed",
    "cookie_wait",
    "cookie_echoed",
    "established",
    "shutdown_sent",
    "shutdown_recd",
    "shutdown_ack_sent",
    "heartbeat_sent",
    "heartbeat_acked",
];
/// What an entry of a protocol without states has seen.
pub const SEEN: [&str; 3] = ["unreplied", "replied", "assured"];

/// Protocols and the states that they are exported with, at 0 too.
pub const STATES: [(&str, &[&str]); 4] = [
    ("tcp", &TCP),
    ("udp", &SEEN),
    ("icmp", &SEEN),
    ("icmpv6", &SEEN),
];

/// `IPS_SEEN_REPLY`
const REPLIED: u32 = 1 << 1;
/// `IPS_ASSURED`
const ASSURED: u32 = 1 << 2;

/// A connection as its entry has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The protocol's name.
    pub protocol: &'static str,
    /// Its state.
    pub state: &'static str,
    /// Who opened it.
    pub from: IpAddr,
    /// Whom they asked for: the address before any translation.
    pub asked: IpAddr,
    /// Who answers: the address behind a translation.
    pub to: IpAddr,
}

// === impl Connection ===

impl Connection {
    /// Reads a message of a dump.
    pub fn of_message(body: &[u8]) -> Option<Self> {
        let attributes = Attributes::of(body.get(4..)?);
        let original = attributes.nested(1)?;
        let (from, asked) = ends(original)?;
        let (to, _) = ends(attributes.nested(2)?)?;
        let number = *original.nested(2)?.get(1)?.first()?;
        let status = attributes
            .get(3)
            .and_then(|status| status.try_into().ok())
            .map_or(0, u32::from_be_bytes);
        let of_protocol = |kind: u16, names: &[&'static str]| {
            let state = attributes.nested(4)?.nested(kind)?.get(1)?.first()?;
            names.get(usize::from(*state)).copied()
        };
        let state = match number {
            6 => of_protocol(1, &TCP),
            132 => of_protocol(3, &SCTP),
            _ => None,
        };
        Some(Self {
            protocol: protocol(number),
            state: state.unwrap_or_else(|| seen(status & REPLIED != 0, status & ASSURED != 0)),
            from,
            asked,
            to,
        })
    }

    /// Reads a line of `/proc/net/nf_conntrack`: `ipv4 2 tcp 6 431999 ESTABLISHED src=… dst=… … src=… dst=… [ASSURED] …`.
    pub fn of_line(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let number = fields.nth(3)?.parse().ok()?;
        let (mut sources, mut targets) = (Vec::new(), Vec::new());
        let (mut replied, mut assured, mut word) = (true, false, None);
        for field in fields {
            if let Some(ip) = field.strip_prefix("src=") {
                sources.push(ip.parse().ok()?);
            } else if let Some(ip) = field.strip_prefix("dst=") {
                targets.push(ip.parse().ok()?);
            } else if field == "[UNREPLIED]" {
                replied = false;
            } else if field == "[ASSURED]" {
                assured = true;
            } else if field.starts_with(|letter: char| letter.is_ascii_uppercase()) {
                word = word.or(Some(field));
            }
        }
        let of_word = |names: &[&'static str]| {
            let word = word?.to_ascii_lowercase();
            names.iter().find(|name| **name == word).copied()
        };
        let state = match number {
            6 => of_word(&TCP),
            132 => of_word(&SCTP),
            _ => None,
        };
        Some(Self {
            protocol: protocol(number),
            state: state.unwrap_or_else(|| seen(replied, assured)),
            from: *sources.first()?,
            asked: *targets.first()?,
            to: *sources.get(1)?,
        })
    }
}

/// Source and target of a tuple (`CTA_TUPLE_*`, `CTA_IP_*`).
fn ends(tuple: Attributes<'_>) -> Option<(IpAddr, IpAddr)> {
    let addresses = tuple.nested(1)?;
    let ipv4 = |kind| {
        Some(Ipv4Addr::from(
            <[u8; 4]>::try_from(addresses.get(kind)?).ok()?,
        ))
    };
    let ipv6 = |kind| {
        Some(Ipv6Addr::from(
            <[u8; 16]>::try_from(addresses.get(kind)?).ok()?,
        ))
    };
    let pair = ipv4(1)
        .zip(ipv4(2))
        .map(|(from, to)| (from.into(), to.into()));
    pair.or_else(|| {
        ipv6(3)
            .zip(ipv6(4))
            .map(|(from, to)| (from.into(), to.into()))
    })
}

/// The name of a protocol that connection tracking knows.
fn protocol(number: u8) -> &'static str {
    match number {
        1 => "icmp",
        6 => "tcp",
        17 => "udp",
        33 => "dccp",
        47 => "gre",
        58 => "icmpv6",
        132 => "sctp",
        136 => "udplite",
        _ => "other",
    }
}

fn seen(replied: bool, assured: bool) -> &'static str {
    match (replied, assured) {
        (_, true) => "assured",
        (true, false) => "replied",
        (false, false) => "unreplied",
    }
}
