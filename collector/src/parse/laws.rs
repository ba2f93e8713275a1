//! What holds for any input: cutting changes nothing, every byte is accounted for, nothing stays behind.

use proptest::collection::vec;
use proptest::prelude::*;
use record::Tags;
use record::origin::Format;

use super::tests::{Found, Stream, cri};
use super::*;

/// What a record says, whatever pieces it came in.
fn said(found: &[Found]) -> Vec<(String, String, u32, Tags)> {
    let mut said: Vec<_> = found
        .iter()
        .map(|found| {
            (
                format!("{:?}", found.output),
                found.message.clone(),
                found.part,
                found.tags,
            )
        })
        .collect();
    // Each output keeps its order; between outputs only the offsets say it.
    said.sort_by(|left, right| left.0.cmp(&right.0));
    said
}

/// Text of all lengths around the limit, with characters of all lengths and bytes that are none.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let characters = prop_oneof![
        4 => Just("a".as_bytes().to_vec()),
        1 => Just("ü".as_bytes().to_vec()),
        1 => Just("€".as_bytes().to_vec()),
        1 => Just("😀".as_bytes().to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\0".to_vec()),
        1 => Just(b"\tat ".to_vec()),
        1 => Just(b"\xff".to_vec()),
        1 => Just(b"\x80\x80\x80\x80".to_vec()),
        1 => Just(b"\xf0\x9f".to_vec()),
    ];
    vec(characters, 0..40).prop_map(|characters| characters.concat())
}

/// Cuts a text at places that depend on `cuts`; at least one piece, some may be empty.
fn cut<'a>(text: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for place in places {
        pieces.push(&text[from..place]);
        from = place;
    }
    pieces.push(&text[from..]);
    pieces
}

fn settings(stream: &mut Stream, multiline: bool) {
    stream.settings.line_bytes_max = 24;
    stream.settings.app = true;
    stream.settings.multiline = multiline.then(|| Multiline::new(Preset::Auto));
}

#[track_caller]
fn nothing_left(stream: &Stream) -> Result<(), TestCaseError> {
    prop_assert_eq!(stream.assembler.pending_from(), None);
    prop_assert_eq!(stream.assembler.pending_bytes(), 0);
    prop_assert_eq!(stream.assembler.memory_bytes(), 0);
    prop_assert_eq!(stream.assembler.next_deadline(), None);
    Ok(())
}

/// A line of either output: its text, where the runtime cuts it, whether it is of stderr.
type Told = (Vec<u8>, Vec<usize>, bool);

fn told() -> impl Strategy<Value = Vec<Told>> {
    vec((text(), vec(any::<usize>(), 0..5), any::<bool>()), 0..12)
}

