//! A real director's answers, its proc file, mappings, and bytes that no kernel sends.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::table::Protocol::{Tcp, Udp};
use super::*;
use crate::family::Value;
use crate::netlink::Messages;
use crate::text;

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/ipvs")
        .join(path)
}

/// The bodies of the messages in a file of datagrams, without those that end a dump.
fn bodies(path: &str) -> Vec<Vec<u8>> {
    const FIRST_OF_A_FAMILY: u16 = 16;
    let bytes = fs::read(fixture(path)).unwrap();
    Messages::of(&bytes)
        .map(Result::unwrap)
        .filter(|message| message.kind >= FIRST_OF_A_FAMILY)
        .map(|message| message.body.to_vec())
        .collect()
}

fn director() -> Director {
    let mut services: Vec<Service> = bodies("netlink/get-service.bin")
        .iter()
        .map(|body| kernel::service(body).unwrap())
        .collect();
    for (number, service) in services.iter_mut().enumerate() {
        service.destinations = bodies(&format!("netlink/get-dest-{number}.bin"))
            .iter()
            .map(|body| kernel::destination(body, &service.key).unwrap())
            .collect();
    }
    Director {
        services,
        table_buckets: Some(4096),
        daemons: bodies("netlink/get-daemon.bin")
            .iter()
            .map(|body| kernel::daemon(body).unwrap())
            .collect(),
    }
}

fn settled(director: &Director, mapping: Option<&Mapping>) -> Families {
    let mut out = Families::new(usize::MAX);
    emit(director, "lab", mapping, &mut out);
    out.settle();
    out
}

fn shown(families: &Families) -> String {
    let mut out = String::new();
    for group in families.groups() {
        text::write(group, &mut out);
    }
    out
}

const MAPPING: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: vips
data:
  10.99.0.1-80: 10.1.0.11:80, 10.1.0.12:80, 10.1.0.14:80
  10.99.0.1-53-udp: kube-system/dns:dns
  10.99.0.1: shop/web:https
  \"fd00:99::1\": shop/web6:web
  10.99.0.9: shop/gone:http
  nonsense
";

#[test]
fn golden() {
    let mapping = Mapping::parse(MAPPING);
    let mut families = settled(&director(), Some(&mapping));
    assert!(
        families.take_dropped().is_empty(),
        "no two series are the same"
    );
    let found = shown(&families);
    let path = fixture("metrics.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap();
    assert!(
        found == wanted,
        "metrics differ from {}; UPDATE_GOLDEN=1 writes it anew:\n{found}",
        path.display()
    );
}

#[test]
fn counters_are_those_that_ipvsadm_shows() {
    let listed = fs::read_to_string(fixture("ipvsadm-Ln-stats-exact.txt")).unwrap();
    let mut rows = Vec::new();
    let mut of = String::new();
    for line in listed.lines().skip(3) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let numbers = |fields: &[&str]| -> Vec<u64> {
            fields
                .iter()
                .filter_map(|field| field.parse().ok())
                .collect()
        };
        let counts = numbers(&fields[fields.len() - 5..]);
        if fields[0] == "->" {
            rows.push((format!("{of} -> {}", fields[1]), counts));
        } else {
            of = format!("{} {}", fields[0], fields[1]);
            rows.push((of.clone(), counts));
        }
    }
    rows.sort();
    let socket = |ip: IpAddr, port: u16| match ip {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    };
    let counts = |found: Option<Counters>| {
        let found = found.unwrap();
        vec![
            found.conns,
            found.inpkts,
            found.outpkts,
            found.inbytes,
            found.outbytes,
        ]
    };
    let mut ours = Vec::new();
    for service in director().services {
        let of = match service.key {
            Key::Address { protocol, ip, port } => format!("{protocol} {}", socket(ip, port)),
            Key::Mark { mark, .. } => format!("FWM {mark}"),
        };
        for found in service.destinations {
            let name = format!("{of} -> {}", socket(found.ip, found.port));
            ours.push((name, counts(found.counters)));
        }
        ours.push((of, counts(service.counters)));
    }
    ours.sort();
    assert_eq!(ours, rows);
}

#[test]
fn the_proc_file_has_the_same_servers_without_counters() {
    let text = fs::read_to_string(fixture("ip_vs")).unwrap();
    let from_file = table::parse(&text).unwrap();
    let by_netlink = director().services;
    let brief = |services: &[Service]| -> Vec<String> {
        let mut out: Vec<String> = services
            .iter()
            .flat_map(|service| {
                service.destinations.iter().map(|found| {
                    let key = match service.key {
                        Key::Mark { mark, .. } => format!("{mark}"),
                        key @ Key::Address { .. } => format!("{key:?}"),
                    };
                    format!(
                        "{key} {} {}:{} {:?} {} {} {}",
                        service.scheduler,
                        found.ip,
                        found.port,
                        found.forward,
                        found.weight,
                        found.active,
                        found.inactive
                    )
                })
            })
            .collect();
        out.sort();
        out
    };
    assert_eq!(brief(&from_file), brief(&by_netlink));
    assert_eq!(from_file.len(), by_netlink.len());
    let shown = shown(&settled(
        &Director {
            services: from_file,
            ..Director::default()
        },
        None,
    ));
    assert!(!shown.contains("_stat_"), "no counter is made up:\n{shown}");
    let totals = fs::read_to_string(fixture("ip_vs_stats")).unwrap();
    assert_eq!(
        table::parse_totals(&totals).map(|totals| totals.conns > 0),
        Some(true)
    );
}

