//! Where do the nodes live? In network namespaces behind a switch (`room.sh`), which end with the test.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tests::Node;

use crate::component::folder;

/// A switch with nodes behind it; gone when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    process: Child,
    /// The room lives as long as this pipe.
    life: Option<ChildStdin>,
}

// === impl Room ===

impl Room {
    /// A room with these nodes, each running `nodetap up` with this configuration.
    pub(crate) fn with(nodes: &[&Node], config: &str) -> Self {
        let mut command = Command::new("unshare");
        command
            .arg("--net")
            .arg(folder().join("prometheus/room.sh"))
            .arg(tests::process::program())
            .env("NODETAP_LOG", "warn")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for node in nodes {
            fs::write(node.scratch("nodetap.yaml"), config).expect("write a configuration");
            command.arg(node.scratch(""));
        }
        let mut process = command.spawn().expect("start room.sh");
        let mut said = String::new();
        let output = process.stdout.take().expect("room.sh's output");
        BufReader::new(output)
            .read_line(&mut said)
            .expect("read what room.sh says");
        let life = process.stdin.take();
        let room = Self { process, life };
        assert_eq!(said, "ready\n", "room.sh did not get ready");
        room
    }

    /// Does something at the switch, on a thread of its own; the processes that it starts are there too.
    pub(crate) fn at_the_switch<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let network = fs::File::open(format!("/proc/{}/ns/net", self.process.id()));
        let network = network.expect("open the room's network namespace");
        let enter = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(network.as_fd(), kind).expect("enter the room");
            work()
        };
        let done = std::thread::scope(|scope| scope.spawn(enter).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.life.take());
        drop(self.process.wait());
    }
}

/// The address of the node with this number, from 1.
pub(crate) fn address(number: usize) -> String {
    format!("10.77.{number}.2:9797")
}

/// Has a node run a command, in the background.
pub(crate) fn run_on(node: &Node, command: &str) {
    let mut commands = fs::File::options()
        .write(true)
        .open(node.scratch("commands"))
        .expect("open a node's commands");
    writeln!(commands, "{command}").expect("write a command");
}

/// Whether the switch answers a node.
pub(crate) fn switch(number: usize, silent: bool) {
    let verb = if silent { "add" } else { "delete" };
    let element = format!("{{ 10.77.{number}.2 }}");
    let done = Command::new("nft")
        .args([verb, "element", "ip", "fault", "silent", &element])
        .status()
        .expect("run nft");
    assert!(done.success(), "nft {verb} element {element}: {done}");
}
