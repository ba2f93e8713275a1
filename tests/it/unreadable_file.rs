//! nodetap may not read a file: the others go on, and it is taken as soon as it may be read.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use tests::{Loss, Node, Nodetap, until};

#[test]
fn unreadable_file() {
    let mut node = Node::new();
    let mut open = node.pod("shop", "web-1", "app");
    let mut closed = node.pod("shop", "secret-1", "app");
    open.lines(100);
    closed.lines(100);
    fs::set_permissions(closed.live(), Permissions::from_mode(0o600)).unwrap();
    // Rights that change are no event; the slow look at everything finds them.
    let tap = Nodetap::on(&node)
        .unprivileged()
        .config("discover:\n  rescan: 2s\n");
    let running = tap.start();
    tap.will_hold(&[&open], Loss::None);
    let trouble = until("the unreadable file is named", || {
        let status = running.status();
        let stream = status
            .stream(closed.stream())
            .ok_or("the stream is not listed")?;
        let troubles: Vec<_> = stream
            .files
            .iter()
            .filter_map(|file| file.trouble.clone())
            .collect();
        troubles.first().cloned().ok_or(format!("{stream:?}"))
    });
    assert!(trouble.to_lowercase().contains("permission"), "{trouble}");
    assert!(!tap.documents(&[]).contains_key(closed.stream()));
    running.status().must_balance();
    fs::set_permissions(closed.live(), Permissions::from_mode(0o644)).unwrap();
    open.lines(10);
    closed.lines(10);
    tap.will_hold(&[&open, &closed], Loss::None);
    running.settle().must_have_lost_nothing();
    running.stop();
}
