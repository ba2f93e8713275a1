//! What do a JVM's performance counters say? The file `hsperfdata`, read from its bytes.
//!
//! `HotSpot` keeps it mapped and writes it while we read. Its layout is that of `perfMemory.hpp` and `perfData.hpp`: a
//! prologue of 32 bytes, then entries, each with a header of 20. Only what `HotSpot` itself calls valid is taken: whole
//! numbers, and strings. The file belongs to a tenant: every offset is checked.

use std::ops::Range;

/// The largest file that is read, in bytes; the default has 32 KiB.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

const MAGIC: [u8; 4] = [0xca, 0xfe, 0xc0, 0xc0];
/// How much of a file has its stamp, in bytes.
pub const PROLOGUE_BYTES: usize = 32;
const HEADER_BYTES: usize = 20;
const MAJOR_VERSION: u8 = 2;
/// `JNI` letters of the two types there are.
const LONG: u8 = b'J';
const BYTE: u8 = b'B';
/// `data_units` of text.
const UNITS_STRING: u8 = 5;
/// The longest string that a JVM writes.
const TEXT_BYTES_MAX: usize = 4096;

/// The counters of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Perf {
    /// Bytes of counters that did not fit into the file.
    pub overflow_bytes: u32,
    /// The file; names stay in it, for a node has thousands of them in each scrape.
    bytes: Vec<u8>,
    /// By name; of two with one name the later counts.
    counters: Vec<Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Counter {
    name: Range<usize>,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(i64),
    Text(String),
}

/// What tells whether the file's structure changed while it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified_ticks: i64,
    entries: usize,
    used_bytes: usize,
}

/// Why a file can't be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PerfError {
    /// The JVM has not finished its start.
    #[error("the JVM is still starting")]
    NotReady,
    /// It is no such file, or cut off, or broken.
    #[error("at byte {at}: {why}")]
    Corrupt {
        /// Where.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },
}

/// The bytes with their order.
struct Reader<'a> {
    bytes: &'a [u8],
    big: bool,
}

struct Prologue {
    overflow: u32,
    entry_offset: usize,
    stamp: Stamp,
}

// === impl Perf ===

impl Perf {
    /// A number by its name.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            Value::Number(number) => Some(*number),
            Value::Text(_) => None,
        }
    }

    /// A count or a size; what is negative is none.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.number(name).and_then(|number| number.try_into().ok())
    }

    /// A text by its name.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            Value::Number(_) => None,
        }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        let after = self
            .counters
            .partition_point(|counter| self.name(counter) <= name.as_bytes());
        let last = self.counters.get(after.checked_sub(1)?)?;
        (self.name(last) == name.as_bytes()).then_some(&last.value)
    }

    fn name(&self, counter: &Counter) -> &[u8] {
        self.bytes.get(counter.name.clone()).unwrap_or_default()
    }

    /// How many counters there are.
    pub fn len(&self) -> usize {
        self.counters.len()
    }

    /// How much memory its names take, in bytes.
    pub fn kept_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ticks in a second. It is 1,000,000,000 today and was 1,000,000 on old ones: never assumed.
    pub fn frequency(&self) -> Option<f64> {
        self.number("sun.os.hrt.frequency")
            .filter(|frequency| *frequency > 0)
            .map(|frequency| frequency as f64)
    }

    /// A time in seconds.
    pub fn seconds(&self, name: &str) -> Option<f64> {
        Some(self.count(name)? as f64 / self.frequency()?)
    }
}

/// The stamp in a file's first 32 bytes, to be compared before and after a read.
pub fn stamp(bytes: &[u8]) -> Result<Stamp, PerfError> {
    prologue(bytes).map(|(_, prologue)| prologue.stamp)
}

/// Reads a file.
pub fn parse(mut bytes: Vec<u8>) -> Result<Perf, PerfError> {
    let (reader, prologue) = prologue(&bytes)?;
    let Stamp {
        entries,
        used_bytes,
        ..
    } = prologue.stamp;
    if used_bytes > bytes.len() || entries > bytes.len() / HEADER_BYTES {
        return Err(corrupt(8, "the file is cut off"));
    }
    let mut counters = Vec::with_capacity(entries);
    let mut at = prologue.entry_offset;
    for _ in 0..entries {
        let length = reader.size(at)?;
        // The JVM has counted an entry that it is about to write.
        if length == 0 {
            break;
        }
        let end = at
            .checked_add(length)
            .filter(|end| length >= HEADER_BYTES && *end <= bytes.len())
            .ok_or(corrupt(at, "the entry does not fit"))?;
        counters.extend(reader.counter(at, end)?);
        at = end;
    }
    counters.sort_by(|one, two| {
        let name = |counter: &Counter| bytes.get(counter.name.clone());
        name(one).cmp(&name(two))
    });
    let overflow_bytes = prologue.overflow;
    // Half of a file is room for more.
    bytes.truncate(at);
    bytes.shrink_to_fit();
    Ok(Perf {
        overflow_bytes,
        bytes,
        counters,
    })
}

