//! What is a secret and what only looks like one; what stays whole around it.

use proptest::prelude::*;
use record::{Level, Tags, Timestamp};

use super::OutputStream::{Stderr, Stdout};
use super::*;

fn entry(message: &str, app: bool) -> Entry<'_> {
    Entry {
        time: Timestamp(0),
        output: Stdout,
        level: Level::Unknown,
        message,
        offset: 0,
        end: 1,
        end_started: 0,
        part: 0,
        tags: Tags::NONE,
        app: if app { parse::app_of(message) } else { None },
        error: None,
    }
}

fn redactor(names: &[&str]) -> Redactor {
    let raw: Vec<RawPattern> = names
        .iter()
        .map(|name| match name.split_once('=') {
            Some((name, pattern)) => RawPattern {
                name: name.into(),
                pattern: Some(pattern.into()),
            },
            None => RawPattern {
                name: (*name).into(),
                pattern: None,
            },
        })
        .collect();
    Redactor::new(Settings::new(&raw).unwrap())
}

/// One that knows all that is built in.
fn all() -> Redactor {
    redactor(&builtin().map(|(name, _)| name).collect::<Vec<_>>())
}

fn redacted(redactor: &mut Redactor, message: &str) -> String {
    let entry = entry(message, false);
    let out = redactor.redact(&mut Unfinished::default(), &entry);
    out.message.to_owned()
}

/// Each line with what is left of it; `*` stands for the pattern's mark.
fn check(name: &str, cases: &[(&str, &str)]) {
    let mut redactor = redactor(&[name]);
    for (line, expect) in cases {
        let expect = expect.replace('*', &format!("[redacted:{name}]"));
        assert_eq!(redacted(&mut redactor, line), expect, "{line}");
        // Another look changes nothing.
        let (again, count) = (redacted(&mut redactor, &expect), redactor.counts());
        assert_eq!(again, expect);
        assert_eq!(redacted(&mut redactor, &again), expect);
        assert_eq!(redactor.counts(), count, "counted again: {expect}");
    }
}

#[test]
fn passwords() {
    check(
        "password",
        &[
            (
                "login user=a password=hunter2 ok",
                "login user=a password=* ok",
            ),
            ("PASSWORD = \"two words\", next", "PASSWORD = \"*\", next"),
            (
                "{\"password\":\"a\\\"b\",\"x\":1}",
                "{\"password\":\"*\",\"x\":1}",
            ),
            (
                "{\\\"passwd\\\":\\\"a\\\\\\\"b\\\",\\\"x\\\":1}",
                "{\\\"passwd\\\":\\\"*\\\",\\\"x\\\":1}",
            ),
            ("Server=db;Uid=sa;Pwd=s3cret;", "Server=db;Uid=sa;Pwd=*;"),
            ("/login?password=abc&next=/", "/login?password=*&next=/"),
            ("client_secret: xyz", "client_secret: *"),
            ("AWS_SECRET_ACCESS_KEY=abc/def", "AWS_SECRET_ACCESS_KEY=*"),
            ("newPassword2 => 'x y'", "newPassword2 => '*'"),
            ("password=\"never closed", "password=\"*"),
            ("a password=1 password=2", "a password=* password=*"),
            ("password=", "password="),
            (
                "{\"password\":null,\"a\":true}",
                "{\"password\":null,\"a\":true}",
            ),
            ("wrong password for anna", "wrong password for anna"),
            ("secret \"tls\" not found", "secret \"tls\" not found"),
            ("passwörter=1", "passwörter=1"),
            ("password=grüße!", "password=*"),
        ],
    );
}

#[test]
fn tokens() {
    check(
        "bearer",
        &[
            (
                "Authorization: Bearer abc123.def-456",
                "Authorization: Bearer *",
            ),
            (
                "authorization: bearer  abcdefghijklmnopqrstuvwxyz",
                "authorization: bearer  *",
            ),
            ("bearer token expected", "bearer token expected"),
            (
                "Bearer authentication failed",
                "Bearer authentication failed",
            ),
            ("Bearer ", "Bearer "),
        ],
    );
    check(
        "jwt",
        &[
            ("t=eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl;", "t=*;"),
            ("eyJhbGciOi.eyJzdWIiOi", "*"),
            ("eyJhbGciOi.x", "eyJhbGciOi.x"),
            ("aeyJhbGciOi.eyJz", "aeyJhbGciOi.eyJz"),
            ("eyJeyJeyJ", "eyJeyJeyJ"),
        ],
    );
    check(
        "aws_access_key",
        &[
            ("id AKIAIOSFODNN7EXAMPLE used", "id * used"),
            ("ASIAIOSFODNN7EXAMPLE", "*"),
            ("AKIAIOSFODNN7EXAMPLEX", "AKIAIOSFODNN7EXAMPLEX"),
            ("XAKIAIOSFODNN7EXAMPLE", "XAKIAIOSFODNN7EXAMPLE"),
            ("AKIAiosfodnn7example", "AKIAiosfodnn7example"),
        ],
    );
}

