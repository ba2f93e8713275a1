//! Pods' logs as kubelet keeps them.

use record::origin::{Format, Kind, Rotation};

use super::*;

fn pod() -> String {
    format!("/var/log/pods/default_web-labnode_{STATIC_UID}")
}

#[test]
fn a_node_after_a_day() {
    let node = Node::new();
    let pods = "/var/log/pods";
    node.write(&format!("{}/web/0.log", pod()), "x\n");
    node.write(&format!("{}/sidecar-0/0.log", pod()), "");
    for name in [
        "0.log",
        "0.log.20261121-115541",
        "0.log.20261121-115521.gz",
        "0.log.20261121-115501.gz",
        "0.log.20261121-115541.gz.tmp",
    ] {
        node.write(&format!("{pods}/shop_rot-1_{UID}/rot/{name}"), "x\n");
    }
    node.write(&format!("{pods}/shop_rot-1_{UID}/rot/4.log"), "x\n");
    let watched = node.watch();
    let web = format!("{STATIC_UID}/web");
    assert_eq!(
        watched.paths(),
        [
            format!("{}/sidecar-0/0.log {STATIC_UID}/sidecar-0", pod()),
            format!("{}/web/0.log {web}", pod()),
            format!("{pods}/shop_rot-1_{UID}/rot/0.log {UID}/rot"),
            format!("{pods}/shop_rot-1_{UID}/rot/0.log.20261121-115501.gz {UID}/rot"),
            format!("{pods}/shop_rot-1_{UID}/rot/0.log.20261121-115521.gz {UID}/rot"),
            format!("{pods}/shop_rot-1_{UID}/rot/0.log.20261121-115541 {UID}/rot"),
            format!("{pods}/shop_rot-1_{UID}/rot/4.log {UID}/rot"),
        ]
    );
    let found = watched.file(&format!("{}/web/0.log", pod()));
    assert_eq!(found.size, 2);
    assert_eq!(found.links, 1);
    assert_eq!(found.source.format, Format::Cri);
    let origin = &found.source.origin;
    assert_eq!(
        (origin.namespace(), origin.pod_name()),
        ("default", "web-labnode")
    );
    assert_eq!(
        (origin.container_name(), origin.kind),
        ("web", Kind::Container)
    );
    assert_eq!(watched.discovery.report().files, 7);
}

#[test]
fn a_listing_is_in_order_oldest_first() {
    let node = Node::new();
    for name in [
        "1.log",
        "0.log",
        "0.log.20261121-115541",
        "0.log.20261121-115501.gz",
        "10.log",
    ] {
        node.write(&format!("{}/web/{name}", pod()), "x\n");
    }
    let watched = node.watch();
    let files = &watched.listings[&watched.directory_of(&format!("{}/web/0.log", pod()))];
    let names: Vec<_> = files
        .iter()
        .map(|found| found.source.path.file_name().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "0.log.20261121-115501.gz",
            "0.log.20261121-115541",
            "0.log",
            "1.log",
            "10.log"
        ]
    );
    assert_eq!(files[0].source.live_path, files[2].source.path);
    assert_eq!(
        files[0].source.link.rotation,
        Rotation::Dated("20261121-115501".into())
    );
    assert_eq!(files[4].source.restart_count, Some(10));
}

#[test]
fn a_pod_that_comes_and_is_written_at_once() {
    let node = Node::new();
    node.make("/var/log/pods");
    let mut watched = node.watch();
    for round in 0..50 {
        let uid = format!("{round:032x}");
        node.write(
            &format!("/var/log/pods/ns_pod-{round}_{uid}/app/0.log"),
            "line\n",
        );
    }
    watched.until("fifty pods", |watched| watched.files().len() == 50);
}

#[test]
fn a_pod_before_its_whole_way_exists() {
    let node = Node::new();
    let mut watched = node.watch();
    node.write(&format!("{}/web/0.log", pod()), "x\n");
    watched.until_paths(&[&format!("{}/web/0.log {STATIC_UID}/web", pod())]);
}

