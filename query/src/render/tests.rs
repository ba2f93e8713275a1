//! What people and programs see of lines, hostile ones included.

use std::sync::Arc;

use jiff::tz::TimeZone;
use record::document::Rendered;
use record::origin::Kind;
use record::{
    Container, Document, File, FileKey, Level, Origin, OutputStream, Pod, Tags, Timestamp,
};

use super::*;
use crate::parse;

fn line(message: &str) -> Document {
    Document {
        file: Arc::new(File {
            origin: Arc::new(Origin {
                stream: "uid-1/app".into(),
                pod: Some(Pod {
                    namespace: "shop".into(),
                    name: "order-1".into(),
                    uid: "uid-1".into(),
                    ..Pod::default()
                }),
                container: Some(Container {
                    name: "app".into(),
                    ..Container::default()
                }),
                kind: Kind::Container,
            }),
            key: FileKey([0; 16]),
            fingerprint: "00".into(),
            path: "/var/log/pods/shop_order-1_uid-1/app/0.log".into(),
            started: 1,
            restart_count: None,
            node: Arc::default(),
        }),
        time: Timestamp::parse_rfc3339(b"2026-11-21T09:00:00.1234Z").unwrap(),
        output: OutputStream::Stdout,
        level: Level::Unknown,
        message: message.to_owned(),
        offset: 0,
        end: 411_900,
        end_started: 1,
        part: 0,
        tags: Tags::NONE,
        app: None,
        error: None,
    }
}

fn options(format: Format) -> Options {
    Options {
        format,
        colour: false,
        terminal: true,
        context: false,
        zone: TimeZone::fixed(jiff::tz::offset(1)),
    }
}

fn shown(options: Options, query: &str, item: &Item) -> String {
    let mut out = Vec::new();
    Renderer::new(options, &parse(query).unwrap()).write(item, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_line_is_its_local_time_its_place_and_its_message() {
    let text = shown(
        options(Format::Text),
        "*",
        &Item::Hit(line("payment failed")),
    );
    assert_eq!(
        text,
        "2026-11-21 10:00:00.123  shop/order-1/app  payment failed\n"
    );
}

#[test]
fn hits_and_their_neighbours_are_told_apart_like_grep_does() {
    let options = Options {
        context: true,
        ..options(Format::Text)
    };
    let text = [Item::Context(line("a")), Item::Hit(line("b")), Item::Break]
        .map(|item| shown(options.clone(), "*", &item))
        .concat();
    assert_eq!(
        text,
        "2026-11-21 10:00:00.123  shop/order-1/app- a\n2026-11-21 10:00:00.123  shop/order-1/app: b\n--\n"
    );
}

#[test]
fn a_gap_says_how_much_is_lost_and_why() {
    let mut gap = line("411900 bytes of this log are missing here: deleted");
    gap.tags = Tags::GAP;
    gap.error = Some("deleted".into());
    let text = shown(options(Format::Text), "*", &Item::Hit(gap));
    assert_eq!(
        text,
        "2026-11-21 10:00:00.123  shop/order-1/app  ⋯ 412 KB lost here: deleted\n"
    );
}

#[test]
fn colours_follow_level_and_place_and_the_hit_is_marked() {
    let options = Options {
        colour: true,
        ..options(Format::Text)
    };
    let mut error = line("a Timeout here");
    error.level = Level::Error;
    let text = shown(options.clone(), "timeout", &Item::Hit(error.clone()));
    assert!(
        text.contains("\u{1b}[31ma \u{1b}[1;4mTimeout\u{1b}[0m\u{1b}[31m here\u{1b}[0m\n"),
        "{text:?}"
    );
    // A neighbour is neither a hit nor bright.
    let beside = shown(options.clone(), "timeout", &Item::Context(error));
    assert!(
        beside.contains("\u{1b}[2ma Timeout here\u{1b}[0m\n"),
        "{beside:?}"
    );
    let place = |text: &str| text.split("  ").nth(1).unwrap().to_owned();
    assert_eq!(
        place(&text),
        place(&shown(options, "*", &Item::Hit(line("else"))))
    );
}

#[test]
fn without_colour_nothing_is_escaped_to_the_terminal() {
    for format in [Format::Text, Format::Raw, Format::Json] {
        let hostile = "x\u{1b}[2J\u{9b}31m\u{202e}\u{7f}\u{1b}]52;c;aGk=\u{7}";
        let text = shown(options(format), "x", &Item::Hit(line(hostile)));
        assert!(text.ends_with('\n'));
        assert!(!text.trim_end().chars().any(visible::steers), "{text:?}");
    }
}

#[test]
fn the_name_of_a_file_in_a_volume_can_not_steer_either() {
    let mut hostile = line("x");
    let mut file = (*hostile.file).clone();
    let mut origin = (*file.origin).clone();
    origin.container = None;
    file.origin = Arc::new(origin);
    file.path = "/pods/uid/volumes/x/\u{1b}[2Ja\n.log".into();
    hostile.file = Arc::new(file);
    let text = shown(options(Format::Text), "*", &Item::Hit(hostile));
    assert_eq!(
        text,
        "2026-11-21 10:00:00.123  shop/order-1/␛[2Ja\n    .log  x\n"
    );
}

#[test]
fn json_is_the_document_on_one_line() {
    let mut document = line("a\nb\u{9b}");
    document.app = Some("{\"a\":\n\t[1,\r\n2,\"\u{7f}\"]}".into());
    let mut plain = Vec::new();
    Rendered::new(&document.file).write_json(&document.record().entry, &mut plain);
    let expect: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    for terminal in [true, false] {
        let options = Options {
            terminal,
            ..options(Format::Json)
        };
        let text = shown(options, "*", &Item::Hit(document.clone()));
        assert_eq!(text.lines().count(), 1);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            expect
        );
    }
    assert_eq!(shown(options(Format::Json), "*", &Item::Break), "");
}

#[test]
fn each_file_keeps_its_own_part_of_the_json() {
    let mut renderer = Renderer::new(options(Format::Json), &Predicate::All);
    for number in 0..3 * FILES_MAX {
        let mut document = line("x");
        let mut file = (*document.file).clone();
        file.path = format!("/{number}");
        document.file = Arc::new(file);
        let mut out = Vec::new();
        renderer.write(&Item::Hit(document), &mut out);
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["log"]["file"]["path"], format!("/{number}"));
    }
}

#[test]
fn raw_is_the_message_alone_as_it_was() {
    let colourful = "\u{1b}[31ma\u{1b}[0m\nb";
    let piped = Options {
        terminal: false,
        ..options(Format::Raw)
    };
    assert_eq!(
        shown(piped, "*", &Item::Hit(line(colourful))),
        format!("{colourful}\n")
    );
    assert_eq!(
        shown(options(Format::Raw), "*", &Item::Hit(line(colourful))),
        "a\n    b\n"
    );
}

#[test]
fn amounts_have_at_most_three_digits() {
    for (count, expect) in [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (9_940, "9.9 KB"),
        (9_960, "10 KB"),
        (411_900, "412 KB"),
        (999_600, "1.0 MB"),
        (u64::MAX, "18 EB"),
    ] {
        assert_eq!(bytes(count), expect);
    }
}