proptest! {
    #[test]
    fn any_cutting_by_the_runtime_gives_the_same_records(lines in told(), turns: Vec<bool>, multiline: bool) {
        let mut whole = Stream::new(Format::Cri);
        settings(&mut whole, multiline);
        let mut queues = [Vec::new(), Vec::new()];
        for (text, cuts, is_error) in &lines {
            let output = if *is_error { "stderr" } else { "stdout" };
            whole.line(&cri(1, output, "F", text));
            let pieces = cut(text, cuts);
            for (index, piece) in pieces.iter().enumerate() {
                let tag = if index + 1 == pieces.len() { "F" } else { "P" };
                queues[usize::from(*is_error)].push(cri(1, output, tag, piece));
            }
        }
        whole.flush(Flush::Drained);

        let mut pieces = Stream::new(Format::Cri);
        settings(&mut pieces, multiline);
        let mut queues = queues.map(IntoIterator::into_iter);
        let mut turns = turns.into_iter().cycle().take(10_000);
        while queues.iter().any(|queue| queue.len() > 0) {
            let first = turns.next().unwrap_or(false);
            let [out, err] = &mut queues;
            let next = if first { out.next().or_else(|| err.next()) } else { err.next().or_else(|| out.next()) };
            pieces.line(&next.unwrap());
            if pieces.offset.is_multiple_of(7) {
                pieces.rotate();
            }
        }
        pieces.flush(Flush::Drained);
        prop_assert_eq!(said(&pieces.found), said(&whole.found));
        nothing_left(&whole)?;
        nothing_left(&pieces)?;
        let mut places: Vec<_> = pieces.found.iter().map(|found| (found.started, found.offset)).collect();
        let count = places.len();
        places.sort_unstable();
        places.dedup();
        prop_assert_eq!(places.len(), count);
    }

    #[test]
    fn any_cutting_by_our_own_reading_gives_the_same_records_and_places(
        lines in vec((text(), vec(any::<usize>(), 0..5)), 0..8),
        is_cri: bool,
        multiline: bool,
    ) {
        let format = if is_cri { Format::Cri } else { Format::Text };
        let (mut whole, mut pieces) = (Stream::new(format), Stream::new(format));
        settings(&mut whole, multiline);
        settings(&mut pieces, multiline);
        for (index, (text, cuts)) in lines.iter().enumerate() {
            let tag = if index % 3 == 0 { "P" } else { "F" };
            let head = if is_cri { cri(1, "stdout", tag, b"") } else { Vec::new() };
            let mut parts = cut(text, cuts);
            let last = parts.pop().unwrap();
            let mut head = head;
            whole.line(&[head.as_slice(), text].concat());
            for part in parts {
                pieces.piece(&[head.as_slice(), part].concat());
                head.clear();
            }
            pieces.line(&[head.as_slice(), last].concat());
        }
        whole.flush(Flush::Drained);
        pieces.flush(Flush::Drained);
        let places = |stream: &Stream| -> Vec<_> {
            stream.found.iter().map(|found| (found.offset, found.end, found.part, found.message.clone())).collect()
        };
        prop_assert_eq!(places(&pieces), places(&whole));
        prop_assert_eq!(pieces.assembler.counts(), whole.assembler.counts());
        nothing_left(&pieces)?;
    }

    // The harness checks after each step that no byte is missing or counted twice.
    #[test]
    fn any_bytes_are_accounted_for_and_nothing_stays_after_a_flush(
        steps in vec((prop_oneof![vec(any::<u8>(), 0..60), text()], 0..12_u8), 0..40),
        format in prop_oneof![Just(Format::Cri), Just(Format::JsonFile), Just(Format::Text)],
        multiline: bool,
    ) {
        let mut stream = Stream::new(format);
        settings(&mut stream, multiline);
        for (bytes, step) in &steps {
            match step {
                0 => { stream.flush(Flush::ContainerEnded); nothing_left(&stream)?; }
                1 => { stream.flush(Flush::GroupExpired(Timestamp(i64::MAX))); }
                2 => { stream.rotate(); }
                3 => { stream.piece(bytes); }
                4 => { stream.piece(&cri(1, "stdout", "P", bytes)); }
                5 => { stream.line(&cri(1, "stdout", "P", bytes)); }
                6 => { stream.line(&cri(2, "stderr", "F", bytes)); }
                7 | 8 => {
                    let log = serde_json::Value::from(String::from_utf8_lossy(bytes).into_owned());
                    let end = if *step == 7 { r",\n" } else { "" };
                    let time = "2026-11-21T11:45:29Z";
                    let line = format!(r#"{{"log":{log},"stream":"stdout","time":"{time}"}}"#);
                    stream.line(line.replace("\",\"stream", &format!("{end}\",\"stream")).as_bytes());
                }
                _ => { stream.line(bytes); }
            }
            prop_assert!(stream.assembler.memory_bytes() < 6 * 1024);
        }
        stream.flush(Flush::Drained);
        nothing_left(&stream)?;
        for found in &stream.found {
            prop_assert!(found.started < found.end_started || found.offset < found.end, "{:?}", found);
            if let Some(app) = &found.app {
                prop_assert!(serde_json::from_str::<serde_json::Value>(app).is_ok());
            }
        }
        let mut places: Vec<_> = stream.found.iter().map(|found| (found.started, found.offset)).collect();
        let count = places.len();
        places.sort_unstable();
        places.dedup();
        prop_assert_eq!(places.len(), count);
    }
}
