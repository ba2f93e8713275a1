//! Does a cluster give the answers that the embedded store gives? The same lines in both, and questions of every kind.
//!
//! Where words and parts of text differ, `docs/query.md` says so; those differences are listed here, each with how it
//! shows, so that one that went away is noticed as well.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use crate::line::Output;
use crate::{Node, Nodetap, Writer, until};

/// Questions that both answer with the same bytes.
const SAME: &[&[&str]] = &[
    &[],
    &["-o", "text"],
    &["-o", "raw"],
    &["--tail", "10"],
    &["--limit", "0"],
    &["--limit", "1"],
    &["--limit", "7", "-o", "text"],
    &["--limit", "500", "--tail", "300"],
    &["--limit", "20000"],
    &["order"],
    &["ORDER"],
    &["größe"],
    &["GRÖßE"],
    &["日本"],
    &["\"order 7 paid\""],
    &["order refused"],
    &["(paid OR refused) -15"],
    &["NOT order"],
    &["NOT (order OR ready)"],
    &["\"=>\""],
    &["*rder*"],
    &["ord?r"],
    &["pa*d"],
    &["*NullPointer*"],
    &["\\/api\\/*50?"],
    &["message:=ready"],
    &["message:=\"\""],
    &["/order [0-9]+5 /"],
    &["paid /[0-9]7/"],
    &["/^(ready|)$/"],
    &["level:error"],
    &["level:>=warn"],
    &["level:<warn"],
    &["NOT level:*"],
    &["--level", "error"],
    &["stream:stderr"],
    &["tags:multiline OR tags:partial"],
    &["NOT tags:*"],
    &["-n", "shop"],
    &["-n", "SHOP", "-n", "la*"],
    &["-p", "web-?", "-c", "app"],
    &["pod:/^WEB-[0-9]$/"],
    &["pod:>=web-8"],
    &["ns:(shop OR lab) -pod:web-7"],
    &["container:proxy"],
    &["log.stream:*\\/app"],
    &["path:*web-7*"],
    &["restart:0"],
    &["restart:[1 TO *]"],
    &["offset:[100 TO 2000}"],
    &["offset:1*"],
    &["runtime:docker OR image:busybox*"],
    &["host:*"],
    &["cluster:lab AND node:n1"],
    &["dataset:nodetap.container"],
    &["fingerprint:*"],
    &["error.message:*"],
    &["app.user.id:7"],
    &["app.user.id:>=5"],
    &["app.user.id:[2 TO 5}"],
    &["app.user.name:ANNA"],
    &["app.user.name:a*"],
    &["app.user.name:/^[ab]/"],
    &["app.user:*"],
    &["NOT app.user.id:*"],
    &["app.tags:blue"],
    &["app.ok:true -app.user.id:<8"],
    &["app.ms:>9.5"],
    &["app.none:*"],
    &["(app.ms:>9.5 AND slow) OR NOT (order OR message:=ready)"],
    &[
        "--since",
        "1960-01-01",
        "--until",
        "2200-01-01",
        "--limit",
        "40",
    ],
    &["started:>=2026-11-21"],
    &["-C", "2", "message:=ready", "-o", "text"],
    &["-C", "3", "level:error", "--limit", "5"],
    &["-C", "40", "日本", "--limit", "3", "-o", "raw"],
    &["-C", "1", "-n", "nowhere"],
];

/// Questions that a cluster answers with fewer lines, all of which the store gives too: it finds whole words.
const FEWER: &[&str] = &[
    "rder",
    "NullPointerException",
    "\"order 7 pai\"",
    "app.ms:10.5",
];

/// Questions that a cluster answers with more lines: signs between words don't count.
const MORE: &[&str] = &["\"connection refused\"", "NOT rder"];

/// Writes lines of every kind to a node.
pub fn write(node: &mut Node) -> Vec<Writer> {
    let mut web = node.pod("shop", "web-7", "app").short();
    let uid = web.uid().to_owned();
    let mut proxy = node.container("shop", "web-7", &uid, "proxy").short();
    let mut api = node.pod("lab", "web-8", "app");
    let mut docker = node.docker("box").short();
    for number in 0..60 {
        web.say(&format!("order {number} paid"));
        api.line(Output::Stderr, &format!("ERROR order {number} refused"));
        web.say(&format!(
            r#"{{"level":"warn","msg":"slow","ms":{},"user":{{"id":{},"name":"{}"}},"tags":["blue","green"],"ok":{}}}"#,
            ["9", "10.50", "1e1", "11"][number % 4],
            number % 10,
            ["Anna", "bert", "Ärmel"][number % 3],
            number % 2 == 0,
        ));
        proxy.say(["ready", "", "GET /api/v1/bills 502", "größe => 日本"][number % 4]);
        docker.say(["connection refused", "connection-refused", "ready"][number % 3]);
        // No word here is a part of another.
        for step in 0..4 {
            api.say(&format!(
                "INFO step {step} of {number} done, {{a:1}} retry=3"
            ));
        }
    }
    api.say("java.lang.NullPointerException: null");
    api.shift_clock(-90_000_000_000);
    for number in 0..20 {
        api.say(&format!("WARN late by {number} seconds"));
    }
    vec![web, proxy, api, docker]
}

