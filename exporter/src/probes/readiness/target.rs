//! Who must answer? Targets from the configuration, and the default gateway of each family when there is none.
//!
//! Layouts: `/proc/net/route` (addresses as the machine's words, hexadecimal), `/proc/net/ipv6_route` (written out).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::place::Place;

/// The role of the default gateways that were found.
pub const GATEWAY: &str = "gateway";

/// The role whose targets gate nothing: while one of them answers, targets that all fell silent at once are to blame.
pub const PEER: &str = "peer";

/// Where the answer to a connection is looked for when pings are not allowed; a refusal is an answer too.
const TCP_PORT: u16 = 80;

/// `RTF_UP | RTF_GATEWAY`
const GATEWAY_FLAGS: u32 = 3;

/// One address that is pinged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The label `target`: a name, or the address.
    pub name: String,
    /// Its address.
    pub ip: IpAddr,
    /// The interface of a link-local address, by its index; 0 for others.
    pub scope: u32,
    /// `core_switch`, `gateway`, `dns`, `peer` …
    pub role: String,
    /// The port for connections, where pings are not allowed.
    pub port: u16,
    /// Whether nobody asked for it.
    pub automatic: bool,
}

// === impl Target ===

impl Target {
    /// A target from the configuration.
    pub fn new(name: &str, ip: IpAddr, role: &str, port: Option<u16>) -> Self {
        Self {
            name: name.to_owned(),
            ip,
            scope: 0,
            role: role.to_owned(),
            port: port.unwrap_or(TCP_PORT),
            automatic: false,
        }
    }

    /// Its address with a port, 0 for pings.
    pub fn socket(&self, port: u16) -> SocketAddr {
        match self.ip {
            IpAddr::V4(ip) => SocketAddr::from((ip, port)),
            IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, self.scope)),
        }
    }

    fn gateway(ip: IpAddr, scope: u32) -> Self {
        Self {
            scope,
            automatic: true,
            ..Self::new(&ip.to_string(), ip, GATEWAY, None)
        }
    }
}

/// The default gateways of a node.
pub fn gateways(place: &Place) -> Vec<Target> {
    let text = |name: &str| {
        place
            .text(&format!("{}/{name}", place.network()))
            .unwrap_or_default()
    };
    let scope = |interface: &str| {
        let index = place.number(&format!("sys/class/net/{interface}/ifindex"));
        index.unwrap_or_default() as u32
    };
    let mut found: Vec<Target> = v4_gateways(&text("route"))
        .into_iter()
        .map(|ip| Target::gateway(ip.into(), 0))
        .collect();
    for (ip, interface) in v6_gateways(&text("ipv6_route")) {
        let scope = if ip.is_unicast_link_local() {
            scope(&interface)
        } else {
            0
        };
        found.push(Target::gateway(ip.into(), scope));
    }
    found.sort();
    found.dedup();
    found
}

/// Reads `/proc/net/route`; pure.
fn v4_gateways(text: &str) -> Vec<Ipv4Addr> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let mut hexadecimal = || u32::from_str_radix(fields.next()?, 16).ok();
            let (destination, gateway, flags) = (hexadecimal()?, hexadecimal()?, hexadecimal()?);
            let is_default = destination == 0 && flags & GATEWAY_FLAGS == GATEWAY_FLAGS;
            is_default.then(|| Ipv4Addr::from(gateway.to_ne_bytes()))
        })
        .collect()
}

/// Reads `/proc/net/ipv6_route`; pure. The gateways with their interfaces.
fn v6_gateways(text: &str) -> Vec<(Ipv6Addr, String)> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let [
                destination,
                length,
                _,
                _,
                gateway,
                _,
                _,
                _,
                flags,
                interface,
            ] = fields.as_slice()
            else {
                return None;
            };
            let number = |text| u128::from_str_radix(text, 16).ok();
            let is_default = number(destination)? == 0 && *length == "00";
            let flags = u32::from_str_radix(flags, 16).ok()?;
            let uses_gateway = flags & GATEWAY_FLAGS == GATEWAY_FLAGS;
            (is_default && uses_gateway)
                .then(|| Some((Ipv6Addr::from(number(gateway)?), (*interface).to_owned())))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_gateways_of_both_families() {
        let v4 = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
";
        assert_eq!(v4_gateways(v4), [Ipv4Addr::new(192, 0, 2, 1)]);
        let v6 = "\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000003 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";
        assert_eq!(
            v6_gateways(v6),
            [("fe80::1".parse().unwrap(), "eth0".to_owned())]
        );
        for text in ["", "x", "a b c d", "\n\n"] {
            assert!(v4_gateways(text).is_empty() && v6_gateways(text).is_empty());
        }
    }
}
