//! What each form of the language means, what is refused and where, and what holds for every text.

use proptest::prelude::*;
use store::{Comparison, Field, Test, Value};

use super::*;

fn text(needle: &str) -> Predicate {
    Predicate::Text {
        needle: needle.to_owned(),
    }
}

fn equals(field: Field, value: &str) -> Predicate {
    Predicate::Field {
        field,
        test: Test::Equals(value.to_owned()),
    }
}

fn glob(field: Field, pattern: &str) -> Predicate {
    Predicate::Field {
        field,
        test: Test::Glob(pattern.to_owned()),
    }
}

fn compare(field: Field, comparison: Comparison, value: Value) -> Predicate {
    Predicate::Field {
        field,
        test: Test::Compare(comparison, value),
    }
}

fn regex(field: Field, pattern: &str) -> Predicate {
    Predicate::Regex {
        field,
        pattern: pattern.to_owned(),
    }
}

fn not(part: Predicate) -> Predicate {
    Predicate::Not(Box::new(part))
}

#[track_caller]
fn check(query: &str, expect: &Predicate) {
    match parse(query) {
        Ok(found) => assert_eq!(&found, expect, "{query}"),
        Err(error) => panic!("{}", error.show()),
    }
}

/// The query is refused; `expect` is the line under it: carets, message and hint.
#[track_caller]
fn refused(query: &str, expect: &str) {
    let error = parse(query).expect_err(query);
    assert_eq!(error.show().to_string(), format!("{query}\n{expect}"));
}

#[test]
fn words_and_phrases_are_text_in_the_message() {
    check("timeout", &text("timeout"));
    check("\"connection  refused\"", &text("connection  refused"));
    check("message:timeout", &text("timeout"));
    check("msg:\"a b\"", &text("a b"));
    check("größe", &text("größe"));
    check("[error]", &text("[error]"));
    check("a=1&b=2|c", &text("a=1&b=2|c"));
    check(
        "foo-bar wow!",
        &Predicate::And(vec![text("foo-bar"), text("wow!")]),
    );
    check("ANDROID", &text("ANDROID"));
    check("\"AND\"", &text("AND"));
    check("and", &text("and"));
}

