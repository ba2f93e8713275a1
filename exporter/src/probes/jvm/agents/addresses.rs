//! Which addresses has a process's network namespace? From its own /proc files, without entering it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::place::Place;

/// The addresses, IPv4 first.
pub fn of(place: &Place, pid: u32) -> Vec<IpAddr> {
    let text = |name: &str| {
        place
            .text(&format!("proc/{pid}/net/{name}"))
            .unwrap_or_default()
    };
    let mut found: Vec<IpAddr> = version_4(&text("fib_trie")).map(IpAddr::V4).collect();
    found.extend(version_6(&text("if_inet6")).map(IpAddr::V6));
    let mut seen = std::collections::HashSet::new();
    found.retain(|address| seen.insert(*address));
    found
}

/// `fib_trie` has an address on a line `|-- 10.0.0.1`, and on the next what it is: `/32 host LOCAL`.
fn version_4(text: &str) -> impl Iterator<Item = Ipv4Addr> {
    let mut last = None;
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
            return None;
        }
        if line == "/32 host LOCAL" { last } else { None }
    })
}

/// `if_inet6` has an address, the interface's number, the prefix, the scope (00: global, 10: the host itself) on a line.
fn version_6(text: &str) -> impl Iterator<Item = Ipv6Addr> {
    text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = u128::from_str_radix(words.next()?, 16).ok()?;
        let scope = words.nth(2)?;
        matches!(scope, "00" | "10").then(|| Ipv6Addr::from(address))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_of_both_families() {
        let trie = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 10.1.2.0
        /24 link UNICAST
     |-- 10.1.2.3
        /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 10.1.2.255
        /32 link BROADCAST
";
        let found: Vec<_> = version_4(trie).collect();
        assert_eq!(found, [Ipv4Addr::new(10, 1, 2, 3), Ipv4Addr::LOCALHOST]);
        let inet6 = "\
00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000a8bb00fffe000001 02 40 20 80     eth0
20010db8000000000000000000000007 02 40 00 80     eth0
garbage
";
        let found: Vec<String> = version_6(inet6)
            .map(|address| address.to_string())
            .collect();
        assert_eq!(found, ["::1", "2001:db8::7"]);
    }
}
