//! A hundred streams at speed, rotated, compressed, crashed and deleted all the while; more of it with `NODETAP_SOAK=1`.

use std::sync::atomic::AtomicBool;
use std::thread;

use tests::fleet::{Fleet, Plan, drive};
use tests::kubelet::Rotation;
use tests::{Loss, Node, Nodetap, Writer};

/// (bytes in all, megabytes a second)
fn load() -> (u64, u64) {
    if std::env::var_os("NODETAP_SOAK").is_some() {
        (1_800_000_000, 30)
    } else {
        (24_000_000, 4)
    }
}

#[test]
fn streams_at_speed() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut writers: Vec<Writer> = (0..90)
        .map(|n| node.pod("shop", &format!("web-{n}"), "app"))
        .collect();
    writers.extend((0..5).map(|n| node.docker(&format!("box-{n}"))));
    let uid = "0f0f0f0f-0000-4000-8000-000000000004";
    writers.extend((0..5).map(|n| node.volume(uid, "logs", &format!("app-{n}.log"))));
    // Docker's files and volumes are rotated by their own rules in their own tests.
    let (bytes, speed) = load();
    let plan = Plan {
        rotate_bytes: 48 * 1024,
        rotation: Rotation {
            max_files: 5,
            late_lines: 3,
        },
        ..Plan::of(bytes, speed)
    };
    let running = tap.start();
    let stop = AtomicBool::new(false);
    let (pods, others) = writers.split_at_mut(90);
    thread::scope(|scope| {
        let fleet = Fleet::start(scope, &stop, pods, plan);
        let own = Plan {
            rotate_bytes: u64::MAX,
            ..Plan::of(bytes / 10, speed)
        };
        drive(others, own, &AtomicBool::new(false));
        while !fleet.is_done() {
            running.status().must_balance();
            // The pace of the writers, not a wait.
            thread::sleep(std::time::Duration::from_millis(200));
        }
        fleet.join();
    });
    running.settle().must_have_lost_nothing();
    running.stop();
    tap.must_hold(&writers.iter().collect::<Vec<_>>(), Loss::None);
}

#[test]
fn pods_come_and_go_at_speed() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let running = tap.start();
    let mut gone = Vec::new();
    for round in 0..10 {
        let mut pods: Vec<Writer> = (0..10)
            .map(|n| node.pod("jobs", &format!("job-{round}-{n}"), "run"))
            .collect();
        drive(
            &mut pods,
            Plan {
                rotation: Rotation {
                    max_files: 1000,
                    late_lines: 2,
                },
                ..Plan::of(400_000, 4)
            },
            &AtomicBool::new(false),
        );
        for pod in &mut pods {
            if round % 2 == 0 {
                pod.crash();
                pod.lines(10);
            }
            running.settle_read(pod);
            pod.delete_pod();
        }
        gone.append(&mut pods);
    }
    tap.will_hold(&gone.iter().collect::<Vec<_>>(), Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}
