//! Files as JVMs of both byte orders write them, cut off, broken, and while they are written.

use proptest::prelude::*;

use super::*;

/// One counter to write.
#[derive(Clone, Debug)]
enum Counter {
    Long(String, i64),
    Text(String, String),
    /// A type that no JVM uses.
    Unknown(String),
}

fn int(big: bool, number: usize) -> [u8; 4] {
    let number = number as u32;
    if big {
        number.to_be_bytes()
    } else {
        number.to_le_bytes()
    }
}

fn long(big: bool, number: i64) -> [u8; 8] {
    if big {
        number.to_be_bytes()
    } else {
        number.to_le_bytes()
    }
}

/// Writes a file as `HotSpot` does.
fn file(big: bool, counters: &[Counter]) -> Vec<u8> {
    let mut entries = Vec::new();
    for counter in counters {
        let (name, kind, units, vector, data) = match counter {
            Counter::Long(name, value) => (name, b'J', 1, 0, long(big, *value).to_vec()),
            Counter::Text(name, text) => {
                let mut data = text.clone().into_bytes();
                data.push(0);
                (name, b'B', 5, data.len(), data)
            }
            Counter::Unknown(name) => (name, b'Z', 1, 3, vec![1, 2, 3]),
        };
        let data_offset = (HEADER_BYTES + name.len() + 1).next_multiple_of(8);
        let length = (data_offset + data.len()).next_multiple_of(8);
        let start = entries.len();
        entries.extend(int(big, length));
        entries.extend(int(big, HEADER_BYTES));
        entries.extend(int(big, vector));
        entries.extend([kind, 1, units, 2]);
        entries.extend(int(big, data_offset));
        entries.extend(name.as_bytes());
        entries.resize(start + data_offset, 0);
        entries.extend(data);
        entries.resize(start + length, 0);
    }
    let used = PROLOGUE_BYTES + entries.len();
    let mut bytes = MAGIC.to_vec();
    bytes.extend([u8::from(!big), 2, 0, 1]);
    bytes.extend(int(big, used));
    bytes.extend(int(big, 0));
    bytes.extend(long(big, 77));
    bytes.extend(int(big, PROLOGUE_BYTES));
    bytes.extend(int(big, counters.len()));
    bytes.extend(entries);
    bytes.resize(used.next_multiple_of(4096), 0);
    bytes
}

fn sample() -> Vec<Counter> {
    vec![
        Counter::Long("sun.os.hrt.frequency".to_owned(), 1_000_000),
        Counter::Unknown("future".to_owned()),
        Counter::Text("sun.rt.javaCommand".to_owned(), "app.Main --x".to_owned()),
        Counter::Long("java.ci.totalTime".to_owned(), 2_500_000),
        Counter::Long("negative".to_owned(), -1),
    ]
}

#[test]
fn both_byte_orders_say_the_same() {
    for big in [false, true] {
        let perf = parse(file(big, &sample())).unwrap();
        assert_eq!(perf.text("sun.rt.javaCommand"), Some("app.Main --x"));
        assert_eq!(perf.seconds("java.ci.totalTime"), Some(2.5), "old ticks");
        assert_eq!(perf.number("negative"), Some(-1));
        assert_eq!(perf.count("negative"), None);
        assert_eq!(perf.number("future"), None, "a type that is not known");
        assert_eq!(perf.len(), 4);
    }
}

#[test]
fn a_starting_jvm_is_no_broken_one() {
    let mut bytes = file(false, &sample());
    bytes[7] = 0;
    assert_eq!(stamp(&bytes), Err(PerfError::NotReady));
    assert_eq!(parse(bytes), Err(PerfError::NotReady));
}

#[test]
fn an_entry_counted_before_it_is_written() {
    let mut bytes = file(false, &sample());
    bytes[28] += 1;
    assert_ne!(stamp(&bytes), stamp(&file(false, &sample())));
    assert_eq!(parse(bytes).unwrap().len(), 4);
}

#[test]
fn broken_files_are_refused() {
    let whole = file(false, &sample());
    let refuse = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        let refused = parse(bytes);
        assert!(
            matches!(refused, Err(PerfError::Corrupt { .. })),
            "{at}={byte}: {refused:?}"
        );
    };
    refuse(0, 0);
    refuse(4, 2);
    refuse(5, 1);
    refuse(11, 0x7f);
    refuse(11, 0xff);
    refuse(24, 0);
    refuse(27, 0x7f);
    refuse(31, 0x7f);
    // The first entry: shorter than its header, longer than the file, its name and its number elsewhere.
    refuse(PROLOGUE_BYTES, 8);
    refuse(PROLOGUE_BYTES + 2, 0x7f);
    refuse(PROLOGUE_BYTES + 6, 0x7f);
    refuse(PROLOGUE_BYTES + 18, 0x7f);
}

fn counter() -> impl Strategy<Value = Counter> {
    prop_oneof![
        ("[a-z.]{1,30}", any::<i64>()).prop_map(|(name, value)| Counter::Long(name, value)),
        ("[a-z.]{1,30}", "[ -~]{0,60}").prop_map(|(name, text)| Counter::Text(name, text)),
        "[a-z.]{1,30}".prop_map(Counter::Unknown),
    ]
}

proptest! {
    #[test]
    fn what_was_written_is_read(counters in prop::collection::vec(counter(), 0..40), big: bool) {
        let perf = parse(file(big, &counters)).unwrap();
        // Of two with one name the later counts.
        let mut wanted = std::collections::BTreeMap::new();
        for counter in counters {
            match counter {
                Counter::Long(name, value) => drop(wanted.insert(name, (Some(value), None))),
                Counter::Text(name, text) => drop(wanted.insert(name, (None, Some(text)))),
                Counter::Unknown(_) => {}
            }
        }
        for (name, (number, text)) in wanted {
            prop_assert_eq!(perf.number(&name), number);
            prop_assert_eq!(perf.text(&name), text.as_deref());
        }
    }

    #[test]
    fn a_file_cut_off_anywhere_is_refused(counters in prop::collection::vec(counter(), 1..10), cut in 0_usize..2000) {
        let bytes = file(false, &counters);
        let used = i32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
        let cut = cut % used;
        prop_assert!(parse(bytes[..cut].to_vec()).is_err());
    }

    #[test]
    fn any_damage_ends_without_a_panic(
        counters in prop::collection::vec(counter(), 0..10),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30),
        big: bool,
    ) {
        let mut bytes = file(big, &counters);
        for (at, byte) in damage {
            let at = at.index(bytes.len().min(400));
            bytes[at] = byte;
        }
        let entries_max = bytes.len() / HEADER_BYTES;
        if let Ok(perf) = parse(bytes) {
            prop_assert!(perf.len() <= entries_max);
        }
    }

    #[test]
    fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(bytes).is_err());
    }
}
