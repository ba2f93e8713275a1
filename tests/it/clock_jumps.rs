//! The machine's clock goes back and forth; the order of a stream does not care.

use tests::kubelet::Rotation;
use tests::{Loss, Node, Nodetap};

const HOUR: i64 = 3_600_000_000_000;

#[test]
fn clock_jumps() {
    let mut node = Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    let tap = Nodetap::on(&node);
    web.lines(50);
    let running = tap.start();
    for shift in [-2 * HOUR, 3 * HOUR, -30 * 24 * HOUR, 0] {
        web.shift_clock(shift);
        web.lines(20);
        web.rotate(Rotation {
            max_files: 100,
            late_lines: 2,
        });
        web.lines(20);
    }
    web.say("a needle in time");
    web.lines(30);
    tap.will_hold(&[&web], Loss::None);
    running.settle().must_have_lost_nothing();
    running.kill();
    web.shift_clock(-5 * HOUR);
    web.lines(20);
    web.rotate(Rotation {
        max_files: 100,
        late_lines: 2,
    });
    let running = tap.start();
    tap.will_hold(&[&web], Loss::None);
    running.stop();
    // Lines around a hit are those that were written around it.
    let around = tap.messages(&["needle", "-C", "100"]);
    let heads: Vec<String> = around.iter().map(|text| tests::truth::head(text)).collect();
    let written: Vec<String> = web
        .truth()
        .lines()
        .iter()
        .map(|line| line.head.clone())
        .collect();
    let needle = written
        .iter()
        .position(|head| head == "a needle in time")
        .unwrap();
    let last = (needle + 101).min(written.len());
    assert_eq!(heads, written[needle - 100..last]);
}
