//! Processes of a made-up /proc, and what their files say.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

const MAPS: &str = "\
7f0000000000-7f0000008000 rw-s 00000000 00:35 99 /tmp/hsperfdata_app/7
7f0000010000-7f0000020000 r-xp 00000000 fe:00 12 /usr/lib/jvm/java-17/lib/server/libjvm.so
7f0000030000-7f0000040000 rw-p 00000000 00:00 0
7f0000050000-7f0000060000 r--p 00000000 fe:00 13 /srv/a file with hsperfdata_x in it
";

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const UID: &str = "0f2c1a9e-5b7d-4c57-9d0c-5a1f4f6f7a11";

fn process(root: &Path, pid: u32, program: &str, maps: &str, start: u64) {
    let folder = root.join(format!("proc/{pid}"));
    fs::create_dir_all(folder.join("root/tmp")).unwrap();
    drop(fs::remove_file(folder.join("exe")));
    symlink(program, folder.join("exe")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let stat = format!("{pid} (a ) b) S {} {start} 0 0\n", "0 ".repeat(18).trim());
    write("stat", &stat);
    write("maps", maps);
    write(
        "status",
        "Name:\tx\nUid:\t1\t1001\t1\t1\nGid:\t2\t1002\t2\t2\nNSpid:\t100\t7\n",
    );
    write("cmdline", "java\0-cp\0x\0app.Main\0--password=secret");
    write("environ", "A=b");
    let uid = UID.replace('-', "_");
    write(
        "cgroup",
        &format!("0::/kubepods.slice/kubepods-pod{uid}.slice/cri-containerd-{ID}.scope\n"),
    );
}

fn moment(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn whose_a_jvm_is() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 100, "/jvm/bin/java", MAPS, 5000);
    process(root.path(), 101, "/bin/sh", "", 5000);
    let logs = root.path().join(format!("var/log/pods/shop_web-1_{UID}"));
    fs::create_dir_all(logs).unwrap();
    let containers = root.path().join("var/log/containers");
    fs::create_dir_all(&containers).unwrap();
    fs::write(containers.join(format!("web-1_shop_app-x-{ID}.log")), "").unwrap();
    let found = Finder::default()
        .look(&Place::new(root.path()), moment(0))
        .unwrap();
    let [jvm] = found.as_slice() else {
        panic!("{found:?}");
    };
    let facts = &jvm.facts;
    assert_eq!((facts.pid, facts.inner_pid), (100, Some(7)));
    assert_eq!(
        (facts.uid, facts.gid, facts.start_ticks),
        (1001, 1002, 5000)
    );
    assert_eq!(
        (facts.pod.namespace.as_str(), facts.pod.pod.as_str()),
        ("shop", "web-1")
    );
    assert_eq!(
        (facts.container.as_str(), jvm.name.as_str()),
        ("app-x", "app.Main")
    );
    assert_eq!(jvm.perf, Err(NoPerf::Removed));
}

#[test]
fn two_of_one_name_get_their_pids() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 100, "/jvm/bin/java", MAPS, 5000);
    process(root.path(), 101, "/opt/launcher", MAPS, 5001);
    let found = Finder::default()
        .look(&Place::new(root.path()), moment(0))
        .unwrap();
    let names: Vec<&str> = found.iter().map(|jvm| jvm.name.as_str()).collect();
    assert_eq!(names, ["app.Main 100", "app.Main 101"]);
}

#[test]
fn a_process_becomes_a_jvm_or_another_one() {
    let root = tempfile::tempdir().unwrap();
    let place = Place::new(root.path());
    let mut finder = Finder::default();
    let mut pids = |seconds: u64| {
        let found = finder.look(&place, moment(seconds)).unwrap();
        found
            .iter()
            .map(|jvm| (jvm.facts.pid, jvm.facts.start_ticks))
            .collect::<Vec<_>>()
    };
    process(root.path(), 100, "/bin/sh", "", 5000);
    assert_eq!(pids(0), []);
    // The shell execs java.
    process(root.path(), 100, "/jvm/bin/java", MAPS, 5000);
    assert_eq!(pids(1), [(100, 5000)]);
    // Its pid is another's.
    process(root.path(), 100, "/jvm/bin/java", MAPS, 6000);
    assert_eq!(pids(100), [(100, 6000)]);
    // A launcher of its own loads the JVM after a while.
    process(root.path(), 100, "/opt/launcher", "", 7000);
    assert_eq!(pids(200), []);
    process(root.path(), 100, "/opt/launcher", MAPS, 7000);
    assert_eq!(pids(270), [(100, 7000)]);
    fs::remove_dir_all(root.path().join("proc/100")).unwrap();
    assert_eq!(pids(300), []);
}

#[test]
fn an_agents_note_is_believed_from_the_jvms_own_user_only() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 100, "/jvm/bin/java", MAPS, 5000);
    let place = Place::new(root.path());
    let facts = Facts {
        pid: 100,
        inner_pid: Some(7),
        uid: rustix::process::geteuid().as_raw(),
        ..Facts::default()
    };
    let note = root.path().join("proc/100/root/tmp/.nodetap-jvm-7");
    fs::write(&note, "host=127.0.0.1\nport=9404\n").unwrap();
    let wanted = Endpoint {
        host: Some("127.0.0.1".to_owned()),
        port: 9404,
    };
    assert_eq!(facts.endpoints(&place), [wanted]);
    let other = Facts {
        uid: facts.uid + 1,
        ..facts
    };
    assert_eq!(other.endpoints(&place), []);
}

#[test]
fn a_process_is_young_by_the_machines_clock() {
    assert!(is_young(Some(100.0), 9_000));
    assert!(!is_young(Some(200.0), 9_000));
    assert!(!is_young(None, 9_000), "no clock, no excuse");
}
