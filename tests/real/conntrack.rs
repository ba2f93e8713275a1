//! Real connection tracking in a network namespace of its own: what nodetap says is what conntrack-tools say, when it
//! tracks, when rules bypass it, when packets race, when the table is full, and when only netlink is left.

use std::collections::BTreeMap;
use std::process::Command;

use crate::component;
use crate::said::Said;
use crate::stopwatch::Stopwatch;

#[test]
fn connection_tracking_is_what_conntrack_tools_say() {
    let mut watch = Stopwatch::start("conntrack");
    let situations = run();
    watch.did("lived through every situation");
    for name in ["fresh", "tracked", "bypassed", "clashed", "full"] {
        must_agree(name, &situations[name]);
        let count = situations[name].facts("count");
        let found = situations[name].sample("node_nf_conntrack_entries");
        assert_eq!(count, [found.to_string()], "{name}");
    }
    let tracked = &situations["tracked"];
    assert_eq!(tracked.facts("count"), ["20"]);
    assert!(tracked.has("conntrack_stat_source_info{source=\"procfs\"}"));
    the_bypass_is_seen(&situations["bypassed"]);
    assert_eq!(sum(&situations["clashed"], "insert_failed"), 1);
    assert_eq!(sum(&situations["clashed"], "clash_resolve"), 1);
    let full = &situations["full"];
    assert!(
        sum(full, "early_drop") + sum(full, "drop") > 1000,
        "the table was never full"
    );

    let outside = &situations["outside"];
    let netns = outside.facts("netns")[0];
    let name = format!("conntrack_netns_entries{{namespace=\"\",netns=\"{netns}\",pod=\"\"}}");
    assert_eq!(outside.facts("count"), [outside.sample(&name).to_string()]);

    let netlink = &situations["netlink"];
    must_agree("netlink", netlink);
    assert!(netlink.has("conntrack_stat_source_info{source=\"netlink\"}"));
    whose_entries(&situations);
    let read = full.sample("conntrack_dump_entries");
    assert_eq!(full.facts("count"), [read.to_string()]);
    watch.did(&format!(
        "compared; {read} entries were read in {:.3} s",
        full.sample("conntrack_dump_duration_seconds")
    ));
}

/// A pod's connections, by netlink and by the file, are those that conntrack-tools list.
fn whose_entries(situations: &BTreeMap<String, Said>) {
    let truth = &situations["talkers"];
    assert_eq!(
        (truth.facts("src"), truth.facts("dst")),
        (vec!["5"], vec!["3"])
    );
    for name in ["talkers", "listed"] {
        let said = &situations[name];
        for direction in ["src", "dst"] {
            let sample = format!(
                "conntrack_pod_entries{{direction=\"{direction}\",namespace=\"shop\",pod=\"web-1\"}}"
            );
            let found = said.sample(&sample).to_string();
            assert_eq!(truth.facts(direction), [found], "{name}: {sample}");
        }
        let state = |protocol: &str, state: &str| {
            let sample =
                format!("conntrack_state_entries{{protocol=\"{protocol}\",state=\"{state}\"}}");
            said.sample(&sample).to_string()
        };
        let unreplied = state("udp", "unreplied");
        assert_eq!(truth.facts("unreplied"), [unreplied], "{name}");
        let [tcp] = truth.facts("tcp")[..] else {
            panic!("not one state: {truth:?}");
        };
        assert_eq!(state("tcp", tcp), "5", "{name}: {tcp}");
        let subnet = |text: &str| {
            let sample = format!("conntrack_bypass_entries{{subnet=\"{text}\"}}");
            said.sample(&sample).to_string()
        };
        assert_eq!(subnet("10.244.9.0/24"), "8", "{name}");
        assert_eq!(subnet("192.0.2.0/24"), "0", "{name}");
        assert_eq!(said.sample("conntrack_dump_truncated").to_string(), "0");
    }
}

/// `conntrack -S`: counters by CPU and by the name that we have for them.
fn counters(said: &Said) -> BTreeMap<(String, String), u64> {
    let mut counters = BTreeMap::new();
    for line in &said.lines {
        let Some(rest) = line.strip_prefix("cpu=") else {
            continue;
        };
        let mut fields = rest.split_ascii_whitespace();
        let cpu = fields.next().expect("a number");
        for (name, count) in fields.filter_map(|field| field.split_once('=')) {
            let name = name.replace("chaintoolong", "chain_too_long");
            counters.insert((cpu.to_owned(), name), count.parse().expect("a number"));
        }
    }
    counters
}

fn sum(said: &Said, name: &str) -> u64 {
    let counters = counters(said);
    let of_name = counters.iter().filter(|((_, known), _)| known == name);
    of_name.map(|(_, count)| count).sum()
}

/// Every counter that conntrack-tools know has the same value for each CPU, and the one of `node_exporter` is their sum.
fn must_agree(situation: &str, said: &Said) {
    let counters = counters(said);
    assert!(!counters.is_empty(), "{situation}: {said:?}");
    for ((cpu, name), wanted) in &counters {
        let sample = format!("conntrack_stat_{name}_total{{cpu=\"{cpu}\"}}");
        let found = said.sample(&sample);
        assert_eq!(
            found.to_string(),
            wanted.to_string(),
            "{situation}: {sample}"
        );
    }
    for name in [
        "drop",
        "early_drop",
        "found",
        "insert",
        "insert_failed",
        "invalid",
        "search_restart",
    ] {
        let found = said.sample(&format!("node_nf_conntrack_stat_{name}"));
        assert_eq!(
            found.to_string(),
            sum(said, name).to_string(),
            "{situation}: {name}"
        );
    }
}

/// Both rules are found, with the packets that were sent, and nothing of theirs stands in the table.
fn the_bypass_is_seen(bypassed: &Said) {
    assert_eq!(
        bypassed.facts("count"),
        ["20"],
        "only what was tracked before"
    );
    assert_eq!(bypassed.facts("rule").len(), 2);
    for (place, comment, family, packets) in [
        (
            "backend=\"iptables\",chain=\"OUTPUT\"",
            "from the director",
            "ip",
            30,
        ),
        (
            "backend=\"nft\",chain=\"out\"",
            "without tracking",
            "inet",
            40,
        ),
    ] {
        let one = |name: &str, more: &str| {
            let sample = format!("conntrack_notrack_{name}{{{place},{more}family=\"{family}\"}}");
            bypassed.sample(&sample).to_string()
        };
        let comment = format!("comment=\"{comment}\",");
        assert_eq!(one("rules", ""), "1");
        assert_eq!(one("packets_total", &comment), packets.to_string());
        // A datagram of one byte has 29.
        assert_eq!(one("bytes_total", &comment), (packets * 29).to_string());
    }
}

fn run() -> BTreeMap<String, Said> {
    let mut script = Command::new("unshare");
    script
        .arg("--net")
        .arg(component::folder().join("conntrack/room.sh"))
        .env("NODETAP_LOG", "error");
    Said::by(&mut script, &[])
}
