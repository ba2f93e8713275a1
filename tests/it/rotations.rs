//! Rotation as the kubelet, Docker and others do it, seen live and after a stop.

use std::fs;

use tests::kubelet::{Rotation, compress};
use tests::{Loss, Node, Nodetap, until};

#[test]
fn write_after_rename() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(50);
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    for _ in 0..3 {
        web.rename_live();
        web.lines(50);
        tap.will_hold(&[&web], Loss::None);
        web.lines(5);
        web.reopen();
        web.lines(50);
        tap.will_hold(&[&web], Loss::None);
    }
    running.settle().must_have_lost_nothing();
    running.stop();
}

#[test]
fn write_after_rename_while_we_stand_still() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(50);
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    running.pause();
    for _ in 0..4 {
        web.lines(100);
        web.rotate(Rotation {
            max_files: 6,
            late_lines: 40,
        });
    }
    running.resume();
    tap.will_hold(&[&web], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}

#[test]
fn gz_resume() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(300);
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    running.stop();
    let before = tap.documents(&[]);
    // The rest of the file is only to be found in its compressed form.
    web.lines(300);
    web.rotate(Rotation {
        max_files: 10,
        late_lines: 7,
    });
    web.rotate(Rotation {
        max_files: 10,
        late_lines: 0,
    });
    assert!(web.rotated()[0].to_string_lossy().ends_with(".gz"));
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    let status = running.settle();
    status.must_have_lost_nothing();
    running.stop();
    let after = tap.documents(&[]);
    let (old, new) = (&before[web.stream()], &after[web.stream()]);
    assert_eq!(
        old[..],
        new[..old.len()],
        "what was stored before is as it was"
    );
    assert_eq!(
        new[old.len()].started,
        old[0].started,
        "one text, one start, plain or compressed"
    );
}

#[test]
fn gz_that_is_damaged() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app").short();
    web.fill(300_000);
    web.rotate(Rotation {
        max_files: 10,
        late_lines: 0,
    });
    web.lines(50);
    web.rotate(Rotation {
        max_files: 10,
        late_lines: 0,
    });
    web.lines(50);
    let gz = web.rotated()[0].clone();
    let bytes = fs::read(&gz).unwrap();
    fs::write(&gz, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(tap.drain(), 1, "a drain that gave something up says so");
    let running = tap.start();
    let status = running.settle();
    status.must_balance();
    running.stop();
    let report = tap.holds(&[&web], Loss::None).unwrap_err();
    assert!(
        !report.contains("doubled") && !report.contains("never written"),
        "{report}"
    );
    assert!(
        !report.contains("missing (file 1)") && !report.contains("missing (file 2)"),
        "{report}"
    );
    assert!(!tap.gaps().is_empty(), "the lost half is a gap");
}

#[test]
fn gz_with_the_plain_file_still_there() {
    // The kubelet died between the rename of X.gz and the removal of X.
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(100);
    web.rotate(Rotation {
        max_files: 10,
        late_lines: 2,
    });
    web.lines(100);
    let plain = web.rotated()[0].clone();
    let copy = fs::read(&plain).unwrap();
    compress(&plain);
    fs::write(&plain, copy).unwrap();
    fs::write(plain.with_extension("gz.tmp"), b"half written").unwrap();
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    fs::remove_file(&plain).unwrap();
    web.lines(10);
    tap.will_hold(&[&web], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
    let running = tap.start();
    running.settle();
    running.stop();
    tap.must_hold(&[&web], Loss::None);
}

#[test]
fn inode_reuse() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    let mut text = node.text("/var/log/service.log");
    for writer in [&mut web, &mut text] {
        writer.lines(100);
    }
    let running = tap.start();
    tap.will_hold(&[&web, &text], Loss::None);
    running.stop();
    // ext4 gives a freed inode to the next file; the new one is longer than the old one's position.
    for writer in [&mut web, &mut text] {
        writer.close();
        fs::remove_file(writer.live()).unwrap();
        writer.lines(300);
    }
    let running = tap.start();
    tap.will_hold(&[&web, &text], Loss::None);
    running.settle().must_have_lost_nothing();
    // Again while it runs.
    for writer in [&mut web, &mut text] {
        writer.close();
        fs::remove_file(writer.live()).unwrap();
        writer.lines(600);
    }
    tap.will_hold(&[&web, &text], Loss::None);
    running.stop();
}

#[test]
fn docker_rotation() {
    for compressed in [false, true] {
        let mut node = Node::new();
        let tap = Nodetap::on(&node);
        let mut web = node.docker("web");
        web.lines(100);
        let running = tap.start();
        tap.will_hold(&[&web], Loss::None);
        for _ in 0..6 {
            web.lines(50);
            running.settle_read(&web);
            web.rotate_docker(4, compressed);
        }
        web.lines(50);
        tap.will_hold(&[&web], Loss::None);
        running.settle().must_have_lost_nothing();
        running.stop();
        for _ in 0..2 {
            web.lines(50);
            web.rotate_docker(6, compressed);
        }
        web.lines(10);
        let running = tap.start();
        tap.will_hold(&[&web], Loss::None);
        running.settle().must_have_lost_nothing();
        running.stop();
        let names = tap.json(&["--limit", "1"]);
        assert_eq!(names[0]["container"]["name"], "web");
        assert_eq!(names[0]["container"]["image"]["name"], "busybox:1");
    }
}

#[test]
fn docker_container_removed() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let running = tap.start();
    let mut web = node.docker("web");
    web.lines(20);
    tap.will_hold(&[&web], Loss::None);
    running.pause();
    web.lines(1000);
    web.remove_container();
    running.resume();
    tap.will_hold(&[&web], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}

#[test]
fn crash_loop() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    let running = tap.start();
    for _ in 0..10 {
        web.lines(30);
        // The kubelet's back-off leaves far more time than this.
        running.settle_read(&web);
        web.crash();
    }
    web.lines(5);
    tap.will_hold(&[&web], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
    let counts = tap.json(&["--limit", "1000"]);
    let last = counts.last().unwrap();
    assert_eq!(last["kubernetes"]["container"]["restart_count"], 10);
}

#[test]
fn logrotate_of_host_logs() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut syslog = node.text("/var/log/syslog");
    syslog.lines(50);
    let running = tap.start();
    tap.will_hold(&[&syslog], Loss::None);
    for _ in 0..3 {
        syslog.lines(50);
        syslog.rotate_docker(5, true);
        syslog.lines(10);
        tap.will_hold(&[&syslog], Loss::None);
    }
    running.stop();
    syslog.lines(50);
    syslog.rotate_docker(5, true);
    syslog.lines(50);
    let running = tap.start();
    tap.will_hold(&[&syslog], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}

#[test]
fn leftover_of_a_crashed_compression_is_no_log() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node);
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(10);
    let folder = web.live().parent().unwrap().to_owned();
    fs::write(
        folder.join("0.log.20261121-000000.gz.tmp"),
        b"\x1f\x8b half",
    )
    .unwrap();
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    until("it is not listed", || {
        let status = running.status();
        let paths: Vec<_> = status
            .streams
            .iter()
            .flat_map(|stream| stream.files.iter().map(|file| file.path.clone()))
            .filter(|path| path.to_ascii_lowercase().ends_with(".tmp"))
            .collect();
        if paths.is_empty() {
            Ok(())
        } else {
            Err(format!("{paths:?}"))
        }
    });
    running.stop();
}