#[test]
fn rotation_by_kubelet_is_told() {
    let node = Node::new();
    let log = format!("{}/web/0.log", pod());
    node.write(&log, "old\n");
    let mut watched = node.watch();
    let before = watched.file(&log).inode;
    node.rename(&log, &format!("{log}.20261121-115441"));
    node.write(&log, "new\n");
    watched.until("both files", |watched| watched.files().len() == 2);
    assert_eq!(
        watched.file(&format!("{log}.20261121-115441")).inode,
        before
    );
    assert_ne!(watched.file(&log).inode, before);
    node.write(&format!("{log}.20261121-115441.gz.tmp"), "gz");
    node.rename(
        &format!("{log}.20261121-115441.gz.tmp"),
        &format!("{log}.20261121-115441.gz"),
    );
    fs::remove_file(node.path(&format!("{log}.20261121-115441"))).unwrap();
    watched.until_paths(&[
        &format!("{log} {STATIC_UID}/web"),
        &format!("{log}.20261121-115441.gz {STATIC_UID}/web"),
    ]);
}

#[test]
fn a_pod_that_goes_is_told_once() {
    let node = Node::new();
    node.write(&format!("{}/web/0.log", pod()), "x\n");
    node.write(&format!("{}/side/0.log", pod()), "x\n");
    let mut watched = node.watch();
    let used = watched.discovery.report().watches.used;
    fs::remove_dir_all(node.path(&pod())).unwrap();
    watched.until("both gone", |watched| watched.paths().is_empty());
    watched.settle();
    assert_eq!(watched.discovery.report().watches.used, used - 3);
    node.write(&format!("{}/web/0.log", pod()), "x\n");
    watched.until_paths(&[&format!("{}/web/0.log {STATIC_UID}/web", pod())]);
}

#[test]
fn a_pod_that_goes_unseen_is_told_by_the_scan() {
    let node = Node::new();
    node.write(&format!("{}/web/0.log", pod()), "x\n");
    let mut watched = node.watch();
    let id = watched.directory_of(&format!("{}/web/0.log", pod()));
    node.rename(&pod(), &format!("/var/log/pods/default_other_{STATIC_UID}"));
    watched.scan();
    assert_eq!(
        watched.paths(),
        [format!(
            "/var/log/pods/default_other_{STATIC_UID}/web/0.log {STATIC_UID}/web"
        )]
    );
    assert!(!watched.listings.contains_key(&id));
}

#[test]
fn links_by_container_give_ids_and_are_no_second_source() {
    let node = Node::new();
    let log = format!("{}/web/0.log", pod());
    let id = "5".repeat(64);
    node.write(&log, "x\n");
    node.make("/var/log/containers");
    let mut watched = node.watch();
    let container = |watched: &Watched| {
        watched
            .file(&log)
            .source
            .origin
            .container
            .as_ref()
            .unwrap()
            .id
            .clone()
    };
    assert_eq!(container(&watched), "");
    node.link(
        &log,
        &format!("/var/log/containers/web-labnode_default_web-{id}.log"),
    );
    watched.until("the id", |watched| container(watched) == id);
    node.link(
        "/var/log/pods/a_b_c/d/0.log",
        &format!("/var/log/containers/b_a_d-{id}.log"),
    );
    watched.scan();
    assert_eq!(watched.files().len(), 1);
    assert_eq!(container(&watched), id);
    let links = watched.discovery.report().links;
    assert_eq!((links.count, links.to_docker), (2, 0));
    assert_eq!(
        links.to_unknown,
        [PathBuf::from("/var/log/pods/a_b_c/d/0.log")]
    );
}