fn prologue(bytes: &[u8]) -> Result<(Reader<'_>, Prologue), PerfError> {
    if bytes.len() < PROLOGUE_BYTES {
        return Err(corrupt(bytes.len(), "the prologue is cut off"));
    }
    if !bytes.starts_with(&MAGIC) {
        return Err(corrupt(0, "no magic number"));
    }
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let reader = Reader {
        bytes,
        big: match byte(4) {
            0 => true,
            1 => false,
            _ => return Err(corrupt(4, "no byte order")),
        },
    };
    if byte(5) != MAJOR_VERSION {
        return Err(corrupt(5, "an unknown version"));
    }
    if byte(7) != 1 {
        return Err(PerfError::NotReady);
    }
    let prologue = Prologue {
        overflow: reader.size(12)? as u32,
        entry_offset: reader.size(24)?,
        stamp: Stamp {
            modified_ticks: reader.long(16)?,
            entries: reader.size(28)?,
            used_bytes: reader.size(8)?,
        },
    };
    if prologue.entry_offset < PROLOGUE_BYTES {
        return Err(corrupt(24, "entries inside the prologue"));
    }
    Ok((reader, prologue))
}

fn corrupt(at: usize, why: &'static str) -> PerfError {
    PerfError::Corrupt { at, why }
}

// === impl Reader ===

impl Reader<'_> {
    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], PerfError> {
        at.checked_add(N)
            .and_then(|end| self.bytes.get(at..end)?.try_into().ok())
            .ok_or(corrupt(at, "cut off"))
    }

    /// An `int` that is a size, an offset or a count.
    fn size(&self, at: usize) -> Result<usize, PerfError> {
        let bytes = self.array(at)?;
        let number = if self.big {
            i32::from_be_bytes(bytes)
        } else {
            i32::from_le_bytes(bytes)
        };
        usize::try_from(number).map_err(|_negative| corrupt(at, "a negative size"))
    }

    fn long(&self, at: usize) -> Result<i64, PerfError> {
        let bytes = self.array(at)?;
        Ok(if self.big {
            i64::from_be_bytes(bytes)
        } else {
            i64::from_le_bytes(bytes)
        })
    }

    /// Reads the entry between two offsets; of another type than we know, it is passed over.
    fn counter(&self, start: usize, end: usize) -> Result<Option<Counter>, PerfError> {
        let bad = |why| move || corrupt(start, why);
        let name_at = start.saturating_add(self.size(start + 4)?);
        let vector = self.size(start + 8)?;
        let [kind, _flags, units, _variability] = self.array(start + 12)?;
        let data_at = start.saturating_add(self.size(start + 16)?);
        let name = self
            .bytes
            .get(name_at..end)
            .and_then(until_nul)
            .ok_or_else(bad("a name that does not end"))?;
        let name = name_at..name_at + name.len();
        let value = match (kind, vector, units) {
            (LONG, 0, _) if data_at.saturating_add(8) <= end => Value::Number(self.long(data_at)?),
            (LONG, 0, _) => return Err(corrupt(start, "a number outside of its entry")),
            (BYTE, 1.., UNITS_STRING) => {
                let data = data_at
                    .checked_add(vector)
                    .filter(|data_end| *data_end <= end)
                    .and_then(|data_end| self.bytes.get(data_at..data_end))
                    .ok_or_else(bad("a text outside of its entry"))?;
                let text = until_nul(data).unwrap_or(data);
                let text = text.get(..TEXT_BYTES_MAX).unwrap_or(text);
                Value::Text(String::from_utf8_lossy(text).into_owned())
            }
            _ => return Ok(None),
        };
        Ok(Some(Counter { name, value }))
    }
}

fn until_nul(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    bytes.get(..end)
}

#[cfg(test)]
mod tests;
