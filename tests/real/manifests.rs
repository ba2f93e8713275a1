//! The manifests of `deploy/kubernetes` on a real cluster: accepted to the letter, with the rights they ask for and no
//! others, and losing nothing while the collector's own pod is away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tests::Nodetap;
use tests::cluster::{Cluster as _, Copies, Engine, by_stream};
use tests::elasticsearch::Fake;
use tests::oracle::Documents;

use crate::machine::Machine;
use crate::stopwatch::{Stopwatch, within};
use crate::truth::Truth;
use crate::witness::{Exhibit, Witness};

/// Images are unpacked and pods started by daemons that share two cores.
const PATIENCE: Duration = Duration::from_mins(3);
const WRITER: &str = "localhost/nodetap/writer:1";
/// Bits of linux/capability.h.
const DAC_READ_SEARCH: u64 = 1 << 2;
const NET_ADMIN: u64 = 1 << 12;
const NET_RAW: u64 = 1 << 13;
const SYS_PTRACE: u64 = 1 << 19;
/// What those pods write that end by themselves.
const LINES: usize = 1000;

/// A node of a cluster on which the manifests are tried.
struct Cluster {
    machine: Machine,
}

#[test]
fn the_daemon_set_collects_and_loses_nothing_while_its_pod_is_away() {
    let mut watch = Stopwatch::start("manifests");
    let cluster = Cluster {
        machine: Machine::of_cluster(),
    };
    watch.did("found or built and started a kubelet and a control plane");
    cluster.import_image();
    cluster.accepts_every_manifest();
    watch.did("imported the image and had every manifest accepted");
    let witness = Witness::watch(&[cluster.machine.directory("var-log/pods")]);
    let lines = LINES.to_string();
    let files = [
        "-tag=files",
        "-rate=500",
        "-lines",
        &lines,
        "-file=/logs/app.log",
    ];
    cluster.add_pod("files", &files);
    cluster.add_pod("web", &["-tag=web", "-rate=100"]);
    cluster.await_ready();
    watch.did("saw the DaemonSet's containers become ready");
    cluster.may_do_no_more(
        "collect",
        DAC_READ_SEARCH,
        &["/host/var/log", "/var/lib/nodetap"],
    );
    let kernel = NET_ADMIN | NET_RAW | SYS_PTRACE | DAC_READ_SEARCH;
    cluster.may_do_no_more("export", kernel, &["/var/lib/nodetap"]);
    let nodetap = cluster.nodetap();
    within(PATIENCE, "what the pods write is found", || {
        let documents = nodetap.documents(&[]);
        match (count(&documents, "/web"), count(&documents, "/app.log")) {
            (100.., LINES) => Ok(()),
            seen => Err(format!("{seen:?} lines of web and files")),
        }
    });
    watch.did("found what a container wrote, and what another user wrote into a volume");
    cluster.send_collector_away();
    witness.wait_for_bytes("_web_", 10_000);
    cluster.remove_pods(&["files", "web"]);
    watch.did("had a pod write and be removed, log and all, while the collector was away");
    cluster.bring_collector_back();
    let mut exhibits = witness.testify();
    exhibits.retain(is_of_the_writers);
    let truth = Truth::of_pods(&exhibits);
    truth.must_be_whole();
    let tally = within(PATIENCE, "each line is stored once", || {
        let mut documents = nodetap.documents(&[]);
        documents.retain(|stream, _| stream.ends_with("/web") || stream.ends_with("/files"));
        truth.compare(&documents, |_| false)
    });
    watch.did(&format!("found {} lines once each", tally.lines));
    let mut elasticsearch = cluster.ship_to_elasticsearch();
    cluster.add_pod("orders", &["-tag=orders", "-rate=500", "-lines", &lines]);
    within(PATIENCE, "each line is in the cluster once", || {
        let documents = by_stream(&elasticsearch.documents(), Copies::One);
        match count(&documents, "/orders") {
            LINES => Ok(()),
            other => Err(format!("{other} lines")),
        }
    });
    watch.did("shipped a pod's lines with the key from a secret");
}

fn count(documents: &Documents, end: &str) -> usize {
    let own = documents.iter().filter(|(stream, _)| stream.ends_with(end));
    own.map(|(_, lines)| lines.len()).sum()
}

/// What the runtime and the kubelet mount into every container, and the mounts of other pods: a bind mount that is
/// read-only leaves the mounts below it as they are.
fn is_of_others(place: &str) -> bool {
    let own = ["/dev", "/proc", "/sys", "/etc/hosts"];
    let below = ["/volumes/kubernetes.io~", "/host/proc/"];
    own.iter().any(|own| place.starts_with(own)) || below.iter().any(|part| place.contains(part))
}

