//! A whole request goes wrong: refused, cut off, or answered with nonsense. It goes again, and nothing is stored twice.

use tests::cluster::{Cluster, Copies};
use tests::elasticsearch::{Mishap, Plan};
use tests::kubelet::Rotation;
use tests::scenario::{ends_well, troubled};
use tests::{Writer, until};

use super::{Mode, fake, setting, settled};

/// How often each mishap comes in a row, if anything is left to be sent again.
const TIMES: usize = 3;

fn refused(status: u16, retry_after: Option<u64>) -> Mishap {
    Mishap::Refused {
        status,
        retry_after,
    }
}

/// Lines are sent through some requests that go wrong so, in both modes.
fn survives(mishap: Mishap, more: &[&str]) {
    for mode in [Mode::Index, Mode::DataStream] {
        let mut fake = fake();
        let (_node, tap, mut writers) = setting(&mut fake, &[&[mode.key()], more].concat());
        let running = tap.start();
        for writer in &mut writers {
            writer.lines(100);
        }
        settled(&running, &writers);
        fake.roll_over_after_mishaps(mode == Mode::DataStream);
        for in_a_row in [1, TIMES] {
            fake.script(std::iter::repeat_n(mishap, in_a_row));
            for writer in &mut writers {
                writer.lines(100);
            }
            settled(&running, &writers).must_have_lost_nothing();
        }
        let writers: Vec<&Writer> = writers.iter().collect();
        ends_well(running, &mut fake, &writers, Copies::One);
        assert!(
            fake.mishaps() >= 2,
            "{mishap:?} came {} times",
            fake.mishaps()
        );
        fake.must_have_understood_all();
    }
}

#[test]
fn refused_for_want_of_memory() {
    survives(refused(429, None), &[]);
}

#[test]
fn refused_until_later() {
    survives(refused(429, Some(1)), &[]);
}

#[test]
fn refused_without_a_master() {
    survives(refused(503, None), &[]);
}

#[test]
fn refused_by_a_gateway_though_done() {
    survives(Mishap::RefusedThoughDone, &[]);
}

#[test]
fn refused_as_unauthenticated() {
    survives(refused(401, None), &[]);
}

#[test]
fn refused_as_unauthorized() {
    survives(refused(403, None), &[]);
}

#[test]
fn refused_as_not_found() {
    survives(refused(404, None), &[]);
}

#[test]
fn refused_with_a_status_of_nobody() {
    survives(refused(418, None), &[]);
}

#[test]
fn refused_as_too_large() {
    survives(refused(413, None), &[]);
}

#[test]
fn answered_with_an_empty_body() {
    survives(Mishap::EmptyBody, &[]);
}

#[test]
fn answered_without_items() {
    survives(Mishap::NoItems, &[]);
}

#[test]
fn answered_with_too_few_items() {
    survives(Mishap::FewerItems, &[]);
}

#[test]
fn answered_with_half_an_answer() {
    survives(Mishap::HalfJson, &[]);
}

#[test]
fn answered_by_a_portal() {
    survives(Mishap::NotJson, &[]);
}

#[test]
fn connection_cut_before_the_request_was_processed() {
    survives(Mishap::CutBefore, &[]);
}

#[test]
fn connection_cut_after_the_request_was_processed() {
    survives(Mishap::CutAfter, &[]);
}

#[test]
fn connection_cut_amid_the_answer() {
    survives(Mishap::CutWithin, &[]);
}

#[test]
fn answer_that_comes_in_drops() {
    survives(Mishap::Drip, &[]);
}

#[test]
fn answer_that_never_comes() {
    survives(Mishap::Silence, &["timeout: 1s"]);
}

/// All of it together, by chance, while files rotate.
#[test]
fn everything_goes_wrong_now_and_then() {
    for mode in [Mode::Index, Mode::DataStream] {
        let mut fake = fake();
        let (mut node, tap, mut writers) = setting(&mut fake, &[mode.key(), "requests_max: 4"]);
        let mut plan = Plan::seeded(node.random().number());
        for mishap in [
            refused(429, None),
            refused(503, None),
            refused(401, None),
            refused(413, None),
            Mishap::RefusedThoughDone,
            Mishap::EmptyBody,
            Mishap::NoItems,
            Mishap::FewerItems,
            Mishap::HalfJson,
            Mishap::NotJson,
            Mishap::CutBefore,
            Mishap::CutAfter,
            Mishap::CutWithin,
            Mishap::Drip,
        ] {
            plan = plan.requests(mishap, 30);
        }
        fake.plan(plan);
        fake.roll_over_after_mishaps(mode == Mode::DataStream);
        let running = tap.start();
        for round in 0..30 {
            for writer in &mut writers {
                writer.lines(100);
                if round % 10 == 9 {
                    // A file that was never seen is nobody's fault here.
                    running.settle_read(writer);
                    writer.rotate(Rotation::default());
                }
            }
            running.status().must_balance();
        }
        let writers: Vec<&Writer> = writers.iter().collect();
        ends_well(running, &mut fake, &writers, Copies::One);
        fake.must_have_understood_all();
    }
}

/// SIGTERM does not wait for a cluster that is not there; the lines are sent by the next process.
#[test]
fn stopped_while_the_cluster_is_down() {
    let mut fake = fake();
    let (_node, tap, mut writers) = setting(&mut fake, &[]);
    let running = tap.start();
    writers[0].lines(100);
    running.settle_read(&writers[0]);
    running.settle();
    fake.induce(&tests::cluster::Fault::Stopped);
    writers[1].lines(100);
    troubled(&running, "");
    running.stop();
    fake.heal();
    let running = tap.start();
    let writers: Vec<&Writer> = writers.iter().collect();
    ends_well(running, &mut fake, &writers, Copies::One);
}

/// Reading stops when the budget is used up: memory stays small, and the files hold what is not read.
#[test]
fn much_to_read_and_nowhere_to_send_it() {
    const RESIDENT_BYTES_MAX: u64 = 96 << 20;
    let mut fake = fake();
    let (mut node, tap, mut writers) = setting(&mut fake, &[]);
    for number in 0..6 {
        writers.push(node.pod("shop", &format!("more-{number}"), "app").short());
    }
    for writer in &mut writers {
        writer.fill(2_500_000);
    }
    fake.plan(Plan::seeded(1).requests(refused(503, None), 1000));
    let running = tap.start();
    let status = until("reading stops", || {
        let before = running.status();
        let after = troubled(&running, "");
        if before.in_flight_bytes == after.in_flight_bytes && after.in_flight_bytes > 1 << 20 {
            Ok(after)
        } else {
            Err(after.summary())
        }
    });
    assert!(
        status.unread_bytes > 0,
        "all was read: {}",
        status.summary()
    );
    let resident = running.anonymous_bytes();
    assert!(
        resident < RESIDENT_BYTES_MAX,
        "{resident} bytes are resident"
    );
    fake.plan(Plan::seeded(1));
    let writers: Vec<&Writer> = writers.iter().collect();
    ends_well(running, &mut fake, &writers, Copies::One);
}
