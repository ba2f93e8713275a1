//! Which traffic passes by connection tracking, and by which rule?
//!
//! Directors are told not to track what IPVS carries (`-j CT --notrack`, `notrack`), so that a flood of connections
//! can't fill the table. The rules of nftables, and of iptables where it is `iptables-nft`, are read by netlink with their
//! counters. Legacy iptables keeps its rules where only a raw socket option reaches them: that it has a `raw` table is
//! shown, its rules are not. Rules are many on some nodes, so this runs once a minute, not in the scrape.
//! Layout: `linux/netfilter/nf_tables.h`, `linux/netfilter/xt_CT.h`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::family::{Families, Family};
use crate::labels::Labels;
use crate::netlink::{Attributes, Netlink, NetlinkError, Protocol};
use crate::place::Place;
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "bypass",
    about: "Which traffic passes by connection tracking, and by which rule?",
    families: FAMILIES,
    pace: Pace::Every(Duration::from_mins(1)),
    series_max: 5_000,
    make: |settings| {
        Box::new(Bypass {
            expected: !settings.conntrack_bypass.is_empty(),
        })
    },
};

const RULES: Family = Family::gauge(
    "conntrack_notrack_rules",
    &["backend", "chain", "family"],
    "Rules that take packets out of connection tracking.",
);
const PACKETS: Family = Family::counter(
    "conntrack_notrack_packets_total",
    &["backend", "chain", "comment", "family"],
    "Packets that such rules took out of connection tracking; only rules with a counter are counted.",
);
const BYTES: Family = Family::counter(
    "conntrack_notrack_bytes_total",
    &["backend", "chain", "comment", "family"],
    "Bytes that such rules took out of connection tracking; only rules with a counter are counted.",
);
const READABLE: Family = Family::gauge(
    "conntrack_notrack_readable",
    &["backend"],
    "Whether the rules of a backend can be read (1), or there may be some that can't (0): nftables, which iptables-nft uses too, or iptables-legacy.",
);

const EXPECTED: Family = Family::gauge(
    "conntrack_notrack_expected",
    &[],
    "Whether subnets are configured whose packets should pass by connection tracking (1), so that there must be rules.",
);

const FAMILIES: &[Family] = &[RULES, PACKETS, BYTES, READABLE, EXPECTED];

