//! Files that pods wrote into their volumes, and the node's own.

use record::origin::{Format, Kind, Rotation};

use super::*;

fn volume(uid: &str) -> String {
    format!("/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~empty-dir/app-logs")
}

#[test]
fn files_of_an_empty_dir_with_the_names_of_their_pod() {
    let node = Node::new();
    let directory = volume(STATIC_UID);
    for name in [
        "app.log",
        "app.log.1",
        "app.log.2.gz",
        "deep/er/other.log",
        "notes.txt",
    ] {
        node.write(&format!("{directory}/{name}"), "x\n");
    }
    node.write(
        &format!("/var/lib/kubelet/pods/{STATIC_UID}/volumes/kubernetes.io~secret/s/x.log"),
        "x\n",
    );
    node.make(&format!(
        "/var/log/pods/default_files-labnode_{STATIC_UID}/files"
    ));
    let watched = node.watch();
    assert_eq!(
        watched.paths(),
        [
            format!("{directory}/app.log {directory}/app.log"),
            format!("{directory}/app.log.1 {directory}/app.log"),
            format!("{directory}/app.log.2.gz {directory}/app.log"),
            format!("{directory}/deep/er/other.log {directory}/deep/er/other.log"),
        ]
    );
    let source = &watched.file(&format!("{directory}/app.log.1")).source;
    assert_eq!(
        (source.format, source.origin.kind),
        (Format::Text, Kind::Volume)
    );
    assert_eq!(
        source.live_path,
        PathBuf::from(format!("{directory}/app.log"))
    );
    assert_eq!(source.link.rotation, Rotation::Numbered(-1));
    assert_eq!(
        (source.origin.namespace(), source.origin.pod_name()),
        ("default", "files-labnode")
    );
    assert_eq!(source.origin.pod.as_ref().unwrap().uid, STATIC_UID);
    assert_eq!(source.origin.container, None);
}

#[test]
fn a_pod_without_log_directory_is_named_when_it_gets_one() {
    let node = Node::new();
    let log = format!("{}/app.log", volume(UID));
    node.write(&log, "x\n");
    node.make("/var/log/pods");
    let mut watched = node.watch();
    assert_eq!(watched.file(&log).source.origin.pod_name(), "");
    assert_eq!(
        watched.file(&log).source.origin.pod.as_ref().unwrap().uid,
        UID
    );
    node.make(&format!("/var/log/pods/shop_web-1_{UID}"));
    watched.until("the name", |watched| {
        watched.file(&log).source.origin.pod_name() == "web-1"
    });
    // What is known of a pod outlives its log directory.
    fs::remove_dir(node.path(&format!("/var/log/pods/shop_web-1_{UID}"))).unwrap();
    watched.settle();
    watched.scan();
    assert_eq!(watched.file(&log).source.origin.pod_name(), "web-1");
}

#[test]
fn a_volume_that_comes_deep_and_at_once() {
    let node = Node::new();
    node.make("/var/lib/kubelet/pods");
    let mut watched = node.watch();
    let log = format!("{}/a/b/c/d/e/app.log", volume(UID));
    node.write(&log, "x\n");
    watched.until_paths(&[&format!("{log} {log}")]);
}

#[test]
fn kubelets_root_is_the_running_ones() {
    let node = Node::new();
    let log = "/data/kubelet/pods/uid-1/volumes/kubernetes.io~empty-dir/v/app.log";
    node.write(log, "x\n");
    node.write(&format!("{}/app.log", volume(UID)), "x\n");
    assert_eq!(node.watch().files().len(), 2);
    node.write("/proc/1/cmdline", "init\0");
    node.write(
        "/proc/44/cmdline",
        "/usr/bin/kubelet\0--root-dir=/data/kubelet\0",
    );
    node.check(&[&format!("{log} {log}")]);
}

