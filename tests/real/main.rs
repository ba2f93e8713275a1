//! Does it hold beside the real thing? A kubelet with containerd, a Docker engine, `DuckDB`, and files they once wrote.
//!
//! Each test starts what it needs itself: a [`component`] comes from a package registry and stays in the user's cache,
//! a [`machine`] is a set of namespaces in which daemons run, a [`witness`] holds every log file open from its first
//! moment, so that the [`truth`] about what stood in them is known when they are long deleted.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a panic with its reason is how a test fails"
)]

mod component;
mod curl;
mod exporting;
mod likeness;
mod machine;
mod same_answers;
mod said;
mod server;
mod shipping;
mod stopwatch;
mod truth;
mod witness;

mod bird;
mod cgroup;
mod conntrack;
mod dashboards;
mod docker;
mod duckdb;
mod elections;
mod elasticsearch;
mod elasticsearch_and_kubelet;
mod fixtures;
mod install;
mod ipvs;
mod jvm;
mod keepalived;
mod kubelet;
mod manifests;
mod node_exporter;
mod opensearch;
mod prometheus;
mod pushing;
mod readiness;
mod rules;
mod schema;
mod scraping;
mod vip_mapping;
mod web_config;
