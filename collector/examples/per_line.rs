//! What do counting and hiding cost per line? Prints nanoseconds of one core, the best of several rounds.
//!
//!     cargo run --release -p collector --example per_line

use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use collector::derive::{Derive, RawRule, RawSettings, Settings, access};
use collector::redact::{self, RawPattern, Redactor, Unfinished, builtin};
use record::{Container, Entry, Level, Origin, OutputStream, Pod, Tags, Timestamp};

const LINES: usize = 5_000;
const ROUNDS: usize = 300;

fn main() -> io::Result<()> {
    let plain: Vec<String> = (0..64).map(plain).collect();
    let ingress: Vec<String> = (0..64).map(ingress).collect();
    let combined: Vec<String> = (0..64).map(combined).collect();
    let json: Vec<String> = (0..64).map(json).collect();
    let mut out = io::stdout().lock();
    let mut say = |what: &str, nanos: f64| writeln!(out, "{what:48} {nanos:7.1} ns/line");

    say("parse: ingress-nginx", measure(&ingress, parsed))?;
    say("parse: combined", measure(&combined, parsed))?;
    say("parse: JSON", measure(&json, parsed))?;

    let rule = |pattern: &str| RawRule {
        name: "seen_total".into(),
        pattern: pattern.into(),
        namespace: Some("shop".into()),
        ..RawRule::default()
    };
    let rare = rule("lost leader election");
    let often = rule(r"took (?P<value>\d+)ms for user (?P<user>\w+)");
    say(
        "derive: levels only",
        derived(&plain, "shop", "order", None),
    )?;
    say(
        "derive: a rule that does not match",
        derived(&plain, "shop", "order", Some(rare)),
    )?;
    say(
        "derive: a rule with two groups that matches",
        derived(&plain, "shop", "order", Some(often)),
    )?;
    let controller = "ingress-nginx-controller-1";
    say(
        "derive: ingress-nginx",
        derived(&ingress, "ingress-nginx", controller, None),
    )?;
    say(
        "derive: combined",
        derived(&combined, "ingress-nginx", controller, None),
    )?;
    say(
        "derive: JSON",
        derived(&json, "ingress-nginx", controller, None),
    )?;

    let secret: Vec<String> = plain
        .iter()
        .map(|line| format!("{line} password=hunter2"))
        .collect();
    let all: Vec<&str> = builtin().map(|(name, _)| name).collect();
    say("redact: nothing chosen", redacted(&plain, &[]))?;
    for name in &all {
        say(
            &format!("redact: {name} alone, lines without"),
            redacted(&plain, &[name]),
        )?;
    }
    say(
        "redact: all built in, lines without",
        redacted(&plain, &all),
    )?;
    say(
        "redact: all built in, access lines without",
        redacted(&ingress, &all),
    )?;
    say(
        "redact: all built in, a password in each",
        redacted(&secret, &all),
    )?;
    Ok(())
}

fn parsed(line: &str) {
    black_box(access::parse(line.as_bytes()).is_ok());
}

/// The best of the rounds, in nanoseconds per line.
fn measure(lines: &[String], mut each: impl FnMut(&str)) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for number in 0..LINES {
            if let Some(line) = lines.get(number % lines.len()) {
                each(line);
            }
        }
        best = best.min(begin.elapsed().as_nanos() as f64 / LINES as f64);
    }
    best
}

fn derived(lines: &[String], namespace: &str, pod: &str, rule: Option<RawRule>) -> f64 {
    let raw = RawSettings {
        rules: rule.into_iter().collect(),
        ..RawSettings::default()
    };
    let Ok(settings) = Settings::new(&raw) else {
        return f64::NAN;
    };
    let mut derive = Derive::new(settings);
    let tap = derive.enter(&Origin {
        pod: Some(Pod {
            namespace: namespace.into(),
            name: pod.into(),
            ..Pod::default()
        }),
        container: Some(Container {
            name: "controller".into(),
            ..Container::default()
        }),
        ..Origin::default()
    });
    measure(lines, |line| derive.count(&tap, &entry(line)))
}

fn redacted(lines: &[String], names: &[&str]) -> f64 {
    let pattern = |name: &&str| RawPattern {
        name: (*name).to_owned(),
        pattern: None,
    };
    let raw: Vec<RawPattern> = names.iter().map(pattern).collect();
    let Ok(settings) = redact::Settings::new(&raw) else {
        return f64::NAN;
    };
    let mut redactor = Redactor::new(settings);
    let mut unfinished = Unfinished::default();
    measure(lines, |line| {
        black_box(redactor.redact(&mut unfinished, &entry(line)).message.len());
    })
}

fn entry(message: &str) -> Entry<'_> {
    Entry {
        time: Timestamp(1),
        output: OutputStream::Stdout,
        level: Level::Info,
        message,
        offset: 0,
        end: 1,
        end_started: 0,
        part: 0,
        tags: Tags::NONE,
        app: None,
        error: None,
    }
}

/// About 160 bytes, as an application writes them.
fn plain(number: usize) -> String {
    format!(
        "2026-11-21T10:00:{:02}.123Z INFO [worker-{number}] c.e.shop.OrderService - order 48{number:04} accepted, \
         took {}ms for user u{number}, cart has {number} items, next step is payment",
        number % 60,
        number * 7 % 100
    )
}

fn ingress(number: usize) -> String {
    let (service, status) = (
        number % 16,
        if number.is_multiple_of(9) { 404 } else { 200 },
    );
    format!(
        "203.0.113.{number} - - [21/Nov/2026:10:00:{:02} +0000] \"GET /shop/item/{number}?ref=home HTTP/2.0\" {status} {} \
         \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0\" \
         {} 0.0{:02} [shop-order{service}-80] [] 10.1.2.{number}:8080 {} 0.0{:02} {status} 3f2a91c4d5e6f708192a3b4c5d6e7f80",
        number % 60,
        600 + number,
        400 + number,
        number % 100,
        600 + number,
        number % 90
    )
}

fn combined(number: usize) -> String {
    ingress(number)
        .split(" 4")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn json(number: usize) -> String {
    format!(
        "{{\"time\":\"2026-11-21T10:00:{:02}+00:00\",\"remote_addr\":\"203.0.113.{number}\",\"status\":200,\"method\":\"GET\",\
         \"path\":\"/shop/item/{number}\",\"request_length\":441,\"bytes_sent\":612,\"request_time\":0.057,\"namespace\":\"shop\",\
         \"ingress_name\":\"front\",\"service_name\":\"order{}\",\"upstream_status\":\"200\",\"upstream_response_time\":\"0.050\",\
         \"http_user_agent\":\"Mozilla/5.0 (X11; Linux x86_64)\"}}",
        number % 60,
        number % 16
    )
}