/// What nodetap says of itself is read by nodetap too, and never ends.
fn is_of_the_writers(exhibit: &Exhibit) -> bool {
    exhibit.path.to_string_lossy().contains("/default_")
}

/// The folder of the manifests and the image.
fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

// === impl Cluster ===

impl Cluster {
    fn kubectl(&self, arguments: &[&str]) -> String {
        let command = ["/control-plane/kubectl", "--kubeconfig=/node/admin.conf"];
        let strict = ["--warnings-as-errors"];
        self.machine
            .run(&[&command[..], &strict[..], arguments].concat())
    }

    fn get(&self, arguments: &[&str]) -> Value {
        let said = self.kubectl(&[&["get", "-o", "json"], arguments].concat());
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("not JSON: {error}: {said}"))
    }

    /// Packs the program that is tested, with the libraries that it needs unless it is static.
    fn import_image(&self) {
        let program = tests::process::program();
        let needed = Command::new("ldd").arg(&program).output().expect("run ldd");
        let libraries = String::from_utf8_lossy(&needed.stdout)
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
            .map(|path| format!("{path}:{path}"))
            .collect::<Vec<_>>();
        let packed = Command::new(deploy().join("image/pack.sh"))
            .arg(self.machine.directory("nodetap-image.tar"))
            .arg(env!("CARGO_PKG_VERSION"))
            .arg(program)
            .args(libraries)
            .output()
            .expect("run pack.sh");
        assert!(
            packed.status.success(),
            "pack.sh ended with {}: {}",
            packed.status,
            String::from_utf8_lossy(&packed.stderr)
        );
        let import = ["ctr", "--namespace", "k8s.io", "images", "import"];
        let archive = ["--snapshotter", "native", "/node/nodetap-image.tar"];
        self.machine.run(&[&import[..], &archive[..]].concat());
    }

    /// Applies the base, and has the server look at all others without keeping them: unknown fields, wrong values and
    /// warnings are failures.
    fn accepts_every_manifest(&self) {
        let copy = self.machine.directory("deploy");
        let copied = Command::new("cp")
            .arg("--recursive")
            .args([deploy().join("kubernetes"), copy.clone()])
            .status();
        assert!(
            copied.is_ok_and(|status| status.success()),
            "copy manifests"
        );
        let all = "resources: [../base]\ncomponents: [../docker, ../jvm-relay]\n";
        fs::create_dir(copy.join("with-components")).expect("make a folder");
        fs::write(copy.join("with-components/kustomization.yaml"), all)
            .expect("write a kustomization");
        self.kubectl(&["apply", "--validate=strict", "-k", "/node/deploy/base"]);
        for variant in ["elasticsearch", "with-components"] {
            let folder = format!("/node/deploy/{variant}");
            let said = self.kubectl(&[
                "apply",
                "--validate=strict",
                "--dry-run=server",
                "-k",
                &folder,
            ]);
            assert!(
                said.contains("daemonset.apps/nodetap configured (server dry run)"),
                "{variant} changes nothing: {said}"
            );
        }
    }

    fn add_pod(&self, name: &str, arguments: &[&str]) {
        let command: Vec<&str> = ["writer"].iter().chain(arguments).copied().collect();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {
                // No network plugin is there, so the node never becomes ready.
                "hostNetwork": true, "restartPolicy": "Never", "tolerations": [{"operator": "Exists"}],
                "terminationGracePeriodSeconds": 1, "securityContext": {"runAsUser": 1000},
                "volumes": [{"name": "logs", "emptyDir": {}}],
                "containers": [{
                    "name": name, "image": WRITER, "imagePullPolicy": "Never", "command": command,
                    "volumeMounts": [{"name": "logs", "mountPath": "/logs"}],
                }],
            },
        });
        let file = self.machine.directory(&format!("{name}.json"));
        fs::write(file, pod.to_string()).expect("write a manifest");
        within(PATIENCE, "the default account exists", || {
            let accounts = self.get(&["serviceaccounts", "--namespace=default"]);
            match accounts["items"].as_array().map_or(0, Vec::len) {
                0 => Err("not yet".to_owned()),
                _ => Ok(()),
            }
        });
        self.kubectl(&["create", "-f", &format!("/node/{name}.json")]);
    }

    /// Waits until the kubelet has removed the pods' logs too, which it does once a minute.
    fn remove_pods(&self, names: &[&str]) {
        self.kubectl(&[&["delete", "pod"], names].concat());
        within(PATIENCE, "the kubelet removes the pods' logs", || {
            let directories = fs::read_dir(self.machine.directory("var-log/pods"));
            let mut directories = directories
                .expect("list the pods")
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned());
            directories
                .find(|name| name.starts_with("default_"))
                .map_or(Ok(()), Err)
        });
    }

    fn pods(&self) -> Vec<Value> {
        let mut pods = self.get(&["pods", "--namespace=nodetap"]);
        match pods["items"].take() {
            Value::Array(pods) => pods,
            other => panic!("not a list of pods: {other}"),
        }
    }

    fn await_ready(&self) {
        within(PATIENCE, "all containers of the pod are ready", || {
            let pods = self.pods();
            let of_pod = |pod: &Value| pod["status"]["containerStatuses"].as_array().cloned();
            let containers: Vec<Value> = pods.iter().filter_map(of_pod).flatten().collect();
            let ready = |container: &&Value| container["ready"] == true;
            match containers.iter().filter(ready).count() {
                2 => Ok(()),
                _ => Err(format!("pods: {pods:?}")),
            }
        });
    }

    /// Looks at the running process, not at what the manifest says of it.
    fn may_do_no_more(&self, subcommand: &str, capabilities: u64, writable: &[&str]) {
        let process = self.process(&format!("/bin/nodetap\0{subcommand}\0"));
        let status = fs::read_to_string(process.join("status")).expect("read a process's status");
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {status}"))
                .trim()
        };
        let allowed = format!("{capabilities:016x}");
        for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
            assert_eq!(value(set), allowed, "{subcommand}: {set}");
        }
        assert_eq!((value("NoNewPrivs:"), value("Seccomp:")), ("1", "2"));
        let mounts = fs::read_to_string(process.join("mountinfo")).expect("read the mounts");
        let mut found: Vec<&str> = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .filter(|fields| fields[5].split(',').any(|option| option == "rw"))
            .map(|fields| fields[4])
            .filter(|place| !is_of_others(place))
            .collect();
        found.sort_unstable();
        assert_eq!(found, writable, "{subcommand}");
        let token = mounts.contains(" /var/run/secrets") || mounts.contains(" /run/secrets");
        assert!(!token, "the container has API credentials: {mounts}");
    }

    /// The directory below the node's /proc of the one process whose command line begins so.
    fn process(&self, command: &str) -> PathBuf {
        let processes = fs::read_dir(self.machine.root().join("proc")).expect("list processes");
        let is_it = |process: &PathBuf| {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            line.starts_with(command.as_bytes())
        };
        let mut found = processes.flatten().map(|entry| entry.path()).filter(is_it);
        found
            .next()
            .unwrap_or_else(|| panic!("no process is called {command:?}"))
    }

    /// The same program outside, on what the one inside stores.
    fn nodetap(&self) -> Nodetap {
        let (root, home) = (self.machine.root(), self.machine.directory("nodetap"));
        fs::create_dir_all(&home).expect("make nodetap's home");
        Nodetap::at(&root, &home).state(&root.join("var/lib/nodetap"))
    }

    fn send_collector_away(&self) {
        self.select_nodes("none");
        within(PATIENCE, "the collector's pod is gone", || {
            match self.pods().len() {
                0 => Ok(()),
                some => Err(format!("{some} pods")),
            }
        });
    }

    fn bring_collector_back(&self) {
        self.select_nodes("linux");
        self.await_ready();
    }

    /// Does what the manual says: an address in a file, a key in a secret.
    fn ship_to_elasticsearch(&self) -> Fake {
        const KEY: &str = "bm9kZXRhcDpzZWNyZXQ=";
        let mut fake = self
            .machine
            .in_network(|| Fake::start(Engine::Elasticsearch));
        fake.require_api_key(KEY);
        let file = self.machine.directory("deploy/elasticsearch/nodetap.yaml");
        let text = fs::read_to_string(&file).expect("read the configuration");
        let [url] = &fake.access().urls[..] else {
            panic!("a fake has one address")
        };
        let address = text.replace("https://elasticsearch.example.com:9200", url);
        assert_ne!(address, text, "the example's address is another one");
        fs::write(file, address).expect("write the configuration");
        let secret = format!("--from-literal=api-key={KEY}");
        let of_us = "--namespace=nodetap";
        let name = "nodetap-elasticsearch";
        self.kubectl(&["create", "secret", "generic", name, &secret, of_us]);
        self.kubectl(&["apply", "-k", "/node/deploy/elasticsearch"]);
        let wait = ["rollout", "status", "daemonset/nodetap", "--timeout=180s"];
        self.kubectl(&[&wait[..], &[of_us]].concat());
        fake
    }

    fn select_nodes(&self, system: &str) {
        let selector = json!({"kubernetes.io/os": system});
        let patch = json!({"spec": {"template": {"spec": {"nodeSelector": selector}}}});
        self.kubectl(&[
            "patch",
            "daemonset",
            "nodetap",
            "--namespace=nodetap",
            "--patch",
            &patch.to_string(),
        ]);
    }
}
