//! What a tenant may put into its volume, and what must not come of it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

fn volume() -> String {
    format!("/var/lib/kubelet/pods/{UID}/volumes/kubernetes.io~empty-dir/v")
}

fn both(node: &Node) -> [Watched; 2] {
    [Resolve::Kernel, Resolve::Components].map(|resolve| {
        Watched::new(Settings {
            resolve,
            ..node.settings()
        })
    })
}

#[test]
fn links_fifos_sockets_and_devices_are_refused_and_counted() {
    let node = Node::new();
    let volume = volume();
    node.write(&format!("{volume}/good.log"), "good\n");
    node.write("/etc/shadow", "secret");
    node.link("/etc/shadow", &format!("{volume}/absolute.log"));
    node.link(
        "../../../../../../../../etc/shadow",
        &format!("{volume}/relative.log"),
    );
    node.link("good.log", &format!("{volume}/beside.log"));
    mknodat(
        CWD,
        node.path(&format!("{volume}/fifo.log")),
        FileType::Fifo,
        Mode::RWXU,
        0,
    )
    .unwrap();
    let socket = node.path(&format!("{volume}/socket.log"));
    mknodat(CWD, socket, FileType::Socket, Mode::RWXU, 0).unwrap();
    let device = node.path(&format!("{volume}/device.log"));
    // Only root makes devices; where it may not, a test of the others remains.
    let has_device = mknodat(CWD, device, FileType::CharacterDevice, Mode::RWXU, 0x0103).is_ok();
    for watched in both(&node) {
        assert_eq!(
            watched.paths(),
            [format!("{volume}/good.log {volume}/good.log")]
        );
        let report = watched.discovery.report();
        let mut expect = vec![(Refusal::Link, 3), (Refusal::Fifo, 1)];
        expect.extend(has_device.then_some((Refusal::Device, 1)));
        expect.push((Refusal::Socket, 1));
        let refused: Vec<_> = report
            .refused
            .iter()
            .map(|files| (files.reason, files.count))
            .collect();
        assert_eq!(refused, expect);
        assert!(report.refused[0].examples[0].starts_with(&volume));
    }
}

#[test]
fn a_file_that_became_something_else_is_refused_at_the_open() {
    let node = Node::new();
    let volume = volume();
    let log = format!("{volume}/app.log");
    node.write("/etc/shadow", "secret");
    node.write(&log, "good\n");
    node.write(&format!("{volume}/deep/app.log"), "good\n");
    let watched = both(&node);
    let refusal =
        |watched: &Watched, path: &str| match watched.discovery.open(&watched.file(path).source) {
            Err(OpenError::Refused { refusal, .. }) => Some(refusal),
            Ok(_) | Err(_) => None,
        };
    for watched in &watched {
        let file = watched.discovery.open(&watched.file(&log).source).unwrap();
        assert_eq!(io::read_to_string(file).unwrap(), "good\n");
    }
    fs::remove_file(node.path(&log)).unwrap();
    for watched in &watched {
        let error = watched
            .discovery
            .open(&watched.file(&log).source)
            .unwrap_err();
        assert!(matches!(error, OpenError::Gone { .. }), "{error}");
    }
    node.link("/etc/shadow", &log);
    for watched in &watched {
        assert_eq!(refusal(watched, &log), Some(Refusal::Link));
    }
    fs::remove_file(node.path(&log)).unwrap();
    mknodat(CWD, node.path(&log), FileType::Fifo, Mode::RWXU, 0).unwrap();
    for watched in &watched {
        assert_eq!(refusal(watched, &log), Some(Refusal::Fifo));
    }
    // A directory on the way that became a link.
    node.write("/etc/deep/app.log", "secret");
    fs::remove_dir_all(node.path(&format!("{volume}/deep"))).unwrap();
    node.link("/etc/deep", &format!("{volume}/deep"));
    for watched in &watched {
        assert_eq!(
            refusal(watched, &format!("{volume}/deep/app.log")),
            Some(Refusal::Link)
        );
    }
}

#[test]
fn directories_that_are_links_are_not_entered() {
    let node = Node::new();
    let volume = volume();
    node.write("/etc/secret.log", "secret");
    node.make(&volume);
    node.link("/etc", &format!("{volume}/etc"));
    node.link(".", &format!("{volume}/loop"));
    node.link(
        "/etc",
        &format!("/var/lib/kubelet/pods/{UID}/volumes/kubernetes.io~empty-dir/w"),
    );
    node.link("/etc", &format!("/var/log/pods/shop_web_{UID}"));
    for mut watched in both(&node) {
        assert_eq!(watched.paths(), Vec::<String>::new());
        node.link("/etc", &format!("{volume}/later"));
        watched.settle();
        assert_eq!(watched.paths(), Vec::<String>::new());
        fs::remove_file(node.path(&format!("{volume}/later"))).unwrap();
    }
}

