//! Files of several kernels, and what no kernel writes.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;

/// Linux 6.18, two CPUs, a full table.
const FULL: &str = "\
entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
00040000  00000001 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000001 00000000 00000000  00000000 00000000 00000000 00000000
00040000  00000000 00000000 00000000 00000004 00000000 00000000 00000000 00000000 00000000 00000000 000013aa 00000000  00000000 00000000 00000000 00000000
";

/// Made by hand in the manner of Linux 4.9: `searched`, `delete_list`, no `search_restart`.
const OLD: &str = "\
entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete
0000000a  00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 0000000a 0000000b 0000000c  0000000d 0000000e 0000000f
";

fn text(stat: &stat::Stat) -> String {
    let mut out = Families::new(1000);
    emit_events(&stat.cpus, &mut out);
    out.settle();
    let mut text = String::new();
    for group in out.groups() {
        for (labels, value) in &group.series {
            writeln!(text, "{}{labels:?} {value:?}", group.name).unwrap();
        }
    }
    text
}

#[test]
fn columns_are_known_by_their_header() {
    let full = stat::parse(FULL).unwrap();
    assert_eq!(
        full.entries,
        Some(262_144),
        "the total, not its sum over rows"
    );
    let shown = text(&full);
    for line in [
        "conntrack_stat_clash_resolve_total{cpu=\"0\"} Whole(1)",
        "conntrack_stat_early_drop_total{cpu=\"1\"} Whole(5034)",
        "node_nf_conntrack_stat_early_drop{} Whole(5034)",
        "node_nf_conntrack_stat_invalid{} Whole(4)",
        "node_nf_conntrack_stat_insert_failed{} Whole(1)",
        "node_nf_conntrack_stat_ignore{} Whole(0)",
    ] {
        assert!(shown.contains(line), "no {line} in:\n{shown}");
    }
    let old = text(&stat::parse(OLD).unwrap());
    assert!(
        old.contains("node_nf_conntrack_stat_ignore{} Whole(5)"),
        "{old}"
    );
    assert!(
        old.contains("conntrack_stat_error_total{cpu=\"0\"} Whole(12)"),
        "{old}"
    );
    for absent in ["search_restart", "clash_resolve", "chain_too_long"] {
        assert!(!old.contains(absent), "{absent} in:\n{old}");
    }
}

#[test]
fn a_file_cut_off_is_refused() {
    for text in [
        "",
        "found\n1\n",
        "entries found\n1\n",
        "entries found\n1 x\n",
    ] {
        assert!(stat::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn timeouts_by_protocol_and_state() {
    for (name, wanted) in [
        (
            "nf_conntrack_tcp_timeout_established",
            Some(("tcp", "established")),
        ),
        ("nf_conntrack_udp_timeout", Some(("udp", ""))),
        ("nf_conntrack_udp_timeout_stream", Some(("udp", "stream"))),
        ("nf_conntrack_icmpv6_timeout", Some(("icmpv6", ""))),
        ("nf_conntrack_frag6_timeout", None),
        ("nf_conntrack_events_retry_timeout", None),
        ("nf_conntrack_max", None),
    ] {
        assert_eq!(timeout_name(name), wanted, "{name}");
    }
}

#[test]
fn in_another_network_namespace_our_own_count_is_not_the_nodes() {
    let node = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = node.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    // What a container without the host's network sees below the root that it has mounted.
    write("proc/sys/net/netfilter/nf_conntrack_count", "5\n");
    write("proc/1/net/stat/nf_conntrack", FULL);
    let place = Place::new(node.path());
    assert_eq!(
        entries(&place).unwrap(),
        5,
        "nothing tells of another namespace"
    );
    fs::create_dir_all(node.path().join("proc/1/ns")).unwrap();
    symlink("net:[1]", node.path().join("proc/1/ns/net")).unwrap();
    assert_eq!(entries(&place).unwrap(), 262_144);
}

#[test]
fn a_cpus_message_by_ctnetlink() {
    let mut body = vec![0, 0, 0, 3];
    body.extend(crate::netlink::attribute(11, &7_u32.to_be_bytes()).unwrap());
    body.extend(crate::netlink::attribute(99, &[1]).unwrap());
    body.extend(crate::netlink::attribute(10, &[1, 2]).unwrap());
    let cpu = stat::cpu(&body).unwrap();
    assert_eq!(cpu.number, 3);
    let early_drop = EVENTS.iter().position(|event| event.column == "early_drop");
    assert_eq!(cpu.counts[early_drop.unwrap()], Some(7));
    assert_eq!(cpu.counts.iter().flatten().count(), 1, "{cpu:?}");
}

proptest! {
    #[test]
    fn any_text_ends_without_a_panic(text in "(entries|found|drop|[0-9a-fx]{1,20}|[ \n]){0,60}") {
        if let Ok(stat) = stat::parse(&text) {
            prop_assert!(stat.cpus.len() <= text.lines().count());
        }
    }

    #[test]
    fn any_message_ends_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(stat::cpu(&body).is_some(), body.len() >= 4);
    }
}
