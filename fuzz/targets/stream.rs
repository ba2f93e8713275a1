//! A file's bytes are fed as its lines; what must hold for any of them is checked.

use std::collections::BTreeSet;

use collector::parse::{
    Assembler, Emitted, Flush, Multiline, Preset, RawLine, Scratch, Settings, Span,
};
use record::Timestamp;
use record::origin::Format;

/// What the entries so far say together.
#[derive(Default)]
struct Seen {
    bytes: u64,
    places: BTreeSet<(i64, u64)>,
}

/// The first byte chooses the settings; the rest is the file.
pub fn feed(format: Format, bytes: &[u8]) {
    let Some((&choice, mut rest)) = bytes.split_first() else { return };
    let settings = Settings {
        line_bytes_max: 16 << (choice & 3),
        multiline: (choice & 4 != 0).then(|| Multiline::new(Preset::Auto)),
        app: choice & 8 != 0,
    };
    // Lines longer than this come in pieces.
    let frame = 24 << (choice >> 4 & 7);
    let mut assembler = Assembler::new();
    let mut scratch = Scratch::new();
    let mut seen = Seen::default();
    let mut offset = 0;
    while !rest.is_empty() {
        let newline = rest.iter().take(frame).position(|byte| *byte == b'\n');
        let length = newline.unwrap_or(rest.len().min(frame));
        let (raw, after) = rest.split_at(length);
        let end = offset + length as u64 + u64::from(newline.is_some());
        let at = Span { started: 1, offset, end };
        let line = RawLine { format, at, seen: Timestamp(7), bytes: raw };
        let mut emit = |emitted: Emitted<'_>| seen.note(&emitted);
        if newline.is_some() {
            assembler.line(&settings, &mut scratch, &line, &mut emit);
            rest = &after[1..];
        } else {
            assembler.piece(&settings, &mut scratch, &line, &mut emit);
            rest = after;
        }
        offset = end;
        seen.balances(&assembler, offset);
    }
    assembler.flush(&settings, &mut scratch, Flush::Drained, &mut |emitted| seen.note(&emitted));
    seen.balances(&assembler, offset);
    assert_eq!(assembler.pending_from(), None);
    assert_eq!(assembler.memory_bytes(), 0);
}

impl Seen {
    fn note(&mut self, emitted: &Emitted<'_>) {
        let entry = &emitted.entry;
        self.bytes += emitted.bytes;
        assert!(entry.offset < entry.end, "{entry:?}");
        assert!(self.places.insert((emitted.started, entry.offset)), "a place twice: {entry:?}");
    }

    fn balances(&self, assembler: &Assembler, fed: u64) {
        let skipped = assembler.counts().skipped_bytes;
        assert_eq!(self.bytes + skipped + assembler.pending_bytes(), fed);
    }
}
