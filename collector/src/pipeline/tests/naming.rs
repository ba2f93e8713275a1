//! A sink that knows doubles by their ids alone: each line must have the same one at each reading.

use super::*;

/// What documents are named by, and their messages: the first copy stays.
type Named = Arc<Mutex<BTreeMap<(i64, i64, u64, u64), String>>>;

/// Keeps documents by what their ids are made from, and never tells that it has received anything.
struct ById(Named);

impl Sink for ById {
    fn push(&mut self, _file: u64, named: Timestamp, record: &Record<'_>) {
        let entry = record.entry;
        let id = (record.file.started, named.0, entry.offset, entry.end);
        self.0
            .lock()
            .unwrap()
            .entry(id)
            .or_insert_with(|| entry.message.to_owned());
    }
    fn open_bytes(&self) -> usize {
        1
    }
    fn batch_bytes(&self) -> usize {
        2000
    }
    fn submit(&mut self, _batch: BatchId) {}
    fn receipts(&mut self, _out: &mut Vec<Receipt>) {}
    fn in_flight_bytes(&self) -> u64 {
        0
    }
    fn stored_from(&mut self, _doubt: &Doubt<'_>) -> Vec<(u64, u64)> {
        Vec::new()
    }
    fn status(&self) -> SinkStatus {
        SinkStatus::default()
    }
}

fn append(world: &World, lines: &[&str]) {
    let path = world.root.path().join("var/log/app.log");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
}

fn settle(world: &mut World) {
    for _ in 0..4 {
        world.pass(Duration::from_millis(300));
    }
}

#[test]
fn untimed_lines_have_the_same_ids_after_a_restart_on_another_day() {
    const DAY: Duration = Duration::from_hours(24);
    let mut world = World::new();
    world.kill();
    let named = Named::default();
    world.start_with(Box::new(ById(Arc::clone(&named))));
    append(&world, &["one", "two"]);
    settle(&mut world);
    assert_eq!(named.lock().unwrap().len(), 2);

    // The next day, in the same process.
    world.pass(DAY);
    append(&world, &["three"]);
    settle(&mut world);

    // And another one, read again by a process that knows of no receipt.
    world.kill();
    append(&world, &["four"]);
    world.pass(DAY);
    world.start_with(Box::new(ById(Arc::clone(&named))));
    settle(&mut world);
    append(&world, &["five"]);
    settle(&mut world);

    let documents = named.lock().unwrap();
    let mut messages: Vec<&String> = documents.values().collect();
    messages.sort();
    assert_eq!(messages, ["five", "four", "one", "three", "two"]);
    let day_of = |message: &str| {
        let ((_, named, ..), _) = documents.iter().find(|(_, own)| *own == message).unwrap();
        Timestamp(*named).epoch_day()
    };
    assert_eq!(day_of("one"), day_of("two"));
    assert_eq!(day_of("three"), day_of("one") + 1);
    assert_eq!(day_of("five"), day_of("one") + 2);
}

/// The text was empty when it was opened, and an archive when it was looked at next: its own file has no name to link.
#[test]
fn archived_before_its_first_line_was_seen_and_deleted_before_we_were_killed() {
    let mut world = World::new();
    *world.holds.lock().unwrap() = true;
    world.write(0, false);
    world.turn();
    world.write(20, false);
    world.rotate(0);
    world.rotate(0);
    world.pass(Duration::from_millis(300));
    world.delete_pod();
    world.pass(Duration::from_millis(300));
    world.kill();
    assert_eq!(world.lost, 0);
    world.check();
}

#[test]
fn lines_of_no_format_have_the_same_ids_after_a_restart() {
    let mut world = World::new();
    world.kill();
    let named = Named::default();
    world.start_with(Box::new(ById(Arc::clone(&named))));
    world.write(3, false);
    writeln!(world.writer.as_ref().unwrap(), "not in the format").unwrap();
    settle(&mut world);
    world.kill();
    world.pass(Duration::from_secs(5));
    world.start_with(Box::new(ById(Arc::clone(&named))));
    settle(&mut world);
    assert_eq!(named.lock().unwrap().len(), 4);
}
