//! Lines of Docker's json-file driver.

use super::*;

fn json(second: u32, stream: &str, log: &str) -> Vec<u8> {
    let log = serde_json::Value::from(log);
    format!(r#"{{"log":{log},"stream":"{stream}","time":"2026-11-21T11:45:{second:02}Z"}}"#).into()
}

#[test]
fn pieces_of_a_long_line_share_a_time_and_are_joined_per_output() {
    let mut stream = Stream::new(Format::JsonFile);
    let full = "x".repeat(16 << 10);
    stream
        .line(&json(1, "stdout", &full))
        .line(&json(1, "stderr", "\"quoted\"\r\n"));
    stream
        .line(&json(1, "stdout", &full))
        .line(&json(1, "stdout", "end\n"));
    let whole = format!("{full}{full}end");
    let found = stream.expect(&["\"quoted\"", &whole]);
    assert_eq!(
        (found[1].offset, found[1].end, found[1].tags),
        (0, stream.offset, Tags::NONE)
    );
}

#[test]
fn last_words_are_not_joined_with_the_next_run_in_the_same_file() {
    let mut stream = Stream::new(Format::JsonFile);
    stream
        .line(&json(1, "stdout", "last words"))
        .line(&json(9, "stdout", "first line\n"));
    let found = stream.expect(&["last words", "first line"]);
    assert_eq!((found[0].tags, found[1].tags), (Tags::PARTIAL, Tags::NONE));
    assert_eq!(found[0].end, found[1].offset);
}

#[test]
fn a_full_piece_is_joined_whatever_its_time() {
    let mut stream = Stream::new(Format::JsonFile);
    let full = "x".repeat(16 << 10);
    stream
        .line(&json(1, "stdout", &full))
        .line(&json(2, "stdout", "\n"));
    stream.expect(&[&full]);
}

#[test]
fn a_torn_line_is_kept_as_it_stands() {
    let mut stream = Stream::new(Format::JsonFile);
    stream
        .line(&json(1, "stdout", "a\n"))
        .line(br#"{"log":"b\n","str"#);
    let found = stream.expect(&["a", r#"{"log":"b\n","str"#]);
    assert_eq!(
        (found[1].tags, found[1].time),
        (Tags::UNPARSED, found[0].time)
    );
}

#[test]
fn halves_of_surrogate_pairs_are_replaced_in_any_piece() {
    let mut stream = Stream::new(Format::JsonFile);
    let time = r#""time":"2026-11-21T11:45:01Z""#;
    stream.line(format!(r#"{{"log":"a","stream":"stdout",{time}}}"#).as_bytes());
    stream.line(format!(r#"{{"log":"\ud800\n","stream":"stdout",{time}}}"#).as_bytes());
    assert_eq!(stream.expect(&["a\u{fffd}"])[0].tags, Tags::INVALID_UTF8);
}

#[test]
fn a_line_without_an_end_is_cut_but_not_lost() {
    let mut stream = Stream::new(Format::JsonFile);
    stream.settings.line_bytes_max = 16;
    stream
        .line(&json(1, "stdout", "a\n"))
        .piece(b"{\"log\":\"0123456")
        .line(b"789\"}");
    let found = stream.expect(&["a", "{\"log\":\"01234567", "89\"}"]);
    let tags = Tags::UNPARSED.with(Tags::PARTIAL);
    assert_eq!((found[1].tags, found[1].part), (tags, 1));
    assert_eq!((found[2].tags, found[2].part), (tags, 2));
}
