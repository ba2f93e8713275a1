//! `nodetap install`: dashboards, saved objects, templates and lifecycle, by the public APIs of those who keep them.
//!
//! Each thing is looked at first and written only where it differs, so that a second run writes nothing and a dry run says
//! exactly what a run would do.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;

use crate::args::install::{Install, InstallWhat};
use crate::place::Place;

mod difference;

mod server;

mod grafana;

mod kibana;

mod cluster;

/// Puts something in place, or says what that would change.
pub(crate) fn run(place: &Place, args: &Install) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start a runtime")?;
    let (dry_run, done) = match &args.what {
        InstallWhat::Grafana(args) => (args.dry_run, runtime.block_on(grafana::install(args))?),
        InstallWhat::Kibana(args) => (args.dry_run, runtime.block_on(kibana::install(args))?),
        InstallWhat::Elasticsearch(args) => {
            let done = runtime.block_on(cluster::install(place, *args))?;
            (args.dry_run, done)
        }
    };
    let mut out = io::stdout().lock();
    report(&mut out, &done, dry_run)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    /// What it is, for people.
    what: String,
    change: Change,
}

/// What became of it, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    /// It was not there.
    Create,
    /// It was there and differed: where.
    Update(String),
    /// It was there.
    Same,
    /// It is not ours to change, or can't be: why.
    Kept(String),
    /// It was there and shall not be.
    Remove,
}

// === impl Change ===

impl Change {
    fn between(before: Option<&serde_json::Value>, ours: &serde_json::Value) -> Self {
        let Some(before) = before else {
            return Self::Create;
        };
        match difference::places(ours, before).as_slice() {
            [] => Self::Same,
            [one] => Self::Update(format!("differs at {one}")),
            [first, rest @ ..] => {
                Self::Update(format!("differs at {first} and {} more places", rest.len()))
            }
        }
    }
}

fn report(out: &mut impl Write, steps: &[Step], dry_run: bool) -> io::Result<()> {
    let (mut created, mut updated, mut removed, mut same) = (0, 0, 0, 0);
    for Step { what, change } in steps {
        match change {
            Change::Create => {
                created += 1;
                writeln!(out, "create     {what}")?;
            }
            Change::Update(where_to) => {
                updated += 1;
                writeln!(out, "update     {what}: {where_to}")?;
            }
            Change::Same => {
                same += 1;
                writeln!(out, "unchanged  {what}")?;
            }
            Change::Kept(why) => {
                same += 1;
                writeln!(out, "kept       {what}: {why}")?;
            }
            Change::Remove => {
                removed += 1;
                writeln!(out, "remove     {what}")?;
            }
        }
    }
    let mood = if dry_run { "would be " } else { "" };
    let removed = match removed {
        0 => String::new(),
        count => format!("{count} {mood}removed, "),
    };
    writeln!(
        out,
        "{created} {mood}created, {updated} {mood}updated, {removed}{same} unchanged"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dry_run_says_what_would_be() {
        let step = |what: &str, change| Step {
            what: what.to_owned(),
            change,
        };
        let steps = [
            step("folder a", Change::Create),
            step(
                "dashboard b",
                Change::between(Some(&json!({"x": 1, "y": 2})), &json!({"x": 2, "y": 3})),
            ),
            step("policy d", Change::Remove),
            step("template e", Change::Kept("not ours".to_owned())),
            step(
                "dashboard c",
                Change::between(Some(&json!({"x": 1, "more": 2})), &json!({"x": 1})),
            ),
        ];
        let said = |dry_run| {
            let mut out = Vec::new();
            report(&mut out, &steps, dry_run).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            said(true),
            "create     folder a\n\
             update     dashboard b: differs at /x and 1 more places\n\
             remove     policy d\n\
             kept       template e: not ours\n\
             unchanged  dashboard c\n\
             1 would be created, 1 would be updated, 1 would be removed, 2 unchanged\n"
        );
        assert!(said(false).ends_with("1 created, 1 updated, 1 removed, 2 unchanged\n"));
    }
}
