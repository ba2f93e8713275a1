//! Which network namespaces are there, and whose are their addresses?
//!
//! `/proc/<pid>/net` is the view of that process, so nobody has to enter a namespace, and the API server is not asked.
//! Layouts: `net/ipv4/fib_trie.c`, `net/ipv6/addrconf.c`.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::place::Place;
use crate::pods::{PodName, Pods};

/// A namespace has a handful of addresses; a node that carries services on an interface of its own has thousands.
const ADDRESSES_MAX: usize = 100_000;

/// A network namespace in which a process lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its number.
    pub inode: String,
    /// The first process in it, as its directory in /proc is called.
    pub process: String,
    /// The pod of that process; empty names for none.
    pub pod: PodName,
}

/// Whose an address of this node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The node's own, or that of what runs in its network.
    Node,
    /// A pod's.
    Pod(PodName),
}

/// Lists the network namespaces other than the node's, each once.
pub fn others(place: &Place) -> Vec<Network> {
    let mut seen: HashSet<String> = place
        .link(&format!("proc/{}/ns/net", first(place)))
        .into_iter()
        .collect();
    let mut pods = None;
    let mut networks = Vec::new();
    for process in place.names("proc").unwrap_or_default() {
        if !process.starts_with(|letter: char| letter.is_ascii_digit()) {
            continue;
        }
        // A process may end, or be another user's, at any of these reads.
        let Ok(link) = place.link(&format!("proc/{process}/ns/net")) else {
            continue;
        };
        if !seen.insert(link.clone()) {
            continue;
        }
        let cgroup = place
            .text(&format!("proc/{process}/cgroup"))
            .unwrap_or_default();
        let pods = pods.get_or_insert_with(|| Pods::read(place));
        networks.push(Network {
            inode: link
                .trim_start_matches("net:[")
                .trim_end_matches(']')
                .to_owned(),
            pod: pods.of_cgroup(&cgroup).cloned().unwrap_or_default(),
            process,
        });
    }
    networks
}

/// Whose every address of this node is. The loopback addresses, which all have, are left out.
pub fn owners(place: &Place) -> HashMap<IpAddr, Owner> {
    let mut owners = HashMap::new();
    for network in others(place) {
        // A namespace that is no pod's is somebody's on this node all the same: a container's, a test's.
        let owner = if network.pod == PodName::default() {
            Owner::Node
        } else {
            Owner::Pod(network.pod)
        };
        let directory = format!("proc/{}/net", network.process);
        for ip in addresses(place, &directory) {
            owners.entry(ip).or_insert_with(|| owner.clone());
        }
    }
    for ip in addresses(place, place.network()) {
        owners.insert(ip, Owner::Node);
    }
    owners.retain(|ip, _| !ip.is_loopback());
    owners
}

fn first(place: &Place) -> &'static str {
    if place.is_here() { "self" } else { "1" }
}

/// The addresses of the namespace whose files are in a directory, IPv4 first; link-local ones reach nobody else.
pub fn addresses(place: &Place, directory: &str) -> Vec<IpAddr> {
    let text = |name: &str| {
        place
            .text(&format!("{directory}/{name}"))
            .unwrap_or_default()
    };
    let mut found = local_ipv4(&text("fib_trie"));
    found.extend(local_ipv6(&text("if_inet6")));
    found
}

/// Reads `fib_trie`; pure. An address stands on the line before `/32 host LOCAL`; the table may be there twice.
fn local_ipv4(text: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL"
            && let Some(ip) = last
            && found.len() < ADDRESSES_MAX
            && seen.insert(ip)
        {
            found.push(IpAddr::V4(ip));
        }
    }
    found
}

/// Reads `if_inet6`; pure. A line has the address as 32 digits, the interface's number, the prefix, the scope (00 is
/// global, 10 the host itself), flags and the interface's name.
fn local_ipv6(text: &str) -> Vec<IpAddr> {
    let mut seen = HashSet::new();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let digits = words.next().filter(|digits| digits.len() == 32)?;
            let bits = u128::from_str_radix(digits, 16).ok()?;
            matches!(words.nth(2)?, "00" | "10").then(|| IpAddr::V6(Ipv6Addr::from_bits(bits)))
        })
        .filter(|ip| seen.insert(*ip))
        .take(ADDRESSES_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    const TRIE: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 10.244.1.0\n        /24 link UNICAST\n     |-- 10.244.1.7\n        /32 host LOCAL\nLocal:\n     |-- 10.244.1.7\n        /32 host LOCAL\n";
    const INET6: &str = "00000000000000000000000000000001 01 80 10 80       lo\nfe80000000000000a8bb00fffe000001 02 40 20 80     eth0\nfd000000000000000000000000000007 04 40 00 82     eth0\ngarbage\n";

    #[test]
    fn whose_addresses() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let uid = "0f2c1a9e-5b7d-4c57-9d0c-5a1f4f6f7a11";
        fs::create_dir_all(root.join(format!("var/log/pods/shop_web-1_{uid}"))).unwrap();
        for (process, namespace, ip) in [
            ("1", "1", "192.0.2.1"),
            ("7", "7", "10.244.1.7"),
            ("8", "7", "10.9.9.9"),
        ] {
            let proc = root.join("proc").join(process);
            fs::create_dir_all(proc.join("ns")).unwrap();
            fs::create_dir_all(proc.join("net")).unwrap();
            symlink(format!("net:[{namespace}]"), proc.join("ns/net")).unwrap();
            fs::write(proc.join("net/fib_trie"), TRIE.replace("10.244.1.7", ip)).unwrap();
            fs::write(proc.join("cgroup"), format!("0::/kubepods/pod{uid}/1\n")).unwrap();
        }
        fs::write(root.join("proc/7/net/if_inet6"), INET6).unwrap();
        let owners = owners(&Place::new(root));
        let web = || {
            Owner::Pod(PodName {
                namespace: "shop".to_owned(),
                pod: "web-1".to_owned(),
            })
        };
        let wanted = HashMap::from([
            ("192.0.2.1".parse().unwrap(), Owner::Node),
            ("10.244.1.7".parse().unwrap(), web()),
            ("fd00::7".parse().unwrap(), web()),
        ]);
        assert_eq!(owners, wanted);
        let found = addresses(&Place::new(root), "proc/7/net");
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["127.0.0.1", "10.244.1.7", "::1", "fd00::7"]);
    }

    proptest! {
        #[test]
        fn any_text_ends_without_a_panic(text in "([|]-- |/32 host LOCAL|[0-9.a-f]{1,33}|[ \n]){0,60}") {
            prop_assert!(local_ipv4(&text).len() <= text.lines().count());
            prop_assert!(local_ipv6(&text).len() <= text.lines().count());
        }
    }
}
