//! What a person chose: rates, exclusions, where to begin, one process per state, stopping.

use std::fs;
use std::mem::MaybeUninit;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tests::{Loss, Node, Nodetap, until};

#[test]
fn rate_limit_delays() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node).config("collect:\n  rate_limit: 200 KiB/s\n");
    let mut loud = node.pod("noise", "loud", "app").short();
    let mut quiet = node.pod("shop", "quiet", "app");
    loud.fill(1_000_000);
    quiet.lines(100);
    let running = tap.start();
    until(
        "the loud one is held back while the quiet one is drained",
        || {
            let status = running.status();
            let loud = status.stream(loud.stream()).ok_or("not yet seen")?;
            let quiet = status.stream(quiet.stream()).ok_or("not yet seen")?;
            if loud.limited && !loud.drained && quiet.drained {
                Ok(())
            } else {
                Err(status.summary())
            }
        },
    );
    tap.will_hold(&[&loud, &quiet], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}

#[test]
fn what_a_rate_limit_holds_back_is_lag() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node).config("collect:\n  rate_limit: 1 KiB/s\n");
    let mut loud = node.pod("noise", "loud", "app").short();
    loud.fill(40_000);
    let running = tap.start();
    until("its allowance to be used up", || {
        let status = running.status();
        let loud = status.stream(loud.stream()).ok_or("not yet seen")?;
        loud.limited.then_some(()).ok_or_else(|| status.summary())
    });
    // It may read no more for half a minute.
    loud.fill(300_000);
    until("the lag to be shown", || {
        let status = running.status();
        let loud = status.stream(loud.stream()).ok_or("not yet seen")?;
        if loud.limited && loud.lag_bytes > 250_000 && !loud.drained {
            Ok(())
        } else {
            Err(status.summary())
        }
    });
    running.stop();
}

#[test]
fn excluded_container_never_opened() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node).config(
        "collect:\n  exclude:\n    - namespace: secret-*\n    - pod: web-*\n      container: sidecar\n",
    );
    let mut secret = node.pod("secret-stuff", "vault", "app");
    let mut web = node.pod("shop", "web-1", "app");
    let mut sidecar = node.container("shop", "web-1", web.uid(), "sidecar");
    for writer in [&mut secret, &mut web, &mut sidecar] {
        writer.lines(20);
    }
    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, secret.live(), WatchFlags::OPEN).unwrap();
    inotify::add_watch(&watch, sidecar.live(), WatchFlags::OPEN).unwrap();
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    running.settle();
    running.stop();
    let mut buffer = [MaybeUninit::uninit(); 4096];
    assert!(
        inotify::Reader::new(&watch, &mut buffer).next().is_err(),
        "it was opened"
    );
    let documents = tap.documents(&[]);
    assert_eq!(documents.keys().collect::<Vec<_>>(), [web.stream()]);
}

#[test]
fn second_instance_refused() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(20);
    let running = tap.start();
    let second = tap.run("up", &["--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&node.state().display().to_string()),
        "it names the directory: {said}"
    );
    web.lines(20);
    tap.will_hold(&[&web], Loss::None);
    assert!(running.get("/healthz").is_ok());
    running.stop();
    tap.drain_all();
}

#[test]
fn a_port_in_use_is_said() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(20);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let done = tap.run("up", &["--listen", &address]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains(&address), "{said}");
}

#[test]
fn drain_on_sigterm() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    let running = tap.start();
    for _ in 0..3 {
        web.lines(3000);
    }
    until("something is read", || {
        if running.status().total.read > 0 {
            Ok(())
        } else {
            Err("nothing".to_owned())
        }
    });
    running.stop();
    // What was stored is known as stored: the next process stores nothing twice, not even in passing.
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    let status = running.settle();
    status.must_have_lost_nothing();
    assert_eq!(
        status.total.known_lines, 0,
        "the last positions were not written at the stop"
    );
    running.stop();
    tap.must_hold(&[&web], Loss::None);
}