#[test]
fn names_that_are_no_pods_are_counted() {
    let node = Node::new();
    node.write("/var/log/pods/lost+found/web/0.log", "x\n");
    node.write(&format!("{}/Not_A_Container/0.log", pod()), "x\n");
    let watched = node.watch();
    assert_eq!(watched.paths(), Vec::<String>::new());
    assert_eq!(watched.discovery.report().unknown_names, 2);
}

#[test]
fn a_link_on_the_way_to_the_logs_is_the_platforms() {
    let node = Node::new();
    node.write(
        &format!("/data/logs/default_web-labnode_{STATIC_UID}/web/0.log"),
        "x\n",
    );
    node.link("/data/logs", "/var/log/pods");
    for resolve in [Resolve::Kernel, Resolve::Components] {
        let watched = Watched::new(Settings {
            resolve,
            ..node.settings()
        });
        assert_eq!(
            watched.paths(),
            [format!("{}/web/0.log {STATIC_UID}/web", pod())]
        );
        let source = &watched.files()[0].source;
        assert_eq!(
            io::read_to_string(watched.discovery.open(source).unwrap()).unwrap(),
            "x\n"
        );
    }
}

#[test]
fn selection_is_by_names_and_counted() {
    let node = Node::new();
    node.write(&format!("{}/web/0.log", pod()), "x\n");
    node.write(&format!("{}/istio-proxy/0.log", pod()), "x\n");
    node.write(
        &format!("/var/log/pods/kube-system_dns_{UID}/dns/0.log"),
        "x\n",
    );
    let container = RawRule {
        container: Some("istio-*".into()),
        ..RawRule::default()
    };
    let namespace = RawRule {
        namespace: Some("kube-*".into()),
        ..RawRule::default()
    };
    let select = Selection::new(&[], &[container.clone(), namespace.clone()]).unwrap();
    let watched = Watched::new(Settings {
        select,
        ..node.settings()
    });
    assert_eq!(
        watched.paths(),
        [format!("{}/web/0.log {STATIC_UID}/web", pod())]
    );
    let excluded = watched.discovery.report().excluded;
    assert_eq!(excluded["container=istio-*"], 1);
    assert_eq!(excluded["namespace=kube-*"], 1);
    let select = Selection::new(&[namespace], &[container]).unwrap();
    let watched = Watched::new(Settings {
        select,
        ..node.settings()
    });
    assert_eq!(
        watched.paths(),
        [format!(
            "/var/log/pods/kube-system_dns_{UID}/dns/0.log {UID}/dns"
        )]
    );
    assert_eq!(
        watched.discovery.report().excluded["no include rule matches"],
        1
    );
}

#[test]
fn rules_that_can_not_be_read_are_all_told() {
    let bad = RawRule {
        pod: Some("[".into()),
        path: Some("{".into()),
        ..RawRule::default()
    };
    let problems = Selection::new(&[bad], &[RawRule::default()]).unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "read the pod pattern \"[\"",
            "read the path pattern \"{\"",
            "read a rule without any field: it would match every file"
        ]
    );
}

#[test]
fn writes_into_excluded_files_are_not_told() {
    let node = Node::new();
    let log = format!("{}/web/0.log", pod());
    node.write(&log, "x\n");
    let select = |namespace: &str| {
        let rule = RawRule {
            namespace: Some(namespace.into()),
            ..RawRule::default()
        };
        Selection::new(&[], &[rule]).unwrap()
    };
    let mut watched = Watched::new(Settings {
        select: select("default"),
        ..node.settings()
    });
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(node.path(&log))
        .unwrap();
    watched.settle();
    watched.changes.clear();
    io::Write::write_all(&mut file, b"y\n").unwrap();
    watched.settle();
    assert!(watched.grown().is_empty());
    watched.discovery.settings.select = select("other");
    watched.scan();
    watched.settle();
    io::Write::write_all(&mut file, b"z\n").unwrap();
    watched.until("growth", |watched| !watched.grown().is_empty());
}
