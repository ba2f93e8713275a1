//! A file is copied and truncated in place, and begins with the same line again.

use tests::{Loss, Node, Nodetap, Running, Writer};

const UID: &str = "0f0f0f0f-0000-4000-8000-000000000003";
const BANNER: &str = "==== my service 1.0 ====";

struct Service {
    tap: Nodetap,
    log: Writer,
    _node: Node,
}

impl Service {
    fn new() -> Self {
        let mut node = Node::new();
        let mut log = node.volume(UID, "logs", "app.log");
        log.say(BANNER);
        log.lines(100);
        Self {
            tap: Nodetap::on(&node),
            log,
            _node: node,
        }
    }

    fn settled(&self, running: &Running) {
        self.tap.will_hold(&[&self.log], Loss::None);
        running.settle().must_have_lost_nothing();
    }
}

#[test]
fn copytruncate_to_the_same_banner() {
    let mut service = Service::new();
    let running = service.tap.start();
    service.settled(&running);
    for _ in 0..3 {
        service.log.copytruncate();
        service.log.say(BANNER);
        service.log.lines(20);
        service.settled(&running);
    }
    running.stop();
    service.tap.must_hold(&[&service.log], Loss::None);
}

#[test]
fn copytruncate_grown_beyond_the_old_size_before_we_look() {
    let mut service = Service::new();
    let running = service.tap.start();
    service.settled(&running);
    running.pause();
    service.log.copytruncate();
    service.log.say(BANNER);
    service.log.lines(400);
    running.resume();
    service.settled(&running);
    running.stop();
}

#[test]
fn copytruncate_with_unread_lines_which_are_in_the_copy() {
    let mut service = Service::new();
    let running = service.tap.start();
    service.settled(&running);
    running.pause();
    service.log.lines(200);
    service.log.copytruncate();
    service.log.say(BANNER);
    service.log.lines(20);
    running.resume();
    service.settled(&running);
    running.stop();
}

#[test]
fn copytruncate_while_down() {
    let mut service = Service::new();
    let running = service.tap.start();
    service.settled(&running);
    running.stop();
    service.log.lines(50);
    service.log.copytruncate();
    service.log.say(BANNER);
    service.log.lines(400);
    let running = service.tap.start();
    service.settled(&running);
    running.stop();
}

#[test]
fn truncated_without_a_copy() {
    let mut service = Service::new();
    let running = service.tap.start();
    service.settled(&running);
    service.log.truncate();
    service.log.say(BANNER);
    service.log.lines(20);
    service.settled(&running);
    running.stop();
}