#[test]
fn depth_and_number_of_directories_are_bounded_and_said() {
    let node = Node::new();
    for name in ["a/b/c/d/e/at.log", "a/b/c/d/e/f/beyond.log"] {
        node.write(&format!("{}/{name}", volume(UID)), "x\n");
    }
    let watched = node.watch();
    let at = format!("{}/a/b/c/d/e/at.log", volume(UID));
    assert_eq!(watched.paths(), [format!("{at} {at}")]);
    assert_eq!(
        watched.discovery.report().limits,
        ["5 directories deep in a volume, at most"]
    );
    for number in 0..20 {
        node.write(&format!("{}/{number}/x.log", volume(UID)), "x\n");
        node.write(&format!("{}/{number}/x.log", volume("other")), "x\n");
    }
    let limits = VolumeLimits {
        pod_directories_max: 8,
        ..VolumeLimits::default()
    };
    let mut watched = Watched::new(Settings {
        volumes: Some(limits),
        ..node.settings()
    });
    watched.scan();
    let of = |uid: &str| {
        watched
            .paths()
            .iter()
            .filter(|path| path.starts_with(&volume(uid)))
            .count()
    };
    assert!(of(UID) <= 7 && of("other") == 7, "{:#?}", watched.paths());
    let limits = watched.discovery.report().limits;
    for uid in [UID, "other"] {
        let limit = format!("8 directories of volumes of pod {uid}, at most");
        assert!(limits.contains(&limit), "{limits:?}");
    }
    let limits = VolumeLimits {
        directories_max: 10,
        ..VolumeLimits::default()
    };
    let watched = Watched::new(Settings {
        volumes: Some(limits),
        ..node.settings()
    });
    assert!(watched.files().len() < 10);
    let limits = VolumeLimits {
        files_max: 2,
        ..VolumeLimits::default()
    };
    for number in 0..20 {
        node.write(&format!("{}/{number}.log", volume("many")), "x\n");
    }
    let watched = Watched::new(Settings {
        volumes: Some(limits),
        ..node.settings()
    });
    assert_eq!(
        watched
            .paths()
            .iter()
            .filter(|path| path.starts_with(&volume("many")))
            .count(),
        2
    );
    let watched = Watched::new(Settings {
        volumes: None,
        ..node.settings()
    });
    assert_eq!(watched.files().len(), 0);
}

#[test]
fn logs_of_the_node() {
    let node = Node::new();
    let names = [
        "cron.log",
        "messages",
        "messages-20261121.gz",
        "syslog",
        "syslog.1",
        "syslog.2.gz",
    ];
    for name in names {
        node.write(&format!("/var/log/{name}"), "x\n");
    }
    for name in ["wtmp", "lastlog", "journal/x.log", "dmesg", "cron.log.swp"] {
        node.write(&format!("/var/log/{name}"), "x\n");
    }
    let expect = names.map(|name| {
        let live = name
            .split_once(['.', '-'])
            .filter(|_| name != "cron.log")
            .map_or(name, |(live, _)| live);
        format!("/var/log/{name} /var/log/{live}")
    });
    let mut watched = node.watch();
    assert_eq!(watched.paths(), expect);
    assert_eq!(
        watched.file("/var/log/syslog").source.origin.kind,
        Kind::Host
    );
    node.write("/var/log/new.log", "x\n");
    watched.until("a new file", |watched| watched.files().len() == 7);
    let host_logs = vec!["/var/log/*/*.log".to_owned(), "/var/log/dmesg".to_owned()];
    let watched = Watched::new(Settings {
        host_logs,
        ..node.settings()
    });
    assert_eq!(
        watched.paths(),
        [
            "/var/log/dmesg /var/log/dmesg",
            "/var/log/journal/x.log /var/log/journal/x.log"
        ]
    );
}

#[test]
fn patterns_that_can_not_be_walked_are_refused() {
    let node = Node::new();
    for pattern in [
        "relative/*.log",
        "/var/**/x.log",
        "/var/../x.log",
        "/var/[/x.log",
    ] {
        let settings = Settings {
            host_logs: vec![pattern.to_owned()],
            ..node.settings()
        };
        let error = Discovery::new(settings).unwrap_err();
        assert!(error.to_string().contains(pattern), "{error}");
    }
    let settings = Settings::new("/does/not/exist");
    assert!(matches!(
        Discovery::new(settings),
        Err(DiscoverError::Root { .. })
    ));
}
