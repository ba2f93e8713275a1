//! The store that the `store-*` scenarios ask: made by `nodetap up --until-drained` from a prefilled tree.

use std::fs;

use anyhow::Context;

use super::node::{Drained, Node};
use super::{Settings, fresh_folder};
use crate::generate::{Workload, Written};
use crate::token::Token;

/// How many containers the lines are spread over.
const CONTAINERS: u64 = 50;

/// A node whose logs are all in the store.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) node: Node,
}

/// The tree of `settings.lines` lines, made when it is not there yet, and what is in it.
pub(super) fn tree(settings: &Settings) -> anyhow::Result<(Node, Written)> {
    let name = format!("stored-{}", settings.lines);
    let folder = settings.scratch.join(&name);
    let receipt = folder.join("written.json");
    let node = Node::new(&settings.nodetap, &folder);
    // The receipt is written last, so a tree that was broken off is made anew.
    let known = fs::read_to_string(&receipt)
        .ok()
        .and_then(|text| Written::from_json(&text));
    let written = if let Some(written) = known {
        written
    } else {
        fresh_folder(settings, &name)?;
        let written = Workload::new(&node.logs(), CONTAINERS).prefill(settings.lines)?;
        fs::write(&receipt, written.json().to_string())?;
        written
    };
    for path in crate::tree::live_logs(&node.logs())? {
        // Into the page cache, so that a run is about the program, not about the disk.
        fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    }
    Ok((node, written))
}

impl Stored {
    /// Fills a new store, and says what that took.
    pub(super) fn fill(settings: &Settings) -> anyhow::Result<(Self, Written, Drained)> {
        let (node, written) = tree(settings)?;
        let filled = node.state().with_file_name("filled");
        if filled.try_exists()? {
            fs::remove_file(&filled)?;
        }
        node.remove_state()?;
        let drained = node.drain()?;
        // What was sealed last is kept a while for those who follow it; the next start removes it.
        node.drain()?;
        fs::write(filled, stamp(settings)?)?;
        Ok((Self { node }, written, drained))
    }

    /// The store as the last run of this same program filled it, or a new one.
    pub(super) fn open(settings: &Settings) -> anyhow::Result<Self> {
        let (node, _) = tree(settings)?;
        let filled = node.state().with_file_name("filled");
        if fs::read_to_string(filled).is_ok_and(|text| stamp(settings).is_ok_and(|now| now == text))
        {
            return Ok(Self { node });
        }
        Self::fill(settings).map(|(stored, _, _)| stored)
    }

    /// A text that occurs in exactly one line, the sequence number of which is about `part / parts` of all.
    pub(super) fn needle(settings: &Settings, part: u64, parts: u64) -> (u64, String) {
        // Off the places where one container's records end and the next one's begin.
        let sequence = settings.lines * part / parts + settings.lines / CONTAINERS / 2;
        let token = Token {
            sequence,
            written_micros: 0,
            split: false,
        }
        .to_string();
        // Without the flag at its end, which differs for a split record.
        (sequence, token[1..30].to_owned())
    }
}

/// Which program filled a store: its size and time of change.
fn stamp(settings: &Settings) -> anyhow::Result<String> {
    let metadata = fs::metadata(&settings.nodetap)
        .with_context(|| format!("find {}", settings.nodetap.display()))?;
    Ok(format!("{} {:?}", metadata.len(), metadata.modified()?))
}
