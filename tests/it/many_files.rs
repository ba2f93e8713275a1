//! Ten thousand idle files cost nothing; one hot container does not starve a thousand others.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::thread;

use tests::fleet::{Fleet, Plan};
use tests::{Loss, Node, Nodetap, Writer, until};

#[test]
fn ten_thousand_idle_files() {
    let mut node = Node::new();
    let mut writers: Vec<Writer> = (0..10_000)
        .map(|n| node.pod("idle", &format!("pod-{n}"), "app").short())
        .collect();
    for writer in &mut writers {
        writer.lines(1);
        writer.close();
    }
    let tap = Nodetap::on(&node);
    let running = tap.start();
    tap.will_hold(&writers.iter().collect::<Vec<_>>(), Loss::None);
    running.settle().must_have_lost_nothing();
    let threads = fs::read_dir(format!("/proc/{}/task", running.id()))
        .unwrap()
        .count();
    assert!(threads < 32, "{threads} threads for idle files");
    assert!(
        running.anonymous_bytes() < 128 << 20,
        "{} bytes of memory",
        running.anonymous_bytes()
    );
    for n in [0, 5_000, 9_999] {
        writers[n].lines(3);
    }
    tap.will_hold(&writers.iter().collect::<Vec<_>>(), Loss::None);
    running.stop();
    let running = tap.start();
    let status = running.settle();
    status.must_have_lost_nothing();
    assert_eq!(status.total.lines, 0, "all was stored before the restart");
    running.stop();
    tap.must_hold(&writers.iter().collect::<Vec<_>>(), Loss::None);
}

#[test]
fn one_hot_among_a_thousand() {
    let mut node = Node::new();
    let mut hot = vec![node.pod("noise", "hot", "app").short()];
    let mut cold: Vec<Writer> = (0..1000)
        .map(|n| node.pod("quiet", &format!("cold-{n}"), "app").short())
        .collect();
    hot[0].fill(20_000_000);
    for writer in &mut cold {
        writer.lines(1);
        writer.close();
    }
    let tap = Nodetap::on(&node);
    let running = tap.start();
    let plan = Plan {
        rotate_bytes: u64::MAX,
        ..Plan::of(400_000_000, 40)
    };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let fleet = Fleet::start(scope, &stop, &mut hot, plan);
        until("the quiet ones are drained while the noise goes on", || {
            assert!(
                !fleet.is_done(),
                "the noise was read to its end before the quiet ones"
            );
            let status = running.status();
            let waiting = cold
                .iter()
                .filter(|writer| {
                    status
                        .stream(writer.stream())
                        .is_none_or(|own| !own.drained)
                })
                .count();
            if waiting == 0 {
                Ok(())
            } else {
                Err(format!("{waiting} of 1000 wait"))
            }
        });
        fleet.join();
    });
    running.settle().must_have_lost_nothing();
    running.stop();
    cold.append(&mut hot);
    tap.must_hold(&cold.iter().collect::<Vec<_>>(), Loss::None);
}