#[test]
fn escapes_give_signs_their_plain_meaning() {
    check(r"a\:b\(c\)", &text("a:b(c)"));
    check(r#""say \"no\" \\""#, &text("say \"no\" \\"));
    check(r#""first\n\tat""#, &text("first\n\tat"));
    check(r"\-5", &text("-5"));
    check(r"50\*", &text("50*"));
    refused(
        r"C:\temp",
        "^ there is no field C; to find it as text, quote it: \"C:\"",
    );
    refused(r"a\qb", " ^^ \\q means nothing; write \\\\ for a backslash");
    refused(
        r"a\",
        " ^ nothing follows the backslash; write \\\\ for a backslash",
    );
}

#[test]
fn nothing_and_a_star_find_everything() {
    for query in ["", "  \t", "*", "*:*", "(*)", "message:*"] {
        check(query, &Predicate::All);
    }
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    let abc = |query| {
        check(
            query,
            &Predicate::Or(vec![Predicate::And(vec![text("a"), text("b")]), text("c")]),
        );
    };
    abc("a b OR c");
    abc("a AND b OR c");
    abc("a && b || c");
    abc("(a b)OR(c)");
    abc("+a +b OR c");
    check("NOT a b", &Predicate::And(vec![not(text("a")), text("b")]));
    check(
        "-a !b",
        &Predicate::And(vec![not(text("a")), not(text("b"))]),
    );
    check(
        "a AND NOT (b OR c)",
        &Predicate::And(vec![
            text("a"),
            not(Predicate::Or(vec![text("b"), text("c")])),
        ]),
    );
    check("NOT NOT a", &not(not(text("a"))));
    check(
        "a \"b\"c",
        &Predicate::And(vec![text("a"), text("b"), text("c")]),
    );
}

#[test]
fn fields_have_short_and_long_names() {
    for name in ["ns", "namespace", "kubernetes.namespace", "Namespace"] {
        check(&format!("{name}:shop"), &equals(Field::Namespace, "shop"));
    }
    check(
        "image:registry:5000/app:v1",
        &equals(Field::Image, "registry:5000/app:v1"),
    );
    check("pod: \"order 1\"", &equals(Field::PodName, "order 1"));
    check(
        "labels.app.kubernetes.io/name:web",
        &equals(Field::Label("app.kubernetes.io/name".into()), "web"),
    );
    check(
        "app.user.id:-5",
        &equals(Field::App("user.id".into()), "-5"),
    );
    check(
        "pod:*",
        &Predicate::Field {
            field: Field::PodName,
            test: Test::Exists,
        },
    );
    check("stream:STDERR", &equals(Field::Output, "stderr"));
    check("tags:gap", &equals(Field::Tags, "gap"));
    check("message:=\"ready\"", &equals(Field::Message, "ready"));
    check(
        "ns:(shop OR -lab)",
        &Predicate::Or(vec![
            equals(Field::Namespace, "shop"),
            not(equals(Field::Namespace, "lab")),
        ]),
    );
}

#[test]
fn levels_are_equal_or_ordered() {
    check("level:error", &equals(Field::Level, "error"));
    check("level:WARNING", &equals(Field::Level, "warn"));
    check(
        "level:>=warn",
        &compare(
            Field::Level,
            Comparison::GreaterOrEqual,
            Value::Level(record::Level::Warn),
        ),
    );
    check(
        "level:> error",
        &compare(
            Field::Level,
            Comparison::Greater,
            Value::Level(record::Level::Error),
        ),
    );
    refused(
        "x level:eror",
        "        ^^^^ there is no level eror; the levels are trace, debug, info, warn, error and fatal",
    );
    refused(
        "level:unknown",
        "      ^^^^^^^ there is no level unknown; the levels are trace, debug, info, warn, error and fatal; NOT level:* finds lines without one",
    );
}

#[test]
fn numbers_times_and_text_have_an_order() {
    check(
        "restart:>=3",
        &compare(
            Field::RestartCount,
            Comparison::GreaterOrEqual,
            Value::Number(3.0),
        ),
    );
    check(
        "app.ms:<=1.5e3",
        &compare(
            Field::App("ms".into()),
            Comparison::LessOrEqual,
            Value::Number(1500.0),
        ),
    );
    check(
        "app.ms:<\"7\"",
        &compare(
            Field::App("ms".into()),
            Comparison::Less,
            Value::Text("7".into()),
        ),
    );
    check(
        "app.ms:<inf",
        &compare(
            Field::App("ms".into()),
            Comparison::Less,
            Value::Text("inf".into()),
        ),
    );
    let noon = record::Timestamp::parse_rfc3339(b"2026-11-21T12:00:00Z").unwrap();
    check(
        "@timestamp:<2026-11-21T12:00:00Z",
        &compare(Field::Time, Comparison::Less, Value::Time(noon)),
    );
    check(
        "time:\"2026-11-21 12:00\"",
        &equals(Field::Time, &noon.to_string()),
    );
    let end = |comparison, number| {
        compare(
            Field::App("ms".into()),
            comparison,
            Value::Number(f64::from(number)),
        )
    };
    check(
        "app.ms:(>5 AND (<=10 OR [20 TO *]))",
        &Predicate::And(vec![
            end(Comparison::Greater, 5),
            Predicate::Or(vec![
                end(Comparison::LessOrEqual, 10),
                end(Comparison::GreaterOrEqual, 20),
            ]),
        ]),
    );
    refused("restart:>=many", "          ^^^^ restart takes a number");
    refused(
        "tags:>gap",
        "      ^^^ there is no order among the values of tags; the tags are partial, truncated, gap, invalid_utf8, multiline and unparsed",
    );
    refused(
        "time:>15m",
        "      ^^^ time takes a time; write 2026-11-21T10:00:00Z or 2026-11-21 (UTC); for ages use --since",
    );
}

#[test]
fn ranges_include_or_exclude_their_ends() {
    let end =
        |comparison, number| compare(Field::Offset, comparison, Value::Number(f64::from(number)));
    check(
        "offset:[1 TO 9]",
        &Predicate::And(vec![
            end(Comparison::GreaterOrEqual, 1),
            end(Comparison::LessOrEqual, 9),
        ]),
    );
    check(
        "offset:{1 TO 9]",
        &Predicate::And(vec![
            end(Comparison::Greater, 1),
            end(Comparison::LessOrEqual, 9),
        ]),
    );
    check("offset:[ 1  TO * }", &end(Comparison::GreaterOrEqual, 1));
    check("offset:[* TO 9}", &end(Comparison::Less, 9));
    check(
        "offset:[* TO *]",
        &Predicate::Field {
            field: Field::Offset,
            test: Test::Exists,
        },
    );
    check(
        "time:2026-11-21",
        &parse("time:[2026-11-21 TO 2026-11-22}").unwrap(),
    );
    let form = "this is no range; write [1 TO 9], {1 TO 9} without its ends, or [1 TO *]";
    refused("offset:[1 9]", &format!("       ^ {form}"));
    refused("offset:[1 TO", &format!("       ^ {form}"));
    refused("offset:[TO 9]", &format!("       ^ {form}"));
}

#[test]
fn wildcards_fit_inside_a_message_and_cover_other_fields() {
    check("time*out", &glob(Field::Message, "*time*out*"));
    check("message:4?? ", &glob(Field::Message, "*4??*"));
    check("pod:order-*", &glob(Field::PodName, "order-*"));
    check("pod:a**b", &glob(Field::PodName, "a*b"));
    check("pod:\"order-*\"", &equals(Field::PodName, "order-*"));
    check(r"path:\/var/log/*", &glob(Field::Path, "/var/log/*"));
    check(r"pod:a\*b*", &regex(Field::PodName, r"(?s)\Aa\*b.*\z"));
    check("level:w*", &glob(Field::Level, "w*"));
    refused(
        "pod:=a*",
        "     ^^ = takes no wildcards; quote the value, or leave out the =",
    );
    refused(
        "pod:>a*",
        "     ^^ there is no order among wildcards; quote the value if it is meant so",
    );
}

#[test]
fn regular_expressions_stand_between_slashes() {
    check(
        "/time(out)? [0-9]+/",
        &regex(Field::Message, "time(out)? [0-9]+"),
    );
    check(r"/a\/b\.c/", &regex(Field::Message, r"a/b\.c"));
    check(
        "pod:/^order-/ OR x",
        &Predicate::Or(vec![regex(Field::PodName, "^order-"), text("x")]),
    );
    refused(
        "/healthz",
        "^ this regular expression is never closed; end it with /, or quote a path as \"/a/b\"",
    );
    refused(
        "GET /api/v1",
        "         ^ text stands right behind the end of a regular expression; put a space between them, or quote a path as \"/a/b\"",
    );
    refused(
        "/a(/",
        "^^^^ this regular expression can't be read: unclosed group; quote it to find it as text",
    );
    refused(
        r"/\w{500}{500}/",
        "^^^^^^^^^^^^^^ this regular expression is too large; lower its repeat counts",
    );
    let many = "/a/ ".repeat(REGEXES_MAX + 1);
    assert!(
        parse(&many)
            .unwrap_err()
            .message
            .contains("more than 16 regular expressions")
    );
}

#[test]
fn what_is_missing_is_pointed_at() {
    let end = "the query ends where a term should follow";
    let operator = "a term is missing before this operator; quote the operator to find it as text";
    refused("a AND", &format!("     ^ {end}"));
    refused("NOT", &format!("   ^ {end}"));
    refused("(a OR ", &format!("      ^ {end}"));
    refused("OR a", &format!("^^ {operator}"));
    refused("a AND OR b", &format!("      ^^ {operator}"));
    refused("a && && b", &format!("     ^^ {operator}"));
    refused(
        "(a",
        "^ this parenthesis is never closed; add a ) at the end",
    );
    refused(
        "a) b",
        " ^ this parenthesis was never opened; remove it, or quote it to find it as text",
    );
    refused("()", " ^ a term is missing before this parenthesis");
    refused(
        "\"a b",
        "^ this quotation mark is never closed; add a \" at the end",
    );
    refused("\"\"", "^^ there is nothing between the quotation marks");
    refused(
        "a - b",
        "  ^ nothing follows the -; put it right before a term, or quote it to find it as text",
    );
    refused(
        "ns:",
        "   ^ a value for ns is missing; ns:* finds what has the field at all",
    );
    refused(
        "ns:>=) ",
        "   ^^ a value for ns is missing; ns:* finds what has the field at all",
    );
    refused(
        ":a",
        "^ a field's name is missing before the colon; quote it to find it as text",
    );
}

#[test]
fn an_unknown_field_names_the_nearest_one() {
    refused(
        "levle:error",
        "^^^^^ there is no field levle; did you mean level? To find it as text, quote it: \"levle:\"",
    );
    refused(
        "a error: timeout",
        "  ^^^^^ there is no field error; to find it as text, quote it: \"error:\"",
    );
    refused(
        "stream:sdtout",
        "       ^^^^^^ stream is never \"sdtout\"; write stdout or stderr; a container's log through its restarts is log.stream",
    );
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(parse(&nested(DEPTH_MAX)), Ok(text("a")));
    for deep in [
        nested(DEPTH_MAX + 1),
        nested(7000),
        "-".repeat(16_000) + "a",
        "NOT ".repeat(4000) + "a",
    ] {
        assert!(
            parse(&deep)
                .unwrap_err()
                .message
                .contains("more than 64 levels"),
            "{deep:.20}"
        );
    }
    assert!(parse(&"a ".repeat(TERMS_MAX)).is_ok());
    let error = parse(&"a ".repeat(TERMS_MAX + 1)).unwrap_err();
    assert!(error.message.contains("more than 1024 terms"));
    let longest = "a".repeat(QUERY_BYTES_MAX);
    assert_eq!(parse(&longest), Ok(text(&longest)));
    let error = parse(&"a".repeat(QUERY_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(
        error.show().to_string(),
        "\n^ the query is longer than 16384 bytes"
    );
}

/// Every predicate that a query's text can mean.
fn predicates() -> impl Strategy<Value = Predicate> {
    leaves().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Predicate::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Predicate::Or),
            inner.prop_map(not),
        ]
    })
}

