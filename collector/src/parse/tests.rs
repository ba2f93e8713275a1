//! Situations of one stream, told as the lines that its files have.

use std::time::Duration;

use record::origin::Format;
use record::{Level, OutputStream, Position, Tags, Timestamp};

use super::*;

mod docker;

mod grouping;

mod long_lines;

/// What was emitted, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) started: i64,
    pub(super) bytes: u64,
    pub(super) time: i64,
    pub(super) output: OutputStream,
    pub(super) level: Level,
    pub(super) message: String,
    pub(super) offset: u64,
    pub(super) end: u64,
    pub(super) end_started: i64,
    pub(super) part: u32,
    pub(super) tags: Tags,
    pub(super) app: Option<String>,
    pub(super) error: Option<String>,
}

impl From<Emitted<'_>> for Found {
    fn from(emitted: Emitted<'_>) -> Self {
        let entry = emitted.entry;
        Self {
            started: emitted.started,
            bytes: emitted.bytes,
            time: entry.time.0,
            output: entry.output,
            level: entry.level,
            message: entry.message.to_owned(),
            offset: entry.offset,
            end: entry.end,
            end_started: entry.end_started,
            part: entry.part,
            tags: entry.tags,
            app: entry.app.map(str::to_owned),
            error: entry.error.map(str::to_owned),
        }
    }
}

/// One stream that is fed by hand.
pub(super) struct Stream {
    pub(super) settings: Settings,
    pub(super) format: Format,
    pub(super) assembler: Assembler,
    pub(super) scratch: Scratch,
    pub(super) started: i64,
    pub(super) offset: u64,
    pub(super) seen: i64,
    /// Bytes that went in.
    pub(super) fed: u64,
    /// Bytes of the entries that were taken.
    taken: u64,
    pub(super) found: Vec<Found>,
}

impl Stream {
    pub(super) fn new(format: Format) -> Self {
        Self {
            settings: Settings::default(),
            format,
            assembler: Assembler::new(),
            scratch: Scratch::new(),
            started: 1,
            offset: 0,
            seen: 7,
            fed: 0,
            taken: 0,
            found: Vec::new(),
        }
    }

    pub(super) fn line(&mut self, raw: &[u8]) -> &mut Self {
        self.feed(raw, true)
    }

    pub(super) fn piece(&mut self, raw: &[u8]) -> &mut Self {
        self.feed(raw, false)
    }

    fn feed(&mut self, raw: &[u8], ends: bool) -> &mut Self {
        let length = raw.len() as u64 + u64::from(ends);
        let at = Span {
            started: self.started,
            offset: self.offset,
            end: self.offset + length,
        };
        let line = RawLine {
            format: self.format,
            at,
            seen: Timestamp(self.seen),
            bytes: raw,
        };
        let mut emit = |emitted: Emitted<'_>| self.found.push(emitted.into());
        if ends {
            self.assembler
                .line(&self.settings, &mut self.scratch, &line, &mut emit);
        } else {
            self.assembler
                .piece(&self.settings, &mut self.scratch, &line, &mut emit);
        }
        self.offset += length;
        self.fed += length;
        self.balance();
        self
    }

    /// The stream goes on in a new file.
    pub(super) fn rotate(&mut self) -> &mut Self {
        self.started += 100;
        self.offset = 0;
        self
    }

    pub(super) fn flush(&mut self, why: Flush) -> &mut Self {
        let mut emit = |emitted: Emitted<'_>| self.found.push(emitted.into());
        self.assembler
            .flush(&self.settings, &mut self.scratch, why, &mut emit);
        self.balance();
        self
    }

    /// Every byte that went in is in one entry, skipped, or pending.
    #[track_caller]
    fn balance(&self) {
        let emitted = self.taken + self.found.iter().map(|found| found.bytes).sum::<u64>();
        let skipped = self.assembler.counts().skipped_bytes;
        let pending = self.assembler.pending_bytes();
        assert_eq!(
            emitted + skipped + pending,
            self.fed,
            "{emitted} {skipped} {pending}"
        );
    }

    /// What was found since the last call.
    pub(super) fn take(&mut self) -> Vec<Found> {
        self.taken += self.found.iter().map(|found| found.bytes).sum::<u64>();
        std::mem::take(&mut self.found)
    }

    #[track_caller]
    pub(super) fn expect(&mut self, messages: &[&str]) -> Vec<Found> {
        let found = self.take();
        let texts: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
        assert_eq!(texts, messages);
        found
    }
}

/// A CRI line whose time is so many milliseconds after the epoch.
pub(super) fn cri(millis: i64, output: &str, tag: &str, text: &[u8]) -> Vec<u8> {
    let mut line = Vec::new();
    Timestamp(millis * 1_000_000).write_rfc3339(&mut line);
    line.extend_from_slice(format!(" {output} {tag} ").as_bytes());
    line.extend_from_slice(text);
    line
}

