//! A real director: a kernel with IPVS, virtual servers of every kind, a client's traffic. Every counter, weight and
//! connection that nodetap shows is the one that ipvsadm shows.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::component;
use crate::said::Said;
use crate::stopwatch::Stopwatch;

/// The names of the mapping, which the situation called `served` has.
const MAPPING: &str = "\
10.99.0.1-80: 10.1.0.11:80, 10.1.0.12:80, 10.1.0.19:80
10.99.0.1-53-udp: kube-system/dns:dns
\"fd00:99::1\": shop/web:http
10.99.0.99: shop/gone:http
";

/// How long the guest may take: 20 seconds on a quiet machine.
const SECONDS: &str = "600";

#[test]
fn virtual_servers_are_what_ipvsadm_says() {
    let mut watch = Stopwatch::start("ipvs");
    let situations = run("director.sh");
    watch.did("ran a director with its servers and their traffic");

    let empty = &situations["empty"];
    assert!(
        empty.has("lvs_source_info{source=\"netlink\"}"),
        "{empty:?}"
    );
    assert!(empty.family("lvs_service_info").is_empty());

    let served = &situations["served"];
    must_agree(served);
    names_are_mapped(served);
    assert!(served.has("lvs_sync_daemon_info{interface=\"client\",state=\"master\",syncid=\"9\"}"));

    let unprivileged = &situations["unprivileged"];
    assert!(
        unprivileged.has("lvs_source_info{source=\"procfs\"}"),
        "{unprivileged:?}"
    );
    assert!(
        unprivileged
            .family("lvs_service_stat_conns_total")
            .is_empty()
    );
    let weights = |said: &Said| -> Vec<String> {
        let weights = said.family("lvs_endpoint_weight");
        weights
            .iter()
            .map(|(_, weight)| weight.to_string())
            .collect()
    };
    assert_eq!(weights(unprivileged).len(), weights(served).len());

    let taken = &situations["taken away"];
    must_agree(taken);
    assert_eq!(weights(taken).len(), weights(served).len() - 4);
    watch.did("compared");
}

/// One line of ipvsadm's lists by what it is of, and its last columns as numbers.
type Rows = BTreeMap<String, Vec<u64>>;

/// Reads a list of ipvsadm: services and their real servers, with so many columns behind.
fn rows(lines: &[String], columns: usize) -> Rows {
    let mut rows = Rows::new();
    let mut of = String::new();
    for line in lines {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let numbers = || -> Vec<u64> {
            let from = fields.len().saturating_sub(columns);
            fields[from..]
                .iter()
                .filter_map(|field| field.parse().ok())
                .collect()
        };
        match fields.as_slice() {
            ["->", "RemoteAddress:Port", ..] | [] => {}
            ["->", server, ..] => {
                rows.insert(format!("{of} -> {server}"), numbers());
            }
            ["TCP" | "UDP" | "FWM", name, ..] => {
                of = format!("{} {name}", fields[0]);
                // A mark may be there for each family; we show one.
                let sum = rows.entry(of.clone()).or_default();
                let numbers = numbers();
                sum.resize(sum.len().max(numbers.len()), 0);
                sum.iter_mut()
                    .zip(numbers)
                    .for_each(|(sum, number)| *sum += number);
            }
            _ => {}
        }
    }
    rows
}

/// The same rows out of our samples: the families' values in their order.
fn ours(said: &Said, families: &[&str], of_servers: bool) -> Rows {
    let mut rows = Rows::new();
    for family in families {
        for (sample, value) in said.family(family) {
            rows.entry(name(sample, of_servers))
                .or_default()
                .push(value as u64);
        }
    }
    rows
}