fn leaves() -> impl Strategy<Value = Predicate> {
    let any_text = || {
        prop_oneof![
            "\\PC{1,12}",
            "[-+!a-z*?:/\"\\\\()\\[\\]{} \\n\\t&|<>=]{1,12}"
        ]
    };
    let text_field = || {
        prop_oneof![
            Just(Field::PodName),
            Just(Field::Stream),
            Just(Field::Error),
            any_text().prop_map(Field::Label),
            any_text().prop_map(Field::App),
        ]
    };
    let comparison = || {
        prop::sample::select(vec![
            Comparison::Less,
            Comparison::LessOrEqual,
            Comparison::Greater,
            Comparison::GreaterOrEqual,
        ])
    };
    let level = prop::sample::select(record::Level::ALL[1..].to_vec());
    let wild = |plain: String| {
        let pattern = plain.replace('?', "") + "?*";
        let mut out = String::new();
        for char in pattern.chars() {
            if char != '*' || !out.ends_with('*') {
                out.push(char);
            }
        }
        out
    };
    prop_oneof![
        Just(Predicate::All),
        any_text().prop_map(|needle| Predicate::Text { needle }),
        any_text().prop_map(|plain| regex(Field::Message, &regex::escape(&plain))),
        (text_field(), any_text()).prop_map(|(field, plain)| equals(field, &plain)),
        any_text().prop_map(|plain| equals(Field::Message, &plain)),
        (text_field(), any_text()).prop_map(move |(field, plain)| glob(field, &wild(plain))),
        (text_field(), comparison(), any_text()).prop_map(|(field, comparison, plain)| compare(
            field,
            comparison,
            Value::Text(plain)
        )),
        (comparison(), any_text(), -1e9..1e9_f64).prop_map(|(comparison, path, number)| {
            compare(Field::App(path), comparison, Value::Number(number))
        }),
        (comparison(), any::<i64>()).prop_map(|(comparison, nanos)| {
            compare(
                Field::Time,
                comparison,
                Value::Time(record::Timestamp(nanos)),
            )
        }),
        (comparison(), level).prop_map(|(comparison, level)| compare(
            Field::Level,
            comparison,
            Value::Level(level)
        )),
        text_field().prop_map(|field| Predicate::Field {
            field,
            test: Test::Exists
        }),
    ]
}

