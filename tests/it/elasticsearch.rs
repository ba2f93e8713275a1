//! A cluster that fails in every way it can, and nodetap that ships to it: after each, every line is there once.
//!
//! The cluster is a fake that keeps documents and answers in the words of the real ones; `tests/real` runs the shared
//! scenarios against those.

use tests::cluster::{Cluster, Copies, Engine, Stored, by_stream};
use tests::elasticsearch::Fake;
use tests::observe::Status;
use tests::oracle::compare;
use tests::scenario::shipper;
use tests::{Loss, Node, Nodetap, Running, Writer};

mod credentials;
mod items;
mod killed;
mod pace;
mod requests;
mod scenarios;
mod streams;

/// How lines are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Index,
    DataStream,
}

// === impl Mode ===

impl Mode {
    /// As the configuration has it.
    fn key(self) -> &'static str {
        match self {
            Self::Index => "mode: index",
            Self::DataStream => "mode: data_stream",
        }
    }
}

/// Two pods' writers, a node, and a nodetap that ships to a fake.
fn setting(fake: &mut Fake, more: &[&str]) -> (Node, Nodetap, Vec<Writer>) {
    let mut node = Node::new();
    let writers = ["web-1", "web-2"].map(|pod| node.pod("shop", pod, "app"));
    let tap = shipper(&node, fake, more);
    (node, tap, writers.into())
}

/// A fake of Elasticsearch.
fn fake() -> Fake {
    Fake::start(Engine::Elasticsearch)
}

/// Waits until a process that is the first on its state has read all that was written, and everything is done.
fn settled(running: &Running, writers: &[Writer]) -> Status {
    for writer in writers {
        running.settle_read(writer);
    }
    running.settle()
}

/// What the cluster holds and what is kept as dead letters is together what was written, each line once.
fn must_be_whole(fake: &mut Fake, tap: &Nodetap, writers: &[&Writer]) {
    let mut all = fake.documents();
    all.extend(tap.dead_letters().into_iter().map(|letter| {
        let text = |name: &str| letter[name].as_str().unwrap_or_default().to_owned();
        Stored {
            index: text("index"),
            id: text("id"),
            source: letter["document"].clone(),
        }
    }));
    let documents = by_stream(&all, Copies::One);
    for writer in writers {
        let found = documents
            .get(writer.stream())
            .map_or(&[][..], Vec::as_slice);
        if let Err(differences) = compare(writer, found, Loss::None) {
            panic!("{differences}\nnodetap's log ended so:\n{}", tap.log());
        }
    }
    fake.must_have_understood_all();
}
