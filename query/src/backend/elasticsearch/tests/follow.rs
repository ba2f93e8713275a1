//! Following: what arrives is given once, however late, and what was shown before is not given again.

use super::*;
use crate::backend::elasticsearch::follow::{Followed, tail};

/// Someone who follows, with a clock that the test moves.
struct Follower {
    backend: ElasticsearchBackend,
    query: Query,
    followed: Followed,
    now: Instant,
}

impl Follower {
    /// Begins with the newest two hits; gives their offsets.
    fn begin(server: &Server, text: &str) -> (Self, Vec<u64>) {
        let (backend, now) = (backend(server), Instant::now());
        let query = Query {
            tail: Some(2),
            ..asked(text)
        };
        let mut shown = Vec::new();
        let followed = tail(&backend, &query, now, &mut |item| {
            shown.extend(offset(&item));
            ControlFlow::Continue(())
        });
        let followed = followed.unwrap();
        (
            Self {
                backend,
                query,
                followed,
                now,
            },
            shown,
        )
    }

    /// What has come when so many seconds have passed.
    fn after(&mut self, seconds: u64) -> Vec<u64> {
        self.now += Duration::from_secs(seconds);
        let mut given = Vec::new();
        self.followed
            .follow(&self.backend, &self.query, self.now, &mut |item| {
                given.extend(offset(&item));
                ControlFlow::Continue(())
            })
            .unwrap();
        given
    }
}

fn offset(item: &Item) -> Option<u64> {
    match item {
        Item::Hit(document) => Some(document.offset),
        Item::Context(_) | Item::Break => None,
    }
}

/// A line of one stream at an offset, some seconds after the start.
fn line(offset: u64, seconds: i64) -> Stored {
    let mut document = documents(&[(1, 0, 3, 0)]).remove(0);
    document.offset = offset;
    document.time = Timestamp(START + seconds * SECOND);
    Stored {
        id: format!("line-{offset}"),
        ..stored(0, &document)
    }
}

fn add(server: &Server, lines: &[(u64, i64)]) {
    server.change(|state| {
        for (offset, seconds) in lines {
            state.insert(line(*offset, *seconds));
        }
    });
}

#[test]
fn new_lines_are_given_once_and_in_exact_order() {
    let server = Server::start(Vec::new());
    add(&server, &[(10, 0), (20, 1), (30, 2), (40, 3)]);
    let (mut follower, shown) = Follower::begin(&server, "*");
    assert_eq!(shown, [30, 40]);
    assert!(follower.after(1).is_empty(), "older ones are not new");
    // Out of order in time and in arrival, within one look.
    add(&server, &[(60, 5), (50, 6), (70, 4)]);
    assert_eq!(follower.after(1), [50, 60, 70]);
    for _ in 0..20 {
        assert!(follower.after(3).is_empty());
    }
}

#[test]
fn a_line_that_becomes_visible_late_is_given_late() {
    let server = Server::start(Vec::new());
    add(&server, &[(10, 0), (20, 1)]);
    server.change(|state| state.hidden.push("line-30".into()));
    add(&server, &[(30, 2), (40, 3)]);
    let (mut follower, shown) = Follower::begin(&server, "*");
    assert_eq!(shown, [20, 40]);
    server.change(|state| state.hidden.push("line-50".into()));
    add(&server, &[(50, -3600), (60, 5)]);
    assert_eq!(follower.after(1), [60]);
    server.change(|state| state.hidden.clear());
    let mut late = follower.after(6);
    late.sort_unstable();
    assert_eq!(
        late,
        [30, 50],
        "those behind the last number, from before the beginning and after"
    );
    for _ in 0..20 {
        assert!(follower.after(6).is_empty());
    }
}

#[test]
fn a_new_index_is_followed_and_a_second_copy_passed_over() {
    let server = Server::start(Vec::new());
    let (mut follower, shown) = Follower::begin(&server, "timeout");
    assert!(shown.is_empty(), "no index at all is no error");
    add(&server, &[(10, 0)]);
    assert_eq!(follower.after(6), [10]);
    server.change(|state| {
        state.insert(Stored {
            index: "nodetap-again".into(),
            ..line(10, 0)
        });
        state.insert(Stored {
            index: "nodetap-again".into(),
            ..line(20, 7200)
        });
    });
    assert_eq!(follower.after(6), [20]);
    assert!(follower.after(6).is_empty());
}

#[test]
fn what_a_check_refuses_is_not_given() {
    let server = Server::start(Vec::new());
    add(&server, &[(10, 0)]);
    let (mut follower, _) = Follower::begin(
        &server,
        "offset:>15 message:=\"connection timeout after 30s\"",
    );
    add(&server, &[(12, 1), (20, 2)]);
    assert_eq!(follower.after(1), [20]);
    let (mut follower, _) = Follower::begin(&server, "message:=ready");
    add(&server, &[(30, 1)]);
    assert!(follower.after(1).is_empty());
}

#[test]
fn a_cluster_that_is_away_for_a_while_is_waited_for() {
    let server = Server::start(Vec::new());
    add(&server, &[(10, 0)]);
    let (mut follower, _) = Follower::begin(&server, "*");
    add(&server, &[(20, 1)]);
    // More refusals than one request tries.
    server.change(|state| state.failures = vec![(500, json!({})); 1]);
    assert!(follower.after(1).is_empty());
    assert_eq!(follower.after(1), [20]);
    // For too long: then it ends.
    server.change(|state| state.failures = vec![(500, json!({})); 3]);
    assert!(follower.after(1).is_empty());
    follower.now += Duration::from_mins(3);
    let mut ignore = |_| ControlFlow::Continue(());
    let ended = follower.followed.follow(
        &follower.backend,
        &follower.query,
        follower.now,
        &mut ignore,
    );
    assert!(ended.is_err());
}

#[test]
fn looks_are_spaced_out() {
    let server = Server::start(Vec::new());
    add(&server, &[(10, 0)]);
    let (mut follower, _) = Follower::begin(&server, "*");
    follower.after(1);
    let mut before = 0;
    server.change(|state| before = state.searches);
    follower.after(0);
    server.change(|state| assert_eq!(state.searches, before));
}
