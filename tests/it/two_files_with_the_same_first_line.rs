//! A first line proposes an identity and does not prove it.

use std::fs;

use tests::line::{Framing, Output, frame};
use tests::{Loss, Node, Nodetap, Writer};

const UID: &str = "0f0f0f0f-0000-4000-8000-000000000002";

fn cri(nanos: i64, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    frame(
        Framing::Cri,
        nanos,
        Output::Stdout,
        text.as_bytes(),
        true,
        &mut out,
    );
    out
}

fn must_hold_in_every_life(
    tap: &Nodetap,
    writers: &mut [Writer],
    mut more: impl FnMut(&mut Writer),
) {
    let running = tap.start();
    tap.will_hold(&writers.iter().collect::<Vec<_>>(), Loss::None);
    running.stop();
    writers.iter_mut().for_each(&mut more);
    let running = tap.start();
    tap.will_hold(&writers.iter().collect::<Vec<_>>(), Loss::None);
    writers.iter_mut().for_each(more);
    tap.will_hold(&writers.iter().collect::<Vec<_>>(), Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}

#[test]
fn two_containers_with_the_same_first_line() {
    let mut node = Node::new();
    let mut writers = vec![node.pod("shop", "a", "app"), node.pod("shop", "b", "app")];
    for writer in &mut writers {
        writer.raw(
            &cri(1_700_000_000_000_000_000, "started"),
            &[("started", "stdout")],
        );
    }
    must_hold_in_every_life(&Nodetap::on(&node), &mut writers, |writer| writer.lines(50));
}

#[test]
fn two_instances_of_one_container_with_the_same_first_line() {
    let mut node = Node::new();
    let mut web = node.pod("shop", "a", "app");
    let banner = cri(1_700_000_000_000_000_000, "started");
    web.raw(&banner, &[("started", "stdout")]);
    web.lines(30);
    web.crash();
    web.raw(&banner, &[("started", "stdout")]);
    web.lines(20);
    must_hold_in_every_life(&Nodetap::on(&node), &mut [web], |writer| writer.lines(50));
}

#[test]
fn two_files_of_a_volume_with_the_same_banner() {
    let mut node = Node::new();
    let mut writers = vec![
        node.volume(UID, "logs", "a.log"),
        node.volume(UID, "logs", "b.log"),
    ];
    for writer in &mut writers {
        writer.say("==== my service 1.0 ====");
    }
    must_hold_in_every_life(&Nodetap::on(&node), &mut writers, |writer| writer.lines(50));
}

#[test]
fn two_equal_files() {
    let mut node = Node::new();
    let mut writers = vec![
        node.volume(UID, "logs", "a.log"),
        node.volume(UID, "logs", "b.log"),
    ];
    for writer in &mut writers {
        for _ in 0..100 {
            writer.say("tick");
        }
    }
    must_hold_in_every_life(&Nodetap::on(&node), &mut writers, |writer| {
        writer.say("tick");
    });
}

#[test]
fn one_file_with_two_names() {
    let mut node = Node::new();
    let mut first = node.volume(UID, "logs", "a.log");
    first.lines(50);
    let mut second = node.volume(UID, "logs", "b.log");
    fs::hard_link(first.live(), second.live()).unwrap();
    // Each name is a stream of its own and has all lines.
    let text = fs::read_to_string(first.live()).unwrap();
    let lines: Vec<(&str, &'static str)> = text.lines().map(|line| (line, "")).collect();
    second.raw(b"", &lines);
    let tap = Nodetap::on(&node);
    let running = tap.start();
    tap.will_hold(&[&first, &second], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}
