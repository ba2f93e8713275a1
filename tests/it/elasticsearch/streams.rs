//! Data streams forget their ids at each rollover: what is in doubt is asked for, also when asking goes wrong.

use tests::cluster::{Cluster, Copies, Fault};
use tests::elasticsearch::{Mishap, Plan};
use tests::scenario::streams::{of_namespace, roll_over};
use tests::scenario::{ends_well, troubled};
use tests::{Writer, until};

use super::{fake, setting, settled};

const STREAM: &str = "mode: data_stream";

/// A request is carried out, its answer is lost, and the stream rolls over before it is sent again.
#[test]
fn rollover_between_send_and_resend() {
    let mut fake = fake();
    let (_node, tap, mut writers) = setting(&mut fake, &[STREAM]);
    let running = tap.start();
    fake.roll_over_after_mishaps(true);
    for _ in 0..5 {
        fake.script([Mishap::CutAfter, Mishap::CutWithin]);
        for writer in &mut writers {
            writer.lines(100);
        }
        settled(&running, &writers).must_have_lost_nothing();
    }
    let known = running.status().sink.items("known");
    assert!(known > 0, "nothing was found to be there");
    let writers: Vec<&Writer> = writers.iter().collect();
    ends_well(running, &mut fake, &writers, Copies::One);
    fake.must_have_understood_all();
}

/// The cluster is killed after it did its work, nodetap as well, and the stream rolls over: the next process asks first.
#[test]
fn killed_with_a_request_of_unknown_outcome() {
    let mut fake = fake();
    let (_node, tap, mut writers) = setting(&mut fake, &[STREAM]);
    for round in 0..5 {
        let running = tap.start();
        fake.script([Mishap::Silence; 4]);
        let before = fake.count();
        for writer in &mut writers {
            writer.lines(100);
        }
        until(
            "the cluster has something that nodetap does not know of",
            || {
                let new = fake.count() - before;
                if new > 0 {
                    Ok(())
                } else {
                    Err(format!("round {round}"))
                }
            },
        );
        running.kill();
        fake.plan(Plan::seeded(1));
        until("the stream is there", || {
            let (status, answer) = fake.ask("GET", "/_data_stream", None);
            if status == 200 {
                Ok(())
            } else {
                Err(answer.to_string())
            }
        });
        roll_over(&mut fake, &of_namespace("shop"));
    }
    let running = tap.start();
    let writers: Vec<&Writer> = writers.iter().collect();
    ends_well(running, &mut fake, &writers, Copies::One);
}

/// The look for what is there is refused for a while: nothing is sent blindly.
#[test]
fn cluster_goes_down_again_before_it_can_be_asked() {
    let mut fake = fake();
    let (_node, tap, mut writers) = setting(&mut fake, &[STREAM]);
    let running = tap.start();
    writers[0].lines(100);
    running.settle_read(&writers[0]);
    running.settle();
    fake.roll_over_after_mishaps(true);
    fake.script([Mishap::CutAfter]);
    writers[1].lines(100);
    until("the answer is lost", || {
        let lost = fake
            .journal()
            .iter()
            .any(|exchange| exchange.is_bulk && exchange.status.is_none());
        if lost {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    });
    fake.induce(&Fault::Stopped);
    troubled(&running, "");
    fake.heal();
    let writers: Vec<&Writer> = writers.iter().collect();
    ends_well(running, &mut fake, &writers, Copies::One);
}

/// Lines that are already there twice, from before: asking for ids gives more hits than ids.
#[test]
fn doubles_of_the_past_breed_no_more() {
    let mut fake = fake();
    let (node, tap, mut writers) = setting(&mut fake, &[STREAM]);
    for writer in &mut writers {
        writer.lines(300);
    }
    tap.drain_all();
    // Somebody copies all documents into the next backing index, as a restored snapshot may.
    let stream = of_namespace("shop");
    let stored = fake.documents();
    roll_over(&mut fake, &stream);
    fake.copy_into(&stream, &stored);
    assert_eq!(fake.count(), 1200);
    std::fs::remove_dir_all(node.state()).unwrap();
    std::fs::create_dir(node.state()).unwrap();
    tap.drain_all();
    assert_eq!(fake.count(), 1200, "what is there was sent again");
}
