//! Are the store's files open to others? `DuckDB` reads them as they are and counts what `nodetap logs` counts.

use std::process::Command;

use tests::{Loss, Node, Nodetap};

use crate::component::prepare;
use crate::stopwatch::Stopwatch;

/// Enough for several row groups.
const LINES_EACH: usize = 30_000;
const NEEDLES: usize = 7;

/// The answer as JSON: a list of rows.
const SCRIPT: &str =
    "import duckdb, json, sys; print(json.dumps(duckdb.sql(sys.argv[1]).fetchall(), default=str))";

#[test]
fn duckdb_counts_what_nodetap_counts() {
    let mut watch = Stopwatch::start("duckdb");
    let python = prepare("duckdb").join("python");
    watch.did("installed or found DuckDB");
    let mut node = Node::new();
    let mut writers = vec![
        node.pod("shop", "order-1", "app"),
        node.pod("bank", "ledger-1", "app"),
        node.docker("web"),
    ];
    for writer in &mut writers {
        writer.lines(LINES_EACH);
        for number in 0..NEEDLES {
            writer.say(&format!("ERROR a needle, the {number}th, in the hay"));
        }
    }
    let nodetap = Nodetap::on(&node);
    nodetap.drain_all();
    let written: Vec<_> = writers.iter().collect();
    nodetap.must_hold(&written, Loss::None);
    watch.did("stored the lines");
    let files = nodetap_files(&node);
    let ask = |what: &str, rest: &str| -> Vec<Vec<serde_json::Value>> {
        let query = format!("SELECT {what} FROM '{files}' {rest}");
        let done = Command::new(&python)
            .args(["-c", SCRIPT, &query])
            .output()
            .expect("run DuckDB");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{query}: {said}");
        serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{query}: {error}"))
    };
    let count = |arguments: &[&str]| -> u64 {
        nodetap
            .documents(arguments)
            .values()
            .map(|documents| documents.len() as u64)
            .sum()
    };
    let all = count(&[]);
    assert_eq!(ask("count(*)", "")[0][0], all);
    let documents = nodetap.documents(&[]);
    let streams = ask("log_stream, count(*)", "GROUP BY ALL");
    assert_eq!(streams.len(), documents.len());
    for row in &streams {
        let stream = row[0].as_str().expect("a stream has a name");
        assert_eq!(row[1], documents[stream].len() as u64, "{stream}");
    }
    let needles = count(&["needle AND level:error"]);
    assert_eq!(needles, (NEEDLES * writers.len()) as u64);
    let where_needles = "WHERE message ILIKE '%needle%' AND log_level = 'error'";
    assert_eq!(ask("count(*)", where_needles)[0][0], needles);
    let shop = count(&["-n", "shop"]);
    assert_eq!(
        ask("count(*)", "WHERE kubernetes_namespace = 'shop'")[0][0],
        shop
    );
    let positions = "count(DISTINCT (log_stream, log_file_started, log_offset))";
    assert_eq!(
        ask(positions, "")[0][0],
        all,
        "every row has a place of its own"
    );
    watch.did(&format!("counted {all} rows as nodetap does"));
}

/// What a person would write after FROM.
fn nodetap_files(node: &Node) -> String {
    format!("{}/store/*/*.parquet", node.state().display())
}
