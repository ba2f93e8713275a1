//! Where do kubelet and Docker keep their files? By convention, by Docker's configuration and by what runs.
//!
//! A process counts only if it is root's and lives in the node's mount namespace: a container may call itself
//! `dockerd`, and the paths of a Docker in a container are not the node's.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Dir;

use super::beneath::{Place, Root};
use super::docker;

/// What a root directory holds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// kubelet's log directories of pods.
    Pods,
    /// kubelet's links by container.
    Links,
    /// Docker's containers.
    Docker,
    /// kubelet's volumes of pods.
    Volumes,
    /// The node's own logs.
    Host,
}

/// A directory that is looked for, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Absolute, without the root directory; may have patterns in it.
    pub(super) path: String,
    pub(super) holds: Holds,
    pub(super) why: String,
}

/// What the command lines of kubelet and dockerd name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) kubelet_roots: Vec<String>,
    pub(super) docker_roots: Vec<String>,
    pub(super) docker_configs: Vec<String>,
}

const DAEMON_FILE: &str = "/etc/docker/daemon.json";
const DAEMON_BYTES_MAX: u64 = 1 << 20;
const COMMAND_BYTES_MAX: u64 = 256 << 10;

/// The data roots of Docker.
pub(super) fn docker(root: &Root, running: &Running, globs: &[String]) -> Vec<Candidate> {
    let found = |path: String, why: &str| Candidate {
        path: format!("{}/containers", path.trim_end_matches('/')),
        holds: Holds::Docker,
        why: why.to_owned(),
    };
    let mut out = vec![found("/var/lib/docker".to_owned(), "Docker's default")];
    let configs = running.docker_configs.iter().map(String::as_str);
    for config in configs.chain([DAEMON_FILE]) {
        match daemon_roots(root, config) {
            Ok(roots) => out.extend(roots.into_iter().map(|path| found(path, config))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = config, %error, "cannot read Docker's configuration");
            }
        }
    }
    let running = running.docker_roots.iter();
    out.extend(running.map(|path| found(path.clone(), "a running dockerd")));
    out.extend(
        globs
            .iter()
            .map(|path| found(path.clone(), "the configuration")),
    );
    out.retain(|candidate| candidate.path.starts_with('/'));
    out
}

/// Where kubelet keeps the volumes of pods.
pub(super) fn volumes(running: &Running) -> Vec<Candidate> {
    let found = |path: &str, why: &str| Candidate {
        path: format!("{}/pods", path.trim_end_matches('/')),
        holds: Holds::Volumes,
        why: why.to_owned(),
    };
    let running = running
        .kubelet_roots
        .iter()
        .map(|path| found(path, "a running kubelet"));
    let mut out: Vec<Candidate> = running.collect();
    if out.is_empty() {
        out.push(found("/var/lib/kubelet", "kubelet's default"));
        out.push(found("/data/kubelet", "a usual place"));
    }
    out.retain(|candidate| candidate.path.starts_with('/'));
    out
}

/// Looks for kubelet and dockerd among the processes below the root directory.
pub(super) fn running(root: &Root) -> Running {
    let mut running = Running::default();
    let Ok(directory) = root.directory(&Place::new("/proc")) else {
        return running;
    };
    let Ok(entries) = Dir::new(directory) else {
        return running;
    };
    let node = namespace(root, "1");
    for entry in entries.flatten() {
        let Ok(pid) = entry.file_name().to_str() else {
            continue;
        };
        if pid.is_empty() || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        // The process may end while it is looked at.
        let place = Place::new(format!("/proc/{pid}/cmdline"));
        let Ok(command) = root.read(&place, COMMAND_BYTES_MAX) else {
            continue;
        };
        let mut found = Running::default();
        found.read_command(&command);
        if found != Running::default() && is_of_node(root, pid, node.as_deref()) {
            running.kubelet_roots.append(&mut found.kubelet_roots);
            running.docker_roots.append(&mut found.docker_roots);
            running.docker_configs.append(&mut found.docker_configs);
        }
    }
    for list in [
        &mut running.kubelet_roots,
        &mut running.docker_roots,
        &mut running.docker_configs,
    ] {
        list.sort();
        list.dedup();
    }
    running
}

fn daemon_roots(root: &Root, path: &str) -> io::Result<Vec<String>> {
    let daemon = root.read(&Place::new(path), DAEMON_BYTES_MAX)?;
    docker::daemon_roots(&daemon).map_err(io::Error::other)
}

fn namespace(root: &Root, pid: &str) -> Option<PathBuf> {
    root.link(Path::new(&format!("/proc/{pid}/ns/mnt"))).ok()
}

