//! What BIRD's text means, of both generations.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::thread;

use proptest::prelude::*;

use super::*;

const STATUS: &str = include_str!("../../../../fixtures/bird/status-2.0.12.txt");
const NEW: &str = include_str!("../../../../fixtures/bird/protocols-2.0.12.txt");
const OLD: &str = include_str!("../../../../fixtures/bird/protocols-1.6.txt");

fn of<'a>(daemon: &'a Daemon, name: &str) -> Vec<&'a Channel> {
    let channels = daemon.channels.iter();
    channels.filter(|channel| channel.name == name).collect()
}

#[test]
fn channels_of_the_second_generation() {
    let daemon = parse(STATUS, NEW, "");
    assert_eq!(
        (daemon.version.as_str(), daemon.router_id.as_str()),
        ("2.0.12", "1.1.1.1")
    );
    let mesh = of(&daemon, "mesh")[0];
    assert!(mesh.up && mesh.state == "Established" && mesh.ip_version == "4");
    assert_eq!(
        (mesh.import_filter.as_str(), mesh.export_filter.as_str()),
        ("few", "(unnamed)")
    );
    assert_eq!(mesh.routes, [Some(2), None, Some(1), Some(2)]);
    assert_eq!(
        mesh.changes[0],
        [Some(3), Some(0), Some(1), Some(0), Some(2)]
    );
    assert_eq!(mesh.changes[3], [Some(0), None, None, None, Some(0)]);
    assert!(mesh.uptime.is_some_and(|uptime| uptime < 10.0), "{mesh:?}");
    let both: Vec<&str> = of(&daemon, "direct1")
        .iter()
        .map(|channel| channel.ip_version.as_str())
        .collect();
    assert_eq!(both, ["4", "6"]);
    assert!(of(&daemon, "direct1")[0].disabled);
    let gone = of(&daemon, "gone")[0];
    assert!(!gone.up && !gone.disabled && gone.state == "Active");
    assert_eq!(gone.routes, [None; 4]);
}

#[test]
fn protocols_of_the_first_generation() {
    let daemon = parse(STATUS, OLD, "4");
    assert_eq!(daemon.channels.len(), 3);
    let mesh = of(&daemon, "Mesh_10_0_0_2")[0];
    assert_eq!(mesh.routes, [Some(1), Some(2), Some(3), Some(1)]);
    assert_eq!(mesh.ip_version, "4");
    assert!(mesh.up && mesh.state == "Established");
    assert!(
        mesh.uptime
            .is_some_and(|uptime| (3.0..4.0).contains(&uptime)),
        "{mesh:?}"
    );
    let one_day = of(&daemon, "static1")[0].uptime;
    assert!(one_day.is_some_and(|uptime| uptime > 86_400.0));
    let refused = of(&daemon, "Mesh_10_0_0_3")[0];
    assert!(!refused.up && refused.state == "Connect");
}

#[test]
fn since_when() {
    let now = moment("2026-03-01 00:10:00.500").unwrap();
    for (since, wanted) in [
        ("00:09:59.500", Some(1.0)),
        ("23:59:59.500", Some(601.0)),
        ("2026-02-28 23:10:00.5", Some(3600.0)),
        ("2024-02-29 00:10:00.5", Some(731.0 * 86_400.0)),
        ("2026-03-01", Some(600.5)),
        ("Feb28", None),
        ("25:00:00", None),
        ("", None),
    ] {
        assert_eq!(uptime(since, now), wanted, "{since}");
    }
    assert_eq!(moment("1970-01-01 00:00:01"), Some(1.0));
}

/// Answers each line that it reads with the next of these replies.
fn daemon(socket: &Path, replies: Vec<String>) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for reply in replies {
            // Whoever asked may have gone already.
            drop(stream.write_all(reply.as_bytes()));
            drop(lines.next());
        }
    });
}

fn answer(replies: &[&str]) -> Result<Daemon, BirdError> {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("bird.ctl");
    daemon(
        &socket,
        replies.iter().map(|reply| (*reply).to_owned()).collect(),
    );
    ask(&socket, "", Instant::now() + Duration::from_secs(5))
}

#[test]
fn a_conversation_on_the_socket() {
    let (hello, restricted) = ("0001 BIRD 2.0.12 ready.\n", "0016 Access restricted\n");
    let told = answer(&[hello, restricted, STATUS, NEW]).unwrap();
    assert_eq!(told, parse(STATUS, NEW, ""));
    for (replies, why) in [
        (vec!["hello\n0000 \n"], "no greeting"),
        (
            vec![hello, restricted, "9001 syntax error\n"],
            "it refuses the question",
        ),
        (vec![hello], "it ends in the middle"),
    ] {
        let error = answer(&replies).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let endless = "x".repeat(REPLY_BYTES_MAX + 1);
    assert!(answer(&[&endless]).is_err_and(|error| error.to_string().contains("too long")));
}

proptest! {
    #[test]
    fn any_text_ends_without_a_panic(text in "(1002-|1006-|a BGP |---|up |2026-|[0-9]{1,4}[:-]| Channel ipv4|Routes: 1 imported|Import updates: |[ä\n]){0,60}") {
        let daemon = parse(&text, &text, "");
        prop_assert!(daemon.channels.len() <= text.lines().count());
        uptime(&text, 1e9);
    }
}