#[test]
fn an_sctp_services_destinations_are_its_own() {
    let text = "TCP  0A630001:0050 rr  \n  -> 0A01000B:0050 Masq 1 0 0\nSCTP 0A630001:0B59 rr  \n  -> 0A01000C:0B59 Masq 1 2 3\n";
    let services = table::parse(text).unwrap();
    assert_eq!(services.len(), 2);
    assert_eq!(services[1].destinations[0].active, 2);
    assert_eq!(services[0].destinations.len(), 1);
    for wrong in [
        "  -> 0A01000B:0050 Masq 1 0 0\n",
        "TCP 0A63:1 rr\n",
        "XYZ 0A630001:0050 rr\n",
    ] {
        assert!(table::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_mark_for_both_families_is_one_series() {
    let service = |ipv6| Service {
        key: Key::Mark { mark: 5, ipv6 },
        scheduler: "rr".to_owned(),
        flags: 0,
        timeout_seconds: Some(0),
        persistence_engine: String::new(),
        counters: Some(Counters {
            conns: 2,
            ..Counters::default()
        }),
        wide: true,
        destinations: Vec::new(),
    };
    let director = Director {
        services: vec![service(true), service(false)],
        ..Director::default()
    };
    let mut families = settled(&director, None);
    assert!(families.take_dropped().is_empty());
    let conns = families
        .groups()
        .find(|group| group.name == "lvs_service_stat_conns_total")
        .unwrap();
    assert_eq!(conns.series.len(), 1);
    assert_eq!(conns.series[0].1, Value::Whole(4));
}

#[test]
fn both_forms_of_a_mapping() {
    let mapping = Mapping::parse(MAPPING);
    assert_eq!(mapping.wrong, ["nonsense"]);
    let service = |ip: &str, port, protocol| {
        let index = mapping.of(ip.parse().unwrap(), port, protocol)?;
        Some((index, mapping.entries[index].service.as_str()))
    };
    assert_eq!(service("10.99.0.1", 80, Tcp), Some((0, "")));
    assert_eq!(mapping.entries[0].endpoints.len(), 3);
    assert_eq!(service("10.99.0.1", 53, Udp), Some((1, "dns")));
    assert_eq!(
        service("10.99.0.1", 443, Tcp),
        Some((2, "web")),
        "https is 443"
    );
    assert_eq!(
        service("10.99.0.1", 53, Tcp),
        None,
        "without a protocol it is TCP, with one it is not"
    );
    assert_eq!(
        service("fd00:99::1", 8080, Tcp),
        Some((3, "web6")),
        "the only entry of its address"
    );
    assert_eq!(service("10.99.0.2", 80, Tcp), None);
}

#[test]
fn a_mounted_mapping() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("..data")).unwrap();
    fs::write(
        directory.path().join("10.0.0.1-80"),
        "10.1.0.1:8080,\n10.1.0.2:8080\n",
    )
    .unwrap();
    fs::write(directory.path().join("10.0.0.2"), "shop/web:http").unwrap();
    let mapping = Mapping::read(directory.path()).unwrap();
    assert!(mapping.wrong.is_empty(), "{:?}", mapping.wrong);
    assert_eq!(mapping.entries[0].endpoints.len(), 2);
    assert_eq!(mapping.entries[1].namespace, "shop");
}

proptest! {
    #[test]
    fn any_message_ends_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let key = Key::Mark { mark: 1, ipv6: false };
        prop_assert!(kernel::service(&body).is_none() || body.len() > 8);
        prop_assert!(kernel::destination(&body, &key).is_none() || body.len() > 8);
        prop_assert!(kernel::daemon(&body).is_none() || body.len() > 8);
    }

    #[test]
    fn a_cut_message_ends_without_a_panic(at in 0_usize..400, byte in any::<u8>(), to in 0_usize..400) {
        for mut body in bodies("netlink/get-service.bin") {
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
            body.truncate(to);
            if let Some(service) = kernel::service(&body) {
                let director = Director { services: vec![service], ..Director::default() };
                let shown = shown(&settled(&director, None));
                prop_assert!(shown.contains("lvs_service_info"), "{}", shown);
            }
        }
    }

    #[test]
    fn any_text_ends_without_a_panic(text in "(TCP|FWM|->|rr|[0-9A-F:.]{1,12}|\\[|\\]|/|-|: |,|[ \n]){0,60}") {
        if let Ok(services) = table::parse(&text) {
            prop_assert!(services.len() <= text.lines().count());
        }
        let mapping = Mapping::parse(&text);
        prop_assert!(mapping.entries.len() + mapping.wrong.len() <= text.len());
    }
}