#[test]
fn start_policy_end() {
    let mut node = Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    let mut old = web.text(1000);
    old.push_str(" old");
    web.raw(
        format!("2026-01-01T00:00:00Z stdout F {old}\n").as_bytes(),
        &[],
    );
    let tap = Nodetap::on(&node).config("collect:\n  start: end\n");
    let running = tap.start();
    until("what is there is passed over", || {
        let status = running.status();
        if status.total.filtered > 1000 {
            Ok(())
        } else {
            Err(format!("{:?}", status.total))
        }
    });
    web.lines(20);
    let mut later = node.pod("shop", "later", "app");
    later.lines(20);
    tap.will_hold(&[&web, &later], Loss::None);
    running.settle().must_have_lost_nothing();
    running.kill();
    web.lines(20);
    later.lines(20);
    let running = tap.start();
    tap.will_hold(&[&web, &later], Loss::None);
    running.stop();
}

#[test]
fn start_policy_age() {
    let mut node = Node::new();
    let mut old = node.pod("shop", "old-1", "app");
    let mut new = node.pod("shop", "new-1", "app");
    old.raw(b"2026-01-01T00:00:00Z stdout F long ago\n", &[]);
    let days = std::time::Duration::from_hours(72);
    let file = fs::File::options().write(true).open(old.live()).unwrap();
    file.set_modified(std::time::SystemTime::now() - days)
        .unwrap();
    new.lines(20);
    let tap = Nodetap::on(&node).config("collect:\n  start: 1d\n");
    let running = tap.start();
    tap.will_hold(&[&old, &new], Loss::None);
    old.lines(20);
    tap.will_hold(&[&old, &new], Loss::None);
    let status = running.settle();
    status.must_have_lost_nothing();
    assert!(status.total.filtered > 0, "what is passed over is counted");
    running.stop();
}

#[test]
fn a_replay_groups_stack_traces_the_same() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node).config("collect:\n  multiline: java\n");
    let mut web = node.pod("shop", "web-1", "app").short();
    let mut traces = Vec::new();
    for n in 0..40 {
        let trace = [
            format!("2026-11-21 10:00:00 ERROR request {n} failed"),
            "java.lang.IllegalStateException: no".to_owned(),
            "\tat shop.Order.pay(Order.java:12)".to_owned(),
            "\tat shop.Order.main(Order.java:3)".to_owned(),
        ];
        // One moment for all of it, however slow this test is.
        let time = tests::line::go_time(web.time());
        let mut lines = String::new();
        for line in &trace {
            lines.push_str(&[&time, " stderr F ", line, "\n"].concat());
        }
        web.raw(lines.as_bytes(), &[]);
        web.raw(format!("{time} stdout F fine\n").as_bytes(), &[]);
        traces.push(trace.join("\n"));
    }
    let stored = |tap: &Nodetap| {
        let mut found = tap.messages(&["--limit", "10000"]);
        found.retain(|text| text != "fine");
        found
    };
    let running = tap.start();
    until("all traces are stored", || {
        let found = stored(&tap);
        if found == traces {
            Ok(())
        } else {
            Err(format!("{} of {}: {found:?}", found.len(), 40))
        }
    });
    running.kill();
    fs::remove_file(node.state().join("state.redb")).unwrap();
    tap.drain_all();
    assert_eq!(stored(&tap), traces, "a replay stores nothing twice");
}

#[test]
fn start_policy_end_keeps_files_that_came_while_down() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node).config("collect:\n  start: end\n");
    let running = tap.start();
    running.settle();
    running.stop();
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(50);
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    running.stop();
}

#[test]
fn until_drained_is_repeatable() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(500);
    for _ in 0..3 {
        tap.drain_all();
        tap.must_hold(&[&web], Loss::None);
        web.lines(10);
    }
    tap.drain_all();
    tap.must_hold(&[&web], Loss::None);
    assert!(
        !fs::exists(node.state().join("listen")).unwrap(),
        "nobody listens any more"
    );
}
