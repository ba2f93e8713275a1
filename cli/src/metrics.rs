//! `nodetap metrics`: one scrape of the probes to the terminal, run by this process itself.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use exporter::probes::PROBES;
use exporter::{Exporter, Selection, text};
use globset::{Glob, GlobMatcher};

use crate::args;
use crate::export;
use crate::failure::WrongUse;
use crate::place::Place;

/// How long the slowest probe is waited for: one round of pings and more.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Prints one scrape, or what of it has the name that is asked for.
pub(crate) fn run(place: &Place, args: &args::Metrics) -> anyhow::Result<ExitCode> {
    let wanted = args.family.as_deref().map(Wanted::of).transpose()?;
    let mut settings = export::settings(place);
    settings.lvs_configmap = export::lvs_configmap(place)?;
    let exporter = Exporter::start(&settings).map_err(WrongUse::new)?;
    let selection = match &wanted {
        Some(Wanted::Probe(name)) => Selection::only(vec![name.clone()]),
        Some(Wanted::Families(_)) | None => Selection::default(),
    };
    let scrape = exporter.scrape(&selection, TIMEOUT);
    let mut out = io::stdout().lock();
    let mut any = false;
    for group in scrape.families().groups() {
        if let Some(Wanted::Families(glob)) = &wanted
            && !glob.is_match(group.name.as_ref())
        {
            continue;
        }
        any = true;
        let mut lines = String::new();
        text::write(group, &mut lines);
        out.write_all(lines.as_bytes()).context("write metrics")?;
    }
    out.flush().context("write metrics")?;
    match args.family.as_deref() {
        Some(name) if !any => Err(anyhow!("no family {name:?} on this node")),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// What is asked for.
enum Wanted {
    Probe(String),
    Families(GlobMatcher),
}

// === impl Wanted ===

impl Wanted {
    fn of(name: &str) -> anyhow::Result<Self> {
        if PROBES.iter().any(|probe| probe.name == name) {
            return Ok(Self::Probe(name.to_owned()));
        }
        let glob = Glob::new(name).map_err(WrongUse::new)?;
        Ok(Self::Families(glob.compile_matcher()))
    }
}