/// What ipvsadm would call the object of a sample.
fn name(sample: &str, of_server: bool) -> String {
    let label = |name: &str| {
        let (_, rest) = sample.split_once(&format!("{name}=\"")).expect("a label");
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let socket = |ip: String, port: String| {
        if ip.contains(':') {
            format!("[{ip}]:{port}")
        } else {
            format!("{ip}:{port}")
        }
    };
    let service = match label("fwmark").as_str() {
        "" => format!(
            "{} {}",
            label("protocol"),
            socket(label("linkaddr"), label("vport"))
        ),
        mark => format!("FWM {mark}"),
    };
    if of_server {
        format!("{service} -> {}", socket(label("endpoint"), label(",port")))
    } else {
        service
    }
}

fn must_agree(said: &Said) {
    let split = said.lines.iter().position(|line| line == "# weights");
    let (stats, weights) = said.lines.split_at(split.expect("two lists"));
    let stat = |of: &str| -> Vec<String> {
        ["conns", "inpkts", "outpkts", "inbytes", "outbytes"]
            .map(|name| format!("lvs_{of}_stat_{name}_total"))
            .to_vec()
    };
    let mut found = Rows::new();
    for (of, of_servers) in [("service", false), ("endpoint", true)] {
        let names = stat(of);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        found.extend(ours(said, &names, of_servers));
    }
    assert_eq!(found, rows(stats, 5), "counters");
    let names = [
        "lvs_endpoint_weight",
        "lvs_endpoint_active_connections",
        "lvs_endpoint_inactive_connections",
    ];
    let mut wanted = rows(weights, 3);
    wanted.retain(|name, _| name.contains("->"));
    assert_eq!(ours(said, &names, true), wanted, "weights and connections");
}

fn names_are_mapped(served: &Said) {
    let label = |sample: &str, wanted: &str| sample.contains(wanted);
    let conns = served.family("lvs_service_stat_conns_total");
    let dns = conns
        .iter()
        .find(|(sample, _)| label(sample, "protocol=\"UDP\""));
    let (dns, _) = dns.expect("the UDP service");
    assert!(
        label(dns, "namespace=\"kube-system\"") && label(dns, "service=\"dns\""),
        "{dns}"
    );
    let web = conns
        .iter()
        .find(|(sample, _)| label(sample, "linkaddr=\"fd00:99::1\""));
    let (web, _) = web.expect("the IPv6 service");
    assert!(
        label(web, "namespace=\"shop\"") && label(web, "service=\"web\""),
        "{web}"
    );
    // Not in the mapping: 81, 443, 8443, and the mark of both families.
    assert_eq!(served.sample("lvs_vip_unmapped_services").to_string(), "5");
    assert_eq!(
        served.sample("lvs_vip_unprogrammed_mappings").to_string(),
        "1"
    );
    assert_eq!(
        served
            .sample("lvs_vip_mapping_last_reload_successful")
            .to_string(),
        "1"
    );
    let missing = served.family("lvs_vip_mapping_missing_endpoints");
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].1.to_string(), "1", "10.1.0.19 is not programmed");
}

/// Runs a script of the folder `ipvs` in a kernel with IPVS.
pub(crate) fn run(script: &str) -> BTreeMap<String, Said> {
    let directory = tempfile::tempdir().expect("make a directory");
    let mapping = directory.path().join("mapping.yaml");
    fs::write(&mapping, MAPPING).expect("write the mapping");
    let config = format!("export:\n  lvs_mapping: {}\n", mapping.display());
    fs::write(directory.path().join("nodetap.yaml"), config).expect("write the configuration");
    let folder = component::folder().join("ipvs");
    let done = Command::new(folder.join("guest.sh"))
        .arg(SECONDS)
        .arg(directory.path())
        .arg(folder.join(script))
        .arg(tests::process::program())
        .arg(directory.path())
        .env("NODETAP_LOG", "error")
        .output()
        .expect("run the guest");
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap_or_default();
    assert!(
        done.status.success(),
        "{}\n{}\n{}\n{}",
        done.status,
        String::from_utf8_lossy(&done.stderr),
        read("out"),
        read("errors")
    );
    Said::situations(&read("out"))
}