/// Asks both; fails with all questions that were answered otherwise than they should be.
///
/// Both hold the lines of [`write()`], their configurations name the cluster `lab` and the node `n1` and have
/// `collect.app` set, and all that was shipped is visible.
pub fn must_agree(store: &Nodetap, cluster: &Nodetap) {
    let mut differences = Vec::new();
    for question in SAME {
        let (kept, shipped) = (ask(store, question), ask(cluster, question));
        if kept != shipped {
            differences.push(difference(question, &kept, &shipped));
        }
    }
    // Between the times of two lines, to the nanosecond.
    let (from, to) = moments(store);
    let between = format!("time:>={from} time:<{to}");
    let ranges: [&[&str]; 3] = [
        &["--since", &from, "--until", &to],
        &["--since", &to, "order", "--limit", "25"],
        &[&between],
    ];
    for question in ranges {
        let (kept, shipped) = (ask(store, question), ask(cluster, question));
        if kept != shipped || kept.is_empty() {
            differences.push(difference(question, &kept, &shipped));
        }
    }
    for text in FEWER {
        let (kept, shipped) = (ask(store, &[text]), ask(cluster, &[text]));
        if shipped.len() >= kept.len() || !is_within(&shipped, &kept) {
            differences.push(difference(&[text, "(fewer)"], &kept, &shipped));
        }
    }
    for text in MORE {
        let (kept, shipped) = (ask(store, &[text]), ask(cluster, &[text]));
        if kept.len() >= shipped.len() || !is_within(&kept, &shipped) {
            differences.push(difference(&[text, "(more)"], &kept, &shipped));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The lines of an answer as they are printed.
fn ask(tap: &Nodetap, question: &[&str]) -> Vec<String> {
    let json: &[&str] = if question.contains(&"-o") {
        &[]
    } else {
        &["-o", "json"]
    };
    let done = tap.run("logs", &[json, question].concat());
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "{question:?} ended with {}: {said}",
        done.status
    );
    String::from_utf8_lossy(&done.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The times of a line of the first third and of one of the last.
fn moments(store: &Nodetap) -> (String, String) {
    let all = store.json(&[]);
    let time = |at: usize| {
        let time = all.get(at).and_then(|line| line["@timestamp"].as_str());
        time.expect("a line with a time").to_owned()
    };
    (time(all.len() / 3), time(all.len() * 2 / 3))
}

fn is_within(some: &[String], all: &[String]) -> bool {
    let all: BTreeSet<&String> = all.iter().collect();
    some.iter().all(|line| all.contains(line))
}

fn difference(question: &[&str], kept: &[String], shipped: &[String]) -> String {
    let pairs = kept.iter().zip(shipped);
    let first = pairs.take_while(|(kept, shipped)| kept == shipped).count();
    let shown = |lines: &[String]| {
        let line = lines.get(first).map_or("nothing", String::as_str);
        line.chars().take(1000).collect::<String>()
    };
    format!(
        "{question:?}: {} lines from the store, {} from the cluster; number {first} is\n  {}\n  {}",
        kept.len(),
        shipped.len(),
        shown(kept),
        shown(shipped)
    )
}

/// Follows the cluster while `writer` writes: each line is shown once and in order.
pub fn must_follow(cluster: &Nodetap, writer: &mut Writer) {
    let shipping = cluster.start();
    let mut follow = cluster
        .command("logs")
        .args(["-f", "--tail", "0", "-o", "raw", "followed"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("follow");
    let out = follow.stdout.take().expect("a pipe");
    let (send, lines) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    let mut seen: Vec<String> = Vec::new();
    let mut knocks = 0;
    until("follow shows a first line", || {
        writer.say(&format!("followed knock {knocks}"));
        knocks += 1;
        seen.extend(lines.try_iter());
        if seen.is_empty() {
            Err("nothing".to_owned())
        } else {
            Ok(())
        }
    });
    for number in 0..200 {
        writer.say(&format!("followed {number}"));
    }
    until("follow shows the last line", || {
        seen.extend(lines.try_iter());
        match seen.last() {
            Some(last) if last == "followed 199" => Ok(()),
            last => Err(format!("{} lines, the last {last:?}", seen.len())),
        }
    });
    follow.kill().expect("end following");
    follow.wait().expect("end following");
    reader.join().expect("read what was followed");
    shipping.stop();
    let shown: Vec<&String> = seen.iter().filter(|line| !line.contains("knock")).collect();
    let written: Vec<String> = (0..200)
        .map(|number| format!("followed {number}"))
        .collect();
    assert_eq!(
        shown,
        written.iter().collect::<Vec<_>>(),
        "each once and in order"
    );
}
