//! Whose is a virtual address? A `ConfigMap`, as a file or as the directory it is mounted to, gives services their names.
//!
//! Two forms of entries: `VIP-port: ip:port, ip:port` lists real servers, `VIP: namespace/service:portname` names a
//! Kubernetes service. A directory has one file for each key, as the object has its members. In a file, lines that open a section (`data:`) or a
//! document (`---`) and the members of `metadata` are passed over, so that a manifest can be used as it is.
//! `-udp` after the port, or `/UDP` after a value, says another protocol than TCP.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;

use super::table::Protocol;

/// More than Kubernetes lets a `ConfigMap` have, in bytes.
const TEXT_BYTES_MAX: u64 = 4 << 20;

/// IANA's names that people give to the ports of services.
const WELL_KNOWN: &[(&str, u16)] = &[
    ("http", 80),
    ("https", 443),
    ("dns", 53),
    ("dns-tcp", 53),
    ("domain", 53),
    ("ssh", 22),
    ("smtp", 25),
    ("ldap", 389),
    ("ldaps", 636),
    ("mqtt", 1883),
    ("mysql", 3306),
    ("postgresql", 5432),
    ("amqp", 5672),
    ("redis", 6379),
];

/// Which virtual address is whose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// In the order of the text.
    pub entries: Vec<Entry>,
    /// Lines that were not understood, with their first words.
    pub wrong: Vec<String>,
    by_port: HashMap<(IpAddr, Protocol, u16), usize>,
    by_address: HashMap<(IpAddr, Protocol), Vec<usize>>,
}

/// One virtual server as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The virtual IP.
    pub ip: IpAddr,
    /// Its port.
    pub port: Port,
    /// Its protocol.
    pub protocol: Protocol,
    /// The service's namespace; empty in the first form.
    pub namespace: String,
    /// The service; empty in the first form.
    pub service: String,
    /// The real servers; empty in the second form.
    pub endpoints: Vec<(IpAddr, u16)>,
}

/// A port as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    /// By its number.
    Number(u16),
    /// By its name in the service.
    Name(String),
    /// Not at all: whatever the address has.
    Any,
}

// === impl Mapping ===

impl Mapping {
    /// Reads a file or a mounted directory.
    pub fn read(path: &Path) -> io::Result<Self> {
        if path.is_dir() {
            let mut names: Vec<_> = fs::read_dir(path)?
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                // Kubernetes keeps the real files in `..data`.
                .filter(|name| !name.starts_with('.'))
                .collect();
            names.sort_unstable();
            let mut members = Vec::with_capacity(names.len());
            for name in names {
                let text = text(&path.join(&name))?;
                members.push((name, text));
            }
            let members = members
                .iter()
                .map(|(name, text)| (name.as_str(), text.as_str()));
            return Ok(Self::of_members(members));
        }
        Ok(Self::parse(&text(path)?))
    }

    /// Reads the members of a `ConfigMap`; pure. A key that is no virtual address holds a text of entries, the only way
    /// to write those of IPv6: a key has no colon.
    pub fn of_members<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut mapping = Self::default();
        for (key, value) in members {
            if vip(key).is_some() {
                mapping.add(key, value);
            } else {
                mapping.add_text(value);
            }
        }
        mapping
    }

    /// Reads the text of a file; pure.
    pub fn parse(text: &str) -> Self {
        let mut mapping = Self::default();
        mapping.add_text(text);
        mapping
    }

    /// Looks up the ports that only have a name, by namespace, service, name and protocol.
    pub fn resolve(&mut self, mut number: impl FnMut(&str, &str, &str, Protocol) -> Option<u16>) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            if let Port::Name(name) = &entry.port
                && let Some(port) = number(&entry.namespace, &entry.service, name, entry.protocol)
            {
                entry.port = Port::Number(port);
                self.by_port
                    .entry((entry.ip, entry.protocol, port))
                    .or_insert(index);
            }
        }
    }

    fn add_text(&mut self, text: &str) {
        let mut in_metadata = false;
        for line in text.lines() {
            let indented = line.starts_with([' ', '\t']);
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line == "---" {
                continue;
            }
            if !indented {
                in_metadata = line == "metadata:";
            }
            let Some((key, value)) = split(line) else {
                self.wrong.push(start_of(line));
                continue;
            };
            let is_manifest = matches!(
                key,
                "apiVersion" | "kind" | "metadata" | "data" | "immutable"
            );
            if (in_metadata && indented) || (!indented && is_manifest) {
                continue;
            }
            self.add(key, value);
        }
    }

    /// The entry for a programmed service, by its index.
    ///
    /// A port by number goes before one whose name is well known. Any other name, or none, takes whatever port the
    /// address has, if it is the only entry of that address and protocol.
    pub fn of(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Option<usize> {
        if let Some(index) = self.by_port.get(&(ip, protocol, port)) {
            return Some(*index);
        }
        let same = self.by_address.get(&(ip, protocol))?;
        let port_of = |index: &usize| self.entries.get(*index).map(|entry| &entry.port);
        let named = same
            .iter()
            .find(|index| port_of(index).and_then(Port::well_known) == Some(port));
        let only = same.first().filter(|index| {
            same.len() == 1 && port_of(index).is_some_and(|port| port.number().is_none())
        });
        named.or(only).copied()
    }

    fn add(&mut self, key: &str, value: &str) {
        for part in value.split([',', '\n']).map(str::trim) {
            if part.is_empty() {
                continue;
            }
            match entry(key, part) {
                Some(entry) => self.join(entry),
                None => self.wrong.push(start_of(&format!("{key}: {part}"))),
            }
        }
    }

    /// The real servers of one key are one entry.
    fn join(&mut self, entry: Entry) {
        let same = self.entries.last_mut().filter(|last| {
            !entry.endpoints.is_empty()
                && !last.endpoints.is_empty()
                && last.ip == entry.ip
                && last.port == entry.port
                && last.protocol == entry.protocol
        });
        if let Some(last) = same {
            last.endpoints.extend(entry.endpoints);
            return;
        }
        let index = self.entries.len();
        if let Some(port) = entry.port.number() {
            // The first of two for one address wins, as it does for whoever reads from the top.
            self.by_port
                .entry((entry.ip, entry.protocol, port))
                .or_insert(index);
        }
        self.by_address
            .entry((entry.ip, entry.protocol))
            .or_default()
            .push(index);
        self.entries.push(entry);
    }
}

