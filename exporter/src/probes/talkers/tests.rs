//! The same entries by message and by line, and what is counted of them.

use std::net::IpAddr;

use proptest::prelude::*;

use super::tally::{End, Ends};
use super::*;
use crate::netlink::{attribute, nest};
use crate::networks::Owner;
use crate::pods::PodName;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn tuple(kind: u16, from: &str, to: &str, protocol: u8) -> Vec<u8> {
    let bytes = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let first = if ip(from).is_ipv4() { 1 } else { 3 };
    let mut addresses = attribute(first, &bytes(ip(from))).unwrap();
    addresses.extend(attribute(first + 1, &bytes(ip(to))).unwrap());
    let mut inner = nest(1, &addresses).unwrap();
    inner.extend(nest(2, &attribute(1, &[protocol]).unwrap()).unwrap());
    nest(kind, &inner).unwrap()
}

/// A message: both tuples, the status, and the state of TCP or SCTP.
fn message(ends: [&str; 4], protocol: u8, status: u32, state: Option<u8>) -> Vec<u8> {
    let [from, asked, to, back] = ends;
    let mut body = vec![2, 0, 0, 0];
    body.extend(tuple(1, from, asked, protocol));
    body.extend(tuple(2, to, back, protocol));
    body.extend(attribute(3, &status.to_be_bytes()).unwrap());
    if let Some(state) = state {
        let kind = if protocol == 6 { 1 } else { 3 };
        let inner = nest(kind, &attribute(1, &[state]).unwrap()).unwrap();
        body.extend(nest(4, &inner).unwrap());
    }
    body
}

#[test]
fn a_message_and_a_line_say_the_same() {
    let cases = [
        (
            message(
                ["10.244.1.7", "10.96.0.10", "10.244.2.3", "10.244.1.7"],
                6,
                14,
                Some(3),
            ),
            "ipv4     2 tcp      6 86392 ESTABLISHED src=10.244.1.7 dst=10.96.0.10 sport=40962 dport=53 src=10.244.2.3 dst=10.244.1.7 sport=53 dport=40962 [ASSURED] mark=0 zone=0 use=2",
            "tcp established 10.244.2.3",
        ),
        (
            message(
                ["10.0.0.9", "10.244.1.7", "10.244.1.7", "10.0.0.9"],
                17,
                0,
                None,
            ),
            "ipv4     2 udp      17 29 src=10.0.0.9 dst=10.244.1.7 sport=1 dport=2 [UNREPLIED] src=10.244.1.7 dst=10.0.0.9 sport=2 dport=1 mark=0 zone=0 use=2",
            "udp unreplied 10.244.1.7",
        ),
        (
            message(["fd00::9", "fd00::7", "fd00::7", "fd00::9"], 58, 2, None),
            "ipv6     10 icmpv6   58 9 src=fd00::9 dst=fd00::7 type=128 code=0 id=7 src=fd00::7 dst=fd00::9 type=129 code=0 id=7 mark=0 zone=0 use=2",
            "icmpv6 replied fd00::7",
        ),
        (
            message(
                ["10.0.0.9", "10.0.0.8", "10.0.0.8", "10.0.0.9"],
                132,
                6,
                Some(4),
            ),
            "ipv4     2 sctp     132 9 ESTABLISHED src=10.0.0.9 dst=10.0.0.8 sport=1 dport=2 src=10.0.0.8 dst=10.0.0.9 sport=2 dport=1 [ASSURED] mark=0 use=1",
            "sctp established 10.0.0.8",
        ),
    ];
    for (message, line, wanted) in cases {
        let found = Connection::of_message(&message).unwrap();
        assert_eq!(Some(found), Connection::of_line(line), "{line}");
        let said = format!("{} {} {}", found.protocol, found.state, found.to);
        assert_eq!(said, wanted);
    }
    assert_eq!(
        Connection::of_line("ipv4 2 tcp 6 9 ESTABLISHED src=10.0.0.9 dst=10.0.0.8"),
        None
    );
}