#[test]
fn a_whole_line_keeps_its_nanoseconds_and_its_place() {
    let mut stream = Stream::new(Format::Cri);
    stream.offset = 1000;
    let raw = b"2026-11-21T11:53:23.193316823Z stderr F ERROR \xc3\xbc failed\r";
    stream.line(raw);
    let found = stream.expect(&["ERROR ü failed"]);
    assert_eq!(
        found[0],
        Found {
            started: 1,
            bytes: raw.len() as u64 + 1,
            time: Timestamp::parse_rfc3339(b"2026-11-21T11:53:23.193316823Z")
                .unwrap()
                .0,
            output: OutputStream::Stderr,
            level: Level::Error,
            message: "ERROR ü failed".to_owned(),
            offset: 1000,
            end: 1000 + raw.len() as u64 + 1,
            end_started: 1,
            part: 0,
            tags: Tags::NONE,
            app: None,
            error: None,
        }
    );
    assert_eq!(stream.assembler.pending_from(), None);
}

#[test]
fn empty_lines_are_records() {
    let mut stream = Stream::new(Format::Cri);
    stream
        .line(&cri(1, "stdout", "F", b""))
        .line(&cri(2, "stdout", "F", b"\r"));
    stream.expect(&["", ""]);
    let mut stream = Stream::new(Format::Text);
    stream.line(b"").line(b"\r").line(b"a\r\r");
    let found = stream.expect(&["", "", "a\r"]);
    assert_eq!((found[1].offset, found[1].end), (1, 3));
}

#[test]
fn pieces_of_both_outputs_interleave() {
    let mut stream = Stream::new(Format::Cri);
    let lines = [
        cri(1, "stdout", "P", b"out one "),
        cri(2, "stderr", "P", b"err one "),
        cri(3, "stdout", "P", b"out two "),
        cri(4, "stderr", "F", b"err end\r"),
        cri(5, "stderr", "F", b"whole"),
        cri(6, "stdout", "F:extra", b"out end\r"),
    ];
    stream.line(&lines[0]).line(&lines[1]).line(&lines[2]);
    let from = stream.assembler.pending_from();
    assert_eq!(
        from,
        Some(Position {
            started: 1,
            offset: 0
        })
    );
    stream.line(&lines[3]).line(&lines[4]).line(&lines[5]);
    let found = stream.expect(&["err one err end", "whole", "out one out two out end"]);
    let end = |count: usize| {
        lines[..count]
            .iter()
            .map(|line| line.len() as u64 + 1)
            .sum::<u64>()
    };
    let places: Vec<_> = found
        .iter()
        .map(|found| (found.offset, found.end, found.time))
        .collect();
    let expect = [
        (end(1), end(4), 2_000_000),
        (end(4), end(5), 5_000_000),
        (0, end(6), 1_000_000),
    ];
    assert_eq!(places, expect);
    assert!(found.iter().all(|found| found.tags == Tags::NONE));
    assert_eq!(stream.assembler.pending_from(), None);
}

#[test]
fn a_piece_joins_its_end_over_a_rotation() {
    let mut stream = Stream::new(Format::Cri);
    stream.line(&cri(1, "stdout", "P", b"before "));
    stream.rotate().line(&cri(2, "stdout", "F", b"after"));
    let found = stream.expect(&["before after"]);
    assert_eq!((found[0].started, found[0].offset), (1, 0));
    assert_eq!((found[0].end_started, found[0].end), (101, stream.offset));
}

#[test]
fn last_words_without_an_end_are_given_out_when_the_container_ends() {
    let mut stream = Stream::new(Format::Cri);
    stream
        .line(&cri(1, "stderr", "P", b"half"))
        .line(&cri(2, "stdout", "P", b"other"));
    stream.expect(&[]);
    let found = stream
        .flush(Flush::ContainerEnded)
        .expect(&["half", "other"]);
    assert!(
        found
            .iter()
            .all(|found| found.tags == Tags::PARTIAL && found.part == 0)
    );
    assert_eq!(stream.assembler.counts().unfinished, 2);
    assert_eq!(stream.assembler.pending_from(), None);
    // The next run's first line is its own.
    stream.line(&cri(3, "stdout", "F", b"new"));
    stream.expect(&["new"]);
}

