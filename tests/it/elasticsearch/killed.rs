//! SIGKILL comes when it wants, with requests under way, some of which go wrong.

use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use tests::cluster::Copies;
use tests::elasticsearch::{Fake, ItemMishap, Mishap, Plan};
use tests::fleet::{Fleet, Plan as FleetPlan};
use tests::kubelet::Rotation;
use tests::scenario::streams::{of_namespace, roll_over};
use tests::scenario::{ends_well, shipper};
use tests::{Node, Writer, until};

use super::{Mode, fake};

/// How often, over both modes: `NODETAP_KILLS`, else what the promise says.
fn kills() -> u32 {
    std::env::var("NODETAP_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200)
}

fn plan(seed: u64) -> Plan {
    Plan::seeded(seed)
        .requests(Mishap::CutBefore, 20)
        .requests(Mishap::CutAfter, 40)
        .requests(Mishap::FewerItems, 20)
        .requests(Mishap::Drip, 20)
        .items(ItemMishap::Busy, 10)
        .items(ItemMishap::Unavailable, 5)
}

/// Waits until the cluster has carried out what the killed process had sent.
fn quiet(fake: &Fake) {
    let mut before = fake.count();
    let mut calm = 0;
    until("the cluster is at rest", || {
        let now = fake.count();
        calm = if now == before { calm + 1 } else { 0 };
        before = now;
        if calm > 3 {
            Ok(())
        } else {
            Err(format!("{now} documents"))
        }
    });
}

fn killed(mode: Mode, times: u32) {
    let mut fake = fake();
    let mut node = Node::new();
    let tap = shipper(&node, &mut fake, &[mode.key()]);
    fake.plan(plan(node.random().number()));
    let mut writers: Vec<Writer> = (0..4)
        .map(|number| node.pod("shop", &format!("web-{number}"), "app").short())
        .collect();
    // Nothing is deleted here: what is missing is our own fault.
    let fleet_plan = FleetPlan {
        bytes_per_second: 150_000,
        rotation: Rotation {
            max_files: 100_000,
            late_lines: 4,
        },
        ..FleetPlan::of(u64::MAX, 1)
    };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let fleet = Fleet::start(scope, &stop, &mut writers, fleet_plan);
        for number in 0..times {
            let running = tap.start();
            let moment = Duration::from_millis(node.random().below(400));
            // The moment is the chance that is tried, not a wait.
            thread::sleep(moment);
            running.kill();
            if mode == Mode::DataStream && number % 10 == 9 && fake.count() > 0 {
                quiet(&fake);
                roll_over(&mut fake, &of_namespace("shop"));
            }
        }
        fleet.join();
    });
    let before = fake.count();
    let running = tap.start();
    let writers: Vec<&Writer> = writers.iter().collect();
    ends_well(running, &mut fake, &writers, Copies::One);
    fake.must_have_understood_all();
    assert!(
        before > 10 * times as usize,
        "those that were killed hardly worked: {before} documents"
    );
    if mode == Mode::Index {
        assert!(fake.conflicts() > 0, "nothing was ever sent twice");
    }
    // A last look by a process that finds nothing to do.
    let count = fake.count();
    let running = tap.start();
    let status = running.settle();
    status.must_have_lost_nothing();
    assert_eq!(status.sink.items("created"), 0, "{:?}", status.sink);
    running.stop();
    assert_eq!(fake.count(), count);
}

#[test]
fn killed_at_random_moments_with_indices() {
    killed(Mode::Index, kills().div_ceil(2));
}

#[test]
fn killed_at_random_moments_with_data_streams() {
    killed(Mode::DataStream, kills().div_ceil(2));
}
