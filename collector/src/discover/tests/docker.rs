//! Docker's containers, alone and below Kubernetes.

use record::origin::{Format, Rotation};

use super::*;

fn id(digit: char) -> String {
    std::iter::repeat_n(digit, 64).collect()
}

fn config(name: &str, labels: &[(&str, &str)]) -> String {
    let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
    serde_json::json!({"Name": name, "Config": {"Image": "shop/web:1", "Labels": labels}})
        .to_string()
}

fn pod_labels<'a>(container: &'a str, restart: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("io.kubernetes.pod.name", "web-1"),
        ("io.kubernetes.pod.namespace", "shop"),
        ("io.kubernetes.pod.uid", UID),
        ("io.kubernetes.container.name", container),
        ("annotation.io.kubernetes.container.restartCount", restart),
    ]
}

fn directory(root: &str, id: &str) -> String {
    format!("{root}/containers/{id}")
}

fn container(node: &Node, root: &str, id: &str, config: &str) -> String {
    let directory = directory(root, id);
    node.write(&format!("{directory}/config.v2.json"), config);
    node.write(
        &format!("{directory}/hostconfig.json"),
        r#"{"LogConfig":{"Type":"json-file"}}"#,
    );
    let log = format!("{directory}/{id}-json.log");
    node.write(&log, "{}\n");
    log
}

#[test]
fn a_container_with_rotated_files() {
    let node = Node::new();
    let id = id('8');
    let log = container(
        &node,
        "/var/lib/docker",
        &id,
        &config("/web", &[("tier", "front")]),
    );
    node.write(&format!("{log}.1"), "{}\n");
    node.write(&format!("{log}.2.gz"), "gz");
    node.write(
        &format!(
            "{}/local-logs/container.log",
            directory("/var/lib/docker", &id)
        ),
        "binary",
    );
    let watched = node.watch();
    assert_eq!(
        watched.paths(),
        [
            format!("{log} {id}"),
            format!("{log}.1 {id}"),
            format!("{log}.2.gz {id}")
        ]
    );
    let found = watched.file(&format!("{log}.2.gz"));
    assert_eq!(found.source.format, Format::JsonFile);
    assert_eq!(found.source.link.rotation, Rotation::Numbered(-2));
    let own = found.source.origin.container.as_ref().unwrap();
    assert_eq!(
        (&*own.name, &*own.image, &*own.runtime, &*own.id),
        ("web", "shop/web:1", "docker", &*id)
    );
    assert_eq!(found.source.restart_count, None);
    assert_eq!(found.source.origin.pod, None);
}

#[test]
fn a_container_is_chosen_by_label() {
    let node = Node::new();
    let log = container(
        &node,
        "/var/lib/docker",
        &id('1'),
        &config("/web", &[("tier", "front")]),
    );
    container(
        &node,
        "/var/lib/docker",
        &id('2'),
        &config("/db", &[("tier", "back")]),
    );
    let rule = RawRule {
        label: Some("tier=fr*".into()),
        ..RawRule::default()
    };
    let select = Selection::new(&[rule], &[]).unwrap();
    let watched = Watched::new(Settings {
        select,
        ..node.settings()
    });
    assert_eq!(watched.paths(), [format!("{log} {}", id('1'))]);
}

#[test]
fn a_configuration_that_comes_after_the_log() {
    let node = Node::new();
    node.make("/var/lib/docker/containers");
    let mut watched = node.watch();
    let id = id('3');
    let directory = directory("/var/lib/docker", &id);
    let log = format!("{directory}/{id}-json.log");
    node.write(&log, "{}\n");
    node.replace(
        &format!("{directory}/config.v2.json"),
        &config("/late", &[]),
    );
    watched.until_paths(&[&format!("{log} {id}")]);
    assert_eq!(watched.file(&log).source.origin.container_name(), "late");
}

