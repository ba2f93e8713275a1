//! Any cutting of the same bytes into writes, and into reads, gives the same records.

use std::fs::File;
use std::io::Write;

use collector::parse::{Assembler, Flush, RawLine, Scratch, Settings, Span};
use collector::tail::{Carrier, Limits, Part, Progress, Tail};
use proptest::prelude::*;
use record::Timestamp;
use record::origin::Format;
use tests::line::{Framing, Output, frame};

/// A record by what names it: offset, end, part, tags, text.
type Named = (u64, u64, u32, u8, String);

/// Reads a file while it is written in these pieces, each read so many bytes at a time.
struct Reading {
    tail: Tail,
    assembler: Assembler,
    scratch: Scratch,
    settings: Settings,
    format: Format,
    records: Vec<Named>,
    bytes: u64,
}

impl Reading {
    fn read(&mut self, quantum: usize, ended: bool) {
        let mut buffer = Vec::new();
        let limits = Limits {
            quantum,
            line_bytes_max: self.settings.frame_bytes_max(),
            ended,
        };
        self.tail.measure().unwrap();
        loop {
            let Self {
                tail,
                assembler,
                scratch,
                settings,
                format,
                records,
                bytes,
            } = self;
            let progress = tail
                .advance(&mut buffer, &limits, |extent, part| {
                    let mut emit = |emitted: collector::parse::Emitted<'_>| {
                        let entry = emitted.entry;
                        *bytes += emitted.bytes;
                        let text = entry.message.to_owned();
                        records.push((entry.offset, entry.end, entry.part, entry.tags.0, text));
                    };
                    let line = |bytes| RawLine {
                        format: *format,
                        at: Span {
                            started: 1,
                            offset: extent.offset,
                            end: extent.end,
                        },
                        seen: Timestamp(0),
                        bytes,
                    };
                    match part {
                        Part::Line(text) => {
                            assembler.line(settings, scratch, &line(text), &mut emit);
                        }
                        Part::Piece(text) => {
                            assembler.piece(settings, scratch, &line(text), &mut emit);
                        }
                        Part::Hole => *bytes += extent.end - extent.offset,
                    }
                })
                .unwrap();
            match progress {
                Progress::More => {}
                Progress::End => break,
                Progress::Replaced => panic!("the file was not cut"),
            }
        }
    }
}

fn records(format: Format, bytes: &[u8], writes: &[usize], quantum: usize) -> Vec<Named> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let carrier = Carrier::new(File::open(file.path()).unwrap(), false);
    let mut reading = Reading {
        tail: Tail::new(Some(carrier), 0, 0),
        assembler: Assembler::new(),
        scratch: Scratch::new(),
        settings: Settings {
            line_bytes_max: 300,
            ..Settings::default()
        },
        format,
        records: Vec::new(),
        bytes: 0,
    };
    let mut rest = bytes;
    for length in writes {
        let (now, later) = rest.split_at((*length).min(rest.len()));
        file.as_file().write_all(now).unwrap();
        reading.read(quantum, false);
        rest = later;
    }
    file.as_file().write_all(rest).unwrap();
    reading.read(quantum, false);
    reading.read(quantum, true);
    let Reading {
        assembler,
        scratch,
        settings,
        records,
        bytes: accounted,
        ..
    } = &mut reading;
    assembler.flush(settings, scratch, Flush::Drained, &mut |emitted| {
        let entry = emitted.entry;
        *accounted += emitted.bytes;
        records.push((
            entry.offset,
            entry.end,
            entry.part,
            entry.tags.0,
            entry.message.to_owned(),
        ));
    });
    let skipped = reading.assembler.counts().skipped_bytes;
    assert_eq!(
        reading.bytes + skipped,
        bytes.len() as u64,
        "every byte is in one record"
    );
    reading.records
}

fn lines() -> impl Strategy<Value = Vec<(bool, bool, String)>> {
    let text = prop_oneof![
        4 => "[a-zA-Zäö日\" ]{0,40}",
        1 => "[x日]{200,1200}",
        1 => Just("\r".to_owned()),
        1 => Just("\u{0}\u{0}".to_owned()),
    ];
    prop::collection::vec((any::<bool>(), any::<bool>(), text), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cutting_of_lines_gives_the_same_records(
        lines in lines(),
        framing in prop_oneof![Just(Framing::Cri), Just(Framing::JsonFile), Just(Framing::Text)],
        writes in prop::collection::vec(1_usize..400, 0..12),
        quantum in 1_usize..700,
    ) {
        let mut bytes = Vec::new();
        for (number, (stderr, last, text)) in lines.iter().enumerate() {
            let output = if *stderr { Output::Stderr } else { Output::Stdout };
            frame(framing, number as i64 + 1, output, text.as_bytes(), *last, &mut bytes);
        }
        let format = match framing {
            Framing::Cri => Format::Cri,
            Framing::JsonFile => Format::JsonFile,
            Framing::Text => Format::Text,
        };
        let whole = records(format, &bytes, &[], 1 << 20);
        prop_assert_eq!(records(format, &bytes, &writes, quantum), whole);
    }

    #[test]
    fn any_cutting_of_any_bytes_gives_the_same_records(
        bytes in prop::collection::vec(
            prop_oneof![Just(b'\n'), Just(0), Just(b' '), Just(b'{'), Just(b'"'), any::<u8>()],
            0..2000,
        ),
        format in prop_oneof![Just(Format::Cri), Just(Format::JsonFile), Just(Format::Text)],
        writes in prop::collection::vec(1_usize..400, 0..12),
        quantum in 1_usize..700,
    ) {
        let whole = records(format, &bytes, &[], 1 << 20);
        prop_assert_eq!(records(format, &bytes, &writes, quantum), whole);
    }
}
