//! What does a VRRP instance stand on, and what has it sent? `/tmp/keepalived.data` and `/tmp/keepalived.stats`, pure.
//!
//! As with the checkers' dump: values are known by their names, what is unknown is passed over.

use std::collections::BTreeMap;

use crate::family::{Families, Family};
use crate::labels::Labels;

const I: &[&str] = &["iname", "intf", "vrid"];

const INFO: Family = Family::gauge(
    "keepalived_vrrp_address_info",
    &["iname", "intf", "ip_address", "vrid"],
    "1; an address that a VRRP instance moves, by the dump.",
);
const PRIORITY: Family = Family::gauge(
    "keepalived_vrrp_effective_priority",
    I,
    "Priority with which a VRRP instance advertises itself now, by the dump.",
);

macro_rules! counter {
    ($name:literal, $help:literal) => {
        Family::counter($name, I, $help)
    };
}

/// The counters, each with the lines of the file that it stands on: heading (none for the outermost) and name.
const COUNTERS: [(Family, &str, &str); 14] = [
    (
        counter!(
            "keepalived_advertisements_received_total",
            "VRRP advertisements received."
        ),
        "Advertisements",
        "Received",
    ),
    (
        counter!(
            "keepalived_advertisements_sent_total",
            "VRRP advertisements sent."
        ),
        "Advertisements",
        "Sent",
    ),
    (
        counter!(
            "keepalived_become_master_total",
            "Times that a VRRP instance became master."
        ),
        "",
        "Became master",
    ),
    (
        counter!(
            "keepalived_release_master_total",
            "Times that a VRRP instance gave up being master."
        ),
        "",
        "Released master",
    ),
    (
        counter!(
            "keepalived_packet_length_errors_total",
            "VRRP packets of a wrong length."
        ),
        "Packet Errors",
        "Length",
    ),
    (
        counter!(
            "keepalived_ip_ttl_errors_total",
            "VRRP packets that came by way of a router."
        ),
        "Packet Errors",
        "TTL",
    ),
    (
        counter!(
            "keepalived_invalid_type_received_total",
            "VRRP packets of an unknown type."
        ),
        "Packet Errors",
        "Invalid Type",
    ),
    (
        counter!(
            "keepalived_advertisements_interval_errors_total",
            "VRRP packets with another interval than ours."
        ),
        "Packet Errors",
        "Advertisement Interval",
    ),
    (
        counter!(
            "keepalived_address_list_errors_total",
            "VRRP packets with other addresses than ours."
        ),
        "Packet Errors",
        "Address List",
    ),
    (
        counter!(
            "keepalived_authentication_invalid_total",
            "VRRP packets with an unknown kind of authentication."
        ),
        "Authentication Errors",
        "Invalid Type",
    ),
    (
        counter!(
            "keepalived_authentication_mismatch_total",
            "VRRP packets with another kind of authentication than ours."
        ),
        "Authentication Errors",
        "Type Mismatch",
    ),
    (
        counter!(
            "keepalived_authentication_failure_total",
            "VRRP packets whose authentication failed."
        ),
        "Authentication Errors",
        "Failure",
    ),
    (
        counter!(
            "keepalived_priority_zero_received_total",
            "VRRP advertisements received of a master that leaves."
        ),
        "Priority Zero",
        "Received",
    ),
    (
        counter!(
            "keepalived_priority_zero_sent_total",
            "VRRP advertisements sent as a master that leaves."
        ),
        "Priority Zero",
        "Sent",
    ),
];

/// Every family, in the order of the manual.
pub const FAMILIES: [Family; 16] = families();

const fn families() -> [Family; 16] {
    let mut all = [INFO; 16];
    all[1] = PRIORITY;
    let mut index = 0;
    while index < COUNTERS.len() {
        all[index + 2] = COUNTERS[index].0;
        index += 1;
    }
    all
}

/// More instances no router has.
const INSTANCES_MAX: usize = 4_096;
/// More addresses no instance moves.
const ADDRESSES_MAX: usize = 4_096;

/// What dumps tell of the instances, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instances(BTreeMap<String, Instance>);

/// One instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Its interface.
    pub interface: String,
    /// Its number.
    pub vrid: String,
    /// The addresses that it moves.
    pub addresses: Vec<String>,
    /// 0 init, 1 backup, 2 master, 3 fault.
    pub state: Option<u8>,
    /// What it advertises.
    pub priority: Option<u64>,
    /// In the order of the families; empty before the file of statistics was read.
    counters: Vec<Option<u64>>,
}

/// The number of a state by keepalived's word.
pub fn state(word: &str) -> Option<u8> {
    match word {
        "INIT" => Some(0),
        "BACKUP" => Some(1),
        "MASTER" => Some(2),
        "FAULT" => Some(3),
        _ => None,
    }
}

// === impl Instances ===