#[test]
fn names_with_newlines_and_at_their_longest_are_read() {
    let node = Node::new();
    let volume = volume();
    let long = format!("{}.log", "x".repeat(251));
    for name in [
        "new\nline.log",
        "tab\t\"quote\".log",
        "\u{202e}gol.log",
        &long,
        " .log",
        "..log",
    ] {
        node.write(&format!("{volume}/{name}"), "x\n");
    }
    for watched in both(&node) {
        assert_eq!(watched.files().len(), 6);
        for found in watched.files() {
            watched.discovery.open(&found.source).unwrap();
        }
    }
}

#[test]
fn names_that_are_no_text_are_refused_and_counted() {
    let node = Node::new();
    node.make(&volume());
    let name = OsStr::from_bytes(b"\xff\xfe.log");
    fs::write(node.path(&volume()).join(name), "x\n").unwrap();
    fs::create_dir(node.path(&volume()).join(OsStr::from_bytes(b"\xff"))).unwrap();
    let mut watched = node.watch();
    assert_eq!(watched.paths(), Vec::<String>::new());
    fs::write(
        node.path(&volume()).join(OsStr::from_bytes(b"\xfe.log")),
        "x\n",
    )
    .unwrap();
    watched.until("the second", |watched| {
        let refused = watched.discovery.report().refused;
        refused
            .first()
            .is_some_and(|files| (files.reason, files.count) == (Refusal::Name, 2))
    });
}

#[test]
fn thousands_of_files_that_come_and_go() {
    let node = Node::new();
    node.write(&format!("{}/0.log", volume()), "x\n");
    let mut watched = node.watch();
    for number in 0..3_000 {
        fs::write(node.path(&volume()).join(format!("{number}.log")), "x\n").unwrap();
    }
    watched.until("all", |watched| watched.files().len() == 3_000);
    for number in 1..3_000 {
        fs::remove_file(node.path(&volume()).join(format!("{number}.log"))).unwrap();
    }
    watched.until("one", |watched| watched.files().len() == 1);
    let listings = watched.changes.len();
    assert!(listings < 3_000, "{listings} rounds");
}

#[test]
fn directories_that_are_renamed_over_and_over() {
    let node = Node::new();
    let volume = volume();
    node.write(&format!("{volume}/a/app.log"), "x\n");
    let mut watched = node.watch();
    for round in 0..100 {
        let (from, to) = if round % 2 == 0 {
            ("a", "b")
        } else {
            ("b", "a")
        };
        node.rename(&format!("{volume}/{from}"), &format!("{volume}/{to}"));
        if round % 10 == 0 {
            watched.step();
        }
    }
    watched.settle();
    assert_eq!(
        watched.paths(),
        [format!("{volume}/a/app.log {volume}/a/app.log")]
    );
    append(&node.path(&format!("{volume}/a/app.log")), "y\n");
    watched.changes.clear();
    watched.until("growth", |watched| !watched.grown().is_empty());
}

#[test]
fn a_process_that_only_says_it_is_docker() {
    // Its paths are found only because nothing says that it is not the node's; links below them stay refused.
    let node = Node::new();
    let id = "e".repeat(64);
    node.write(
        "/proc/9/cmdline",
        "dockerd\0--data-root=/evil\0--data-root\0relative\0",
    );
    node.write("/etc/shadow", "secret");
    node.link(
        "/etc/shadow",
        &format!("/evil/containers/{id}/{id}-json.log"),
    );
    node.link(
        "/etc/shadow",
        &format!("/evil/containers/{id}/config.v2.json"),
    );
    for watched in both(&node) {
        assert_eq!(watched.paths(), Vec::<String>::new());
        assert_eq!(watched.discovery.report().refused[0].reason, Refusal::Link);
    }
    // A container's process has another mount namespace than the node's first.
    node.link("mnt:[1]", "/proc/1/ns/mnt");
    node.link("mnt:[2]", "/proc/9/ns/mnt");
    let watched = node.watch();
    assert!(
        watched
            .discovery
            .report()
            .roots
            .iter()
            .all(|root| !root.path.starts_with("/evil"))
    );
}

#[test]
fn links_of_the_platform_do_not_leave_the_root_directory() {
    let node = Node::new();
    node.link("/../../../../../../../../etc", "/var/log");
    node.write("/etc/inside.log", "x\n");
    for watched in both(&node) {
        assert_eq!(watched.paths(), ["/var/log/inside.log /var/log/inside.log"]);
        let source = &watched.files()[0].source;
        assert_eq!(
            io::read_to_string(watched.discovery.open(source).unwrap()).unwrap(),
            "x\n"
        );
    }
    let node = Node::new();
    node.link("/var/loop", "/var/log");
    node.link("/var/log", "/var/loop");
    for watched in both(&node) {
        assert_eq!(watched.paths(), Vec::<String>::new());
    }
}
