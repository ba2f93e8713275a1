//! Lines of real access logs, lines of hostile ones, and a slow reader that must agree.

use proptest::prelude::*;
use regex::Regex;

use super::*;

const INGRESS: &str = "203.0.113.7 - - [21/Nov/2026:10:00:01 +0100] \"POST /cart?a=b HTTP/2.0\" 200 612 \
    \"https://shop.example/\" \"Mozilla/5.0 (X11; \\x22odd\\x22)\" 441 0.057 [shop-order-80] [] \
    10.1.2.3:8080, 10.1.2.4:8080 0, 612 0.003, 0.050 502, 200 9f8e7d";
const COMBINED: &str =
    "198.51.100.2 - anna [21/Nov/2026:09:00:01 +0000] \"GET / HTTP/1.1\" 304 0 \"-\" \"curl/8.5\"";
const JSON: &str = r#"{"time": "2026-11-21T09:00:01+00:00", "remote_addr": "203.0.113.7", "x": {"status": "no", "l": ["}"]},
    "status": 200, "method": "PATCH", "path": "/a\"b", "request_length": 441, "bytes_sent": 612, "request_time": 0.057,
    "namespace": "shop", "ingress_name": "front", "service_name": "order",
    "upstream_status": "502, 200", "upstream_response_time": "0.003, -"}"#;

fn when() -> Option<Timestamp> {
    Timestamp::parse_rfc3339(b"2026-11-21T09:00:01Z")
}

#[test]
fn the_default_format_of_ingress_nginx() {
    let line = parse(INGRESS.as_bytes()).unwrap();
    let expect = Line {
        time: when(),
        method: Method::Post,
        code: 200,
        request_bytes: Some(441),
        response_bytes: Some(612),
        request_micros: Some(57_000),
        upstream_micros: Some(53_000),
        upstream_codes: Codes(b"502, 200"),
        backend: Backend::Upstream(b"shop-order-80"),
    };
    assert_eq!(line, expect);
    assert_eq!(line.upstream_codes.iter().collect::<Vec<_>>(), [502, 200]);
}

#[test]
fn an_internal_redirect_lists_groups_of_attempts() {
    let text = "1.2.3.4 - - [21/Nov/2026:09:00:01 +0000] \"GET / HTTP/1.1\" 404 9 \"-\" \"-\" 70 0.010 \
                [shop-order-80] [] [::1]:80, [::1]:81 : 10.0.0.9:8080 0, 0 : 9 0.001, - : 0.002 \
                504, 503 : 404 ab";
    let line = parse(text.as_bytes()).unwrap();
    assert_eq!(
        line.upstream_codes.iter().collect::<Vec<_>>(),
        [504, 503, 404]
    );
    assert_eq!(line.upstream_micros, Some(3000));
}

#[test]
fn older_versions_have_one_bracket_and_write_the_address_twice() {
    let text = "1.2.3.4 - [1.2.3.4] - - [21/Nov/2026:09:00:01 +0000] \"GET / HTTP/1.1\" 200 9 \"-\" \"-\" 70 0.010 \
                [shop-order-80] [::1]:80 9 0.002 200";
    let line = parse(text.as_bytes()).unwrap();
    assert_eq!(line.backend, Backend::Upstream(b"shop-order-80"));
    assert_eq!(line.upstream_micros, Some(2000));
}

#[test]
fn without_an_upstream_the_controller_answered() {
    let text = "1.2.3.4 - - [21/Nov/2026:09:00:01 +0000] \"GET / HTTP/1.1\" 308 164 \"-\" \"-\" 70 0.000 [] [] - - - - ab";
    let line = parse(text.as_bytes()).unwrap();
    assert_eq!(line.backend, Backend::Own);
    assert_eq!(line.upstream_micros, None);
    assert_eq!(line.upstream_codes.iter().count(), 0);
}

#[test]
fn combined_common_and_what_a_site_adds() {
    let line = parse(COMBINED.as_bytes()).unwrap();
    assert_eq!(
        (line.time, line.method, line.code),
        (when(), Method::Get, 304)
    );
    assert_eq!(line.response_bytes, Some(0));
    for more in [" \"10.0.0.1\"", " 0.123", " 12 34", " something [else]"] {
        assert_eq!(
            parse(format!("{COMBINED}{more}").as_bytes()).unwrap(),
            line,
            "{more}"
        );
    }
    let common = COMBINED.strip_suffix(" \"-\" \"curl/8.5\"").unwrap();
    assert_eq!(parse(common.as_bytes()).unwrap(), line);
    let apache = COMBINED.replace("GET / HTTP/1.1", "PROPFIND /a\\\"b\\\\ HTTP/1.1");
    assert_eq!(parse(apache.as_bytes()).unwrap().method, Method::Other);
    // A TLS hello on a plain port.
    let garbage = COMBINED.replace("GET / HTTP/1.1", "\\x16\\x03\\x01");
    assert_eq!(parse(garbage.as_bytes()).unwrap().method, Method::Other);
    assert_eq!(
        parse(COMBINED.replace("GET / HTTP/1.1", "").as_bytes())
            .unwrap()
            .code,
        304
    );
}

