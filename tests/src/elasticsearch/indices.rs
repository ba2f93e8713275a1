//! What is stored where? Indices that keep documents by id, data streams over them, templates that shape them.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::complaint::Complaint;
use super::mapping;
use crate::cluster::{Engine, Stored};

/// The day in a backing index's name is not compared with anything, so one day does for all.
const BACKING_DAY: &str = "2026.01.01";

/// Everything that a cluster stores.
#[derive(Debug)]
pub(super) struct Indices {
    pub(super) engine: Engine,
    by_name: BTreeMap<String, Index>,
    streams: BTreeMap<String, Vec<String>>,
    pub(super) templates: BTreeMap<String, Value>,
    /// `cluster.max_shards_per_node`
    pub(super) shards_max: Option<usize>,
    /// `action.auto_create_index`
    pub(super) auto_create: bool,
}

/// One index.
#[derive(Debug, Default)]
pub(super) struct Index {
    documents: HashMap<String, Kept>,
    /// A search finds only documents with a smaller number: those that were there at the last refresh.
    refreshed: usize,
    mappings: Value,
    pub(super) block: Option<Block>,
}

#[derive(Debug)]
struct Kept {
    source: String,
    /// How many documents its index had before it.
    number: usize,
}

/// Why an index takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Closed,
    Write,
    FloodStage,
}

/// Whether a name is matched by a pattern in which `*` is any text.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            rest.is_empty()
                || (0..=tail.len())
                    .filter(|at| tail.is_char_boundary(*at))
                    .any(|at| matches(rest, &tail[at..]))
        }),
    }
}

// === impl Indices ===

