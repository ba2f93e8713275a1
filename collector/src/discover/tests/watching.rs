//! What the kernel tells of directories, and what happens when it can't.

use super::*;

const LOG: &str = "/var/log/pods/shop_web_a97bda8a0017c1c64ac112c45eefa1e6/web/0.log";

#[test]
fn a_write_and_a_close_are_told() {
    use std::io::Write as _;
    let node = Node::new();
    node.write(LOG, "");
    let mut watched = node.watch();
    let dir = watched.directory_of(LOG);
    let told = (dir, OsString::from("0.log"));
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(node.path(LOG))
        .unwrap();
    file.write_all(b"x\n").unwrap();
    watched.until("growth", |watched| {
        watched
            .changes
            .iter()
            .any(|changes| changes.grown.contains(&told))
    });
    assert!(
        watched
            .changes
            .iter()
            .all(|changes| changes.closed.is_empty())
    );
    drop(file);
    watched.until("close", |watched| {
        watched
            .changes
            .iter()
            .any(|changes| changes.closed.contains(&told))
    });
    watched.changes.clear();
    fs::OpenOptions::new()
        .write(true)
        .open(node.path(LOG))
        .unwrap()
        .set_len(0)
        .unwrap();
    watched.until("cut", |watched| watched.grown().len() == 1);
}

#[test]
fn our_own_reading_is_not_told() {
    let node = Node::new();
    node.write(LOG, "x\n");
    let mut watched = node.watch();
    watched.settle();
    watched.changes.clear();
    let file = watched.discovery.open(&watched.file(LOG).source).unwrap();
    io::read_to_string(file).unwrap();
    watched.scan();
    watched.settle();
    assert!(watched.grown().is_empty());
    assert!(
        watched
            .changes
            .iter()
            .all(|changes| changes.closed.is_empty())
    );
}

#[test]
fn a_parked_directory_says_nothing_of_writes_but_of_names_and_closes() {
    let node = Node::new();
    node.write(LOG, "");
    let mut watched = node.watch();
    let dir = watched.directory_of(LOG);
    assert_eq!(watched.discovery.park(dir, true, Instant::now()), None);
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(node.path(LOG))
        .unwrap();
    io::Write::write_all(&mut file, b"x\n").unwrap();
    watched.settle();
    assert!(watched.grown().is_empty());
    drop(file);
    watched.until("close", |watched| !watched.grown().is_empty());
    node.rename(LOG, &format!("{LOG}.20261121-115441"));
    watched.until("rotation", |watched| {
        watched.paths()[0].contains("20261121")
    });
    node.rename(&format!("{LOG}.20261121-115441"), LOG);
    // A scan does not wake what is parked.
    watched.scan();
    watched.settle();
    watched.changes.clear();
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(node.path(LOG))
        .unwrap();
    io::Write::write_all(&mut file, b"y\n").unwrap();
    watched.settle();
    assert!(watched.grown().is_empty());
    let listing = watched.discovery.park(dir, false, Instant::now()).unwrap();
    assert_eq!(listing.files[0].size, 4);
    io::Write::write_all(&mut file, b"z\n").unwrap();
    watched.until("growth", |watched| !watched.grown().is_empty());
}

#[test]
fn more_directories_than_watches_are_scanned() {
    let node = Node::new();
    for number in 0..30 {
        node.write(
            &format!("/var/log/pods/ns_pod-{number}_uid-{number}/app/0.log"),
            "x\n",
        );
    }
    let mut watched = Watched::new(Settings {
        watches_max: Some(20),
        ..node.settings()
    });
    assert_eq!(watched.files().len(), 30);
    let report = watched.discovery.report();
    assert_eq!(report.watches.used, 20);
    assert!(report.watches.missing > 0);
    assert!(watched.discovery.rescan_after() <= Duration::from_secs(5));
    for number in 0..30 {
        let pod = format!("/var/log/pods/ns_pod-{number}_uid-{number}");
        append(&node.path(&format!("{pod}/app/0.log")), "y\n");
        node.write(&format!("{pod}/app/1.log"), "x\n");
    }
    watched.scan();
    assert_eq!(watched.files().len(), 60);
    assert!(watched.files().iter().all(|found| found.size >= 2));
    for number in 5..30 {
        fs::remove_dir_all(node.path(&format!("/var/log/pods/ns_pod-{number}_uid-{number}")))
            .unwrap();
    }
    watched.settle();
    watched.scan();
    assert_eq!(watched.files().len(), 10);
    assert_eq!(watched.discovery.report().watches.missing, 0);
    assert_eq!(watched.discovery.rescan_after(), Duration::from_mins(3));
}

#[test]
fn lost_events_are_told_and_a_scan_finds_the_rest() {
    let node = Node::new();
    node.write(LOG, "");
    let mut watched = node.watch();
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let queue: usize = queue.trim().parse().unwrap();
    let directory = node.path(LOG).parent().unwrap().to_owned();
    for number in 0..=queue / 2 {
        let name = directory.join(format!("{number}.tmp"));
        fs::write(&name, "").unwrap();
        fs::remove_file(name).unwrap();
    }
    node.write("/var/log/pods/shop_late_uid-1/web/0.log", "");
    watched.until("overflow", |watched| {
        watched.changes.iter().any(|changes| changes.overflow)
    });
    watched.scan();
    assert_eq!(watched.files().len(), 2);
}

/// Prints what a scan costs, too; `DIRECTORIES=5000` repeats what is written down of it.
#[test]
fn a_node_of_many_directories() {
    let count = std::env::var("DIRECTORIES")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(500);
    let node = Node::new();
    for number in 0..count {
        node.write(
            &format!("/var/log/pods/ns_pod-{number}_uid-{number}/app/0.log"),
            "x\n",
        );
    }
    let mut watched = Watched::unscanned(node.settings());
    for round in ["first", "second"] {
        let (begun, busy) = (Instant::now(), processor_time());
        watched.scan();
        let busy = processor_time().saturating_sub(busy);
        println!(
            "{count} directories, {round} scan: {:?}, {busy:?} of the processor",
            begun.elapsed()
        );
        assert_eq!(watched.files().len(), count);
    }
    assert_eq!(watched.discovery.report().watches.missing, 0);
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

#[test]
fn an_unreadable_directory_is_told_and_forgets_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let node = Node::new();
    node.write(LOG, "x\n");
    let mut watched = node.watch();
    let directory = node.path(LOG).parent().unwrap().to_owned();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o000)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    watched.scan();
    assert_eq!(watched.files().len(), 1);
    assert_eq!(
        watched.discovery.report().unreadable.len(),
        usize::from(!is_root)
    );
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
}
