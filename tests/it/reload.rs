//! The configuration is changed while nodetap runs: what is right takes effect, what is wrong changes nothing, no line is lost
//! or doubled on the way.

use std::fs;

use tests::cluster::{Cluster, Copies, Engine};
use tests::elasticsearch::Fake;
use tests::line::Output;
use tests::scenario::{ends_well, troubled};
use tests::{Loss, Node, Nodetap, Running, until};

/// SIGHUP, and waits until the file was read: with what came of it, 1 or 0.
fn reload(running: &Running, successful: f64) {
    let name = "nodetap_config_last_reload_success_timestamp_seconds";
    let before = running.metrics().sum(name, &[]);
    running.reload();
    until("the configuration was read again", || {
        let metrics = running.metrics();
        let found = metrics.sum("nodetap_config_last_reload_successful", &[]);
        let is_new = successful < 0.5 || metrics.sum(name, &[]) > before;
        if is_new && (found - successful).abs() < 0.5 {
            Ok(())
        } else {
            Err(format!("successful is {found}\n{}", running.log()))
        }
    });
}

#[test]
fn a_container_is_taken_once_it_is_not_excluded_any_more() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node).config("collect:\n  exclude: [{pod: web-2}]\n");
    let mut one = node.pod("shop", "web-1", "app");
    let mut two = node.pod("shop", "web-2", "app");
    one.lines(50);
    two.lines(50);
    let running = tap.start();
    running.settle();
    assert!(running.status().stream(two.stream()).is_none());
    fs::write(tap.config_file(), "collect:\n  exclude: []\n").unwrap();
    reload(&running, 1.0);
    one.lines(50);
    two.lines(50);
    tap.will_hold(&[&one, &two], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}

#[test]
fn a_wrong_file_changes_nothing_and_is_said_with_its_line() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node).config("collect:\n  exclude: [{pod: web-2}]\n");
    let mut one = node.pod("shop", "web-1", "app");
    let mut two = node.pod("shop", "web-2", "app");
    one.lines(50);
    two.lines(50);
    let running = tap.start();
    running.settle();
    fs::write(
        tap.config_file(),
        "collect:\n  exclude: []\n  rate_limit: fast\n",
    )
    .unwrap();
    reload(&running, 0.0);
    let said = running.log();
    assert!(said.contains("line 3: collect.rate_limit"), "{said}");
    let health = running.get("/healthz").unwrap();
    assert!(health.contains("line 3: collect.rate_limit"), "{health}");
    one.lines(50);
    running.settle();
    assert!(
        running.status().stream(two.stream()).is_none(),
        "it was taken all the same"
    );
    fs::write(tap.config_file(), "collect:\n  exclude: []\n").unwrap();
    reload(&running, 1.0);
    tap.will_hold(&[&one, &two], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}

#[test]
fn a_line_in_pieces_stays_one_through_a_reload() {
    let mut node = Node::new();
    let tap = Nodetap::on(&node).config("host: before\n");
    let mut web = node.pod("shop", "web-1", "app");
    web.lines(20);
    let running = tap.start();
    web.begin(
        Output::Stdout,
        "the first half and the second",
        "the first half ",
    );
    running.settle_read(&web);
    fs::write(
        tap.config_file(),
        "host: after\ncollect:\n  rate_limit: 1 MiB/s\n",
    )
    .unwrap();
    reload(&running, 1.0);
    web.piece(Output::Stdout, "and the second", true);
    web.lines(20);
    tap.will_hold(&[&web], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}

/// Nothing listens at the address until it is mended; what was read meanwhile goes to the new one.
#[test]
fn a_wrong_address_of_the_cluster_is_mended_without_a_restart() {
    let mut fake = Fake::start(Engine::Elasticsearch);
    let mut node = Node::new();
    let mut web = node.pod("shop", "web-1", "app");
    let right = fake.access().urls.remove(0);
    let tap = Nodetap::on(&node)
        .collects()
        .config("elasticsearch:\n  urls: [\"http://127.0.0.1:1\"]\n");
    web.lines(100);
    let running = tap.start();
    troubled(&running, "127.0.0.1:1");
    web.lines(100);
    let text = format!("elasticsearch:\n  urls: [\"{right}\"]\n  index_prefix: other\n");
    fs::write(tap.config_file(), text).unwrap();
    reload(&running, 1.0);
    let said = running.log();
    assert!(
        said.contains("elasticsearch.index_prefix"),
        "it is not said what needs a restart: {said}"
    );
    web.lines(100);
    running.settle_read(&web);
    ends_well(running, &mut fake, &[&web], Copies::One);
}