#[test]
fn a_configuration_that_never_comes() {
    let node = Node::new();
    node.make("/var/lib/docker/containers");
    let mut watched = node.watch();
    let id = id('3');
    let directory = directory("/var/lib/docker", &id);
    let log = format!("{directory}/{id}-json.log");
    node.write(&log, "{}\n");
    node.write(&format!("{directory}/config.v2.json"), "{\"Name\":\"/to");
    watched.until_paths(&[&format!("{log} {id}")]);
    assert_eq!(watched.file(&log).source.origin.container_name(), "");
    assert_eq!(watched.discovery.report().without_configuration, 1);
    // Once begun under its id, it stays so.
    node.replace(
        &format!("{directory}/config.v2.json"),
        &config("/k", &pod_labels("app", "0")),
    );
    append(&node.path(&log), "{}\n");
    watched.settle();
    assert_eq!(watched.paths(), [format!("{log} {id}")]);
}

#[test]
fn a_container_without_configuration_that_was_there_before_us() {
    let node = Node::new();
    let id = id('3');
    let log = format!("{}/{id}-json.log", directory("/var/lib/docker", &id));
    node.write(&log, "{}\n");
    node.check(&[&format!("{log} {id}")]);
}

#[test]
fn a_renamed_container_is_told_with_its_new_name() {
    let node = Node::new();
    let id = id('4');
    let log = container(&node, "/var/lib/docker", &id, &config("/old", &[]));
    let mut watched = node.watch();
    let path = format!("{}/config.v2.json", directory("/var/lib/docker", &id));
    node.replace(&path, &config("/new", &[]));
    watched.until("the new name", |watched| {
        watched.file(&log).source.origin.container_name() == "new"
    });
}

#[test]
fn an_old_cluster_has_pod_names_from_labels() {
    let node = Node::new();
    let log = container(
        &node,
        "/var/lib/docker",
        &id('5'),
        &config("/k8s_app", &pod_labels("app", "2")),
    );
    let watched = node.watch();
    assert_eq!(watched.paths(), [format!("{log} {UID}/app")]);
    let source = &watched.file(&log).source;
    assert_eq!(
        (source.origin.namespace(), source.origin.pod_name()),
        ("shop", "web-1")
    );
    assert_eq!((source.restart_count, source.link.restart), (Some(2), 2));
}

#[test]
fn links_of_a_pod_into_docker_are_taken_once() {
    let node = Node::new();
    let log = container(
        &node,
        "/var/lib/docker",
        &id('6'),
        &config("/k8s_app", &pod_labels("app", "0")),
    );
    node.link(&log, &format!("/var/log/pods/shop_web-1_{UID}/app/0.log"));
    node.link(
        &log,
        &format!("/var/log/containers/web-1_shop_app-{}.log", id('6')),
    );
    node.write("/etc/secret", "secret");
    node.link(
        "/etc/secret",
        &format!("/var/log/pods/shop_web-1_{UID}/app/1.log"),
    );
    let watched = node.watch();
    assert_eq!(watched.paths(), [format!("{log} {UID}/app")]);
    let report = watched.discovery.report();
    assert_eq!(
        (report.links.to_docker, report.links.to_unknown.len()),
        (1, 0)
    );
    assert_eq!(report.refused.len(), 1);
    assert_eq!(
        (report.refused[0].reason, report.refused[0].count),
        (Refusal::Link, 1)
    );
}

#[test]
fn restarts_of_a_pods_container_are_one_directory_to_the_caller() {
    let node = Node::new();
    let first = container(
        &node,
        "/var/lib/docker",
        &id('9'),
        &config("/a", &pod_labels("app", "0")),
    );
    let mut watched = node.watch();
    let second = container(
        &node,
        "/var/lib/docker",
        &id('7'),
        &config("/b", &pod_labels("app", "1")),
    );
    watched.until("both", |watched| watched.files().len() == 2);
    watched.settle();
    assert_eq!(watched.listings.len(), 1);
    let dir = watched.directory_of(&first);
    let order: Vec<_> = watched.listings[&dir]
        .iter()
        .map(|found| found.source.path.clone())
        .collect();
    assert_eq!(order, [PathBuf::from(&first), PathBuf::from(&second)]);
    append(&node.path(&second), "{}\n");
    let name = OsString::from(format!("{}-json.log", id('7')));
    watched.until("growth", |watched| {
        watched
            .changes
            .iter()
            .any(|changes| changes.grown.contains(&(dir, name.clone())))
    });
    fs::remove_dir_all(node.path(&directory("/var/lib/docker", &id('9')))).unwrap();
    watched.until_paths(&[&format!("{second} {UID}/app")]);
    assert_eq!(watched.directory_of(&second), dir);
    fs::remove_dir_all(node.path(&directory("/var/lib/docker", &id('7')))).unwrap();
    watched.until("all gone", |watched| watched.listings.is_empty());
}