#[test]
fn addresses() {
    check(
        "email",
        &[
            ("from anna.b+c@mail.example.org.", "from *."),
            ("<a@b.io>,c@d.io", "<*>,*"),
            ("user@localhost @home a@ @", "user@localhost @home a@ @"),
            ("getty@tty1.service started", "getty@tty1.service started"),
            ("image@sha256:0123", "image@sha256:0123"),
            ("ä@ö.de x@y.zz", "ä@ö.de *"),
        ],
    );
}

#[test]
fn card_numbers() {
    check(
        "credit_card",
        &[
            ("paid with 4111111111111111 today", "paid with * today"),
            ("4111 1111 1111 1111", "*"),
            ("card=4111-1111-1111-1111;", "card=*;"),
            ("amex 3782 822463 10005.", "amex *."),
            ("378282246310005", "*"),
            (
                "2026-11-21 10:00:00 5555555555554444",
                "2026-11-21 10:00:00 *",
            ),
            ("2026-11-21 4111111111111111 x", "2026-11-21 * x"),
            ("4111111111111112", "4111111111111112"),
            ("at 1732183200123 ms", "at 1732183200123 ms"),
            ("1732183200123456789", "1732183200123456789"),
            ("id 94111111111111111", "id 94111111111111111"),
            ("hex a4111111111111111f", "hex a4111111111111111f"),
            ("0.4111111111111111", "0.4111111111111111"),
            ("4111111111111111.25", "4111111111111111.25"),
            ("4111111111111111.", "*."),
            ("4111-1111-1111-111111111111", "4111-1111-1111-111111111111"),
        ],
    );
}

const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\nabc=\n-----END RSA PRIVATE KEY-----";

#[test]
fn private_keys() {
    check(
        "private_key",
        &[
            (&format!("key: {KEY}\nmore"), "key: *\nmore"),
            (
                &format!("{{\"k\":\"{}\"}}", KEY.replace('\n', "\\n")),
                "{\"k\":\"*\"}",
            ),
            ("x -----BEGIN PRIVATE KEY-----MIIB", "x *"),
            (
                "-----BEGIN CERTIFICATE-----MIIB",
                "-----BEGIN CERTIFICATE-----MIIB",
            ),
        ],
    );
}

#[test]
fn a_private_key_of_a_line_each_is_hidden_to_its_end() {
    let mut redactor = all();
    let mut unfinished = Unfinished::default();
    let mark = "[redacted:private_key]";
    let mut line = |output, text: &str, expect: &str| {
        let entry = Entry {
            output,
            ..entry(text, false)
        };
        assert_eq!(
            redactor.redact(&mut unfinished, &entry).message,
            expect,
            "{text}"
        );
    };
    line(Stdout, "MIIBbefore", "MIIBbefore");
    line(
        Stdout,
        "the key: -----BEGIN EC PRIVATE KEY-----",
        &format!("the key: {mark}"),
    );
    line(Stderr, "MIIBother", "MIIBother");
    line(Stdout, "Proc-Type: 4,ENCRYPTED", mark);
    line(Stdout, "", mark);
    line(Stdout, "MIIBabc+/=", mark);
    line(Stdout, "-----END EC PRIVATE KEY-----", mark);
    line(Stdout, "MIIBafter", "MIIBafter");
    line(Stdout, "-----BEGIN EC PRIVATE KEY-----", mark);
    line(
        Stdout,
        "something else came in between",
        "something else came in between",
    );
    line(Stdout, "MIIBafter", "MIIBafter");
}

