//! What the node's Calico is made of, and what it means for the whole.

use std::fs;
use std::time::SystemTime;

use super::bird::Channel;
use super::*;

fn collect(root: &Path) -> (Families, Result<(), ProbeError>) {
    let mut families = Families::new(ENTRY.series_max);
    let place = Place::new(root);
    let context = Context {
        place: &place,
        now: SystemTime::UNIX_EPOCH,
        deadline: Instant::now() + Duration::from_secs(5),
    };
    let result = Calico::default().collect(&context, &mut families);
    (families, result)
}

fn labels_of(families: &Families, name: &str) -> Vec<(String, Value)> {
    let group = families.groups().find(|group| group.name == name);
    let series = group.into_iter().flat_map(|group| &group.series);
    series
        .map(|(labels, value)| (labels.as_str().to_owned(), value.clone()))
        .collect()
}

#[test]
fn a_node_without_calico_says_so() {
    let root = tempfile::tempdir().unwrap();
    let (families, result) = collect(root.path());
    assert_eq!(result.unwrap_err().reason(), Reason::NoFile);
    assert_eq!(families.series(), 0);
}

#[test]
fn a_socket_that_nobody_answers_is_told_once_though_two_paths_lead_there() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("run/calico")).unwrap();
    fs::create_dir(root.path().join("var")).unwrap();
    std::os::unix::fs::symlink("../run", root.path().join("var/run")).unwrap();
    fs::write(root.path().join("run/calico/bird.ctl"), "").unwrap();
    let (families, result) = collect(root.path());
    result.unwrap();
    let silent = vec![("ip_version=\"4\"".to_owned(), Value::Whole(0))];
    assert_eq!(labels_of(&families, "bird_socket_query_success"), silent);
    let why = vec![("reason=\"bird_silent\"".to_owned(), Value::Whole(0))];
    assert_eq!(labels_of(&families, "calico_healthy"), why);
}

#[test]
fn felix_in_another_network_is_not_asked() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("proc/77")).unwrap();
    fs::write(root.path().join("proc/77/comm"), "calico-node\n").unwrap();
    let (_, result) = collect(root.path());
    assert_eq!(result.unwrap_err().reason(), Reason::OtherNetwork);
}

#[test]
fn a_session_that_somebody_turned_off_is_no_trouble() {
    let session = |up, state: &str, disabled| Channel {
        proto: "BGP".to_owned(),
        up,
        state: state.to_owned(),
        disabled,
        ..Channel::default()
    };
    let down = |channel: Channel| {
        is_any_session_down(&Daemon {
            channels: vec![channel],
            ..Daemon::default()
        })
    };
    assert!(!down(session(true, "Established", false)));
    assert!(!down(session(false, "", true)));
    assert!(down(session(false, "Active", false)));
}

#[test]
fn only_felix_own_families_are_passed_on_and_its_sync_is_read() {
    let group = |text: &str| exposition::parse(text, &[], 10).unwrap();
    let synced = group("# TYPE felix_resync_state gauge\nfelix_resync_state 3\n");
    assert!(!synced.iter().any(is_out_of_sync));
    let behind = group("# TYPE felix_resync_state gauge\nfelix_resync_state 2\n");
    assert!(behind.iter().any(is_out_of_sync));
    let other = group("felix_other 1\n");
    assert!(!other.iter().any(is_out_of_sync));
}

#[test]
fn every_name_is_there_once() {
    let mut names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FAMILIES.len());
}
