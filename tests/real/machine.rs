//! Where do the real daemons run? In namespaces of their own (`components/node.sh`), which end with the test.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;
use tests::Nodetap;

use crate::component::{folder, prepare};
use crate::stopwatch::within;

/// How long a machine may take to start or to end.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running node with a kubelet or a Docker engine; gone when dropped.
#[derive(Debug)]
pub(crate) struct Machine {
    home: TempDir,
    process: Child,
    /// The node lives as long as this pipe.
    life: Option<ChildStdin>,
    first: u32,
}

// === impl Machine ===

impl Machine {
    /// A standalone kubelet with containerd; `root_directory` is its `--root-dir`.
    pub(crate) fn kubelet(root_directory: &str) -> Self {
        let kubelet = prepare("kubelet");
        Self::start("kubelet", root_directory, |command| {
            command.env("KUBELET", kubelet);
        })
    }

    /// A node of a cluster: a kubelet with its conventional directory, and an API server with its controllers.
    pub(crate) fn of_cluster() -> Self {
        let (kubelet, control_plane) = (prepare("kubelet"), prepare("control-plane"));
        Self::start("kubelet", "/var/lib/kubelet", |command| {
            command
                .env("KUBELET", kubelet)
                .env("CONTROL_PLANE", control_plane);
        })
    }

    /// A Docker engine; `root_directory` is its `--data-root`.
    pub(crate) fn docker(root_directory: &str) -> Self {
        Self::start("docker", root_directory, |_| {})
    }

    fn start(role: &str, root_directory: &str, more: impl FnOnce(&mut Command)) -> Self {
        let home = tempfile::Builder::new()
            .prefix("nodetap-real-")
            .tempdir()
            .expect("make a home");
        let log = fs::File::create(home.path().join("node.log")).expect("open the node's log");
        let mut command = Command::new(folder().join("components/node.sh"));
        command
            .arg(role)
            .arg(home.path())
            .env("PACKAGES", prepare("packages"))
            .env("IMAGE", prepare("image"))
            .env("ROOT_DIRECTORY", root_directory)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("share the node's log"))
            .stderr(log)
            // An interrupt at the terminal must not end the one who cleans up.
            .process_group(0);
        more(&mut command);
        let mut process = command.spawn().expect("start node.sh");
        let life = process.stdin.take();
        let mut machine = Self {
            home,
            process,
            life,
            first: 0,
        };
        within(PATIENCE, "the node's daemons answer", || {
            match machine.process.try_wait() {
                Ok(None) if machine.home.path().join("ready").exists() => Ok(()),
                Ok(None) => Err(machine.logs()),
                Ok(Some(status)) => panic!("the node ended with {status}:\n{}", machine.logs()),
                Err(error) => Err(error.to_string()),
            }
        });
        let first = fs::read_to_string(machine.home.path().join("pid")).expect("read the pid");
        machine.first = first.trim().parse().expect("a pid");
        machine
    }

    /// The node's root directory, as its processes see it: what `--root` gets.
    pub(crate) fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.first))
    }

    /// A directory that is bound into the node: `var-log`, `kubelet`, `docker`, `manifests`; or for the test's own.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The program outside of the node, on its root; the state is kept with the node.
    pub(crate) fn nodetap(&self) -> Nodetap {
        let home = self.directory("nodetap");
        fs::create_dir_all(&home).expect("make nodetap's home");
        Nodetap::at(&self.root(), &home)
    }

    /// Does something in the node's network, as in listening at an address of the node.
    ///
    /// On a thread of its own, which stays there; so do the threads that it starts.
    pub(crate) fn in_network<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let network = fs::File::open(format!("/proc/{}/ns/net", self.first));
        let network = network.expect("open the node's network namespace");
        let enter = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(network.as_fd(), kind).expect("enter the node's network");
            work()
        };
        std::thread::scope(|scope| scope.spawn(enter).join().expect("work in the network"))
    }

    /// Runs a command inside and gives its output.
    pub(crate) fn run(&self, command: &[&str]) -> String {
        let done = Command::new("nsenter")
            .args(["--target", &self.first.to_string()])
            .args(["--mount", "--pid", "--uts", "--ipc", "--net", "--", "env"])
            .arg("PATH=/packages/usr/bin:/packages/usr/sbin:/usr/bin:/bin")
            .args(command)
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .expect("run nsenter");
        let said = String::from_utf8_lossy(&done.stdout).trim().to_owned();
        assert!(
            done.status.success(),
            "{command:?} ended with {}: {said} {}",
            done.status,
            String::from_utf8_lossy(&done.stderr)
        );
        said
    }

    /// Gives the kubelet a static pod. Renamed into place: the kubelet reads a file the moment it appears.
    pub(crate) fn add_pod(&self, name: &str, manifest: &str) {
        let written = self.directory(&format!("{name}.yaml"));
        fs::write(&written, manifest).expect("write a manifest");
        fs::rename(written, self.manifest(name)).expect("rename a manifest into place");
    }

    /// Takes a static pod from the kubelet.
    pub(crate) fn remove_pod(&self, name: &str) {
        fs::remove_file(self.manifest(name)).expect("remove a manifest");
    }

    fn manifest(&self, name: &str) -> PathBuf {
        self.directory("manifests").join(format!("{name}.yaml"))
    }

    /// The ends of the daemons' logs.
    pub(crate) fn logs(&self) -> String {
        let mut paths = vec![self.directory("node.log")];
        if let Ok(entries) = fs::read_dir(self.directory("logs")) {
            paths.extend(entries.flatten().map(|entry| entry.path()));
        }
        paths.iter().map(|path| tail(path)).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.life.take());
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            within(PATIENCE, "the node ends", || {
                match self.process.try_wait() {
                    Ok(Some(status)) => Ok(status),
                    Ok(None) => Err("it still runs".to_owned()),
                    Err(error) => Err(error.to_string()),
                }
            })
        }));
        let clean = ended.is_ok_and(|status| status.success());
        if !clean || (std::thread::panicking() && std::env::var_os("NODETAP_KEEP").is_some()) {
            // What still runs may still write there.
            self.home.disable_cleanup(true);
        }
        assert!(
            clean || std::thread::panicking(),
            "the node did not end well; see {}",
            self.home.path().display()
        );
    }
}

fn tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(8)..].join("\n");
    format!("{}:\n{last}\n", path.display())
}
