//! Who watches? Debian's Prometheus and Alertmanager with our rules, and a webhook that takes down what it is told.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tests::process::program;

use crate::curl::Curl;
use crate::stopwatch::within;

const STARTED: Duration = Duration::from_mins(1);

pub(crate) const PROMETHEUS: &str = "http://127.0.0.1:9090";
pub(crate) const ALERTMANAGER: &str = "http://127.0.0.1:9093";
const WEBHOOK: &str = "127.0.0.1:9099";

/// Both servers and the webhook, in the network namespace of whoever starts them; ended when dropped.
#[derive(Debug)]
pub(crate) struct Watchers {
    servers: Vec<Child>,
    told: Told,
}

/// What the webhook was told: receiver, `firing` or `resolved`, the alert's name, and its node or pod.
type Told = Arc<Mutex<Vec<(String, String, String, String)>>>;

// === impl Watchers ===

impl Watchers {
    /// Starts them in a directory; `targets` is the YAML of the scrape configurations.
    pub(crate) fn start(directory: &Path, values: &str, targets: &str) -> Self {
        let told = Told::default();
        let listener = TcpListener::bind(WEBHOOK).expect("listen for the webhook");
        let heard = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A call that breaks off is made again.
                drop(hear(stream, &heard));
            }
        });
        render(directory, values);
        let config = format!(
            "{GLOBAL}alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:9093']}}]}}]}}\n\
             scrape_configs:\n{targets}"
        );
        fs::write(directory.join("prometheus.yml"), config).expect("write prometheus.yml");
        let alertmanager = [
            "--config.file=alertmanager/alertmanager.yml",
            "--storage.path=alertmanager-data",
            "--web.listen-address=127.0.0.1:9093",
            "--cluster.listen-address=",
        ];
        let servers = vec![
            start(directory, "prometheus-alertmanager", &alertmanager),
            start_prometheus(directory, "127.0.0.1:9090"),
        ];
        let watchers = Self { servers, told };
        for url in [ALERTMANAGER, PROMETHEUS] {
            within(STARTED, url, || match ask(url, "/-/ready")? {
                (200, _) => Ok(()),
                other => Err(format!("{other:?}\n{}", logs(directory))),
            });
        }
        watchers
    }

    /// Everything that was told so far, each once, as `receiver: Alert node` and by whether it fires or is resolved.
    pub(crate) fn told(&self, status: &str) -> BTreeSet<String> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let of_status = told.iter().filter(|(_, known, ..)| known == status);
        of_status
            .map(|(receiver, _, alert, node)| {
                format!("{receiver}: {alert} {node}").trim().to_owned()
            })
            .collect()
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        for server in &mut self.servers {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

/// A Prometheus of its own, on a free port; ended when dropped.
#[derive(Debug)]
pub(crate) struct Lone {
    server: Child,
    url: String,
}

// === impl Lone ===

impl Lone {
    /// Starts it in a directory with the rules that are there.
    pub(crate) fn start(directory: &Path, targets: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("find a port");
        let address = free.local_addr().expect("an address").to_string();
        drop(free);
        let config = format!("{GLOBAL}scrape_configs:\n{targets}");
        fs::write(directory.join("prometheus.yml"), config).expect("write prometheus.yml");
        let lone = Self {
            server: start_prometheus(directory, &address),
            url: format!("http://{address}"),
        };
        within(STARTED, &lone.url, || match ask(&lone.url, "/-/ready")? {
            (200, _) => Ok(()),
            other => Err(format!("{other:?}\n{}", logs(directory))),
        });
        lone
    }

    /// The series that a query finds now.
    pub(crate) fn query(&self, text: &str) -> Result<Vec<Value>, String> {
        query_at(&self.url, text)
    }
}

impl Drop for Lone {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

const GLOBAL: &str = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n\
                      rule_files: ['rules/*.rules.yml']\n";

fn start_prometheus(directory: &Path, address: &str) -> Child {
    let listen = format!("--web.listen-address={address}");
    start(
        directory,
        "prometheus",
        &[
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=prometheus-data",
            &listen,
        ],
    )
}

fn start(directory: &Path, program: &str, arguments: &[&str]) -> Child {
    let log = fs::File::create(directory.join(format!("{program}.log"))).expect("make a log");
    Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("run {program}: {error}"))
}

fn ask(url: &str, path: &str) -> Result<(u16, Value), String> {
    let curl = Curl {
        url: url.to_owned(),
        ca_file: None,
        user: None,
    };
    curl.json("GET", path, None)
}

/// The series that a query finds now.
pub(crate) fn query(text: &str) -> Result<Vec<Value>, String> {
    query_at(PROMETHEUS, text)
}

fn query_at(url: &str, text: &str) -> Result<Vec<Value>, String> {
    let encoded = text.bytes().fold(String::new(), |encoded, byte| {
        encoded + &format!("%{byte:02x}")
    });
    match ask(url, &format!("/api/v1/query?query={encoded}"))? {
        (200, answer) => match &answer["data"]["result"] {
            Value::Array(series) => Ok(series.clone()),
            other => Ok(vec![other.clone()]),
        },
        other => Err(format!("{text}: {other:?}")),
    }
}

/// What fires now, as `Alert node`.
pub(crate) fn firing() -> Result<BTreeSet<String>, String> {
    let series = query("ALERTS{alertstate=\"firing\"}")?;
    let name = |series: &Value| {
        let label = |name: &str| {
            series["metric"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        format!("{} {}", label("alertname"), label("node"))
            .trim()
            .to_owned()
    };
    Ok(series.iter().map(name).collect())
}

/// Reads one call of Alertmanager and answers it.
fn hear(stream: TcpStream, told: &Told) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let receiver = line.split(['/', ' ']).nth(2).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let call: Value = serde_json::from_slice(&body)?;
    let alerts = call["alerts"].as_array().cloned().unwrap_or_default();
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    for alert in alerts {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let labels = &alert["labels"];
        told.push((
            receiver.clone(),
            text(&alert["status"]),
            text(&labels["alertname"]),
            text(labels.get("node").unwrap_or(&labels["pod"])),
        ));
    }
    reader
        .get_mut()
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// Our rules and the example of Alertmanager's configuration, as `nodetap rules render` writes them, in a world where
/// time goes faster.
fn render(directory: &Path, values: &str) {
    let receivers = [
        "default",
        "pager",
        "deadman",
        "network",
        "applications",
        "logs",
    ];
    let urls = receivers.map(|name| format!("{name}_url: http://{WEBHOOK}/{name}\n"));
    fs::write(
        directory.join("values.yml"),
        values.to_owned() + &urls.concat(),
    )
    .expect("write values.yml");
    faster_rules(directory);
    rendered(directory, "alertmanager", "alertmanager");
}

/// The rules alone, with the values of `values.yml` if there is one.
pub(crate) fn faster_rules(directory: &Path) {
    rendered(directory, "prometheus", "rules");
}

fn rendered(directory: &Path, format: &str, folder: &str) {
    let folder = directory.join(folder);
    let mut command = Command::new(program());
    command.args(["rules", "render", "--format", format, "--output"]);
    command.arg(&folder);
    let values = directory.join("values.yml");
    if values.is_file() {
        command.arg("--values").arg(values);
    }
    let done = command.output().expect("run nodetap rules render");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "nodetap rules render: {said}");
    for entry in fs::read_dir(&folder)
        .expect("list what was rendered")
        .flatten()
    {
        let text = fs::read_to_string(entry.path()).expect("read what was rendered");
        // The window of pings is a minute in any case, so what is judged by it keeps its time.
        let keeps = entry.file_name().to_string_lossy().starts_with("readiness");
        let text = if keeps { text } else { faster(&text) };
        fs::write(entry.path(), text).expect("write it faster");
    }
}

/// So many times faster than life.
const FASTER: u64 = 60;

/// The text of rules or of a configuration with every duration shortened.
fn faster(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let end = from
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        let is_duration = ["for: ", "[", "offset ", "_wait: ", "_interval: "]
            .iter()
            .any(|lead| out.ends_with(lead));
        match milliseconds(word).filter(|_| is_duration) {
            Some(milliseconds) => out = format!("{out}{}ms", milliseconds / FASTER),
            None => out.push_str(word),
        }
        rest = after;
    }
    out + rest
}

fn milliseconds(word: &str) -> Option<u64> {
    let unit = word.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = word.split_at(unit);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? * seconds * 1_000)
}

#[test]
fn time_goes_faster_in_rules_and_nowhere_else() {
    let text = "expr: rate(a5m[5m]) > 0.5 and x offset 1h\nfor: 2m\nkeep_firing_for: 15m\ngroup_wait: 30s\nsummary: in the last 10m, 3 of 4\n";
    let expect = "expr: rate(a5m[5000ms]) > 0.5 and x offset 60000ms\nfor: 2000ms\nkeep_firing_for: 15000ms\ngroup_wait: 500ms\nsummary: in the last 10m, 3 of 4\n";
    assert_eq!(faster(text), expect);
}

/// The ends of the servers' logs.
fn logs(directory: &Path) -> String {
    let tail = |name: &str| {
        let text = fs::read_to_string(directory.join(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    };
    format!(
        "{}\n{}",
        tail("prometheus.log"),
        tail("prometheus-alertmanager.log")
    )
}
