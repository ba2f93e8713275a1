//! Which document does a line become? Reads the file as the collector does, up to the wanted offset.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use collector::parse::{Assembler, Emitted, Flush, RawLine, Scratch, Settings, Span};
use collector::redact::{self, Redactor, Unfinished};
use collector::ship::elasticsearch::Layout;
use collector::tail::{Carrier, Limits, Part, Progress, Tail};
use record::document::Rendered;
use record::id::IdKey;
use record::origin::Format;
use record::{Entry, File, FileKey, Tags, Timestamp};

/// How much is read at once, in bytes.
const QUANTUM_BYTES: usize = 256 << 10;

/// What is the same for every line of the file.
pub(super) struct Lookup {
    pub(super) file: Arc<File>,
    pub(super) format: Format,
    /// The time of untimed text.
    pub(super) seen: Timestamp,
    /// What is hidden in it.
    pub(super) redact: redact::Settings,
    /// How it is named in a cluster, if lines are shipped to one.
    pub(super) naming: Option<Naming>,
}

/// What names a line in a cluster.
pub(super) struct Naming {
    /// Into which indices lines go.
    pub(super) layout: Layout,
    /// Of untimed text: the moments that its lines are named by, each from an offset on.
    pub(super) moments: Vec<(u64, Timestamp)>,
}

/// The first document at or after an offset, as text.
struct Hit<'a> {
    wanted: u64,
    redactor: Redactor,
    unfinished: Unfinished,
    rendered: Rendered,
    names: Option<Names<'a>>,
    found: Option<Found>,
}

/// What makes names for the lines of a file.
struct Names<'a> {
    file: &'a File,
    ids: IdKey,
    is_timed: bool,
    naming: &'a Naming,
}

/// A document with where it is, from and to, and its name.
struct Found {
    offset: u64,
    end: u64,
    json: Vec<u8>,
    name: Option<String>,
}

// === impl Lookup ===

impl Lookup {
    /// Writes the document of the first line that ends after `wanted`; says whether there is one.
    pub(super) fn show(
        &self,
        mut carrier: Carrier,
        wanted: u64,
        settings: &Settings,
        out: &mut impl Write,
    ) -> anyhow::Result<bool> {
        let size = carrier.size().context("ask for the file's size")?;
        let mut tail = Tail::new(Some(carrier), 0, size);
        let mut hit = Hit {
            wanted,
            redactor: Redactor::new(self.redact.clone()),
            unfinished: Unfinished::default(),
            rendered: Rendered::new(&self.file),
            names: self.naming.as_ref().map(|naming| Names {
                file: &self.file,
                ids: IdKey::new(&self.file),
                is_timed: self.format != Format::Text,
                naming,
            }),
            found: None,
        };
        let mut assembler = Assembler::new();
        let mut scratch = Scratch::new();
        let mut buffer = Vec::new();
        let limits = Limits {
            quantum: QUANTUM_BYTES,
            line_bytes_max: settings.frame_bytes_max(),
            ended: true,
        };
        while hit.found.is_none() {
            let progress = tail
                .advance(&mut buffer, &limits, |extent, part| {
                    let at = Span {
                        started: self.file.started,
                        offset: extent.offset,
                        end: extent.end,
                    };
                    let raw = |bytes| RawLine {
                        format: self.format,
                        at,
                        seen: self.seen,
                        bytes,
                    };
                    let mut emit = |emitted: Emitted<'_>| hit.take(&emitted.entry);
                    match part {
                        Part::Line(bytes) => {
                            assembler.line(settings, &mut scratch, &raw(bytes), &mut emit);
                        }
                        Part::Piece(bytes) => {
                            assembler.piece(settings, &mut scratch, &raw(bytes), &mut emit);
                        }
                        Part::Hole => {}
                    }
                })
                .context("read the file")?;
            if progress != Progress::More {
                assembler.flush(
                    settings,
                    &mut scratch,
                    Flush::Drained,
                    &mut |emitted: Emitted<'_>| {
                        hit.take(&emitted.entry);
                    },
                );
                break;
            }
        }
        let Some(found) = hit.found else {
            return Ok(false);
        };
        let Found { offset, end, .. } = found;
        writeln!(out, "document of the line at offset {offset} to {end}:")?;
        if let Some(name) = found.name {
            writeln!(out, "{name}")?;
        }
        out.write_all(&found.json)?;
        writeln!(out)?;
        Ok(true)
    }
}

// === impl Hit ===

impl Hit<'_> {
    fn take(&mut self, entry: &Entry<'_>) {
        if self.found.is_some() {
            return;
        }
        // Those before it too: a private key's lines are known by its first one.
        let entry = self.redactor.redact(&mut self.unfinished, entry);
        if entry.end > self.wanted {
            let mut json = Vec::new();
            self.rendered.write_json(&entry, &mut json);
            self.found = Some(Found {
                offset: entry.offset,
                end: entry.end,
                json,
                name: self.names.as_ref().map(|names| names.of(&entry)),
            });
        }
    }
}

// === impl Names ===

impl Names<'_> {
    /// Where a line is in the cluster, for people.
    fn of(&self, entry: &Entry<'_>) -> String {
        let moments = self.naming.moments.iter().rev();
        let moment = moments
            .filter(|(from, _)| *from <= entry.offset)
            .map(|(_, moment)| *moment)
            .next();
        let is_timeless = entry.tags.contains(Tags::UNPARSED) || entry.tags.contains(Tags::GAP);
        let named = if self.is_timed && is_timeless {
            Timestamp(self.file.started)
        } else if self.is_timed {
            entry.time
        } else if let Some(moment) = moment {
            moment
        } else {
            return "_index and _id are not told: it has no time of its own, and the moment that names it is known to the \
                    process that read it"
                .to_owned();
        };
        let index = self.naming.layout.index(self.file, named);
        let id = self.ids.id_named(named, entry);
        format!("_index {index}\n_id    {}", id.as_str())
    }
}

/// Reads a key's hexadecimal form.
pub(super) fn key(text: &str) -> Option<FileKey> {
    let mut key = [0; 16];
    if text.len() != 32 {
        return None;
    }
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(FileKey(key))
}