#[test]
fn a_json_line_in_its_own_words() {
    let line = parse(JSON.as_bytes()).unwrap();
    let expect = Line {
        time: when(),
        method: Method::Patch,
        code: 200,
        request_bytes: Some(441),
        response_bytes: Some(612),
        request_micros: Some(57_000),
        upstream_micros: Some(3000),
        upstream_codes: Codes(b"502, 200"),
        backend: Backend::Named {
            namespace: b"shop",
            ingress: b"front",
            service: b"order",
        },
    };
    assert_eq!(line, expect);
}

#[test]
fn json_with_holes_where_nginx_had_nothing_to_say() {
    let text = br#"{"msec": 1795251601.500, "status": 400, "request": "", "bytes_sent": , "request_time": -,
        "upstream_response_time": 0.001, 0.002, "upstream_status": -, "proxy_upstream_name": ""}"#;
    let line = parse(text).unwrap();
    assert_eq!(
        line.time,
        Timestamp::parse_rfc3339(b"2026-11-21T09:00:01.5Z")
    );
    assert_eq!(
        (line.method, line.response_bytes, line.request_micros),
        (Method::Other, None, None)
    );
    assert_eq!(line.upstream_micros, Some(3000));
    assert_eq!(line.backend, Backend::Own);
}

#[test]
fn what_is_no_request_is_refused_with_a_reason() {
    let cases: [(&str, Refusal); 12] = [
        ("", Refusal::Shape),
        ("NGINX Ingress controller", Refusal::Shape),
        ("a \"quoted\" word", Refusal::Shape),
        ("x] \"GET / HTTP/1.1\" 200 1", Refusal::Shape),
        (&COMBINED.replace("Nov", "Now"), Refusal::Time),
        (&COMBINED.replace("21/", "31/"), Refusal::Time),
        (&COMBINED.replace(" 304 ", " 30x "), Refusal::Status),
        (&COMBINED.replace(" 0 ", " 0k "), Refusal::Number),
        (&COMBINED.replace("\" 304", ""), Refusal::Shape),
        (&INGRESS.replace(" 502, 200 9f8e7d", ""), Refusal::Upstream),
        ("{\"level\":\"info\"}", Refusal::Status),
        ("{\"status\":200", Refusal::Json),
    ];
    for (line, reason) in cases {
        assert_eq!(parse(line.as_bytes()), Err(reason), "{line}");
    }
}

/// The same by expressions, for lines that are what they should be.
fn slow(line: &str) -> Option<Vec<String>> {
    let quoted = r#""((?:[^"\\]|\\.)*)""#;
    let list = r"(\S+(?:(?:, | : )\S+)*)";
    let head = format!(r"^.* \[([^\]]{{26}})\] {quoted} (\d{{3}}) (\d+|-) {quoted} {quoted}");
    let tail =
        format!(r"^ (\d+) ([\d.]+) \[([^\]]*)\](?: \[[^\]]*\])? {list} {list} {list} {list} \S+$");
    let head = Regex::new(&head).unwrap().captures(line)?;
    let mut found: Vec<String> = [2, 3, 4].iter().map(|at| head[*at].to_owned()).collect();
    if let Some(tail) = Regex::new(&tail).unwrap().captures(&line[head[0].len()..]) {
        found.extend([1, 2, 3, 6, 7].iter().map(|at| tail[*at].to_owned()));
    }
    Some(found)
}

/// A list of attempts: each text with what joins it to the next one.
fn attempts(one: &'static str) -> impl Strategy<Value = String> {
    let more = proptest::collection::vec((prop_oneof![Just(", "), Just(" : ")], one), 0..4);
    (one, more).prop_map(|(first, more)| {
        more.into_iter()
            .fold(first, |list, (join, next)| list + join + &next)
    })
}

fn micros_of(text: &str) -> u64 {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    seconds.parse::<u64>().unwrap() * 1_000_000 + format!("{fraction:0<6}").parse::<u64>().unwrap()
}

