//! Pods are deleted while nodetap is still reading their logs.

use tests::{Loss, Node, Nodetap, Running, Writer, until};

/// Waits until nodetap follows the pod's log; from then on nothing of it may be lost.
fn opened(running: &Running, writer: &Writer) {
    until("nodetap follows the log", || {
        let status = running.status();
        match status.stream(writer.stream()) {
            Some(stream) if !stream.files.is_empty() => Ok(()),
            _ => Err("it is not listed".to_owned()),
        }
    });
}

#[test]
fn pods_deleted_while_reading() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let running = tap.start();
    let mut pods: Vec<Writer> = (0..5)
        .map(|n| node.pod("jobs", &format!("job-{n}"), "run"))
        .collect();
    for pod in &mut pods {
        pod.lines(20);
        opened(&running, pod);
    }
    // Standing still is what a slow reader is to the kubelet.
    running.pause();
    for pod in &mut pods {
        pod.lines(1000);
        pod.delete_pod();
    }
    running.resume();
    let all: Vec<&Writer> = pods.iter().collect();
    tap.will_hold(&all, Loss::None);
    running.settle().must_have_lost_nothing();
    until("deleted files are let go", || {
        let held: Vec<_> = running
            .open_files()
            .into_iter()
            .filter(|path| path.to_string_lossy().ends_with(".log (deleted)"))
            .collect();
        if held.is_empty() {
            Ok(())
        } else {
            Err(format!("{held:?}"))
        }
    });
    running.stop();
    tap.must_hold(&all, Loss::None);
}

#[test]
fn pod_that_lives_for_a_moment() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let running = tap.start();
    let mut pods = Vec::new();
    for n in 0..20 {
        let mut pod = node.pod("jobs", &format!("short-{n}"), "run");
        pod.lines(30);
        opened(&running, &pod);
        pod.lines(30);
        pod.delete_pod();
        pods.push(pod);
    }
    let all: Vec<&Writer> = pods.iter().collect();
    tap.will_hold(&all, Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}
