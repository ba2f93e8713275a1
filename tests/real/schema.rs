//! Does the schema of the configuration say what the reader says? Judged by a validator and a YAML reader of others.

use std::fs;
use std::process::{Command, Stdio};

use tests::{Node, Nodetap};

/// Reads the schema and documents as JSON texts, one a line; says for each whether it is valid.
const SCRIPT: &str = "\
import json, sys, yaml, jsonschema
schema = json.loads(open(sys.argv[1]).read())
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for path in sys.argv[2:]:
    print(int(validator.is_valid(yaml.safe_load(open(path)))))
";

/// What both accept.
const RIGHT: [&str; 8] = [
    "",
    "grace: 0\nlisten: 127.0.0.1:9797\n",
    "collect:\n  multiline: off\n  app: true\n  rate_limit: 1.5 mib/s\n  exclude: [{namespace: kube-*}]\n",
    "elasticsearch:\n  urls: https://es.example\n  gzip: ${LEVEL:-3}\n  template: off\n  timeout: 1m 30s\n",
    "elasticsearch:\n  urls: [https://a, https://b]\n  user: a\n  password: ${NONE:-x}\n",
    "redact:\n  patterns: [email, {name: ticket, pattern: \"T-[0-9]+\"}]\n",
    "derive:\n  rules:\n    - name: shop_wait_seconds\n      container: app\n      pattern: waited (?<value>[0-9]+) ms\n      histogram: true\n      buckets: [0.1, 1]\n      scale: 0.001\n",
    "store:\n  retention_bytes: none\n  retention_age: 7 days\nreserve:\n",
];

/// What both refuse.
const WRONG: [&str; 9] = [
    "lisen: 127.0.0.1:9797\n",
    "grace: soon\n",
    "grace: [5s]\n",
    "collect:\n  multiline: ruby\n",
    "collect:\n  line_bytes_max: 64\n",
    "collect:\n  exclude: [{namspace: a}]\n",
    "elasticsearch:\n  urls: es:9200\n",
    "elasticsearch:\n  gzip: 10\n",
    "store: 5\n",
];

#[test]
fn schema_and_reader_agree() {
    let node = Node::new();
    let nodetap = Nodetap::on(&node);
    let schema = node.scratch("schema.json");
    let printed = nodetap.run("config", &["schema"]);
    assert!(printed.status.success(), "{printed:?}");
    fs::write(&schema, &printed.stdout).expect("write the schema");
    let manual = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/configuration.md"
    ))
    .expect("read the manual");
    let example = manual
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("find the example of the manual");

    let texts: Vec<&str> = [example].into_iter().chain(RIGHT).chain(WRONG).collect();
    let mut paths = Vec::new();
    let mut by_reader = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let path = node.scratch(&format!("{index}.yaml"));
        fs::write(&path, text).expect("write a configuration");
        let read = Command::new(tests::process::program())
            .args(["config", "show", "--config"])
            .arg(&path)
            .stdin(Stdio::null())
            .output()
            .expect("run nodetap");
        by_reader.push(read.status.success());
        paths.push(path);
    }
    // Debian's own, for which its packages are.
    let judged = Command::new("/usr/bin/python3")
        .args(["-c", SCRIPT])
        .arg(&schema)
        .args(&paths)
        .output()
        .expect("run the validator");
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    let by_schema: Vec<bool> = said.lines().map(|line| line == "1").collect();
    assert!(judged.status.success(), "{judged:?}");
    for (index, text) in texts.iter().enumerate() {
        let is_right = index <= RIGHT.len();
        assert_eq!(by_reader[index], is_right, "the reader\n{text}");
        assert_eq!(by_schema[index], is_right, "the schema\n{text}");
    }
}
