//! What does a node look like? A root directory with the platform's conventional paths, empty at first.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::line::Framing;
use crate::seed::{Random, SEED_VARIABLE, seed};
use crate::writer::{Place, Writer};

/// A fake node: `root` is what `--root` gets, `state` what `--state` gets; removed when dropped.
#[derive(Debug)]
pub struct Node {
    home: TempDir,
    seed: u64,
    random: Random,
    pods: u64,
}

// === impl Node ===

impl Node {
    /// An empty node.
    pub fn new() -> Self {
        let home = tempfile::Builder::new()
            .prefix("nodetap-it-")
            .tempdir()
            .expect("make a node");
        let seed = seed();
        for folder in [
            "root/var/log/pods",
            "root/var/log/containers",
            "root/var/lib",
            "state",
        ] {
            fs::create_dir_all(home.path().join(folder)).expect("make a node's folder");
        }
        Self {
            home,
            seed,
            random: Random::new(seed),
            pods: 0,
        }
    }

    /// The directory for `--root`.
    pub fn root(&self) -> PathBuf {
        self.home.path().join("root")
    }

    /// The directory for `--state`.
    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// A path for a file of the test's own.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A path below the root; `path` is absolute as the node sees it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Chance for the situation itself.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// A running container of a new pod, as containerd writes it.
    pub fn pod(&mut self, namespace: &str, pod: &str, container: &str) -> Writer {
        self.pods += 1;
        let uid = format!("{:08x}-0000-4000-8000-{:012x}", self.seed as u32, self.pods);
        self.container(namespace, pod, &uid, container)
    }

    /// A further container of the pod `uid`.
    pub fn container(&mut self, namespace: &str, pod: &str, uid: &str, container: &str) -> Writer {
        let directory = self
            .path(&format!("/var/log/pods/{namespace}_{pod}_{uid}"))
            .join(container);
        let place = Place {
            live: directory.join("0.log"),
            directory,
            stream: format!("{uid}/{container}"),
        };
        Writer::new(place, Framing::Cri, self.random.fork())
    }

    /// A file in an emptyDir volume of the pod `uid`.
    pub fn volume(&mut self, uid: &str, volume: &str, name: &str) -> Writer {
        let folder =
            format!("/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~empty-dir/{volume}");
        self.text(&format!("{folder}/{name}"))
    }

    /// A plain text file; its path is its stream.
    pub fn text(&mut self, path: &str) -> Writer {
        let live = self.path(path);
        let directory = live.parent().unwrap_or(Path::new("/")).to_owned();
        let place = Place {
            live,
            directory,
            stream: path.to_owned(),
        };
        Writer::new(place, Framing::Text, self.random.fork())
    }

    /// A container of a Docker engine, with the files that the engine keeps about it.
    pub fn docker(&mut self, name: &str) -> Writer {
        self.pods += 1;
        let id = format!("{:016x}{:048x}", self.seed, self.pods);
        let directory = self.path("/var/lib/docker/containers").join(&id);
        fs::create_dir_all(&directory).expect("make a container's folder");
        let config = serde_json::json!({
            "ID": id,
            "Name": format!("/{name}"),
            "Config": {"Image": "busybox:1", "Labels": {"team": "it"}},
            "LogPath": format!("/var/lib/docker/containers/{id}/{id}-json.log"),
        });
        fs::write(directory.join("config.v2.json"), config.to_string()).expect("write a config");
        fs::write(
            directory.join("hostconfig.json"),
            r#"{"LogConfig":{"Type":"json-file"}}"#,
        )
        .expect("write a host config");
        let place = Place {
            live: directory.join(format!("{id}-json.log")),
            directory,
            stream: id,
        };
        Writer::new(place, Framing::JsonFile, self.random.fork())
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the seed was {}: repeat with {SEED_VARIABLE}={0}",
                self.seed
            );
            if std::env::var_os("NODETAP_KEEP").is_some() {
                self.home.disable_cleanup(true);
                eprintln!("the node is kept in {}", self.home.path().display());
            }
        }
    }
}
