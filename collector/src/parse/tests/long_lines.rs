//! Lines beyond the limit: cut into parts, never dropped.

use super::*;

#[test]
fn a_line_of_exactly_the_limit_is_whole() {
    let mut stream = Stream::new(Format::Text);
    stream.settings.line_bytes_max = 16;
    stream
        .line(b"0123456789abcdef")
        .piece(b"0123456789")
        .line(b"abcdef");
    let found = stream.expect(&["0123456789abcdef", "0123456789abcdef"]);
    assert!(
        found
            .iter()
            .all(|found| found.part == 0 && found.tags == Tags::NONE)
    );
}

#[test]
fn parts_have_places_of_their_own_in_one_raw_line() {
    let mut stream = Stream::new(Format::Cri);
    stream.settings.line_bytes_max = 16;
    stream.line(&cri(
        1,
        "stdout",
        "F",
        b"0123456789abcdef0123456789abcdefxy\r",
    ));
    let found = stream.expect(&["0123456789abcdef", "0123456789abcdef", "xy"]);
    let places: Vec<_> = found
        .iter()
        .map(|found| (found.offset, found.end, found.part, found.bytes))
        .collect();
    let head = 40;
    let line = head + 35 + 1;
    let expect = [
        (0, head + 16, 1, line),
        (head + 16, head + 32, 2, 0),
        (head + 32, line, 3, 0),
    ];
    assert_eq!(places, expect);
    assert!(
        found
            .iter()
            .all(|found| found.tags == Tags::PARTIAL && found.time == 1_000_000)
    );
    assert_eq!(stream.assembler.counts().parts, 3);
}

#[test]
fn parts_of_joined_pieces_begin_where_their_piece_does() {
    let mut stream = Stream::new(Format::Cri);
    stream.settings.line_bytes_max = 16;
    let pieces = [
        cri(1, "stdout", "P", b"0123456789abcdef"),
        cri(2, "stdout", "P", b"ghijklmnopqrst"),
        cri(3, "stdout", "F", b"uvwx"),
    ];
    stream.line(&pieces[0]);
    stream.expect(&[]);
    stream.line(&pieces[1]);
    stream.expect(&["0123456789abcdef"]);
    // A replay has to begin at the line's beginning to cut it the same.
    let from = stream.assembler.pending_from();
    assert_eq!(
        from,
        Some(Position {
            started: 1,
            offset: 0
        })
    );
    stream.line(&pieces[2]);
    let found = stream.expect(&["ghijklmnopqrstuv", "wx"]);
    let [first, second, third] = pieces.map(|piece| piece.len() as u64 + 1);
    assert_eq!(
        (found[0].offset, found[0].end),
        (first, first + second + 40 + 2)
    );
    assert_eq!(
        (found[1].offset, found[1].end),
        (first + second + 42, first + second + third)
    );
}

#[test]
fn cuts_fall_between_characters() {
    let mut stream = Stream::new(Format::Text);
    stream.settings.line_bytes_max = 16;
    for lead in 0..4 {
        let text = format!("{}{}", "x".repeat(lead), "😀".repeat(9));
        stream.line(text.as_bytes());
        // Byte by byte, the same.
        for byte in text.as_bytes() {
            stream.piece(&[*byte]);
        }
        stream.line(b"");
        let found = stream.take();
        let (whole, bytes) = found.split_at(found.len() / 2);
        let texts = |found: &[Found]| {
            found
                .iter()
                .map(|found| found.message.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(whole).concat(), text);
        assert_eq!(texts(whole), texts(bytes));
        assert!(
            found
                .iter()
                .all(|found| !found.tags.contains(Tags::INVALID_UTF8))
        );
        assert!(
            found.windows(2).all(|pair| pair[0].offset < pair[1].offset),
            "{found:?}"
        );
    }
}

#[test]
fn bytes_without_characters_are_cut_at_the_limit() {
    let mut stream = Stream::new(Format::Text);
    stream.settings.line_bytes_max = 16;
    stream.line(&[0x80; 40]);
    let found = stream.take();
    let ends: Vec<_> = found.iter().map(|found| found.end).collect();
    assert_eq!(ends, [16, 32, 41]);
}

#[test]
fn a_line_without_end_lets_the_position_move_on() {
    let mut stream = Stream::new(Format::Text);
    stream.settings.line_bytes_max = 16;
    let mut moved = 0;
    for _ in 0..PARTS_MAX * 3 {
        let before = stream.assembler.pending_from();
        stream.piece(b"0123456789abcdef");
        moved += u32::from(before.is_some() && before != stream.assembler.pending_from());
        assert!(stream.assembler.memory_bytes() < 1024);
    }
    assert!(moved >= 2, "{moved}");
    stream.line(b"end");
    let parts: Vec<_> = stream.take().iter().map(|found| found.part).collect();
    assert_eq!(parts.iter().max(), Some(&(PARTS_MAX + 1)));
    assert_eq!(parts.iter().filter(|part| **part == 1).count(), 3);
}

#[test]
fn a_runtime_line_that_came_in_pieces_goes_on_after_its_newline() {
    let mut stream = Stream::new(Format::Cri);
    stream
        .piece(&cri(1, "stdout", "P", b"one "))
        .piece(b"two ")
        .line(b"three ");
    stream
        .line(&cri(2, "stderr", "F", b"other"))
        .line(&cri(2, "stdout", "F", b"four"));
    let found = stream.expect(&["other", "one two three four"]);
    assert_eq!((found[1].offset, found[1].end), (0, stream.offset));
}

#[test]
fn a_limit_too_small_for_a_character_is_not_taken_at_its_word() {
    let mut stream = Stream::new(Format::Text);
    stream.settings.line_bytes_max = 0;
    stream.line("😀😀😀😀😀".as_bytes());
    stream.expect(&["😀😀😀😀", "😀"]);
}

#[test]
fn a_raw_line_ends_with_its_file() {
    let mut stream = Stream::new(Format::Cri);
    stream.piece(&cri(1, "stdout", "F", b"torn")).rotate();
    stream.line(&cri(2, "stdout", "F", b"next"));
    let found = stream.expect(&["torn", "next"]);
    assert_eq!((found[0].tags, found[1].tags), (Tags::PARTIAL, Tags::NONE));
    // The line of the application may go on in the next file all the same.
    stream.piece(&cri(3, "stdout", "P", b"first ")).rotate();
    stream.line(&cri(4, "stdout", "F", b"second"));
    stream.expect(&["first second"]);
}