#[test]
fn a_sandbox_is_taken_only_when_it_says_something() {
    let node = Node::new();
    let mut labels = pod_labels("POD", "0").to_vec();
    labels.push(("io.kubernetes.docker.type", "podsandbox"));
    let log = container(
        &node,
        "/var/lib/docker",
        &id('a'),
        &config("/k8s_POD", &labels),
    );
    node.write(&log, "");
    let mut watched = node.watch();
    assert_eq!(watched.paths(), Vec::<String>::new());
    append(&node.path(&log), "{}\n");
    watched.until_paths(&[&format!("{log} {UID}/POD")]);
}

#[test]
fn data_roots_of_every_kind() {
    let node = Node::new();
    node.write("/etc/docker/daemon.json", r#"{"data-root":"/data/one"}"#);
    node.write(
        "/proc/17/cmdline",
        "/usr/bin/dockerd\0--data-root\0/data/two\0--config-file=/etc/two.json\0",
    );
    node.write("/etc/two.json", r#"{"graph":"/data/three"}"#);
    let mut logs = [
        "/data/one",
        "/data/two",
        "/data/three",
        "/disks/a/docker",
        "/disks/b/docker",
    ]
    .iter()
    .zip('1'..)
    .map(|(root, digit)| {
        format!(
            "{} {}",
            container(&node, root, &id(digit), &config("/x", &[])),
            id(digit)
        )
    })
    .collect::<Vec<_>>();
    logs.sort();
    container(&node, "/elsewhere/docker", &id('6'), &config("/x", &[]));
    let docker_roots = vec!["/disks/*/docker".to_owned()];
    let mut watched = Watched::new(Settings {
        docker_roots,
        ..node.settings()
    });
    assert_eq!(watched.paths(), logs);
    let log = container(&node, "/disks/c/docker", &id('7'), &config("/x", &[]));
    watched.until("a new disk", |watched| {
        watched.paths().contains(&format!("{log} {}", id('7')))
    });
    let roots = watched.discovery.report().roots;
    let why = |path: &str| {
        roots
            .iter()
            .find(|root| root.path == path)
            .map(|root| (&*root.why, root.is_there))
    };
    assert_eq!(
        why("/data/one/containers"),
        Some(("/etc/docker/daemon.json", true))
    );
    assert_eq!(
        why("/data/two/containers"),
        Some(("a running dockerd", true))
    );
    assert_eq!(why("/data/three/containers"), Some(("/etc/two.json", true)));
    assert_eq!(
        why("/disks/*/docker/containers"),
        Some(("the configuration", true))
    );
    assert_eq!(
        why("/var/lib/docker/containers"),
        Some(("Docker's default", false))
    );
}

#[test]
fn one_root_under_two_names_is_taken_once() {
    let node = Node::new();
    container(&node, "/data/docker", &id('1'), &config("/x", &[]));
    node.link("../../data/docker", "/var/lib/docker");
    node.write("/etc/docker/daemon.json", r#"{"data-root":"/data/docker"}"#);
    for resolve in [Resolve::Kernel, Resolve::Components] {
        let mut watched = Watched::new(Settings {
            resolve,
            ..node.settings()
        });
        watched.scan();
        assert_eq!(watched.files().len(), 1);
        assert_eq!(watched.discovery.report().aliases.len(), 1);
    }
}

#[test]
fn other_drivers_are_reported() {
    let node = Node::new();
    let directory = directory("/var/lib/docker", &id('1'));
    node.write(&format!("{directory}/config.v2.json"), &config("/loc", &[]));
    node.write(
        &format!("{directory}/hostconfig.json"),
        r#"{"LogConfig":{"Type":"local"}}"#,
    );
    node.write(&format!("{directory}/local-logs/container.log"), "binary");
    let watched = node.watch();
    assert_eq!(watched.files().len(), 0);
    assert_eq!(watched.discovery.report().other_drivers["local"], 1);
}