proptest! {
    #[test]
    fn printing_and_reading_again_gives_the_same(predicate in predicates()) {
        let printed = print(&predicate);
        match parse(&printed) {
            Ok(read) => prop_assert_eq!(read, predicate, "{}", printed),
            Err(error) => prop_assert!(false, "{}", error.show()),
        }
    }

    #[test]
    fn no_text_panics_and_every_place_lies_in_the_text(
        wild in "\\PC{0,60}",
        alike in "[-+!a-c*?:/\"\\\\()\\[\\]{} &|<>=~ANDORT0-9.]{0,60}",
        tokens in prop::collection::vec(prop::sample::select(vec![
            "a", "level:", "ns:", "(", ")", "[", "]", "1", " TO ", "AND", "OR", "NOT ", "-", "\"",
            "/", " ", "\\", ">=", "*", "app.x:", "ü", "{", "}", "time:", "2026-11-21",
        ]), 0..30),
    ) {
        for query in [wild, alike, tokens.concat()] {
            match parse(&query) {
                Ok(predicate) => {
                    let printed = print(&predicate);
                    prop_assert_eq!(parse(&printed), Ok(predicate), "{:?} → {:?}", query, printed);
                }
                Err(error) => {
                    prop_assert!(query.get(error.span.clone()).is_some());
                    prop_assert_eq!(error.show().to_string().lines().count(), 2);
                }
            }
        }
    }
}