/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE`
const GET_RULE: u16 = 0x0a07;
/// `NFT_MSG_NEWRULE`, what the answers are.
const NEW_RULE: u16 = 0x0a06;

/// The longest comment that becomes a label, in letters.
const COMMENT_LETTERS_MAX: usize = 64;

#[derive(Debug)]
struct Bypass {
    /// Whether there should be such rules.
    expected: bool,
}

/// A rule that takes packets out of connection tracking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `ip`, `ip6`, `inet` …
    pub family: &'static str,
    /// Whether iptables made it.
    pub by_iptables: bool,
    /// The chain it stands in.
    pub chain: String,
    /// What was written beside it.
    pub comment: String,
    /// Packets and bytes, where it counts.
    pub counter: Option<(u64, u64)>,
}

impl Probe for Bypass {
    fn collect(&mut self, context: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        out.push(&EXPECTED, &Labels::none(), self.expected);
        if legacy(context.place) {
            let labels = Labels::of(&[("backend", "iptables-legacy")]);
            out.push(&READABLE, &labels, false);
        }
        if !context.place.netlink_is_ours() {
            return Err(ProbeError::unavailable(
                Reason::OtherNetwork,
                "we are in another network namespace than the node",
            ));
        }
        let labels = Labels::of(&[("backend", "nftables")]);
        match ask() {
            Ok(rules) => {
                out.push(&READABLE, &labels, true);
                emit(&rules, out);
                Ok(())
            }
            Err(error) if error.is_forbidden() => {
                out.push(&READABLE, &labels, false);
                Err(ProbeError::unavailable(
                    Reason::Permission,
                    "the rules of nftables need CAP_NET_ADMIN",
                ))
            }
            Err(error) if error.is_unknown() => Err(ProbeError::unavailable(
                Reason::NoModule,
                "this kernel has no nftables",
            )),
            Err(error) => Err(ProbeError::Kernel {
                what: "rules of nftables",
                source: std::io::Error::other(error),
            }),
        }
    }
}

/// Whether legacy iptables has a table in which NOTRACK could stand.
fn legacy(place: &Place) -> bool {
    ["ip_tables_names", "ip6_tables_names"].iter().any(|name| {
        place
            .text(&format!("{}/{name}", place.network()))
            .is_ok_and(|text| text.lines().any(|table| table == "raw"))
    })
}

fn ask() -> Result<Vec<Rule>, NetlinkError> {
    const FAMILY_ANY: u8 = 0;
    let mut netlink = Netlink::open(Protocol::Netfilter)?;
    let mut rules = Vec::new();
    netlink.ask(GET_RULE, true, vec![FAMILY_ANY, 0, 0, 0], |message| {
        if message.kind == NEW_RULE {
            rules.extend(rule(message.body));
        }
    })?;
    Ok(rules)
}

/// Reads a rule's message; pure. `None` for a rule that leaves connection tracking alone.
pub fn rule(body: &[u8]) -> Option<Rule> {
    let family = match body.first()? {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => return None,
    };
    let attributes = Attributes::of(body.get(4..)?);
    let mut found = Rule {
        family,
        by_iptables: false,
        chain: text_of(attributes.get(2)?),
        comment: attributes.get(7).and_then(user_comment).unwrap_or_default(),
        counter: None,
    };
    let mut takes_out = false;
    for (_, expression) in attributes.nested(4)? {
        let expression = Attributes::of(expression);
        let data = || expression.nested(2);
        match expression.get(1).map(text_of).as_deref() {
            Some("notrack") => takes_out = true,
            Some("target") => {
                found.by_iptables = true;
                takes_out |= data().is_some_and(is_notrack_target);
            }
            Some("match") => {
                found.by_iptables = true;
                if let Some(comment) = data().and_then(match_comment) {
                    found.comment = comment;
                }
            }
            Some("counter") => {
                let number = |kind| {
                    let payload = data()?.get(kind)?;
                    payload.try_into().map(u64::from_be_bytes).ok()
                };
                found.counter = number(2).zip(number(1));
            }
            _ => {}
        }
    }
    // iptables-nft writes what nftables can say in nftables' own words, but into the chains that iptables names.
    found.by_iptables |= matches!(found.chain.as_str(), "PREROUTING" | "OUTPUT");
    found.comment = found.comment.chars().take(COMMENT_LETTERS_MAX).collect();
    takes_out.then_some(found)
}

/// `NOTRACK`, or `CT` with the flag `XT_CT_NOTRACK` in its first two bytes.
fn is_notrack_target(data: Attributes<'_>) -> bool {
    match data.get(1).map(text_of).as_deref() {
        Some("NOTRACK") => true,
        Some("CT") => data
            .get(3)
            .and_then(|info| info.first_chunk())
            .is_some_and(|flags| u16::from_ne_bytes(*flags) & 1 == 1),
        _ => false,
    }
}

/// The text of iptables' `-m comment`.
fn match_comment(data: Attributes<'_>) -> Option<String> {
    let is_comment = data.get(1).map(text_of).as_deref() == Some("comment");
    is_comment.then(|| data.get(3).map(text_of)).flatten()
}

/// nft's own comment: type 0 in the user data, each value behind its type and length.
fn user_comment(mut data: &[u8]) -> Option<String> {
    while let [kind, length, rest @ ..] = data {
        let value = rest.get(..usize::from(*length))?;
        if *kind == 0 {
            return Some(text_of(value));
        }
        data = rest.get(usize::from(*length)..)?;
    }
    None
}

fn text_of(payload: &[u8]) -> String {
    let end = payload.iter().position(|byte| *byte == 0);
    let text = payload.get(..end.unwrap_or(payload.len()));
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}

/// Emits rules; those with the same labels are one series.
fn emit(rules: &[Rule], out: &mut Families) {
    let mut counts: BTreeMap<Labels, u64> = BTreeMap::new();
    let mut carried: BTreeMap<Labels, (u64, u64)> = BTreeMap::new();
    for rule in rules {
        let backend = if rule.by_iptables { "iptables" } else { "nft" };
        let place = [
            ("backend", backend),
            ("chain", rule.chain.as_str()),
            ("family", rule.family),
        ];
        *counts.entry(Labels::of(&place)).or_default() += 1;
        if let Some((packets, bytes)) = rule.counter {
            let [backend, chain, family] = place;
            let labels = Labels::of(&[backend, chain, ("comment", &rule.comment), family]);
            let sum = carried.entry(labels).or_default();
            *sum = (sum.0.wrapping_add(packets), sum.1.wrapping_add(bytes));
        }
    }
    for (labels, count) in &counts {
        out.push(&RULES, labels, *count);
    }
    for (labels, (packets, bytes)) in &carried {
        out.push(&PACKETS, labels, *packets);
        out.push(&BYTES, labels, *bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::netlink::{attribute, nest};

    fn expression(name: &str, data: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let inner: Vec<u8> = data
            .iter()
            .flat_map(|(kind, payload)| attribute(*kind, payload).unwrap())
            .collect();
        let mut out = attribute(1, format!("{name}\0").as_bytes()).unwrap();
        out.extend(nest(2, &inner).unwrap());
        nest(1, &out).unwrap()
    }

    fn message(family: u8, chain: &str, expressions: &[Vec<u8>]) -> Vec<u8> {
        let mut out = vec![family, 0, 0, 0];
        out.extend(attribute(1, b"raw\0").unwrap());
        out.extend(attribute(2, format!("{chain}\0").as_bytes()).unwrap());
        out.extend(nest(4, &expressions.concat()).unwrap());
        out
    }

    #[test]
    fn nft_and_iptables_write_it_differently() {
        let counter = expression(
            "counter",
            &[
                (1, 580_u64.to_be_bytes().to_vec()),
                (2, 20_u64.to_be_bytes().to_vec()),
            ],
        );
        let native = message(1, "early", &[counter.clone(), expression("notrack", &[])]);
        let found = rule(&native).unwrap();
        assert_eq!(found.counter, Some((20, 580)));
        assert!(!found.by_iptables);
        let comment = expression(
            "match",
            &[(1, b"comment\0".to_vec()), (3, b"lvs\0\0\0".to_vec())],
        );
        let target = |flags: u16| {
            expression(
                "target",
                &[(1, b"CT\0".to_vec()), (3, flags.to_ne_bytes().to_vec())],
            )
        };
        let found = rule(&message(2, "PREROUTING", &[comment, counter, target(1)])).unwrap();
        assert!(found.by_iptables);
        assert_eq!(found.comment, "lvs");
        assert_eq!(
            rule(&message(2, "PREROUTING", &[target(0)])),
            None,
            "CT --zone"
        );
        let mut out = Families::new(10);
        emit(&[found.clone(), found], &mut out);
        out.settle();
        assert_eq!(out.series(), 3, "{out:?}");
    }

    proptest! {
        #[test]
        fn any_message_ends_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(rule(&body).is_none() || body.len() > 20);
            prop_assert!(user_comment(&body).is_none_or(|comment| comment.len() <= body.len() * 3));
        }
    }
}