impl Instances {
    /// Takes the text of `keepalived.data`: what it does not name is gone.
    pub fn describe(&mut self, text: &str) {
        let mut found: BTreeMap<String, Instance> = BTreeMap::new();
        let mut current: Option<String> = None;
        let mut in_addresses = false;
        for line in text.lines() {
            if let Some(name) = line.trim().strip_prefix("VRRP Instance = ") {
                current = None;
                if found.len() < INSTANCES_MAX {
                    let counters = self.0.get(name).map(|known| known.counters.clone());
                    let instance = found.entry(name.to_owned()).or_default();
                    instance.counters = counters.unwrap_or_default();
                    current = Some(name.to_owned());
                }
                in_addresses = false;
                continue;
            }
            if line.starts_with("------<") {
                current = None;
            }
            let Some(instance) = current.as_ref().and_then(|name| found.get_mut(name)) else {
                continue;
            };
            let deep = line.len() - line.trim_start().len();
            let line = line.trim();
            if in_addresses && deep > 3 && instance.addresses.len() < ADDRESSES_MAX {
                // `10.99.0.50 dev v0 scope global set`; other lines may stand between.
                let word = line.split(' ').next().unwrap_or_default();
                let ip = word.split('/').next().unwrap_or_default();
                if ip.parse::<std::net::IpAddr>().is_ok() {
                    instance.addresses.push(ip.to_owned());
                }
                continue;
            }
            // `Virtual IP (2):`, `Virtual IP = 2` before 2.2
            in_addresses = line.starts_with("Virtual IP");
            match line.split_once(" = ") {
                Some(("State", word)) => instance.state = state(word),
                Some(("Interface", name)) => name.clone_into(&mut instance.interface),
                Some(("Virtual Router ID", number)) => number.clone_into(&mut instance.vrid),
                Some(("Effective priority", number)) => instance.priority = number.parse().ok(),
                _ => {}
            }
        }
        self.0 = found;
    }

    /// Takes the text of `keepalived.stats`.
    pub fn count(&mut self, text: &str) {
        let mut current: Option<&str> = None;
        let mut heading = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("VRRP Instance: ") {
                current = None;
                heading = "";
                if self.0.contains_key(name) || self.0.len() < INSTANCES_MAX {
                    let instance = self.0.entry(name.to_owned()).or_default();
                    instance.counters = vec![None; COUNTERS.len()];
                    current = Some(name);
                }
                continue;
            }
            let deep = line.len() - line.trim_start().len();
            let Some((name, value)) = line.trim().split_once(':') else {
                continue;
            };
            if value.is_empty() {
                heading = name;
                continue;
            }
            if deep <= 2 {
                heading = "";
            }
            let index = COUNTERS
                .iter()
                .position(|(_, above, known)| *above == heading && *known == name);
            if let Some(instance) = current.and_then(|current| self.0.get_mut(current))
                && let Some(counter) = index.and_then(|index| instance.counters.get_mut(index))
            {
                *counter = value.trim().parse().ok();
            }
        }
    }

    /// The state of every instance that the dump tells.
    pub fn states(&self) -> impl Iterator<Item = (&str, u8)> {
        self.0
            .iter()
            .filter_map(|(name, instance)| Some((name.as_str(), instance.state?)))
    }

    /// Emits what is known.
    pub fn emit(&self, out: &mut Families) {
        for (name, instance) in &self.0 {
            let labels = [
                ("iname", name.as_str()),
                ("intf", &instance.interface),
                ("vrid", &instance.vrid),
            ];
            for address in &instance.addresses {
                let [iname, intf, vrid] = labels;
                let of = Labels::of(&[iname, intf, ("ip_address", address), vrid]);
                out.push(&INFO, &of, 1_u64);
            }
            let of = Labels::of(&labels);
            if let Some(priority) = instance.priority {
                out.push(&PRIORITY, &of, priority);
            }
            for ((family, ..), value) in COUNTERS.iter().zip(&instance.counters) {
                if let Some(value) = value {
                    out.push(family, &of, *value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text;

    #[test]
    fn a_real_pair_of_dumps() {
        let mut instances = Instances::default();
        instances.describe(include_str!("../../../fixtures/keepalived/vrrp.data"));
        instances.count(include_str!("../../../fixtures/keepalived/vrrp.stats"));
        let states: Vec<_> = instances.states().collect();
        assert_eq!(states, [("VI_1", 2), ("VI_6", 2)]);
        let mut out = Families::new(100);
        instances.emit(&mut out);
        out.settle();
        let mut found = String::new();
        for group in out.groups() {
            text::write(group, &mut found);
        }
        for wanted in [
            r#"keepalived_vrrp_address_info{iname="VI_1",intf="v0",ip_address="10.99.0.51",vrid="51"} 1"#,
            r#"keepalived_vrrp_address_info{iname="VI_6",intf="v0",ip_address="fd00:99::50",vrid="52"} 1"#,
            r#"keepalived_vrrp_effective_priority{iname="VI_6",intf="v0",vrid="52"} 90"#,
            r#"keepalived_advertisements_sent_total{iname="VI_1",intf="v0",vrid="51"} 4"#,
            r#"keepalived_become_master_total{iname="VI_1",intf="v0",vrid="51"} 1"#,
            r#"keepalived_priority_zero_sent_total{iname="VI_6",intf="v0",vrid="52"} 0"#,
        ] {
            assert!(
                found.lines().any(|line| line == wanted),
                "{wanted}\n{found}"
            );
        }
        assert_eq!(out.series(), 3 + 2 + 2 * COUNTERS.len(), "{found}");
        instances.describe("");
        assert_eq!(instances, Instances::default(), "an instance that is gone");
    }

    proptest! {
        #[test]
        fn any_text_ends_without_a_panic(text in "(VRRP Instance[:=] ?|   Virtual IP|     10.0.0.1|  Sent: |State = |[a-z0-9:]{0,9}|\n){0,60}") {
            let mut instances = Instances::default();
            instances.describe(&text);
            instances.count(&text);
            prop_assert!(instances.0.len() <= text.lines().count());
        }
    }
}
