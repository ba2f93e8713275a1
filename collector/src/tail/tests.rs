//! Texts that are cut, rewritten, holed and cut into reads at any place.

use std::fs::{File, OpenOptions};
use std::io::Write;

use proptest::prelude::*;

use super::*;

#[derive(Debug, PartialEq, Eq, Clone)]
enum Seen {
    Line(u64, u64, Vec<u8>),
    Piece(u64, u64, Vec<u8>),
    Hole(u64, u64),
}

struct Bench {
    path: tempfile::TempPath,
    tail: Tail,
    seen: Vec<Seen>,
}

impl Bench {
    fn new() -> Self {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let carrier = Carrier::new(File::open(&path).unwrap(), false);
        Self {
            path,
            tail: Tail::new(Some(carrier), 0, 0),
            seen: Vec::new(),
        }
    }

    fn write(&self, bytes: &[u8]) {
        OpenOptions::new()
            .append(true)
            .open(&self.path)
            .unwrap()
            .write_all(bytes)
            .unwrap();
    }

    fn read(&mut self, quantum: usize, line_bytes_max: usize, ended: bool) -> Progress {
        let mut buffer = Vec::new();
        self.tail.measure().unwrap();
        loop {
            let seen = &mut self.seen;
            let limits = Limits {
                quantum,
                line_bytes_max,
                ended,
            };
            let progress = self
                .tail
                .advance(&mut buffer, &limits, |at, part| {
                    seen.push(match part {
                        Part::Line(text) => Seen::Line(at.offset, at.end, text.to_vec()),
                        Part::Piece(text) => Seen::Piece(at.offset, at.end, text.to_vec()),
                        Part::Hole => Seen::Hole(at.offset, at.end),
                    });
                })
                .unwrap();
            if progress != Progress::More {
                return progress;
            }
        }
    }
}

#[test]
fn an_unfinished_line_waits_until_the_writer_ends() {
    let mut bench = Bench::new();
    bench.write(b"one\ntw");
    assert_eq!(bench.read(1024, 1024, false), Progress::End);
    assert_eq!(bench.seen, [Seen::Line(0, 4, b"one".to_vec())]);
    bench.write(b"o");
    bench.read(1024, 1024, true);
    assert_eq!(bench.seen.last(), Some(&Seen::Line(4, 7, b"two".to_vec())));
}

#[test]
fn a_file_that_was_cut_and_grew_past_the_offset_is_noticed() {
    let mut bench = Bench::new();
    bench.write(b"first\nsecond\n");
    bench.read(1024, 1024, false);
    OpenOptions::new()
        .write(true)
        .open(&bench.path)
        .unwrap()
        .set_len(0)
        .unwrap();
    assert_eq!(bench.read(1024, 1024, false), Progress::Replaced);
    bench.write(b"other text that is longer than before\n");
    assert_eq!(bench.read(1024, 1024, false), Progress::Replaced);
}

#[test]
fn a_line_beyond_the_limit_comes_in_pieces_cut_between_characters() {
    let mut bench = Bench::new();
    bench.write("aaaaaaa€€€\nb\n".as_bytes());
    bench.read(4, 8, false);
    assert_eq!(
        bench.seen,
        [
            Seen::Piece(0, 7, b"aaaaaaa".to_vec()),
            Seen::Piece(7, 13, "€€".as_bytes().to_vec()),
            Seen::Line(13, 17, "€".as_bytes().to_vec()),
            Seen::Line(17, 19, b"b".to_vec()),
        ]
    );
}

#[test]
fn holes_are_passed_once_something_follows_them() {
    let mut bench = Bench::new();
    bench.write(&[0; 5000]);
    bench.read(1024, 4096, false);
    let before = bench.tail.read();
    assert!(before < 5000, "the end of a hole may still be filled in");
    bench.write(b"text\n");
    bench.read(1024, 4096, false);
    assert_eq!(
        bench.seen.last(),
        Some(&Seen::Line(5000, 5005, b"text".to_vec()))
    );
    let holes: u64 = bench
        .seen
        .iter()
        .map(|seen| {
            if let Seen::Hole(from, to) = seen {
                to - from
            } else {
                0
            }
        })
        .sum();
    assert_eq!(holes, 5000);
}

#[test]
fn an_archive_gives_the_same_text_and_its_size() {
    let mut text = Vec::new();
    for line in 0..20_000 {
        writeln!(text, "line {line} of the text").unwrap();
    }
    let mut archive = tempfile::tempfile().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(&mut archive, flate2::Compression::fast());
    encoder.write_all(&text).unwrap();
    encoder.finish().unwrap();
    let mut carrier = Carrier::new(archive, true);
    assert_eq!(carrier.size().unwrap(), text.len() as u64);
    let mut got = vec![0; 1000];
    assert_eq!(carrier.read_at(400_000, &mut got).unwrap(), 1000);
    assert_eq!(got, text[400_000..401_000]);
    assert_eq!(carrier.read_at(10, &mut got).unwrap(), 1000);
    assert_eq!(got, text[10..1010]);
    let mut tail = Tail::new(Some(carrier), 0, 0);
    let mut lines = 0;
    let limits = Limits {
        quantum: 8192,
        line_bytes_max: 1024,
        ended: true,
    };
    while tail
        .advance(&mut Vec::new(), &limits, |_, _| lines += 1)
        .unwrap()
        == Progress::More
    {}
    assert_eq!(lines, 20_000);
}

proptest! {
    /// Any cutting of the same bytes into writes and reads gives the same lines, and every byte once.
    #[test]
    fn any_cutting_gives_the_same_lines(
        lines in prop::collection::vec(prop::collection::vec(1_u8..255, 0..40), 0..20),
        cuts in prop::collection::vec(0_usize..200, 0..10),
        quantum in 1_usize..64,
    ) {
        let mut text = Vec::new();
        for line in &lines {
            text.extend(line.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
            text.push(b'\n');
        }
        let mut bench = Bench::new();
        let mut written = 0;
        for cut in cuts {
            let next = (written + cut).min(text.len());
            bench.write(&text[written..next]);
            bench.read(quantum, 4096, false);
            written = next;
        }
        bench.write(&text[written..]);
        prop_assert_eq!(bench.read(quantum, 4096, false), Progress::End);
        let mut at = 0;
        let mut again = Vec::new();
        for seen in &bench.seen {
            let Seen::Line(offset, end, line) = seen else { panic!("not a line: {seen:?}") };
            prop_assert_eq!(*offset, at);
            at = *end;
            again.extend(line);
            again.push(b'\n');
        }
        prop_assert_eq!(again, text);
    }
}