fn is_of_node(root: &Root, pid: &str, node: Option<&Path>) -> bool {
    let owner = root
        .stat(Path::new(&format!("/proc/{pid}")))
        .map(|stat| stat.st_uid);
    let own = rustix::process::geteuid().as_raw();
    if !owner.is_ok_and(|owner| owner == 0 || owner == own) {
        return false;
    }
    // Without the right to look at other processes' namespaces, root's word has to do.
    match (node, namespace(root, pid)) {
        (Some(node), Some(its)) => node == its,
        _ => true,
    }
}

// === impl Running ===

impl Running {
    /// Reads one `/proc/<pid>/cmdline`.
    pub(super) fn read_command(&mut self, command: &[u8]) {
        let arguments: Vec<&str> = command
            .split(|byte| *byte == 0)
            .map(|argument| std::str::from_utf8(argument).unwrap_or_default())
            .collect();
        // A binary of many programs names the one it plays in its first argument.
        let program = Path::new(arguments.first().copied().unwrap_or_default());
        let first = program.file_name().and_then(OsStr::to_str);
        let second = arguments.get(1).copied();
        if first == Some("kubelet") || second == Some("kubelet") {
            self.kubelet_roots
                .extend(values(&arguments, &["--root-dir", "-root-dir"]));
        } else if matches!(first, Some("k3s" | "k3s-agent" | "k3s-server" | "rke2")) {
            let arguments = values(&arguments, &["--kubelet-arg"]);
            let roots = arguments.iter().filter_map(|value| {
                value
                    .trim_start_matches('-')
                    .strip_prefix("root-dir=")
                    .map(str::to_owned)
            });
            self.kubelet_roots.extend(roots);
        } else if matches!(
            first,
            Some("dockerd" | "dockerd-ce" | "docker-containerd" | "docker" | "dockerd-current")
        ) && (first != Some("docker")
            || matches!(second, Some("daemon" | "-d" | "--daemon")))
        {
            self.docker_roots
                .extend(values(&arguments, &["--data-root", "--graph", "-g"]));
            self.docker_configs
                .extend(values(&arguments, &["--config-file"]));
        }
    }
}

/// The values of flags written as `--flag=value` or `--flag value`.
fn values(arguments: &[&str], flags: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        for flag in flags {
            match argument.strip_prefix(flag) {
                Some("") => out.extend(rest.next().map(|value| (*value).to_owned())),
                Some(value) if value.starts_with('=') => {
                    out.push(value.get(1..).unwrap_or_default().to_owned());
                }
                // A short flag may have its value right behind it.
                Some(value) if flag.len() == 2 => out.push(value.to_owned()),
                Some(_) | None => continue,
            }
            break;
        }
    }
    out.retain(|value| !value.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &str, kubelet: &[&str], docker: &[&str], configs: &[&str]) {
        let mut running = Running::default();
        running.read_command(command.replace(' ', "\0").as_bytes());
        assert_eq!(running.kubelet_roots, kubelet, "{command}");
        assert_eq!(running.docker_roots, docker, "{command}");
        assert_eq!(running.docker_configs, configs, "{command}");
    }

    #[test]
    fn command_lines_of_kubelet_and_dockerd() {
        check(
            "/usr/bin/kubelet --v=2 --root-dir=/data/kubelet",
            &["/data/kubelet"],
            &[],
            &[],
        );
        check(
            "/opt/hyper kubelet --root-dir /data/kubelet",
            &["/data/kubelet"],
            &[],
            &[],
        );
        check(
            "/usr/local/bin/k3s agent --kubelet-arg=root-dir=/k",
            &["/k"],
            &[],
            &[],
        );
        check("/usr/bin/kubelet --v=2", &[], &[], &[]);
        check("dockerd --data-root /a", &[], &["/a"], &[]);
        check("dockerd --data-root=/a -H fd://", &[], &["/a"], &[]);
        check(
            "/usr/bin/dockerd -g /a --config-file=/etc/d.json",
            &[],
            &["/a"],
            &["/etc/d.json"],
        );
        check("dockerd -g=/a", &[], &["/a"], &[]);
        check("dockerd --graph /a", &[], &["/a"], &[]);
        check("docker daemon -g /a", &[], &["/a"], &[]);
        check("docker run -g /a", &[], &[], &[]);
        check("grep dockerd --data-root=/a", &[], &[], &[]);
        check("dockerd --data-root", &[], &[], &[]);
        check("", &[], &[], &[]);
    }
}