impl Indices {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine,
            by_name: BTreeMap::new(),
            streams: BTreeMap::new(),
            templates: BTreeMap::new(),
            shards_max: None,
            auto_create: true,
        }
    }

    /// Stores one document by `op_type=create`; gives the index that has it now, or had it before.
    pub(super) fn create(
        &mut self,
        name: &str,
        id: &str,
        source: &[u8],
    ) -> Result<String, (String, Complaint)> {
        let engine = self.engine;
        let target = self
            .target(name)
            .map_err(|complaint| (name.to_owned(), complaint))?;
        let refuse = |complaint| (target.clone(), complaint);
        let is_stream = self.streams.contains_key(name);
        let Some(index) = self.by_name.get_mut(&target) else {
            return Err(refuse(Complaint::no_index(name)));
        };
        match index.block {
            Some(Block::Closed) => return Err(refuse(Complaint::closed())),
            Some(Block::Write) => return Err(refuse(Complaint::write_blocked(&target))),
            Some(Block::FloodStage) => return Err(refuse(Complaint::flood_stage(&target))),
            None => {}
        }
        let document = mapping::parse(engine, id, source).map_err(refuse)?;
        if is_stream && document.get("@timestamp").is_none() {
            let what = "data stream timestamp field [@timestamp] is missing";
            return Err(refuse(Complaint::unparsable(engine, id, what)));
        }
        mapping::check(engine, id, &document, &index.mappings).map_err(refuse)?;
        if index.documents.contains_key(id) {
            return Err(refuse(Complaint::conflict(id)));
        }
        let kept = Kept {
            source: String::from_utf8_lossy(source).into_owned(),
            number: index.documents.len(),
        };
        index.documents.insert(id.to_owned(), kept);
        Ok(target)
    }

    /// The index that a `create` on `name` goes to, made if need be.
    fn target(&mut self, name: &str) -> Result<String, Complaint> {
        if name.starts_with(".ds-") {
            return Err(Complaint::wrong(format!(
                "index request with op_type=create targeting backing indices is disallowed [{name}]"
            )));
        }
        if let Some(backing) = self.streams.get(name).and_then(|stream| stream.last()) {
            return Ok(backing.clone());
        }
        if self.by_name.contains_key(name) {
            return Ok(name.to_owned());
        }
        if name
            .chars()
            .any(|letter| letter.is_uppercase() || " \"*\\<|,>/?#:".contains(letter))
        {
            let reason = format!("Invalid index name [{name}], must be lowercase");
            return Err(Complaint::new(400, "invalid_index_name_exception", reason));
        }
        if !self.auto_create {
            return Err(Complaint::no_index(name));
        }
        let template = self.template_of(name).cloned().unwrap_or_default();
        if template.get("data_stream").is_some() {
            self.room_for_a_shard()?;
            self.streams.insert(name.to_owned(), Vec::new());
            self.roll_over(name)
        } else {
            self.make(name, &template["template"]["mappings"])?;
            Ok(name.to_owned())
        }
    }

    /// Gives a data stream a new backing index.
    pub(super) fn roll_over(&mut self, stream: &str) -> Result<String, Complaint> {
        let template = self.template_of(stream).cloned().unwrap_or_default();
        let backing = self
            .streams
            .get(stream)
            .ok_or_else(|| Complaint::no_index(stream))?;
        let number = backing.len() + 1;
        let name = match self.engine {
            Engine::Elasticsearch => format!(".ds-{stream}-{BACKING_DAY}-{number:06}"),
            Engine::OpenSearch => format!(".ds-{stream}-{number:06}"),
        };
        self.make(&name, &template["template"]["mappings"])?;
        if let Some(backing) = self.streams.get_mut(stream) {
            backing.push(name.clone());
        }
        Ok(name)
    }

    /// Gives every data stream a new backing index.
    pub(super) fn roll_over_all(&mut self) {
        let streams: Vec<String> = self.streams.keys().cloned().collect();
        for stream in streams {
            // A stream that can't roll over stays as it is, as with the real ones.
            drop(self.roll_over(&stream));
        }
    }

    /// Makes an index.
    pub(super) fn make(&mut self, name: &str, mappings: &Value) -> Result<(), Complaint> {
        if self.by_name.contains_key(name) {
            let reason = format!("index [{name}/aAsmSpwUSzmJHLDjyrTfNw] already exists");
            return Err(Complaint::new(
                400,
                "resource_already_exists_exception",
                reason,
            ));
        }
        if let Some(foreign) = mapping::foreign_type(self.engine, mappings) {
            let reason = format!("No handler for type [{foreign}] declared on field [app]");
            return Err(Complaint::new(400, "mapper_parsing_exception", reason));
        }
        self.room_for_a_shard()?;
        let index = Index {
            mappings: mappings.clone(),
            ..Index::default()
        };
        self.by_name.insert(name.to_owned(), index);
        Ok(())
    }

    fn room_for_a_shard(&self) -> Result<(), Complaint> {
        match self.shards_max {
            Some(most) if self.by_name.len() >= most => {
                Err(Complaint::shard_limit(self.by_name.len(), most))
            }
            _ => Ok(()),
        }
    }

    /// The template that shapes an index or data stream of this name: the matching one of the highest priority.
    pub(super) fn template_of(&self, name: &str) -> Option<&Value> {
        let is_match = |template: &&Value| {
            let patterns = template["index_patterns"].as_array();
            patterns.into_iter().flatten().any(|pattern| {
                let pattern = pattern.as_str().unwrap_or_default();
                matches(pattern, name)
            })
        };
        self.templates
            .values()
            .filter(is_match)
            .max_by_key(|template| template["priority"].as_u64().unwrap_or(0))
    }

    /// The names of indices that an expression with commas and stars means; streams mean their backing indices.
    pub(super) fn resolve(&self, expression: &str) -> Result<Vec<String>, Complaint> {
        let mut found = Vec::new();
        for part in expression.split(',').filter(|part| !part.is_empty()) {
            let part = if part == "_all" { "*" } else { part };
            let before = found.len();
            for (name, backing) in &self.streams {
                if matches(part, name) {
                    found.extend(backing.iter().cloned());
                }
            }
            let own = self.by_name.keys().filter(|name| matches(part, name));
            found.extend(own.cloned());
            if found.len() == before && !part.contains('*') {
                return Err(Complaint::no_index(part));
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// One index.
    pub(super) fn index_mut(&mut self, name: &str) -> Option<&mut Index> {
        self.by_name.get_mut(name)
    }

    /// One index's mappings.
    pub(super) fn mappings(&self, name: &str) -> Option<&Value> {
        Some(&self.by_name.get(name)?.mappings)
    }

    /// Whether a search on this index is refused.
    pub(super) fn is_closed(&self, name: &str) -> bool {
        self.by_name
            .get(name)
            .is_some_and(|index| index.block == Some(Block::Closed))
    }

    /// Data streams whose names match, with their backing indices.
    pub(super) fn streams(&self, pattern: &str) -> Vec<(&String, &Vec<String>)> {
        let streams = self.streams.iter();
        streams.filter(|(name, _)| matches(pattern, name)).collect()
    }

    /// Removes indices and data streams that match.
    pub(super) fn remove(&mut self, expression: &str) {
        for part in expression.split(',') {
            let gone: Vec<String> = self
                .streams
                .iter()
                .filter(|(name, _)| matches(part, name))
                .flat_map(|(_, backing)| backing.clone())
                .collect();
            self.streams.retain(|name, _| !matches(part, name));
            self.by_name.retain(|name, _| {
                !gone.contains(name) && (!matches(part, name) || name.starts_with('.'))
            });
        }
    }

    /// Lifts all blocks.
    pub(super) fn unblock(&mut self) {
        for index in self.by_name.values_mut() {
            index.block = None;
        }
    }

    /// Makes what was stored visible to searches.
    pub(super) fn refresh(&mut self, names: &[String]) {
        for name in names {
            if let Some(index) = self.by_name.get_mut(name) {
                index.refreshed = index.documents.len();
            }
        }
    }

    /// Documents that a search of `names` sees, in the order of their ids.
    pub(super) fn search(&self, names: &[String], refreshed_only: bool) -> Vec<Stored> {
        let mut found = Vec::new();
        for name in names {
            let Some(index) = self.by_name.get(name) else {
                continue;
            };
            let mut own: Vec<_> = index
                .documents
                .iter()
                .filter(|(_, kept)| kept.number < index.refreshed || !refreshed_only)
                .collect();
            own.sort_by_key(|(id, _)| *id);
            found.extend(own.into_iter().map(|(id, kept)| Stored {
                index: name.clone(),
                id: id.clone(),
                source: serde_json::from_str(&kept.source).unwrap_or_default(),
            }));
        }
        found
    }

    /// Ids that a search of `names` finds among `ids`, with the index of each.
    pub(super) fn find(&self, names: &[String], ids: &[&str]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for name in names {
            let Some(index) = self.by_name.get(name) else {
                continue;
            };
            for id in ids {
                if index
                    .documents
                    .get(*id)
                    .is_some_and(|kept| kept.number < index.refreshed)
                {
                    found.push((name.clone(), (*id).to_owned()));
                }
            }
        }
        found
    }

    /// One document's source.
    pub(super) fn source(&self, index: &str, id: &str) -> Value {
        let kept = self
            .by_name
            .get(index)
            .and_then(|index| index.documents.get(id));
        kept.and_then(|kept| serde_json::from_str(&kept.source).ok())
            .unwrap_or_default()
    }

    /// How many documents there are, over all indices.
    pub(super) fn count(&self) -> usize {
        let indices = self.by_name.values();
        indices.map(|index| index.documents.len()).sum()
    }
}
