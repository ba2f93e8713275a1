//! Whoever owns a volume puts into it what it likes: nothing of that is followed, opened or hung on.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Command;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tests::{Loss, Node, Nodetap};

const UID: &str = "0f0f0f0f-0000-4000-8000-000000000001";

fn make(program: &str, arguments: &[&OsStr]) {
    let done = Command::new(program).args(arguments).status().unwrap();
    assert!(done.success(), "{program} {arguments:?}: {done}");
}

#[test]
fn hostile_volume() {
    let mut node = Node::new();
    let mut app = node.volume(UID, "logs", "app.log");
    app.lines(100);
    let volume = app.live().parent().unwrap().to_owned();
    let secret = node.path("/etc/shadow");
    fs::create_dir_all(secret.parent().unwrap()).unwrap();
    fs::write(&secret, "root:topsecret\n").unwrap();
    let outside = node.path("/srv/outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("other.log"), "topsecret of another tenant\n").unwrap();

    symlink("/etc/shadow", volume.join("absolute.log")).unwrap();
    symlink(&secret, volume.join("real.log")).unwrap();
    symlink(
        "../../../../../../../../../etc/shadow",
        volume.join("relative.log"),
    )
    .unwrap();
    symlink("/proc/self/environ", volume.join("proc.log")).unwrap();
    symlink(&outside, volume.join("directory")).unwrap();
    symlink(".", volume.join("loop")).unwrap();
    symlink("gone", volume.join("dangling.log")).unwrap();
    make("mkfifo", &[volume.join("fifo.log").as_os_str()]);
    make(
        "mknod",
        &[
            volume.join("zero.log").as_os_str(),
            "c".as_ref(),
            "1".as_ref(),
            "5".as_ref(),
        ],
    );
    fs::create_dir(volume.join("folder.log")).unwrap();
    fs::write(volume.join("folder.log/inner.log"), "inner\n").unwrap();
    fs::write(volume.join("two\nlines.log"), "newline in the name\n").unwrap();
    fs::write(volume.join("\u{1b}[31mred.log"), "escape in the name\n").unwrap();
    fs::write(
        volume.join(OsStr::from_bytes(b"not-utf8-\xff.log")),
        "no UTF-8\n",
    )
    .unwrap();
    fs::write(
        volume.join(format!("{}.log", "x".repeat(251))),
        "long name\n",
    )
    .unwrap();
    fs::write(volume.join("empty.log"), "").unwrap();
    let deep = (0..12).fold(volume.clone(), |path, n| path.join(format!("d{n}")));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("deep.log"), "deep\n").unwrap();

    // An open of the secret by anyone would be an event here.
    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&watch, &secret, WatchFlags::OPEN | WatchFlags::ACCESS).unwrap();
    inotify::add_watch(&watch, outside.join("other.log"), WatchFlags::OPEN).unwrap();

    let tap = Nodetap::on(&node);
    let running = tap.start();
    tap.will_hold(&[&app], Loss::None);
    running.settle().must_have_lost_nothing();
    for path in running.open_files() {
        let name = path.to_string_lossy();
        assert!(
            !name.contains("fifo.log") && !name.contains("zero.log"),
            "{name} was opened"
        );
    }
    // While it runs: a regular file becomes a link, a link a file.
    let mut swapped = node.volume(UID, "logs", "swapped.log");
    swapped.lines(50);
    tap.will_hold(&[&app, &swapped], Loss::None);
    fs::remove_file(swapped.live()).unwrap();
    symlink(&secret, swapped.live()).unwrap();
    app.lines(50);
    tap.will_hold(&[&app, &swapped], Loss::None);
    running.stop();

    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let opened = inotify::Reader::new(&watch, &mut buffer).next().is_ok();
    assert!(!opened, "a file behind a tenant's link was opened");
    let messages = tap.messages(&["--limit", "100000"]);
    assert!(
        !messages.iter().any(|text| text.contains("topsecret")),
        "a secret is in the store"
    );
    for text in [
        "newline in the name",
        "escape in the name",
        "long name",
        "inner",
    ] {
        assert!(messages.iter().any(|own| own == text), "{text} is missing");
    }
    assert!(tap.run("sources", &[]).status.success());
}

#[test]
fn a_huge_line_without_an_end() {
    let mut node = Node::new();
    let mut app = node.volume(UID, "logs", "app.log");
    app.say("before");
    let huge = "x".repeat(20 << 20);
    app.raw(huge.as_bytes(), &[]);
    let mut other = node.pod("shop", "web-1", "app");
    other.lines(100);
    let tap = Nodetap::on(&node);
    let running = tap.start();
    tap.will_hold(&[&other], Loss::None);
    app.raw(b"\n", &[]);
    running.settle().must_have_lost_nothing();
    assert!(
        running.anonymous_bytes() < 200 << 20,
        "memory: {}",
        running.anonymous_bytes()
    );
    running.stop();
    let stored: usize = tap
        .messages(&["--limit", "100000", "log.stream:*app.log"])
        .iter()
        .map(String::len)
        .sum();
    assert_eq!(stored, huge.len() + "before".len());
}