proptest! {
    #[test]
    fn a_valid_line_is_read_as_the_slow_reader_does(
        user in "[a-z ]{1,9}",
        request in r#"(GET|POST|BREW|-)( /([ -!#-\[\]-~äß]|\\\\|\\"){0,20})?( HTTP/1\.1)?"#,
        status in "[1-5][0-9]{2}",
        bytes in "([0-9]{1,9}|-)",
        agent in r#"([ -!#-\[\]-~]|\\")*"#,
        tail in proptest::option::of((
            "[0-9]{1,9}", "[0-9]{1,4}(\\.[0-9]{1,3})?", "[a-z-]{0,20}", any::<bool>(),
            attempts("[0-9.]{1,9}:80"), attempts("([0-9]{1,5}|-)"), attempts("([0-9]\\.[0-9]{3}|-)"), attempts("([2-5][0-9]{2}|-)"),
        )),
    ) {
        let mut line = format!("1.2.3.4 - {user} [21/Nov/2026:09:00:01 +0000] \"{request}\" {status} {bytes} \"-\" \"{agent}\"");
        if let Some((length, time, name, bracket, addresses, lengths, times, codes)) = &tail {
            let bracket = if *bracket { " []" } else { "" };
            line = format!("{line} {length} {time} [{name}]{bracket} {addresses} {lengths} {times} {codes} 0a1b");
        }
        let slow = slow(&line).unwrap();
        let fast = parse(line.as_bytes()).unwrap();
        prop_assert_eq!(fast.method, Method::of(slow[0].as_bytes()));
        prop_assert_eq!(fast.code.to_string(), &slow[1][..]);
        prop_assert_eq!(fast.response_bytes, slow[2].parse().ok());
        prop_assert_eq!(fast.time, when());
        if tail.is_some() {
            prop_assert_eq!(fast.request_bytes, slow[3].parse().ok());
            prop_assert_eq!(fast.request_micros, Some(micros_of(&slow[4])));
            let backend = match slow[5].as_str() { "" | "-" => Backend::Own, name => Backend::Upstream(name.as_bytes()) };
            prop_assert_eq!(fast.backend, backend);
            let numbers = Regex::new(r"[0-9.]+").unwrap();
            let times: Vec<u64> = numbers.find_iter(&slow[6]).map(|time| micros_of(time.as_str())).collect();
            prop_assert_eq!(fast.upstream_micros, (!times.is_empty()).then(|| times.iter().sum()));
            let codes: Vec<String> = numbers.find_iter(&slow[7]).map(|code| code.as_str().to_owned()).collect();
            let found: Vec<String> = fast.upstream_codes.iter().map(|code| code.to_string()).collect();
            prop_assert_eq!(found, codes);
        } else {
            prop_assert_eq!(fast.backend, Backend::Own);
        }
    }

    #[test]
    fn a_valid_json_line_is_read_as_a_json_reader_does(
        status in 100..600_u16, bytes in proptest::option::of(0..1_000_000_000_u64), time in 0..1_000_000_u64,
        path in "\\PC{0,20}", service in "[a-z-]{0,9}", extra in proptest::collection::vec("[{}\\[\\]\",:\\\\a]{0,6}", 0..4),
    ) {
        let value = serde_json::json!({
            "path": path, "more": {"list": extra}, "status": status.to_string(), "bytes_sent": bytes,
            "request_time": time as f64 / 1e3, "service_name": service, "method": "GET",
        });
        let text = value.to_string();
        let line = parse(text.as_bytes()).unwrap();
        prop_assert_eq!((line.code, line.response_bytes, line.method), (status, bytes, Method::Get));
        prop_assert_eq!(line.request_micros, Some(time * 1000));
        let service = match service.as_str() { "" | "-" => None, name => Some(name.as_bytes()) };
        let found = match line.backend { Backend::Named { service, .. } => Some(service), _ => None };
        prop_assert_eq!(found, service);
    }

    #[test]
    fn no_bytes_break_a_parser(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        for found in [text(&line), json(&line)].into_iter().flatten() {
            prop_assert!(found.code < 1000);
        }
    }

    #[test]
    fn no_damage_breaks_a_parser(which in 0..3_usize, at in 0..400_usize, put in "[\\]\\[ \",:{}\\\\0-]{0,4}", cut in 0..9_usize) {
        let line = [INGRESS, COMBINED, JSON][which].as_bytes();
        let at = at.min(line.len());
        let end = (at + cut).min(line.len());
        let damaged = [&line[..at], put.as_bytes(), &line[end..]].concat();
        if let Ok(line) = parse(&damaged) {
            prop_assert!(line.code < 1000);
        }
    }
}
