//! Which virtual servers does the kernel carry? IPVS by generic netlink: every counter, 64 bits wide.
//!
//! A dump of all services, then one of the destinations of each. Bytes are read as if they came from a stranger: what is
//! too short or unknown is left out. Layout: `linux/ip_vs.h`, `net/netfilter/ipvs/ip_vs_ctl.c`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::netlink::{
    Answers, Attributes, Netlink, NetlinkError, Protocol as Channel, attribute, generic,
    generic_attributes, nest,
};

use super::table::{Counters, Destination, Forward, Key, Protocol, Service};

const FAMILY: &str = "IPVS";
const GET_SERVICE: u8 = 4;
const GET_DESTINATION: u8 = 8;
const GET_DAEMON: u8 = 11;
const GET_INFO: u8 = 15;

/// `IPVS_CMD_ATTR_*`
const SERVICE: u16 = 1;
const DESTINATION: u16 = 2;
const DAEMON: u16 = 3;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// More than any director carries; the kernel is believed up to here.
const SERVICES_MAX: usize = 100_000;
const DESTINATIONS_MAX: usize = 100_000;

/// What the kernel knows beside its services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Director {
    /// Its services with their destinations.
    pub services: Vec<Service>,
    /// Buckets of its table of connections.
    pub table_buckets: Option<u32>,
    /// Its connection synchronisation.
    pub daemons: Vec<Daemon>,
}

/// A connection synchronisation daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// `master` or `backup`.
    pub state: &'static str,
    /// The multicast interface.
    pub interface: String,
    /// Its id.
    pub id: u32,
}

/// Asks the kernel for everything. `None`: it has no IPVS.
pub fn ask() -> Result<Option<Director>, NetlinkError> {
    read(&mut Netlink::open(Channel::Generic)?)
}

