//! What a person asks while all this goes on.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use tests::kubelet::Rotation;
use tests::truth::head;
use tests::{Loss, Node, Nodetap, until};

#[test]
fn context_across_rotation_and_restart() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    let mut noise = node.pod("shop", "noise-1", "app");
    web.lines(30);
    noise.lines(30);
    web.rotate(Rotation {
        max_files: 9,
        late_lines: 0,
    });
    web.lines(3);
    web.say("the needle");
    web.lines(2);
    noise.lines(30);
    web.crash();
    web.lines(30);
    tap.drain_all();
    let around: Vec<String> = tap
        .messages(&["\"the needle\"", "-C", "10"])
        .iter()
        .map(|text| head(text))
        .collect();
    let written: Vec<String> = web
        .truth()
        .lines()
        .iter()
        .map(|line| line.head.clone())
        .collect();
    let needle = written
        .iter()
        .position(|head| head == "the needle")
        .unwrap();
    assert_eq!(around, written[needle - 10..=needle + 10]);
}

#[test]
fn follow_sees_new_lines() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app").short();
    web.lines(20);
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    let mut follow = tap
        .command("logs")
        .args(["-f", "--tail", "0", "-o", "raw"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (send, lines) = mpsc::channel();
    let out = follow.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        for line in BufReader::new(out).lines() {
            if send.send(line.unwrap()).is_err() {
                break;
            }
        }
    });
    // The first lines tell that it listens; what it may have missed came before it began.
    let mut seen = Vec::new();
    until("follow shows a first line", || {
        web.say(&format!("knock {}", seen.len()));
        seen.extend(lines.try_iter());
        if seen.is_empty() {
            Err("nothing".to_owned())
        } else {
            Ok(())
        }
    });
    let before = web.count();
    for _ in 0..5 {
        web.lines(40);
        web.rotate(Rotation {
            max_files: 9,
            late_lines: 3,
        });
    }
    web.say("the end");
    until("follow shows the last line", || {
        seen.extend(lines.try_iter());
        if seen.last().is_some_and(|line| line == "the end") {
            Ok(())
        } else {
            Err(format!("{} lines, the last {:?}", seen.len(), seen.last()))
        }
    });
    follow.kill().unwrap();
    follow.wait().unwrap();
    reader.join().unwrap();
    running.stop();
    let written: Vec<String> = web.truth().lines()[before..]
        .iter()
        .map(|line| line.head.clone())
        .collect();
    let shown: Vec<String> = seen[seen.len() - written.len()..]
        .iter()
        .map(|text| head(text))
        .collect();
    assert_eq!(shown, written, "each once and in order");
}

#[test]
fn logs_without_a_running_process() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(100);
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    running.kill();
    tap.must_hold(&[&web], Loss::None);
    let none = tap.json(&["-n", "elsewhere"]);
    assert!(none.is_empty());
    assert_eq!(tap.messages(&["-n", "sh*", "--limit", "7"]).len(), 7);
    let wrong = tap.run("logs", &["level:("]);
    assert_eq!(
        wrong.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&wrong.stderr)
    );
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains('^'),
        "points at the place"
    );
}

#[test]
fn sources_with_and_without_a_process() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(100);
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    running.settle();
    let metrics = running.metrics();
    assert!(metrics.has("nodetap_ledger_imbalance_bytes", &[]));
    assert!(metrics.sum("nodetap_ledger_imbalance_bytes", &[]).abs() < 0.5);
    let bytes = web.bytes() as f64;
    assert!(metrics.sum("log_bytes_total", &["state=\"acknowledged\""]) >= bytes - 0.5);
    assert!(metrics.has("log_bytes_abandoned_total", &["reason=\"deleted\""]));
    let asked = |what: &str| {
        let done = tap.run("sources", &["--json"]);
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(
            done.status.success(),
            "{what}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(json.to_string().contains(web.stream()), "{what}: {text}");
    };
    asked("asks the process");
    running.stop();
    asked("reads the state");
    let explained = tap.run(
        "explain",
        &[&web.live().display().to_string(), "--offset", "0"],
    );
    assert!(
        explained.status.success(),
        "{}",
        String::from_utf8_lossy(&explained.stderr)
    );
}