#[test]
fn expressions_replace_their_group_or_all() {
    let mut redactor = redactor(&["iban=DE[0-9]{20}", "session=sid=(\\w+)", "tail=x(y*)"]);
    let out = redacted(&mut redactor, "to DE89370400440532013000, sid=abc;");
    assert_eq!(out, "to [redacted:iban], sid=[redacted:session];");
    assert_eq!(
        redacted(&mut redactor, "äx x xyy ä"),
        "äx x x[redacted:tail] ä"
    );
    let counts: Vec<u64> = redactor
        .counts()
        .into_iter()
        .map(|(_, count)| count)
        .collect();
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn more_matches_than_are_looked_for_hide_the_rest() {
    let mut redactor = redactor(&["one=1"]);
    let out = redacted(&mut redactor, &format!("{} end", "1".repeat(5000)));
    assert_eq!(out, "[redacted:one]".repeat(100));
}

#[test]
fn a_json_body_stays_one() {
    let check = |line: &str, expect: &str| {
        let mut redactor = all();
        let entry = entry(line, true);
        assert!(entry.app.is_some(), "{line}");
        let out = redactor.redact(&mut Unfinished::default(), &entry);
        assert_eq!((out.message, out.app), (expect, Some(expect)), "{line}");
    };
    check(
        r#"{"a":1,"mail":"x\nanna@b.io\u0021"}"#,
        r#"{"a":1,"mail":"x\n[redacted:email]!"}"#,
    );
    check(
        r#"{"mail":"anna\u0040b.io"}"#,
        r#"{"mail":"[redacted:email]"}"#,
    );
    check(
        r#"{"card": 4111111111111111, "n": -1.5e3}"#,
        r#"{"card": "[redacted:credit_card]", "n": -1.5e3}"#,
    );
    check(
        r#"{"user":{"passWord":12345,"x":[1]}}"#,
        r#"{"user":{"passWord":"[redacted:password]","x":[1]}}"#,
    );
    check(
        r#"{"pass\u0077ord":"a\"b"}"#,
        r#"{"pass\u0077ord":"[redacted:password]"}"#,
    );
    check(
        r#"{"password":null,"passphrase":{"hint":"x"}}"#,
        r#"{"password":null,"passphrase":{"hint":"x"}}"#,
    );
    check(
        r#"{"password":["a"],"b":"c"}"#,
        r#"{"password":["a"],"b":"c"}"#,
    );
    check(r#"{"path":"C:\\x"}"#, r#"{"path":"C:\\x"}"#);
    check(r#"{"a@b.io":1}"#, r#"{"[redacted:email]":1}"#);
}

#[test]
fn what_an_expression_makes_of_the_text_between_strings_is_no_body_any_more() {
    let mut redactor = redactor(&["ssn=\"ssn\":(\\d+)"]);
    let line = "{\"ssn\":123,\"a\":1}";
    let entry = entry(line, true);
    let out = redactor.redact(&mut Unfinished::default(), &entry);
    assert_eq!(
        (out.message, out.app),
        ("{\"ssn\":[redacted:ssn],\"a\":1}", None)
    );
}

#[test]
fn nothing_is_touched_unless_it_is_asked_for() {
    let mut redactor = redactor(&[]);
    let line = "password=x anna@b.io 4111111111111111";
    assert_eq!(redacted(&mut redactor, line), line);
    assert!(redactor.counts().is_empty());
}

#[test]
fn counts_outlive_other_settings() {
    let mut redactor = redactor(&["email", "jwt"]);
    redacted(&mut redactor, "a@b.io c@d.io");
    let raw = ["password", "jwt"].map(|name| RawPattern {
        name: name.into(),
        pattern: None,
    });
    redactor.reconfigure(Settings::new(&raw).unwrap());
    assert_eq!(
        redacted(&mut redactor, "a@b.io password=x"),
        "a@b.io password=[redacted:password]"
    );
    let counts: Vec<(String, u64)> = redactor
        .counts()
        .into_iter()
        .map(|(name, count)| (name.to_string(), count))
        .collect();
    assert_eq!(
        counts,
        [
            ("password".to_owned(), 1),
            ("jwt".to_owned(), 0),
            ("email".to_owned(), 2)
        ]
    );
}

#[test]
fn patterns_that_cannot_work_are_refused() {
    let check = |name: &str, pattern: Option<&str>, expect: &str| {
        let raw = RawPattern {
            name: name.into(),
            pattern: pattern.map(str::to_owned),
        };
        let problems = Settings::new(&[raw]).unwrap_err();
        assert!(problems[0].to_string().contains(expect), "{problems:?}");
    };
    check("emial", None, "there is none");
    check("email", Some("x"), "choose another name");
    check("Mail", Some("x"), "only lower-case");
    check("", Some("x"), "only lower-case");
    check("a", Some("("), "read the pattern");
    check("a", Some("x*"), "matches the empty text");
    let twice = ["email", "email"].map(|name| RawPattern {
        name: name.into(),
        pattern: None,
    });
    assert!(Settings::new(&twice).is_err());
}

#[test]
fn a_megabyte_of_beginnings_is_read_to_its_end() {
    // Each of them once took a look at all that follows, for each of its hundred thousand places.
    let mut redactor = all();
    let pieces = [
        "password",
        "password=",
        "pwd:\"",
        "pwd='[redacted:",
        "secret_key  ",
        "eyJ",
        "eyJa.",
        "eyJa.eyJb.",
        "a@",
        "@",
        "a.b@",
        "4111111111111111 ",
        "4 ",
        "4111-",
        "44444444444444444444 ",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY",
        "-----END ",
        "Bearer ",
        "AKIA",
        "AKIAIOSFODNN7EXAMPLE",
        "\\\"",
    ];
    for piece in pieces {
        let line = piece.repeat((1 << 20) / piece.len());
        let out = redacted(&mut redactor, &line);
        assert!(!out.contains("4111111111111111"), "{piece}");
        let body = format!("{{\"a\":{}}}", serde_json::json!(line));
        let entry = entry(&body, true);
        let out = redactor.redact(&mut Unfinished::default(), &entry);
        assert!(!out.message.contains("4111111111111111"), "{piece}");
    }
}

/// Pieces of secrets, of what surrounds them, and of JSON.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("password".to_owned()),
        Just("Bearer ".to_owned()),
        Just("eyJab.eyJcd.".to_owned()),
        Just("4111 1111 1111 1111".to_owned()),
        Just("4111111111111111".to_owned()),
        Just("a@b.io".to_owned()),
        Just("AKIAIOSFODNN7EXAMPLE".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        Just("-----END ".to_owned()),
        Just("\\u0040".to_owned()),
        Just("ä".to_owned()),
        "[=:\"'\\\\ .,\\-0-9a@{}\\[\\]]{1,3}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_line_breaks_it_and_another_look_finds_nothing_new(text in pieces()) {
        let mut redactor = all();
        let once = redacted(&mut redactor, &text);
        if once == text {
            prop_assert!(redactor.counts().iter().all(|(_, count)| *count == 0));
        }
        let twice = redacted(&mut redactor, &once);
        let mut again = redacted(&mut redactor, &twice);
        // What was cut apart by a mark can look different to a pattern of its own, but that ends.
        for _ in 0..20 {
            let next = redacted(&mut redactor, &again);
            if next == again { break }
            again = next;
        }
        prop_assert_eq!(&redacted(&mut redactor, &again), &again);
    }

    #[test]
    fn a_body_is_json_or_left_out(texts in proptest::collection::vec(pieces(), 1..4), number in any::<i64>()) {
        let value = serde_json::json!({ "a": texts, texts[0].clone(): number, "card": 4_111_111_111_111_111_u64, "password": texts[0] });
        let text = value.to_string();
        let mut redactor = all();
        let entry = entry(&text, true);
        let out = redactor.redact(&mut Unfinished::default(), &entry);
        // A number of the body is one whatever stands around it.
        prop_assert!(!out.message.contains("\"card\":4111"), "{}", out.message);
        if let Some(app) = out.app {
            let body: serde_json::Value = serde_json::from_str(app).unwrap();
            prop_assert_eq!(&body["card"], "[redacted:credit_card]");
            prop_assert_eq!(app, out.message);
        }
    }

    #[test]
    fn what_stands_alone_is_always_found(before in "[a-z ]{0,30} ", after in " [a-z ]{0,30}") {
        let mut redactor = all();
        for (secret, name) in [
            ("4111111111111111", "credit_card"), ("5555 5555 5555 4444", "credit_card"), ("x.y@z.org", "email"),
            ("eyJhbGciOi.eyJzdWIiOi.c2ln", "jwt"), ("AKIAIOSFODNN7EXAMPLE", "aws_access_key"),
        ] {
            let out = redacted(&mut redactor, &format!("{before}{secret}{after}"));
            prop_assert_eq!(out, format!("{before}[redacted:{name}]{after}"));
        }
    }
}