#[test]
fn a_line_that_is_not_in_the_format_is_kept_whole_with_the_reason() {
    let mut stream = Stream::new(Format::Cri);
    stream.line(b"torn");
    stream.line(&cri(5, "stdout", "P", b"a"));
    stream.line(b"2026-11-21T11:53:23Z stdout oops");
    stream.line(&cri(6, "stdout", "F", b"b"));
    let found = stream.expect(&["torn", "2026-11-21T11:53:23Z stdout oops", "ab"]);
    let times: Vec<_> = found.iter().map(|found| (found.time, found.tags)).collect();
    let unparsed = Tags::UNPARSED;
    assert_eq!(
        times,
        [
            (7, unparsed),
            (5_000_000, unparsed),
            (5_000_000, Tags::NONE)
        ]
    );
    assert_eq!(found[0].error.as_deref(), Some("not a CRI line: no time"));
    assert_eq!(found[0].output, OutputStream::None);
    assert_eq!(stream.assembler.counts().unparsed, 2);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced_tagged_and_counted() {
    let mut stream = Stream::new(Format::Cri);
    stream
        .line(&cri(1, "stdout", "F", b"a\xff\xc3(b\xe2\x82"))
        .line(&cri(2, "stdout", "F", b"ok"));
    let found = stream.expect(&["a\u{fffd}\u{fffd}(b\u{fffd}", "ok"]);
    assert_eq!(
        (found[0].tags, found[1].tags),
        (Tags::INVALID_UTF8, Tags::NONE)
    );
    assert_eq!(stream.assembler.counts().invalid_utf8, 1);
    // A character that the runtime cut is whole again.
    stream
        .line(&cri(3, "stdout", "P", b"\xe2\x82"))
        .line(&cri(4, "stdout", "F", b"\xac"));
    assert_eq!(stream.expect(&["€"])[0].tags, Tags::NONE);
}

#[test]
fn holes_of_nul_bytes_are_skipped_and_counted() {
    let mut stream = Stream::new(Format::Text);
    stream
        .line(b"\0\0\0")
        .line(b"\0\0after")
        .line(b"in\0side\0")
        .line(b"");
    let found = stream.expect(&["after", "in\0side\0", ""]);
    assert_eq!((found[0].offset, found[0].end, found[0].bytes), (6, 12, 6));
    assert_eq!(stream.assembler.counts().skipped_bytes, 4 + 2);
    // The same in pieces.
    stream
        .piece(b"\0\0")
        .piece(b"\0")
        .piece(b"\0x")
        .line(b"\0y");
    assert_eq!(stream.expect(&["x\0y"])[0].offset, 26);
    stream.piece(b"\0\0").line(b"");
    stream.expect(&[]);
    assert_eq!(stream.assembler.counts().skipped_bytes, 6 + 4 + 3);
    // And before a line of the runtime.
    let mut stream = Stream::new(Format::Cri);
    let mut raw = vec![0; 5];
    raw.extend_from_slice(&cri(1, "stdout", "F", b"x"));
    stream.line(&raw);
    assert_eq!(stream.expect(&["x"])[0].offset, 5);
}

#[test]
fn a_json_body_is_given_as_app_when_asked_for() {
    let mut stream = Stream::new(Format::Cri);
    let body = br#"{"level":"warn","a":{"b":[1]}}"#;
    stream.line(&cri(1, "stdout", "F", body));
    assert_eq!(stream.take()[0].app, None);
    stream.settings.app = true;
    stream
        .line(&cri(1, "stdout", "F", body))
        .line(&cri(2, "stdout", "F", b"{not json}"));
    let found = stream.take();
    assert_eq!(found[0].app.as_deref(), Some(found[0].message.as_str()));
    assert_eq!(
        (found[0].level, found[1].app.as_deref()),
        (Level::Warn, None)
    );
}

#[test]
fn the_first_time_of_a_file() {
    let time = Timestamp::parse_rfc3339(b"2026-11-21T11:45:29Z");
    assert_eq!(
        first_time(Format::Cri, b"2026-11-21T11:45:29Z stdout P x"),
        time
    );
    let line = br#"{"log":"a\"\n","stream":"stdout","time":"2026-11-21T11:45:29Z"}"#;
    assert_eq!(first_time(Format::JsonFile, line), time);
    assert_eq!(first_time(Format::Cri, b"x"), None);
    assert_eq!(
        first_time(Format::Text, b"2026-11-21T11:45:29Z stdout F x"),
        None
    );
}

#[test]
fn an_idle_stream_holds_nothing() {
    let mut stream = Stream::new(Format::Cri);
    stream.settings.multiline = Some(Multiline::new(Preset::Auto));
    stream
        .line(&cri(1, "stdout", "P", &[b'x'; 10_000]))
        .line(&cri(2, "stdout", "F", b"x"));
    assert!(stream.assembler.memory_bytes() > 10_000);
    stream.flush(Flush::Drained);
    assert_eq!(stream.assembler.memory_bytes(), 0);
    assert!(size_of::<Assembler>() <= 128, "{}", size_of::<Assembler>());
}
