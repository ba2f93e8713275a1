//! Lines as Docker writes them, as others might, and torn ones.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn decoded(raw: &str) -> Result<(OutputStream, bool, String, Tags), String> {
    let mut scratch = Vec::new();
    let piece = decode(raw.as_bytes(), &mut scratch)?;
    assert!(
        piece.text_at as usize + piece.text.len() < raw.len(),
        "{raw}"
    );
    let text = String::from_utf8(piece.text.to_vec()).unwrap();
    Ok((piece.output, piece.finishes, text, piece.tags))
}

#[track_caller]
fn check(raw: &str, expect: (OutputStream, bool, &str)) {
    let (output, finishes, text, tags) = decoded(raw).unwrap();
    assert_eq!((output, finishes, text.as_str()), expect, "{raw}");
    assert_eq!(tags, Tags::NONE);
}

const TIME: &str = r#""time":"2026-11-21T11:45:29.5Z""#;

#[test]
fn lines_as_docker_writes_them() {
    use OutputStream::{None, Stderr, Stdout};
    let line = |members: &str| format!("{{{members},{TIME}}}");
    check(
        &line(r#""log":"hello\n","stream":"stdout""#),
        (Stdout, true, "hello"),
    );
    check(
        &line(r#""log":"hello","stream":"stderr""#),
        (Stderr, false, "hello"),
    );
    check(&line(r#""log":"\n","stream":"stderr""#), (Stderr, true, ""));
    check(&line(r#""log":"","stream":"stderr""#), (Stderr, false, ""));
    check(
        &line(r#""log":"a\r\n","stream":"stdout""#),
        (Stdout, true, "a\r"),
    );
    check(
        &line(r#""log":"a\\n","stream":"stdout""#),
        (Stdout, false, "a\\n"),
    );
    check(
        &line(r#""log":"{\"a\":\"\u003cb\u003e\\\"\"}\t\/\b\f\n","stream":"stdout""#),
        (Stdout, true, "{\"a\":\"<b>\\\"\"}\t/\u{8}\u{c}"),
    );
    check(
        &line(r#""log":"\ud83d\ude00 ü\u000a","stream":"stdout""#),
        (Stdout, true, "😀 ü"),
    );
    check(&line(r#""log":"x\n""#), (None, true, "x"));
    let attributes = r#""log":"x\n","stream":"stdout","attrs":{"a":"b\"}","c":"d"}"#;
    check(&line(attributes), (Stdout, true, "x"));
    check(
        &line(r#""log":"x\n","stream":"stdout","attrs":{}"#),
        (Stdout, true, "x"),
    );
}

#[test]
fn other_orders_white_space_and_members_are_read_too() {
    use OutputStream::{Stderr, Stdout};
    check(
        &format!(r#"{{{TIME},"stream":"stderr","log":"x\n"}}"#),
        (Stderr, true, "x"),
    );
    check(
        &format!(r#" {{ "log" : "x\n" , "stream" : "stdout", {TIME} }} "#),
        (Stdout, true, "x"),
    );
    check(
        &format!(r#"{{"more":[{{}}],"log":"x","stream":"stdout",{TIME}}}"#),
        (Stdout, false, "x"),
    );
    check(
        &format!("{{\"log\":\"x\",\"stream\":\"stdout\",{TIME}}}\r"),
        (Stdout, false, "x"),
    );
    check(
        &format!(r#"{{"log":"x","stream":"stdout","attrs":{{"a":{{"b":1}}}},{TIME}}}"#),
        (Stdout, false, "x"),
    );
}

#[test]
fn lone_surrogates_become_the_replacement_character() {
    for inner in [
        r"\ud800",
        r"\udc00",
        r"\ud800\ud800",
        r"\ud800x",
        r"\ud800\n",
    ] {
        let raw = format!(r#"{{"log":"{inner}","stream":"stdout",{TIME}}}"#);
        let (_, _, text, tags) = decoded(&raw).unwrap();
        assert!(text.starts_with('\u{fffd}'), "{raw}");
        assert_eq!(tags, Tags::INVALID_UTF8, "{raw}");
    }
}

#[test]
fn torn_and_foreign_lines_are_refused() {
    let whole = format!(r#"{{"log":"a\u0041b\n","stream":"stdout",{TIME}}}"#);
    assert!(decoded(&whole).is_ok());
    for cut in 0..whole.len() {
        assert!(decoded(&whole[..cut]).is_err(), "{}", &whole[..cut]);
    }
    for raw in [
        "hello".to_owned(),
        "{}".to_owned(),
        format!("{{{TIME}}}"),
        r#"{"log":"x"}"#.to_owned(),
        r#"{"log":"x","time":"yesterday"}"#.to_owned(),
        format!(r#"{{"log":1,{TIME}}}"#),
        format!(r#"{{"log":"a","log":"b",{TIME}}}"#),
        format!(r#"{{"log":"\x",{TIME}}}"#),
        format!(r#"{{"log":"\u12g4",{TIME}}}"#),
        format!(r#"{{"log":"x",{TIME}}}{{"log":"y",{TIME}}}"#),
    ] {
        assert!(decoded(&raw).is_err(), "{raw}");
    }
}

proptest! {
    #[test]
    fn what_a_json_writer_wrote_is_read_back(text in ".{0,40}(\n|\"|\\\\|\u{1}|x)?", loose: bool) {
        let mut line = json!({"log": text, "stream": "stdout", "time": "2026-11-21T11:45:29Z"});
        if loose {
            line["other"] = json!([1]);
        }
        let (_, finishes, found, tags) = decoded(&line.to_string()).unwrap();
        prop_assert_eq!(finishes, text.ends_with('\n'));
        prop_assert_eq!(found, text.strip_suffix('\n').unwrap_or(&text));
        prop_assert_eq!(tags, Tags::NONE);
    }

    #[test]
    fn no_bytes_break_it(raw: Vec<u8>, inner in r#"[\\"unDd89a,:{}]{0,24}"#) {
        let mut scratch = Vec::new();
        prop_assert!(decode(&raw, &mut scratch).is_err());
        let raw = format!(r#"{{"log":"{inner}","stream":"stdout",{TIME}}}"#);
        // Whether it is a line is serde's to say, but for lone surrogates, which it refuses.
        let theirs = serde_json::from_str::<serde_json::Value>(&raw);
        let ours = decode(raw.as_bytes(), &mut scratch);
        if let (Ok(theirs), Ok(ours)) = (&theirs, &ours) {
            let log = theirs["log"].as_str().unwrap().as_bytes();
            prop_assert_eq!(ours.text, log.strip_suffix(b"\n").unwrap_or(log));
        }
        if theirs.is_ok() {
            prop_assert!(ours.is_ok(), "{}", raw);
        }
    }
}
