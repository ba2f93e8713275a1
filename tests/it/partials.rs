//! Lines in pieces: over a rotation, over a restart of ours, mixed outputs, and a last piece whose line never ends.

use std::fs;
use std::process::Stdio;

use tests::kubelet::Rotation;
use tests::line::Output;
use tests::{Loss, Node, Nodetap, until};

#[test]
fn partial_across_rotation() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(20);
    let running = tap.start();
    web.begin(
        Output::Stdout,
        "begun in one file, ended in another",
        "begun in one file, ",
    );
    running.settle_read(&web);
    web.line(Output::Stderr, "between the pieces");
    web.rotate(Rotation {
        max_files: 5,
        late_lines: 0,
    });
    web.line(Output::Stderr, "between the pieces, in the next file");
    web.piece(Output::Stdout, "ended in another", true);
    web.lines(20);
    tap.will_hold(&[&web], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
    tap.must_hold(&[&web], Loss::None);
}

#[test]
fn partial_across_rotation_and_our_own_restart() {
    for kill in [true, false] {
        let mut node = Node::new();
        // A stop does not end a container: the begun line waits for its end.
        let tap = Nodetap::on(&node);
        let mut web = node.pod("shop", "web-1", "app");
        web.lines(20);
        let running = tap.start();
        web.begin(Output::Stderr, "one two three", "one ");
        web.lines(20);
        running.settle_read(&web);
        if kill {
            running.kill();
        } else {
            running.stop();
        }
        web.rotate(Rotation {
            max_files: 5,
            late_lines: 2,
        });
        web.piece(Output::Stderr, "two ", false);
        web.rotate(Rotation {
            max_files: 5,
            late_lines: 2,
        });
        web.piece(Output::Stderr, "three", true);
        web.lines(20);
        let running = tap.start();
        tap.will_hold(&[&web], Loss::None);
        running.settle().must_have_lost_nothing();
        running.stop();
    }
}

#[test]
fn final_partial_without_full() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let running = tap.start();
    // The container prints no last newline and crashes; the next instance begins.
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(10);
    web.begin(
        Output::Stdout,
        "dying without a newline",
        "dying without a newline",
    );
    web.crash();
    web.lines(10);
    tap.will_hold(&[&web], Loss::None);
    let messages = tap.json(&["dying"]);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["tags"], serde_json::json!(["partial"]));
    // A pod is deleted.
    let mut job = node.pod("jobs", "job-1", "run");
    job.lines(10);
    job.begin(Output::Stderr, "last words", "last words");
    running.settle_read(&job);
    job.delete_pod();
    tap.will_hold(&[&web, &job], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}

#[test]
fn final_partial_at_the_end_of_a_drain() {
    let mut node = Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(10);
    web.begin(Output::Stdout, "half a line", "half a line");
    let tap = Nodetap::on(&node);
    tap.drain_all();
    tap.must_hold(&[&web], Loss::None);
}

#[test]
fn no_newline_at_the_end() {
    let mut node = Node::new();
    let mut text = node.text("/var/log/service.log");
    text.lines(10);
    text.raw(b"no newline yet", &[]);
    let tap = Nodetap::on(&node);
    let running = tap.start();
    tap.will_hold(&[&text], Loss::None);
    text.raw(
        b", now it is there\n",
        &[("no newline yet, now it is there", "")],
    );
    tap.will_hold(&[&text], Loss::None);
    text.raw(b"never ended", &[("never ended", "")]);
    running.stop();
    tap.drain_all();
    tap.must_hold(&[&text], Loss::None);
}

#[test]
fn no_newline_at_the_end_of_a_rotated_file() {
    let mut node = Node::new();
    let mut text = node.text("/var/log/service.log");
    text.lines(10);
    let tap = Nodetap::on(&node);
    let running = tap.start();
    tap.will_hold(&[&text], Loss::None);
    text.raw(
        b"the old file's last words",
        &[("the old file's last words", "")],
    );
    text.rotate_docker(5, false);
    text.lines(10);
    tap.will_hold(&[&text], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}

#[test]
fn nul_holes() {
    let mut node = Node::new();
    let mut text = node.text("/var/log/service.log");
    text.lines(10);
    let tap = Nodetap::on(&node);
    let running = tap.start();
    tap.will_hold(&[&text], Loss::None);
    // A writer without O_APPEND goes on at its old offset after a cut: a hole of NULs, then its line.
    let mut nuls = 0;
    for hole in [1, 10_000, 3 << 20] {
        let size = fs::metadata(text.live()).unwrap().len();
        let file = fs::File::options().write(true).open(text.live()).unwrap();
        file.set_len(size + hole).unwrap();
        nuls += hole;
        text.raw(b"after the hole\n", &[("after the hole", "")]);
        text.lines(10);
        tap.will_hold(&[&text], Loss::None);
    }
    let status = running.settle();
    status.must_have_lost_nothing();
    assert_eq!(status.total.filtered, nuls, "NULs are counted as filtered");
    running.stop();
}

#[test]
fn docker_pieces_of_both_outputs() {
    let mut node = Node::new();
    let mut web = node.docker("web");
    web.lines(10);
    web.begin(Output::Stdout, "one two", "one ");
    web.line(Output::Stderr, "an error between the pieces");
    web.piece(Output::Stdout, "two", true);
    web.lines(300);
    let tap = Nodetap::on(&node);
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    web.begin(Output::Stderr, "three four", "three ");
    running.settle_read(&web);
    web.rotate_docker(3, true);
    web.piece(Output::Stderr, "four", true);
    web.lines(10);
    tap.will_hold(&[&web], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}

#[test]
fn long_lines() {
    let mut node = Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    let below: String = web.text((1 << 20) - 10).chars().take(800_000).collect();
    web.say(&below);
    web.say("after the first");
    let tap = Nodetap::on(&node);
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    running.stop();

    let long = web.text(3_300_000);
    let mut other = node.pod("shop", "web-2", "app");
    other.say("before");
    other.line(Output::Stderr, &long);
    other.say("behind");
    tap.drain_all();
    let query = format!("log.stream:\"{}\"", other.stream());
    let documents = tap.json(&[&query, "--limit", "1000"]);
    let message = |n: usize| documents[n]["message"].as_str().unwrap();
    assert_eq!(message(0), "before");
    assert_eq!(message(documents.len() - 1), "behind");
    let parts = &documents[1..documents.len() - 1];
    assert!(parts.len() >= 4, "{} parts", parts.len());
    let mut joined = String::new();
    for (n, part) in parts.iter().enumerate() {
        assert_eq!(part["log"]["part"], n + 1);
        assert!(part["message"].as_str().unwrap().len() <= 1 << 20);
        joined.push_str(part["message"].as_str().unwrap());
    }
    assert!(joined == long, "the parts together are the line");
}

#[test]
fn a_reader_that_ends_early_is_no_error() {
    let mut node = Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(5000);
    let tap = Nodetap::on(&node);
    tap.drain_all();
    let mut child = tap
        .command("logs")
        .args(["--limit", "100000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let status = until("logs ends", || {
        child.try_wait().unwrap().ok_or("it runs".to_owned())
    });
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert!(said.is_empty(), "a closed pipe is a quiet end: {said}");
    assert!(status.code().is_some(), "{status}");
}