#[test]
fn pods_states_subnets_and_remotes() {
    let web = PodName {
        namespace: "shop".to_owned(),
        pod: "web-1".to_owned(),
    };
    let owners = HashMap::from([
        (ip("10.244.1.7"), Owner::Pod(web.clone())),
        (ip("192.0.2.1"), Owner::Node),
    ]);
    let subnets = ["10.99.0.0/24", "172.16.0.0/12"].map(|text| text.parse().unwrap());
    let mut tally = Tally::new(owners, subnets.to_vec());
    let mut add = |from, asked, to, state| {
        tally.add(&Connection {
            protocol: "tcp",
            state,
            from: ip(from),
            asked: ip(asked),
            to: ip(to),
        });
    };
    add("203.0.113.5", "10.99.0.1", "10.244.1.7", "established");
    add("203.0.113.5", "10.99.0.2", "10.244.1.7", "time_wait");
    add("10.244.1.7", "10.96.0.1", "198.51.100.2", "established");
    add("192.0.2.1", "198.51.100.3", "198.51.100.3", "established");
    let pods: Vec<_> = tally.pods().collect();
    let ends = |from, to| Ends { from, to };
    assert_eq!(
        pods,
        [(&PodName::default(), ends(3, 2)), (&web, ends(1, 2))]
    );
    let found: Vec<u64> = tally.subnets().map(|(_, count)| count).collect();
    assert_eq!(found, [2, 0]);
    let states: HashMap<_, _> = tally
        .states()
        .map(|(_, state, count)| (state, count))
        .collect();
    assert_eq!(
        (
            states["established"],
            states["time_wait"],
            states["syn_sent"]
        ),
        (3, 1, 0)
    );
    assert_eq!(tally.remotes(1), [(ip("203.0.113.5"), End::Source, 2)]);
    let top = Top::default();
    assert_eq!(top.json(), None);
    top.put(&tally, false, UNIX_EPOCH);
    let json: serde_json::Value = serde_json::from_str(&top.json().unwrap()).unwrap();
    assert_eq!(json["remotes"][0]["address"], "203.0.113.5");
    assert_eq!(json["truncated"], true);
    assert_eq!(json["pods"][0]["src"], 3);
}

#[test]
fn a_flood_of_addresses_does_not_hide_who_talks_most() {
    let owners = HashMap::from([(ip("192.0.2.1"), Owner::Node)]);
    let mut tally = Tally::new(owners, Vec::new());
    let mut last = 0;
    for number in 0..120_000_u32 {
        let from = if number % 10 == 0 {
            ip("203.0.113.5")
        } else {
            IpAddr::V4((0x0a00_0000 + number).into())
        };
        tally.add(&Connection {
            protocol: "udp",
            state: "unreplied",
            from,
            asked: ip("192.0.2.1"),
            to: ip("192.0.2.1"),
        });
        last = number;
    }
    assert_eq!(tally.entries(), u64::from(last) + 1);
    let (address, _, count) = tally.remotes(3)[0];
    assert_eq!(address, ip("203.0.113.5"));
    assert!(
        count <= 12_000 && 12_000 <= count + tally.undercount(),
        "{count} {}",
        tally.undercount()
    );
}

#[test]
fn off_unless_configured_and_cheap_when_dear() {
    let place = Place::new("/");
    let context = Context {
        place: &place,
        now: UNIX_EPOCH,
        deadline: Instant::now() + INTERVAL,
    };
    let mut settings = Settings::new("/");
    let mut out = Families::new(100);
    let error = Talkers::new(&settings)
        .collect(&context, &mut out)
        .unwrap_err();
    assert_eq!(error.reason(), Reason::NotConfigured);
    settings.conntrack_top = true;
    let mut probe = Talkers::new(&settings);
    let mut last = |took| {
        probe.last = Some(Pass {
            tally: Tally::new(HashMap::new(), Vec::new()),
            whole: true,
            took,
            ended: UNIX_EPOCH,
            ended_at: Instant::now(),
        });
        probe.rests()
    };
    assert!(last(Duration::from_secs(2)));
    assert!(!last(Duration::ZERO));
}

proptest! {
    #[test]
    fn any_message_ends_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Connection::of_message(&body).is_none() || body.len() > 40);
    }

    #[test]
    fn any_line_ends_without_a_panic(line in "(src=|dst=|[0-9.:]{1,20}|ipv4|tcp|ESTABLISHED|[\\[ A]){0,40}") {
        prop_assert!(Connection::of_line(&line).is_none() || line.contains("src="));
    }
}
