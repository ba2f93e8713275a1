//! Do the files of `deploy/prometheus` do what rules and dashboards count on? Read by promtool, by Prometheus 3 and by the
//! operator's own types; and scraped with, by a real Prometheus.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use serde_json::Value;
use tests::until;

use crate::component::{folder, prepare};
use crate::curl::Curl;

/// A virtual server that is mapped to a service, and one that is not.
const NODETAP: &str = "\
lvs_service_endpoints{env=\"main\",linkaddr=\"192.0.2.80\",namespace=\"shop\",protocol=\"TCP\",service=\"web\",vport=\"80\"} 2
lvs_service_endpoints{env=\"main\",linkaddr=\"192.0.2.81\",protocol=\"TCP\",vport=\"80\"} 1
lvs_endpoint_weight{endpoint=\"10.0.0.1\",env=\"main\",linkaddr=\"192.0.2.80\",namespace=\"shop\",port=\"8080\",service=\"web\"} 1
";
const KUBE_STATE_METRICS: &str = "\
kube_node_info{node=\"node-1\"} 1
kube_pod_container_status_restarts_total{container=\"etcd\",namespace=\"kube-system\",pod=\"etcd-node-1\"} 3
";
const AGENT: &str = "jvm_threads_current 7\n";

fn deployed() -> PathBuf {
    folder().join("../../deploy/prometheus")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Reads files by the types of Prometheus 3 or of its operator.
fn read_by_types(what: &str, paths: &[PathBuf]) -> Output {
    Command::new(prepare("prometheus-types").join("prometheus-types"))
        .arg(what)
        .args(paths)
        .output()
        .expect("run prometheus-types")
}

#[test]
fn promtool_takes_the_configuration() {
    let done = Command::new("promtool")
        .args(["check", "config", "prometheus.yml"])
        .current_dir(deployed())
        .output()
        .expect("run promtool");
    assert!(done.status.success(), "{}", said(&done));
}

#[test]
fn prometheus_3_takes_both_configurations() {
    // Debian's promtool was built without discovery in Kubernetes.
    let files = ["prometheus.yml", "prometheus-kubernetes.yml"].map(|name| deployed().join(name));
    let done = read_by_types("config", &files);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(said(&done).lines().count(), 5, "{}", said(&done));
    let scratch = tempfile::tempdir().expect("a directory");
    let wrong = scratch.path().join("wrong.yml");
    let text = fs::read_to_string(&files[1]).expect("text");
    fs::write(&wrong, text.replace("role: pod", "role: pot")).expect("write");
    assert!(
        !read_by_types("config", &[wrong]).status.success(),
        "a wrong role was taken"
    );
}

#[test]
fn the_operator_knows_every_field_of_its_objects() {
    let files = [
        "pod-monitor.yaml",
        "kube-state-metrics.yaml",
        "prometheus.yaml",
    ]
    .map(|name| deployed().join("operator").join(name));
    let done = read_by_types("objects", &files);
    assert!(done.status.success(), "{}", said(&done));
    for kind in ["PodMonitor", "ServiceMonitor", "Prometheus"] {
        assert!(said(&done).contains(kind), "{}", said(&done));
    }
    let scratch = tempfile::tempdir().expect("a directory");
    let wrong = scratch.path().join("wrong.yaml");
    let text = fs::read_to_string(&files[0]).expect("text");
    fs::write(&wrong, text.replace("honorLabels", "honourLabels")).expect("write");
    assert!(
        !read_by_types("objects", &[wrong]).status.success(),
        "a wrong field was taken"
    );
}

#[test]
fn series_keep_the_labels_of_what_they_are_about() {
    let nodetap = answering(NODETAP);
    let about_pods = answering(KUBE_STATE_METRICS);
    let agent = answering(AGENT);
    let found = format!(
        "[{{\"targets\": [\"{agent}\"], \"labels\": {{\"namespace\": \"shop\", \"pod\": \"web-1\"}}}}]"
    );
    let discovery = answering(&found);
    let scratch = tempfile::tempdir().expect("a directory");
    let directory = scratch.path();
    for (file, changes) in [
        (
            "prometheus.yml",
            vec![
                ("15s", "1s"),
                ("http://192.0.2.11:9798", &format!("http://{discovery}")),
                ("      - url: http://192.0.2.12:9798/sd/jvm\n", ""),
                ("kube-state-metrics.kube-system.svc:8080", &about_pods),
            ],
        ),
        (
            "targets/nodetap.yml",
            vec![
                ("192.0.2.11:9797", &*nodetap),
                (", \"192.0.2.11:9798\"", ""),
                ("192.0.2.12:9797", &nodetap),
                (", \"192.0.2.12:9798\"", ""),
            ],
        ),
    ] {
        let mut text = fs::read_to_string(deployed().join(file)).expect("text");
        for (from, to) in changes {
            assert!(text.contains(from), "{file} has no {from}");
            text = text.replace(from, to);
        }
        let path = directory.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("make a folder");
        fs::write(path, text).expect("write");
    }
    let prometheus = Prometheus::start(directory);

    let mapped =
        prometheus.labels("lvs_service_endpoints{linkaddr=\"192.0.2.80\",node=\"node-2\"}");
    assert_eq!(mapped["namespace"], "shop");
    assert_eq!(mapped["service"], "web");
    assert_eq!(
        (&mapped["job"], &mapped["cluster"]),
        (&Value::from("nodetap"), &Value::from("main"))
    );
    let unmapped =
        prometheus.labels("lvs_service_endpoints{linkaddr=\"192.0.2.81\",node=\"node-1\"}");
    assert_eq!(
        (unmapped.get("namespace"), unmapped.get("endpoint")),
        (None, None)
    );
    let endpoint = prometheus.labels("lvs_endpoint_weight{node=\"node-1\"}");
    assert_eq!(
        (&endpoint["endpoint"], &endpoint["port"]),
        (&Value::from("10.0.0.1"), &Value::from("8080"))
    );
    let node = prometheus.labels("kube_node_info");
    assert_eq!(
        (&node["node"], &node["job"]),
        (&Value::from("node-1"), &Value::from("kube-state-metrics"))
    );
    let jvm = prometheus.labels("jvm_threads_current");
    assert_eq!(
        (&jvm["pod"], &jvm["job"]),
        (&Value::from("web-1"), &Value::from("nodetap-jvm"))
    );
    let renamed = prometheus.answer("/api/v1/labels").to_string();
    assert!(!renamed.contains("exported_"), "{renamed}");
    let configuration = prometheus.answer("/api/v1/status/config").to_string();
    assert!(
        configuration.contains("replica: replica-of-test"),
        "{configuration}"
    );
}

/// Serves one text for every request, for as long as the test runs; gives the address.
fn answering(text: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("an address").to_string();
    let kind = if text.starts_with('[') {
        "application/json"
    } else {
        "text/plain; version=0.0.4"
    };
    let whole = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // Who hangs up has no need of an answer.
            answer(&stream, &whole).unwrap_or_default();
        }
    });
    address
}

fn answer(mut stream: &TcpStream, whole: &str) -> std::io::Result<()> {
    for line in BufReader::new(stream).lines() {
        if line?.is_empty() {
            break;
        }
    }
    stream.write_all(whole.as_bytes())
}

/// Debian's Prometheus, on the loopback.
pub(crate) struct Prometheus {
    child: Child,
    curl: Curl,
}

impl Prometheus {
    pub(crate) fn start(directory: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("find a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        Self::at(directory, address, &[])
    }

    /// At an address of one's own, with more flags.
    pub(crate) fn at(directory: &Path, address: SocketAddr, flags: &[&str]) -> Self {
        let child = Command::new("prometheus")
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg("--enable-feature=expand-external-labels")
            .arg(format!("--web.listen-address={address}"))
            .args(flags)
            .current_dir(directory)
            .env("HOSTNAME", "replica-of-test")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(directory.join("log")).expect("make a log"))
            .spawn()
            .expect("run prometheus");
        let curl = Curl {
            url: format!("http://{address}"),
            ca_file: None,
            user: None,
        };
        Self { child, curl }
    }

    pub(crate) fn answer(&self, path: &str) -> Value {
        until(path, || match self.curl.json("GET", path, None)? {
            (200, answer) => Ok(answer),
            other => Err(format!("{other:?}")),
        })
    }

    /// The answer to a query.
    pub(crate) fn query(&self, query: &str) -> Value {
        let encoded = query
            .bytes()
            .fold(String::new(), |text, byte| text + &format!("%{byte:02x}"));
        self.answer(&format!("/api/v1/query?query={encoded}"))
    }

    /// The labels of the one series that a query finds, once it is there.
    fn labels(&self, query: &str) -> Value {
        until(query, || {
            let answer = self.query(query);
            match answer["data"]["result"].as_array().map(Vec::as_slice) {
                Some([one]) => Ok(one["metric"].clone()),
                _ => Err(answer.to_string()),
            }
        })
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
