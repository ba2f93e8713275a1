//! How often is a cluster asked that can't answer? Less and less often, and not before it wants to be.

use std::time::Duration;

use tests::cluster::Copies;
use tests::elasticsearch::{Exchange, Fake, Mishap, Plan};
use tests::scenario::ends_well;
use tests::{Running, until};

use super::{fake, setting};

/// How late a server's clock may see what was sent.
const SLACK: Duration = Duration::from_millis(30);

fn bulk(fake: &Fake) -> Vec<Exchange> {
    let mut journal = fake.journal();
    journal.retain(|exchange| exchange.is_bulk);
    journal
}

fn wait_for(running: &Running, fake: &Fake, requests: usize) -> Vec<Exchange> {
    until("the cluster was asked that often", || {
        running.status().must_balance();
        let bulk = bulk(fake);
        if bulk.len() >= requests {
            Ok(bulk)
        } else {
            Err(format!("{} times", bulk.len()))
        }
    })
}

#[test]
fn retry_after_is_honoured() {
    let mut fake = fake();
    let (_node, tap, mut writers) = setting(&mut fake, &[]);
    fake.script([Mishap::Refused {
        status: 429,
        retry_after: Some(3),
    }]);
    writers[0].lines(50);
    let running = tap.start();
    let first = wait_for(&running, &fake, 1)[0].at;
    writers[1].lines(50);
    let second = wait_for(&running, &fake, 2)[1].at;
    assert!(
        second - first + SLACK >= Duration::from_secs(3),
        "asked again after {:?}",
        second - first
    );
    ends_well(running, &mut fake, &[&writers[0], &writers[1]], Copies::One);
}

/// Each pause is about twice the one before, and no request goes beside the one that tries.
#[test]
fn pauses_grow_while_nothing_is_taken() {
    const FAILURES: usize = 6;
    let mut fake = fake();
    let (_node, tap, mut writers) = setting(&mut fake, &["requests_max: 8"]);
    let always = Mishap::Refused {
        status: 503,
        retry_after: None,
    };
    writers[0].fill(2_000_000);
    // Everything that may go at once goes before the first answer.
    let running = tap.start();
    running.settle();
    fake.plan(Plan::seeded(1).requests(always, 1000));
    let before = bulk(&fake).len();
    writers[0].lines(20);
    wait_for(&running, &fake, before + 1);
    writers[0].lines(20);
    writers[1].lines(200);
    let failed = wait_for(&running, &fake, before + FAILURES);
    let gaps: Vec<Duration> = failed[before..]
        .windows(2)
        .map(|pair| pair[1].at - pair[0].at)
        .collect();
    for (number, gap) in gaps.iter().enumerate() {
        let least = Duration::from_millis(50 << number);
        assert!(
            *gap + SLACK >= least,
            "pause {number} is {gap:?} of {gaps:?}"
        );
    }
    fake.plan(Plan::seeded(1));
    ends_well(running, &mut fake, &[&writers[0], &writers[1]], Copies::One);
}

/// Lines come in batches: many short bursts do not make as many requests, and an idle shipper asks nothing.
#[test]
fn idle_shipper_asks_nothing() {
    let mut fake = fake();
    let (_node, tap, mut writers) = setting(&mut fake, &[]);
    writers[0].lines(500);
    let running = tap.start();
    running.settle();
    let (requests, asked) = (bulk(&fake).len(), fake.journal().len());
    assert!(
        requests <= 8,
        "{requests} requests for 500 lines that were there"
    );
    for _ in 0..20 {
        running.status().must_balance();
    }
    assert_eq!(fake.journal().len(), asked, "an idle shipper asks nothing");
    ends_well(running, &mut fake, &[&writers[0]], Copies::One);
}

/// Bodies are compressed on the wire, and much smaller for it.
#[test]
fn bodies_are_compressed() {
    let mut fake = fake();
    let (_node, tap, mut writers) = setting(&mut fake, &[]);
    writers[0].lines(2000);
    let running = tap.start();
    running.settle();
    let largest = bulk(&fake)
        .into_iter()
        .max_by_key(|exchange| exchange.body_bytes);
    let largest = largest.unwrap();
    // The lines are made at random: others compress better.
    assert!(largest.wire_bytes * 2 < largest.body_bytes, "{largest:?}");
    ends_well(running, &mut fake, &[&writers[0]], Copies::One);
}