// === impl Port ===

impl Port {
    fn number(&self) -> Option<u16> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(_) | Self::Any => None,
        }
    }

    /// What a name means where it is one of IANA's that people give to the ports of services.
    fn well_known(&self) -> Option<u16> {
        let Self::Name(name) = self else { return None };
        WELL_KNOWN
            .iter()
            .find_map(|(known, number)| (name == known).then_some(*number))
    }

    /// The label `vport`: a number where one is known, else the name.
    pub fn label(&self) -> String {
        match (self.number().or_else(|| self.well_known()), self) {
            (Some(number), _) => number.to_string(),
            (None, Self::Name(name)) => name.clone(),
            (None, Self::Any | Self::Number(_)) => String::new(),
        }
    }
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?
        .take(TEXT_BYTES_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Splits `KEY: VALUE`; an IPv6 address has colons too, but no blank behind them. Quotes are YAML's.
fn split(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line
        .split_once(": ")
        .or_else(|| Some((line.strip_suffix(':')?, "")))?;
    let bare = |text| {
        let text = str::trim(text);
        ['"', '\'']
            .iter()
            .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
            .unwrap_or(text)
    };
    Some((bare(key), bare(value)))
}

/// One value of a key.
fn entry(key: &str, value: &str) -> Option<Entry> {
    let (value, after) = match value.rsplit_once('/') {
        Some((value, name)) if Protocol::named(name).is_some() => (value, Protocol::named(name)),
        _ => (value, None),
    };
    if let Some((namespace, rest)) = value.split_once('/') {
        let (service, port) = match rest.split_once(':') {
            Some((service, port)) => (service, port_of(port)),
            None => (rest, Port::Any),
        };
        let (ip, key_port, before) = vip(key)?;
        if namespace.is_empty() || service.is_empty() || service.contains('/') {
            return None;
        }
        return Some(Entry {
            ip,
            // The virtual port, where the key has it, is what the kernel has; the service's may differ.
            port: key_port.map_or(port, Port::Number),
            protocol: after.or(before).unwrap_or(Protocol::Tcp),
            namespace: namespace.to_owned(),
            service: service.to_owned(),
            endpoints: Vec::new(),
        });
    }
    let (ip, port, before) = vip(key)?;
    Some(Entry {
        ip,
        port: Port::Number(port?),
        protocol: after.or(before).unwrap_or(Protocol::Tcp),
        namespace: String::new(),
        service: String::new(),
        endpoints: vec![socket(value)?],
    })
}

fn port_of(text: &str) -> Port {
    match text.parse() {
        Ok(number) => Port::Number(number),
        Err(_) if text.is_empty() => Port::Any,
        Err(_) => Port::Name(text.to_owned()),
    }
}

/// Takes a key apart: `VIP`, `VIP-port`, `VIP-port-udp`.
fn vip(key: &str) -> Option<(IpAddr, Option<u16>, Option<Protocol>)> {
    let ip = |text: &str| text.trim_matches(['[', ']']).parse().ok();
    let (rest, protocol) = match key.rsplit_once('-') {
        Some((rest, name)) if Protocol::named(name).is_some() => (rest, Protocol::named(name)),
        _ => (key, None),
    };
    if let Some(ip) = ip(rest) {
        return Some((ip, None, protocol));
    }
    let (address, port) = rest.rsplit_once('-')?;
    Some((ip(address)?, Some(port.parse().ok()?), protocol))
}

fn socket(text: &str) -> Option<(IpAddr, u16)> {
    let (ip, port) = text.rsplit_once(':')?;
    let ip = ip.trim_matches(['[', ']']).parse().ok()?;
    Some((ip, port.parse().ok()?))
}

fn start_of(line: &str) -> String {
    line.chars().take(80).collect()
}
