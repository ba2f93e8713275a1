//! Which document does a line become? Reads the file as the collector does, up to the wanted offset.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use collector::parse::{Assembler, Emitted, Flush, RawLine, Scratch, Settings, Span};
use collector::tail::{Carrier, Limits, Part, Progress, Tail};
use record::document::Rendered;
use record::origin::Format;
use record::{Entry, File, FileKey, Timestamp};

/// How much is read at once, in bytes.
const QUANTUM_BYTES: usize = 256 << 10;

/// What is the same for every line of the file.
pub(super) struct Lookup {
    pub(super) file: Arc<File>,
    pub(super) format: Format,
    /// The time of untimed text.
    pub(super) seen: Timestamp,
}

/// The first document at or after an offset, as text.
struct Hit {
    wanted: u64,
    rendered: Rendered,
    json: Option<(u64, u64, Vec<u8>)>,
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
            rendered: Rendered::new(&self.file),
            json: None,
        };
        let mut assembler = Assembler::new();
        let mut scratch = Scratch::new();
        let mut buffer = Vec::new();
        let limits = Limits {
            quantum: QUANTUM_BYTES,
            line_bytes_max: settings.frame_bytes_max(),
            ended: true,
        };
        while hit.json.is_none() {
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
        let Some((offset, end, json)) = hit.json else {
            return Ok(false);
        };
        writeln!(out, "document of the line at offset {offset} to {end}:")?;
        out.write_all(&json)?;
        writeln!(out)?;
        Ok(true)
    }
}

// === impl Hit ===

impl Hit {
    fn take(&mut self, entry: &Entry<'_>) {
        if self.json.is_none() && entry.end > self.wanted {
            let mut json = Vec::new();
            self.rendered.write_json(entry, &mut json);
            self.json = Some((entry.offset, entry.end, json));
        }
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