/// Asks whoever answers for everything. `None`: it has no IPVS.
pub fn read(netlink: &mut impl Answers) -> Result<Option<Director>, NetlinkError> {
    let Some(family) = netlink.family(FAMILY)? else {
        return Ok(None);
    };
    let mut director = Director::default();
    netlink.ask(family, false, generic(GET_INFO), &mut |message| {
        director.table_buckets = generic_attributes(message.body).get(2).and_then(u32_of);
    })?;
    netlink.ask(family, true, generic(GET_DAEMON), &mut |message| {
        director.daemons.extend(daemon(message.body));
    })?;
    let services = &mut director.services;
    netlink.ask(family, true, generic(GET_SERVICE), &mut |message| {
        if services.len() < SERVICES_MAX {
            services.extend(service(message.body));
        }
    })?;
    let mut room = DESTINATIONS_MAX;
    for service in &mut director.services {
        let mut body = generic(GET_DESTINATION);
        body.extend(nest(SERVICE, &name(&service.key)?)?);
        let of = service.key;
        let destinations = &mut service.destinations;
        let asked = netlink.ask(family, true, body, &mut |message| {
            if destinations.len() < room {
                destinations.extend(destination(message.body, &of));
            }
        });
        match asked {
            // Removed since it was listed.
            Err(NetlinkError::Refused(_)) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        room = room.saturating_sub(destinations.len());
    }
    Ok(Some(director))
}

/// The attributes by which the kernel knows a service.
fn name(key: &Key) -> Result<Vec<u8>, NetlinkError> {
    let mut out = Vec::new();
    match key {
        Key::Mark { mark, ipv6 } => {
            let family = if *ipv6 { AF_INET6 } else { AF_INET };
            out.extend(attribute(1, &family.to_ne_bytes())?);
            out.extend(attribute(5, &mark.to_ne_bytes())?);
        }
        Key::Address { protocol, ip, port } => {
            let (family, address) = match ip {
                IpAddr::V4(ip) => (AF_INET, ip.octets().to_vec()),
                IpAddr::V6(ip) => (AF_INET6, ip.octets().to_vec()),
            };
            // The kernel's address is a union of 16 bytes.
            let mut union = address;
            union.resize(16, 0);
            out.extend(attribute(1, &family.to_ne_bytes())?);
            out.extend(attribute(2, &protocol.number().to_ne_bytes())?);
            out.extend(attribute(3, &union)?);
            out.extend(attribute(4, &port.to_be_bytes())?);
        }
    }
    Ok(out)
}

/// Reads a service's message; pure.
pub fn service(body: &[u8]) -> Option<Service> {
    let attributes = generic_attributes(body).nested(SERVICE)?;
    let family = attributes.get(1).and_then(u16_of)?;
    let key = match attributes.get(5).and_then(u32_of) {
        Some(mark) => Key::Mark {
            mark,
            ipv6: family == AF_INET6,
        },
        None => Key::Address {
            protocol: Protocol::of(attributes.get(2).and_then(u16_of)?),
            ip: ip_of(family, attributes.get(3)?)?,
            port: port_of(attributes.get(4)?)?,
        },
    };
    let (counters, wide) = counters(attributes, 10, 12);
    Some(Service {
        key,
        scheduler: attributes.get(6).map(text_of).unwrap_or_default(),
        // Flags and the mask of those that are set.
        flags: attributes.get(7).and_then(u32_of).unwrap_or_default(),
        timeout_seconds: attributes.get(8).and_then(u32_of).map(u64::from),
        persistence_engine: attributes.get(11).map(text_of).unwrap_or_default(),
        counters,
        wide,
        destinations: Vec::new(),
    })
}

/// Reads a destination's message; pure. Old kernels don't tell its family: it is the service's.
pub fn destination(body: &[u8], of: &Key) -> Option<Destination> {
    let attributes = generic_attributes(body).nested(DESTINATION)?;
    let family = match attributes.get(11).and_then(u16_of) {
        Some(family) => family,
        None if of.is_ipv6() => AF_INET6,
        None => AF_INET,
    };
    let number = |kind| attributes.get(kind).and_then(u32_of);
    let forward = Forward::of(number(3)?);
    let tunnel = attributes.get(13).and_then(|kind| kind.first().copied());
    Some(Destination {
        ip: ip_of(family, attributes.get(1)?)?,
        port: port_of(attributes.get(2)?)?,
        forward,
        tunnel: match (forward, tunnel) {
            (Forward::Tunnel, Some(0)) => "ipip",
            (Forward::Tunnel, Some(1)) => "gue",
            (Forward::Tunnel, Some(2)) => "gre",
            _ => "",
        },
        // The kernel keeps it signed; user space sees the bits.
        weight: i64::from(number(4)? as i32),
        upper_threshold: number(5),
        lower_threshold: number(6),
        active: u64::from(number(7)?),
        inactive: u64::from(number(8)?),
        persistent: number(9),
        counters: counters(attributes, 10, 12).0,
    })
}

/// Reads a synchronisation daemon's message; pure.
pub fn daemon(body: &[u8]) -> Option<Daemon> {
    let attributes = generic_attributes(body).nested(DAEMON)?;
    Some(Daemon {
        state: match attributes.get(1).and_then(u32_of)? {
            1 => "master",
            2 => "backup",
            _ => return None,
        },
        interface: attributes.get(2).map(text_of).unwrap_or_default(),
        id: attributes.get(3).and_then(u32_of).unwrap_or_default(),
    })
}

/// The counters, from the 64-bit attribute where there is one (Linux 4.1), and whether there was.
fn counters(attributes: Attributes<'_>, narrow: u16, wide: u16) -> (Option<Counters>, bool) {
    if let Some(found) = attributes.nested(wide) {
        return (Some(read_counters(found)), true);
    }
    (attributes.nested(narrow).map(read_counters), false)
}

fn read_counters(attributes: Attributes<'_>) -> Counters {
    let mut counters = Counters::default();
    for (kind, payload) in attributes {
        let field = match kind {
            1 => &mut counters.conns,
            2 => &mut counters.inpkts,
            3 => &mut counters.outpkts,
            4 => &mut counters.inbytes,
            5 => &mut counters.outbytes,
            _ => continue,
        };
        *field = match payload.len() {
            8 => payload.try_into().map_or(0, u64::from_ne_bytes),
            _ => u32_of(payload).map_or(0, u64::from),
        };
    }
    counters
}

fn u16_of(payload: &[u8]) -> Option<u16> {
    payload
        .first_chunk()
        .map(|bytes| u16::from_ne_bytes(*bytes))
}

fn u32_of(payload: &[u8]) -> Option<u32> {
    payload
        .first_chunk()
        .map(|bytes| u32::from_ne_bytes(*bytes))
}

fn port_of(payload: &[u8]) -> Option<u16> {
    payload
        .first_chunk()
        .map(|bytes| u16::from_be_bytes(*bytes))
}

fn ip_of(family: u16, payload: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(*payload.first_chunk::<4>()?).into()),
        AF_INET6 => Some(Ipv6Addr::from(*payload.first_chunk::<16>()?).into()),
        _ => None,
    }
}

/// A string of the kernel ends at its NUL.
fn text_of(payload: &[u8]) -> String {
    let end = payload.iter().position(|byte| *byte == 0);
    let text = payload.get(..end.unwrap_or(payload.len()));
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}
