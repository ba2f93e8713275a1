//! What does a scrape of a whole node look like? `tests/fixtures/node`, and two JVMs, as the exporter shows it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use exporter::{Exporter, Selection, Settings};

/// The probes that have something to read there.
const PROBES: [&str; 11] = [
    "bypass",
    "calico",
    "cgroup",
    "clock",
    "conntrack",
    "control_plane",
    "jvm",
    "jvm_agents",
    "keepalived",
    "lvs",
    "talkers",
];

/// What differs from run to run, or from checkout to checkout.
const PASSING: [&str; 7] = [
    "conntrack_dump_duration_seconds ",
    "conntrack_dump_last_success_timestamp_seconds ",
    "jvm_agent_scrape_duration_seconds{",
    "node_timex_",
    "nodetap_probe_duration_seconds{",
    "nodetap_probe_last_run_timestamp_seconds{",
    "control_plane_container_log_modified_timestamp_seconds{",
];

#[test]
fn golden_scrape_of_the_fixture_node() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let node = tempfile::tempdir().unwrap();
    copy(&fixtures.join("node"), node.path());
    let port = agent();
    jvm(node.path(), 4721, "web", "shop.jar", "-Xmx128m");
    let option = format!("-javaagent:/srv/nodetap-jvm-agent.jar=port={port}");
    jvm(node.path(), 4722, "sidecar-0", "app.Main", &option);
    bird(node.path());
    let mut settings = Settings::new(node.path());
    settings.env = "lab".to_owned();
    settings.ping_gateways = false;
    settings.conntrack_top = true;
    settings.conntrack_bypass = vec!["10.99.0.0/24".parse().unwrap()];
    let exporter = Exporter::start(&settings).unwrap();
    let selection = Selection::only(PROBES.map(str::to_owned).into());
    let text = exporter.scrape(&selection, Duration::from_mins(1)).text();
    let found: String = text
        .lines()
        .filter(|line| !PASSING.iter().any(|passing| line.starts_with(passing)))
        .map(|line| line.replace(&format!("port=\"{port}\""), "port=\"PORT\"") + "\n")
        .collect();
    let golden = fixtures.join("metrics.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &found).unwrap();
    }
    let wanted = fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        found == wanted,
        "tests/fixtures/metrics.golden differs; UPDATE_GOLDEN=1 cargo test -p exporter --test golden writes it anew:\n{found}"
    );
}

/// Copies a folder; times are those of the copy.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path()).unwrap(), to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Adds a JVM of the pod `default/web-labnode`. A JVM's counters are its user's, so here they are the user's who runs
/// the tests; one with an agent has none of its own.
fn jvm(node: &Path, pid: u32, container: &str, program: &str, option: &str) {
    let process = node.join(format!("proc/{pid}"));
    let counters = process.join("root/tmp/hsperfdata_app");
    fs::create_dir_all(&counters).unwrap();
    fs::create_dir_all(process.join("ns")).unwrap();
    let (mapped, counts) = if option.starts_with("-javaagent:") {
        ("", "-XX:-UsePerfData")
    } else {
        let captured = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hsperfdata/g1");
        fs::copy(captured, counters.join("1")).unwrap();
        let mapped = "7f0000000000-7f0000008000 rw-s 0 00:35 99 /tmp/hsperfdata_app/1\n";
        (mapped, "-XX:+UsePerfData")
    };
    let owner = fs::metadata(&counters).unwrap();
    let id = container_id(node, container);
    for (name, text) in [
        (
            "stat",
            format!("{pid} (java) S {} 88123 0\n", "0 ".repeat(18).trim()),
        ),
        (
            "maps",
            format!(
                "{mapped}7f0000010000-7f0000020000 r-xp 0 fe:00 12 /jvm/lib/server/libjvm.so\n"
            ),
        ),
        (
            "status",
            format!(
                "Uid:\t0\t{}\nGid:\t0\t{}\nNSpid:\t{pid}\t1\n",
                owner.uid(),
                owner.gid()
            ),
        ),
        (
            "cmdline",
            format!("java\0{option}\0{counts}\0{program}\0--password=secret\0"),
        ),
        ("comm", "java\n".to_owned()),
        ("environ", String::new()),
        (
            "cgroup",
            format!("0::/kubepods/burstable/pod6765d78dbe42ccb8c28dde1dca835608/{id}\n"),
        ),
    ] {
        fs::write(process.join(name), text).unwrap();
    }
    let group = format!("kubepods/burstable/pod6765d78dbe42ccb8c28dde1dca835608/{id}");
    cost(&node.join("sys/fs/cgroup").join(group));
    symlink("/jvm/bin/java", process.join("exe")).unwrap();
    let ours = fs::read_link("/proc/self/ns/net").unwrap();
    symlink(ours, process.join("ns/net")).unwrap();
}

/// What a container with half a CPU and 64 MiB uses.
fn cost(group: &Path) {
    fs::create_dir_all(group).unwrap();
    for (name, text) in [
        ("cgroup.procs", "1\n"),
        (
            "cpu.stat",
            "usage_usec 2500000\nnr_periods 40\nnr_throttled 7\nthrottled_usec 1250000\n",
        ),
        ("cpu.max", "50000 100000\n"),
        ("memory.current", "1000000\n"),
        ("memory.max", "67108864\n"),
        ("memory.stat", "inactive_file 400000\n"),
        ("memory.events", "oom_kill 3\n"),
    ] {
        fs::write(group.join(name), text).unwrap();
    }
}

/// Answers on Calico's socket as a BIRD once did.
fn bird(node: &Path) {
    let captured = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bird");
    let read = |name: &str| fs::read_to_string(captured.join(name)).unwrap();
    let replies = [
        "0001 BIRD 2.0.12 ready.\n".to_owned(),
        "0016 Access restricted\n".to_owned(),
        read("status-2.0.12.txt"),
        read("protocols-2.0.12.txt"),
    ];
    fs::create_dir_all(node.join("run/calico")).unwrap();
    let listener = UnixListener::bind(node.join("run/calico/bird.ctl")).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut questions = BufReader::new(stream.try_clone().unwrap()).lines();
            for reply in &replies {
                // Whoever asked may have gone.
                drop(stream.write_all(reply.as_bytes()));
                drop(questions.next());
            }
        }
    });
}

fn container_id(node: &Path, container: &str) -> String {
    let prefix = format!("web-labnode_default_{container}-");
    fs::read_dir(node.join("var/log/containers"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .find_map(|name| Some(name.strip_prefix(&prefix)?.strip_suffix(".log")?.to_owned()))
        .unwrap()
}

/// Serves what a real agent said once, to whoever asks; the port.
fn agent() -> u16 {
    let captured = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/jvm-agent");
    let text = fs::read_to_string(captured).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 1024];
            assert!(stream.read(&mut head).unwrap() > 0);
            write!(stream, "HTTP/1.0 200 OK\r\n\r\n{text}").unwrap();
        }
    });
    port
}
