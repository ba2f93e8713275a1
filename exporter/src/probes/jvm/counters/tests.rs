//! Files that are another's, and reasons for none.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::probes::jvm::mapped::Mapped;

fn facts() -> Facts {
    Facts {
        pid: 100,
        inner_pid: Some(7),
        uid: rustix::process::geteuid().as_raw(),
        mapped: Mapped {
            machine: Machine::HotSpot,
            counters: Some(("hsperfdata_app".to_owned(), "7".to_owned())),
            is_removed: false,
        },
        ..Facts::default()
    }
}

fn root(root: &Path) -> std::path::PathBuf {
    let inside = root.join("proc/100/root");
    fs::create_dir_all(inside.join("tmp/hsperfdata_app")).unwrap();
    fs::create_dir_all(inside.join("etc")).unwrap();
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(inside.join("tmp/hsperfdata_app"), mode).unwrap();
    inside
}

#[test]
fn a_file_that_is_not_the_jvms_own_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let inside = root(folder.path());
    let place = Place::new(folder.path());
    let file = inside.join("tmp/hsperfdata_app/7");
    let reason = |facts: &Facts| read(&place, facts, false).unwrap_err();
    assert_eq!(reason(&facts()), NoPerf::Removed);
    let captured = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hsperfdata/g1");
    fs::copy(captured, &file).unwrap();
    let perf = read(&place, &facts(), false).unwrap();
    assert!(perf.count("java.threads.live") > Some(0), "{perf:?}");
    fs::write(&file, "not counters").unwrap();
    assert_eq!(reason(&facts()), NoPerf::Corrupt);
    let mut other = facts();
    other.uid += 1;
    assert_eq!(reason(&other), NoPerf::Untrusted);
    fs::hard_link(&file, inside.join("tmp/second")).unwrap();
    assert_eq!(reason(&facts()), NoPerf::Untrusted, "two names");
    fs::remove_file(&file).unwrap();
    symlink("../second", &file).unwrap();
    assert_eq!(reason(&facts()), NoPerf::Untrusted, "a link");
    let mode = fs::Permissions::from_mode(0o777);
    fs::set_permissions(inside.join("tmp/hsperfdata_app"), mode).unwrap();
    assert_eq!(reason(&facts()), NoPerf::Untrusted, "everybody's folder");
}

#[test]
fn every_reason_for_none() {
    let folder = tempfile::tempdir().unwrap();
    let inside = root(folder.path());
    let place = Place::new(folder.path());
    let mut none = facts();
    none.mapped.counters = None;
    let reason = |change: fn(&mut Facts)| {
        let mut facts = none.clone();
        change(&mut facts);
        read(&place, &facts, false).unwrap_err()
    };
    let unchanged = |_: &mut Facts| {};
    assert_eq!(
        reason(|facts| facts.options.without_perf_data = true),
        NoPerf::DisabledFlag
    );
    assert_eq!(
        reason(|facts| facts.options.without_shared_memory = true),
        NoPerf::SharedMemDisabled
    );
    assert_eq!(
        reason(|facts| facts.mapped.machine = Machine::OpenJ9),
        NoPerf::OpenJ9
    );
    assert_eq!(
        reason(|facts| facts.mapped.machine = Machine::Hidden),
        NoPerf::Permission
    );
    assert_eq!(reason(unchanged), NoPerf::NoPasswdEntry);
    let uid = none.uid;
    fs::write(
        inside.join("etc/passwd"),
        format!("x:x:99999:1\napp:x:{uid}:1:::\n"),
    )
    .unwrap();
    assert_eq!(reason(unchanged), NoPerf::NoFile);
    assert_eq!(read(&place, &none, true), Err(NoPerf::NotReady));
    fs::write(inside.join("tmp/hsperfdata_app/7"), "").unwrap();
    assert_eq!(reason(unchanged), NoPerf::LockedByOther);
    fs::remove_dir_all(inside.join("tmp")).unwrap();
    assert_eq!(reason(unchanged), NoPerf::NoTmp);
    fs::create_dir(inside.join("tmp")).unwrap();
    fs::write(
        folder.path().join("proc/100/mountinfo"),
        "22 1 0:2 / / ro,relatime - overlay overlay rw\n",
    )
    .unwrap();
    assert_eq!(reason(unchanged), NoPerf::NoTmp);
}

#[test]
fn the_mount_that_holds_tmp() {
    let mounts = "1 0 0:1 / / ro - overlay o rw\n2 1 0:2 / /tmpfiles rw - tmpfs t rw\n";
    assert!(is_read_only(mounts, "/tmp"));
    let with_tmp = format!("{mounts}3 1 0:3 / /tmp rw,nosuid - tmpfs t rw\n");
    assert!(!is_read_only(&with_tmp, "/tmp"));
    assert!(!is_read_only("", "/tmp"));
}

#[test]
fn a_user_within_its_namespace() {
    let map = "         0     100000      65536\n     70000       1000          1\n";
    assert_eq!(inner_id(map, 100_007), 7);
    assert_eq!(inner_id(map, 1000), 70_000);
    assert_eq!(inner_id("0 0 4294967295\n", 33), 33);
    assert_eq!(inner_id("garbage", 33), 33);
    assert_eq!(user_of("root:x:0:0\nweb:x:33:33\n", 33), Some("web"));
    assert_eq!(user_of("a/b:x:33:33\n", 33), None);
}
