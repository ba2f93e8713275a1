//! Does a person get from files to answers? One small node, and every subcommand as it would be typed.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const POD: &str = "var/log/pods/shop_order-1_11111111-2222-3333-4444-555555555555/app";
const PATIENCE: Duration = Duration::from_mins(1);

/// A root directory with one pod, and a state directory beside it.
struct Node {
    directory: tempfile::TempDir,
}

/// A running `up`, killed when the test ends early.
struct Running {
    child: Child,
    address: String,
}

// === impl Node ===

impl Node {
    fn new() -> Self {
        let node = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(node.root().join(POD)).unwrap();
        let lines: String = (0..100).map(line).collect();
        fs::write(node.log(), lines).unwrap();
        node
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    fn log(&self) -> PathBuf {
        self.root().join(POD).join("0.log")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodetap"));
        command
            .args(arguments)
            .arg("--root")
            .arg(self.root())
            .arg("--state")
            .arg(self.state());
        command.env("TZ", "UTC").env("NO_COLOR", "1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed and gives its stdout.
    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn drain(&self) {
        self.text(&["up", "--until-drained", "--listen", "127.0.0.1:0"]);
    }

    fn start(&self) -> Running {
        let mut child = self
            .command(&["up", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let listen = self.state().join("listen");
        let address = wait("the address is written", || {
            assert_eq!(child.try_wait().unwrap(), None, "up ended");
            fs::read_to_string(&listen)
                .ok()
                .map(|text| text.trim().to_owned())
        });
        Running { child, address }
    }

    fn append(&self, text: &str) {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(self.log())
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

// === impl Running ===

impl Running {
    fn get(&self, path: &str) -> String {
        get(TcpStream::connect(&self.address).unwrap(), path)
    }

    /// SIGTERM, and the exit code.
    fn stop(mut self) -> Option<i32> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn get(mut connection: TcpStream, path: &str) -> String {
    write!(connection, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    text
}

fn line(number: u32) -> String {
    let level = if number.is_multiple_of(50) {
        "error"
    } else {
        "info"
    };
    format!(
        "2026-11-21T10:{:02}:{:02}.000000000Z stdout F level={level} line {number}\n",
        number / 60,
        number % 60
    )
}

/// Polls until there is a value; fails when patience is over.
fn wait<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn parquet_files(directory: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            count += parquet_files(&entry.path());
        } else if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            count += 1;
        }
    }
    count
}

#[test]
fn what_was_drained_is_found_with_its_neighbours() {
    let node = Node::new();
    node.drain();
    assert_eq!(
        node.text(&["logs", "level:error", "-n", "sh*", "-C", "1"]),
        "2026-11-21 10:00:00.000  shop/order-1/app: level=error line 0\n\
         2026-11-21 10:00:01.000  shop/order-1/app- level=info line 1\n\
         --\n\
         2026-11-21 10:00:49.000  shop/order-1/app- level=info line 49\n\
         2026-11-21 10:00:50.000  shop/order-1/app: level=error line 50\n\
         2026-11-21 10:00:51.000  shop/order-1/app- level=info line 51\n"
    );
    assert_eq!(
        node.text(&["logs", "-o", "raw", "--tail", "1"]),
        "level=info line 99\n"
    );
    assert_eq!(node.text(&["logs", "-n", "other"]), "");
    assert_eq!(parquet_files(&node.state().join("store")), 1);
    node.drain();
    assert_eq!(
        node.text(&["logs", "-o", "json"]).lines().count(),
        100,
        "a second run doubled lines"
    );
}

#[test]
fn a_line_is_explained_by_the_document_that_is_stored() {
    let node = Node::new();
    let fresh = node.text(&["explain", &format!("/{POD}/0.log")]);
    assert!(fresh.contains("position     not read yet\n"), "{fresh}");
    node.drain();
    let explained = node.text(&["explain", node.log().to_str().unwrap(), "--offset", "70"]);
    assert!(
        explained.contains("by the state; no nodetap runs"),
        "{explained}"
    );
    let stored = node.text(&["logs", "-o", "json", "\"line 1\"", "--limit", "100"]);
    let stored = stored
        .lines()
        .find(|line| line.contains("line 1\""))
        .unwrap();
    assert_eq!(explained.lines().last(), Some(stored));
    let output = node.run(&["explain", "/etc/passwd"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn sources_are_listed_whether_it_runs_or_not() {
    let node = Node::new();
    assert_eq!(
        node.text(&["sources", "--json"]),
        "{\"running\":false,\"streams\":[]}\n"
    );
    node.drain();
    let at_rest = node.text(&["sources"]);
    assert!(at_rest.contains("shop       order-1  app"), "{at_rest}");
    assert!(at_rest.contains("no nodetap runs on"), "{at_rest}");
    node.append(&line(100));
    let behind = node.text(&["sources", "--json"]);
    assert!(behind.contains("\"drained\":false"), "{behind}");
    let running = node.start();
    wait("the new line is kept", || {
        node.text(&["sources", "--json"])
            .contains("\"drained\":true,\"limited\"")
            .then_some(())
    });
    let text = node.text(&["sources"]);
    assert!(
        text.contains("/var/log/pods               kubelet's convention  yes"),
        "{text}"
    );
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_second_one_on_the_same_state_is_refused_and_leaves_the_first_alone() {
    let node = Node::new();
    let running = node.start();
    let address = running.address.clone();
    let second = node.run(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&second.stderr);
    assert!(
        errors.contains("is in use by another nodetap (process "),
        "{errors}"
    );
    assert_eq!(
        fs::read_to_string(node.state().join("listen"))
            .unwrap()
            .trim(),
        address
    );
    assert!(running.get("/healthz").ends_with("ok\n"));
    assert_eq!(running.stop(), Some(0));
    assert!(!node.state().join("listen").exists());
}

#[test]
fn a_follower_sees_a_new_line_and_ends_with_its_reader() {
    let node = Node::new();
    let running = node.start();
    wait("the first lines are kept", || {
        let status = running.get("/api/status");
        (status.contains("\"lines\":100,") && status.contains("\"drained\":true,\"turned"))
            .then_some(())
    });
    let mut follower = node
        .command(&["logs", "-f", "-o", "raw", "--tail", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = std::io::BufReader::new(follower.stdout.take().unwrap());
    let mut read = String::new();
    BufRead::read_line(&mut stdout, &mut read).unwrap();
    node.append(&line(100));
    BufRead::read_line(&mut stdout, &mut read).unwrap();
    assert_eq!(read, "level=info line 99\nlevel=error line 100\n");
    drop(stdout);
    assert_eq!(follower.wait().unwrap().code(), Some(0));
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn an_address_that_is_taken_is_said_and_nothing_is_left_behind() {
    let node = Node::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = node.run(&["up", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains(&format!("listen on {address}: Address already in use")),
        "{errors}"
    );
    assert!(!node.state().join("listen").exists());
    node.drain();
}

#[test]
fn check_fails_where_nothing_can_be_collected_and_says_how_to_mend_it() {
    let node = Node::new();
    let well = node.text(&["check"]);
    assert!(well.contains("ok    found: 1 log file in "), "{well}");
    assert!(well.lines().all(|line| !line.starts_with("fail")), "{well}");
    fs::write(
        node.directory.path().join("state"),
        "a file where a directory should be",
    )
    .unwrap();
    let output = node.run(&["check"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("fail  state directory "), "{text}");
    assert!(
        text.contains("      → run as root, or give a directory of your own with --state\n"),
        "{text}"
    );
}

#[test]
fn what_holds_is_shown_with_where_it_is_from_and_without_secrets() {
    let node = Node::new();
    let file = node.directory.path().join("nodetap.yaml");
    fs::write(
        &file,
        "elasticsearch:\n  user: me\n  password: ${SECRET_OF_TEST}\n  timeout: ${TIMEOUT_OF_TEST:-9s}\n",
    )
    .unwrap();
    let mut command = node.command(&["config", "show", "--elasticsearch", "http://es:1"]);
    let output = command
        .arg("--config")
        .arg(&file)
        .env("SECRET_OF_TEST", "hush-hush")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for expect in [
        "  urls: [http://es:1]  # of the command line\n",
        "  user: me\n",
        "  # password: …  (set, and not shown)\n",
        "  timeout: 9s\n",
        "  gzip: 1  # by default\n",
    ] {
        assert!(text.contains(expect), "{expect}\n{text}");
    }
    assert!(!text.contains("hush-hush"), "{text}");
}

#[test]
fn scrapers_have_an_address_of_their_own() {
    let node = Node::new();
    let any = "127.0.0.1:0";
    let mut child = node
        .command(&["up", "--listen", any, "--listen-metrics", any])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let line =
        said.find_map(|line| Some(line.unwrap().strip_prefix("  metrics  http://")?.to_owned()));
    let address = line.unwrap().strip_suffix("/metrics").unwrap().to_owned();
    // Killed when it is dropped.
    let running = Running { child, address };
    assert!(running.get("/").starts_with("HTTP/1.0 404 "));
    let metrics = wait("lines are counted", || {
        let text = running.get("/metrics");
        text.contains("log_messages_total{").then_some(text)
    });
    for expect in [
        "\nnodetap_build_info{",
        "\nlog_messages_total{container=\"app\",level=\"error\",namespace=\"shop\",pod=\"order-1\"} ",
        "\nnodetap_probe_success{probe=\"conntrack\"} ",
    ] {
        assert!(metrics.contains(expect), "{expect}\n{metrics}");
    }
    // No JVM runs on the made-up node.
    let agents = running.get("/sd/jvm");
    assert!(agents.ends_with("\r\n\r\n[]"), "{agents}");
    let types = metrics.lines().filter(|line| line.starts_with("# TYPE "));
    let mut names: Vec<&str> = types.filter_map(|line| line.split(' ').nth(2)).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a family is there twice");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_password_keeps_others_out_and_our_own_commands_in() {
    let node = Node::new();
    let file = node.directory.path().join("web.yml");
    // Of `open sesame`, by the C library (crypt(3)).
    let hash = "$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW";
    fs::write(&file, format!("basic_auth_users:\n  prometheus: {hash}\n")).unwrap();
    let any = "127.0.0.1:0";
    for subcommand in ["up", "collect"] {
        let mut child = node
            .command(&[subcommand, "--listen", any, "--listen-ready", any])
            .arg("--web-config")
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |name: &str, path: &str| {
            let line = said.find_map(|line| Some(line.unwrap().strip_prefix(name)?.to_owned()));
            line.unwrap().strip_suffix(path).unwrap().to_owned()
        };
        let page = address("  page     http://", "/");
        let ready = address("  ready    http://", "/ready");
        let running = Running {
            child,
            address: page,
        };
        let open = |path: &str| TcpStream::connect(&ready).map(|connection| get(connection, path));
        assert!(open("/healthz").unwrap().contains(" 200 OK"));
        assert!(open("/").unwrap().contains(" 404 "));
        wait("the pings have begun", || {
            let text = open("/ready").unwrap();
            text.contains(" 200 OK").then_some(())
        });
        for path in ["/", "/metrics", "/ready", "/api/status"] {
            assert!(running.get(path).contains(" 401 "), "{subcommand} {path}");
        }
        wait("the running process tells of the pod", || {
            let text = node.text(&["sources"]);
            text.contains("order-1").then_some(())
        });
        assert!(node.state().join("socket").exists());
        assert_eq!(running.stop(), Some(0));
        assert!(!node.state().join("socket").exists());
    }
}
