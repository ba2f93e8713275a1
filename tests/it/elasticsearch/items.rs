//! Some items of a request go wrong and others do not. Those that did go again, alone; those that never fit are kept aside.

use std::collections::HashSet;

use tests::Writer;
use tests::cluster::{Cluster, Copies};
use tests::elasticsearch::{Flaw, ItemMishap, Plan};
use tests::scenario::{ends_well, troubled};

use super::{Mode, fake, must_be_whole, setting, settled};

/// Every kind of passing trouble of an item.
const PASSING: [ItemMishap; 9] = [
    ItemMishap::Busy,
    ItemMishap::Unavailable,
    ItemMishap::UnavailableThoughStored,
    ItemMishap::Blocked,
    ItemMishap::Missing,
    ItemMishap::Closed,
    ItemMishap::ShardLimit,
    ItemMishap::Unauthorized,
    ItemMishap::Unknown,
];

#[test]
fn items_of_every_status_in_one_request() {
    for mode in [Mode::Index, Mode::DataStream] {
        let mut fake = fake();
        let (mut node, tap, mut writers) = setting(&mut fake, &[mode.key()]);
        let seed = node.random().number();
        let mut plan = Plan::seeded(seed)
            .flaws(Flaw::Poison, 20)
            .flaws(Flaw::Deadly, 10);
        for mishap in PASSING {
            plan = plan.items(mishap, 20);
        }
        fake.plan(plan);
        fake.roll_over_after_mishaps(mode == Mode::DataStream);
        let running = tap.start();
        for _ in 0..5 {
            for writer in &mut writers {
                writer.lines(150);
            }
            running.status().must_balance();
        }
        let status = settled(&running, &writers);
        status.must_have_lost_nothing();
        running.stop();
        let letters = tap.dead_letters();
        assert_eq!(status.sink.items("dead_lettered"), letters.len() as u64);
        for letter in &letters {
            let id = letter["id"].as_str().unwrap();
            assert_eq!(
                fake.flaw(id),
                Flaw::Deadly,
                "could have been stored: {letter}"
            );
        }
        let mut poison = 0;
        for stored in fake.documents() {
            let is_plain = stored.source.pointer("/error/message").is_some();
            assert_eq!(
                is_plain,
                fake.flaw(&stored.id) == Flaw::Poison,
                "{stored:?}"
            );
            poison += u32::from(is_plain);
        }
        assert!(poison > 0 && !letters.is_empty(), "the plan had no effect");
        must_be_whole(&mut fake, &tap, &writers.iter().collect::<Vec<_>>());
    }
}

/// Only what was refused goes again: the rest of the request is not sent twice.
#[test]
fn only_refused_items_go_again() {
    let mut fake = fake();
    let (_node, tap, mut writers) = setting(&mut fake, &[]);
    writers[0].lines(2000);
    fake.plan(Plan::seeded(5).items(ItemMishap::Busy, 100));
    let running = tap.start();
    let sink = running.settle().sink;
    let (created, known, retried) = (
        sink.items("created"),
        sink.items("known"),
        sink.items("retried"),
    );
    assert_eq!((created, known), (2000, 0), "{sink:?}");
    assert!((100..400).contains(&retried), "{retried} items went again");
    ends_well(running, &mut fake, &[&writers[0]], Copies::One);
}

/// An index that may not be made by a document: its lines wait until somebody makes it.
#[test]
fn index_that_is_not_there() {
    let mut fake = fake();
    let (_node, tap, mut writers) = setting(&mut fake, &[]);
    fake.auto_create(false);
    writers[0].lines(100);
    let running = tap.start();
    troubled(&running, "index_not_found_exception");
    fake.auto_create(true);
    ends_well(running, &mut fake, &[&writers[0]], Copies::One);
}

/// A 201 that says that the failure store was used is a refusal: the line goes again as plain text, to where it is searched.
#[test]
fn failure_store_is_not_a_success() {
    let mut fake = fake();
    let (_node, tap, mut writers) = setting(&mut fake, &["mode: data_stream"]);
    writers[0].lines(300);
    fake.plan(Plan::seeded(9).flaws(Flaw::FailureStore, 100));
    let running = tap.start();
    ends_well(running, &mut fake, &[&writers[0]], Copies::One);
    let documents = fake.documents();
    let plain = documents
        .iter()
        .filter(|stored| stored.source.pointer("/error/message").is_some());
    let plain: HashSet<&str> = plain.map(|stored| stored.id.as_str()).collect();
    let flawed = documents
        .iter()
        .filter(|stored| fake.flaw(&stored.id) == Flaw::FailureStore);
    let flawed: HashSet<&str> = flawed.map(|stored| stored.id.as_str()).collect();
    assert!(!flawed.is_empty());
    assert_eq!(plain, flawed);
}

/// A process that is killed between refusal and receipt has its dead letters; the next adds none twice beyond those of one batch.
#[test]
fn killed_amid_dead_letters() {
    let mut fake = fake();
    let (mut node, tap, mut writers) = setting(&mut fake, &[]);
    fake.plan(Plan::seeded(3).flaws(Flaw::Deadly, 500));
    for _ in 0..6 {
        let running = tap.start();
        for writer in &mut writers {
            writer.lines(80);
        }
        let moment = std::time::Duration::from_millis(node.random().below(300));
        // The moment is the chance that is tried, not a wait.
        std::thread::sleep(moment);
        running.kill();
    }
    let running = tap.start();
    running.settle().must_have_lost_nothing();
    running.stop();
    let letters = tap.dead_letters();
    let ids: HashSet<&str> = letters
        .iter()
        .map(|letter| letter["id"].as_str().unwrap())
        .collect();
    let stored = fake.documents().len();
    let written: usize = writers.iter().map(Writer::count).sum();
    assert_eq!(
        stored + ids.len(),
        written,
        "each line is stored or a dead letter"
    );
    assert!(ids.iter().all(|id| fake.flaw(id) == Flaw::Deadly));
}
