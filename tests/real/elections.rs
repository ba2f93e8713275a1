//! Real members of etcd elect a leader, and another one when it stands still: each election is counted once.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tests::Nodetap;

use crate::component::prepare;
use crate::stopwatch::{Stopwatch, within};

const PATIENCE: Duration = Duration::from_mins(1);

const MEMBERS: usize = 3;

/// One member, whose lines go to a pod's log as a runtime writes them.
struct Member {
    process: Child,
    lines: Option<JoinHandle<()>>,
}

impl Member {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("signal a member of etcd");
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(self.lines.take().map(JoinHandle::join));
    }
}

#[test]
fn an_election_of_etcd_is_counted_by_who_won_and_who_lost() {
    let mut watch = Stopwatch::start("elections");
    let home = tempfile::tempdir().expect("make a home");
    let members = start(home.path());
    let nodetap = Nodetap::at(&home.path().join("root"), home.path());
    let running = nodetap.start();
    let counted = |won: f64, lost: f64| {
        let metrics = running.metrics();
        let count = |result: &str| {
            let labels = ["component=\"etcd\"", result];
            metrics.sum("control_plane_leader_elections_total", &labels)
        };
        let found = (count("result=\"won\""), count("result=\"lost\""));
        if found == (won, lost) {
            Ok(())
        } else {
            Err(format!("won and lost: {found:?}; {}", nodetap.log()))
        }
    };
    within(PATIENCE, "one member wins the first election", || {
        counted(1.0, 0.0)
    });
    watch.did("saw the first leader");
    let logs = || (0..MEMBERS).map(|member| log(&home.path().join("root"), member));
    let leader = logs()
        .position(|log| {
            let text = fs::read_to_string(log).expect("read a member's log");
            text.contains("became leader at term")
        })
        .expect("one of them leads");
    members[leader].signal(Signal::STOP);
    within(PATIENCE, "another one wins", || counted(2.0, 0.0));
    members[leader].signal(Signal::CONT);
    within(PATIENCE, "the old leader finds that it lost", || {
        counted(2.0, 1.0)
    });
    watch.did("saw the second leader, and the first one's loss");
    running.stop();
}

/// Where the lines of a member go.
fn log(root: &Path, member: usize) -> std::path::PathBuf {
    let pod = format!("kube-system_etcd-node-{member}_{member:032x}");
    root.join("var/log/pods").join(pod).join("etcd/0.log")
}

fn start(home: &Path) -> Vec<Member> {
    let etcd = prepare("control-plane").join("etcd");
    // Held until all are chosen, freed at once: etcd must know its peers' ports before it starts.
    let held: Vec<TcpListener> = (0..2 * MEMBERS)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("find a free port"))
        .collect();
    let url = |at: usize| {
        let address = held[at].local_addr().expect("ask for a port");
        format!("http://{address}")
    };
    let urls: Vec<(String, String)> = (0..MEMBERS)
        .map(|member| (url(member), url(MEMBERS + member)))
        .collect();
    drop(held);
    let all: Vec<String> = urls
        .iter()
        .enumerate()
        .map(|(member, (peer, _))| format!("m{member}={peer}"))
        .collect();
    urls.iter()
        .enumerate()
        .map(|(member, (peer, client))| {
            let mut command = Command::new(&etcd);
            command
                .arg(format!("--name=m{member}"))
                .arg(format!(
                    "--data-dir={}",
                    home.join(format!("m{member}")).display()
                ))
                .args([
                    format!("--listen-peer-urls={peer}"),
                    format!("--initial-advertise-peer-urls={peer}"),
                ])
                .args([
                    format!("--listen-client-urls={client}"),
                    format!("--advertise-client-urls={client}"),
                ])
                .arg(format!("--initial-cluster={}", all.join(",")))
                // JSON is the default since 3.5.
                .arg("--logger=zap")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped());
            follow(command, &log(&home.join("root"), member))
        })
        .collect()
}

/// Starts a member and writes its lines down in the runtime's format.
fn follow(mut command: Command, log: &Path) -> Member {
    fs::create_dir_all(log.parent().expect("a log is in a directory"))
        .expect("make a log directory");
    let mut log = File::create(log).expect("make a log");
    let mut process = command.spawn().expect("start etcd");
    let lines = BufReader::new(process.stderr.take().expect("etcd's errors are a pipe")).lines();
    let lines = thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .expect("a clock after 1970");
            let time = record::Timestamp(now.as_nanos() as i64);
            writeln!(log, "{time} stderr F {line}").expect("write a line");
        }
    });
    Member {
        process,
        lines: Some(lines),
    }
}
