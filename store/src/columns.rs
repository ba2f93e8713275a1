//! Rows in memory: the same columns, whether they come from a fresh stream or a sealed file.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
    UInt8Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{Int32Type, TimestampNanosecondType, UInt8Type, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use record::{Document, Entry, File, Level, OutputStream, Record, Tags, Timestamp};

use crate::schema;

/// The columns of some rows that were read. Absent are those nobody asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    pub(crate) rows: usize,
    pub(crate) time: Option<TimestampNanosecondArray>,
    pub(crate) message: Option<StringArray>,
    /// By the place in [`OutputStream::ALL`].
    pub(crate) output: Option<UInt8Array>,
    /// By the place in [`Level::ALL`].
    pub(crate) level: Option<UInt8Array>,
    pub(crate) offset: Option<UInt64Array>,
    /// 0 or null for a whole line.
    pub(crate) part: Option<UInt32Array>,
    pub(crate) end: Option<UInt64Array>,
    /// Null where the row ends in its own file.
    pub(crate) end_started: Option<Int64Array>,
    pub(crate) tags: Option<UInt8Array>,
    pub(crate) app: Option<StringArray>,
    pub(crate) error: Option<StringArray>,
}

// === impl Columns ===

impl Columns {
    /// The columns of a fresh chunk.
    pub(crate) fn from_fresh(batch: &RecordBatch) -> Self {
        use crate::schema::fresh as at;
        let bytes = |index| batch.column(index).as_primitive_opt::<UInt8Type>().cloned();
        let texts = |index| batch.column(index).as_string_opt::<i32>().cloned();
        let numbers = |index| {
            batch
                .column(index)
                .as_primitive_opt::<UInt64Type>()
                .cloned()
        };
        Self {
            rows: batch.num_rows(),
            time: batch
                .column(at::TIME)
                .as_primitive_opt::<TimestampNanosecondType>()
                .cloned(),
            message: texts(at::MESSAGE),
            output: bytes(at::OUTPUT),
            level: bytes(at::LEVEL),
            offset: numbers(at::OFFSET),
            part: batch
                .column(at::PART)
                .as_primitive_opt::<UInt32Type>()
                .cloned(),
            end: numbers(at::END),
            end_started: batch.column(at::END_STARTED).as_primitive_opt().cloned(),
            tags: bytes(at::TAGS),
            app: texts(at::APP),
            error: texts(at::ERROR),
        }
    }

    /// The columns of rows of a sealed file, whichever were read.
    pub(crate) fn from_sealed(batch: &RecordBatch) -> Result<Self, ArrowError> {
        use crate::schema::sealed as at;
        let schema = schema::sealed();
        let column = |index: usize| batch.column_by_name(schema.field(index).name());
        let times = |index| {
            column(index).and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>())
        };
        let texts = |index| {
            column(index)
                .and_then(|array| array.as_string_opt::<i32>())
                .cloned()
        };
        let numbers = |index| {
            column(index)
                .and_then(|array| array.as_primitive_opt::<UInt64Type>())
                .cloned()
        };
        let codes = |index, code: fn(&str) -> u8| column(index).map(|array| codes(array, code));
        Ok(Self {
            rows: batch.num_rows(),
            time: times(at::TIME).cloned(),
            message: texts(at::MESSAGE),
            output: codes(at::OUTPUT, output_code).transpose()?,
            level: codes(at::LEVEL, level_code).transpose()?,
            offset: numbers(at::OFFSET),
            part: column(at::PART)
                .and_then(|array| array.as_primitive_opt())
                .cloned(),
            end: numbers(at::END),
            end_started: times(at::END_STARTED)
                .map(|array| Int64Array::new(array.values().clone(), array.nulls().cloned())),
            tags: codes(at::TAGS, tags_code).transpose()?,
            app: texts(at::APP),
            error: texts(at::ERROR),
        })
    }

    /// The record of a row; a column that was not read gives its default.
    pub(crate) fn record<'a>(&'a self, row: usize, file: &'a Arc<File>) -> Record<'a> {
        let entry = Entry {
            time: Timestamp(self.time.as_ref().map_or(0, |array| array.value(row))),
            output: self.output.as_ref().map_or(OutputStream::None, |array| {
                OutputStream::ALL
                    .get(usize::from(array.value(row)))
                    .copied()
                    .unwrap_or_default()
            }),
            level: self.level_at(row),
            message: self.message.as_ref().map_or("", |array| array.value(row)),
            offset: self.offset.as_ref().map_or(0, |array| array.value(row)),
            end: self.end.as_ref().map_or(0, |array| array.value(row)),
            end_started: self
                .end_started
                .as_ref()
                .filter(|array| array.is_valid(row))
                .map_or(file.started, |array| array.value(row)),
            part: self
                .part
                .as_ref()
                .filter(|array| array.is_valid(row))
                .map_or(0, |array| array.value(row)),
            tags: Tags(self.tags.as_ref().map_or(0, |array| array.value(row))),
            app: text_at(self.app.as_ref(), row),
            error: text_at(self.error.as_ref(), row),
        };
        Record { file, entry }
    }

    /// The document of a row.
    pub(crate) fn document(&self, row: usize, file: &Arc<File>) -> Document {
        Document::from(&self.record(row, file))
    }

    /// The level of a row.
    pub(crate) fn level_at(&self, row: usize) -> Level {
        let number = self.level.as_ref().map_or(0, |array| array.value(row));
        Level::ALL
            .get(usize::from(number))
            .copied()
            .unwrap_or_default()
    }

    /// What orders a row within its file: offset, part, end.
    pub(crate) fn place(&self, row: usize) -> (u64, u32, u64) {
        (
            self.offset.as_ref().map_or(0, |array| array.value(row)),
            self.part
                .as_ref()
                .filter(|array| array.is_valid(row))
                .map_or(0, |array| array.value(row)),
            self.end.as_ref().map_or(0, |array| array.value(row)),
        )
    }
}

fn text_at(array: Option<&StringArray>, row: usize) -> Option<&str> {
    array
        .filter(|array| array.is_valid(row))
        .map(|array| array.value(row))
}

/// Numbers for the texts of a dictionary column; 0 for null.
fn codes(array: &ArrayRef, code: fn(&str) -> u8) -> Result<UInt8Array, ArrowError> {
    let wrong = || ArrowError::SchemaError("a dictionary of texts was expected".to_owned());
    let dictionary = array.as_dictionary_opt::<Int32Type>().ok_or_else(wrong)?;
    let values = dictionary
        .values()
        .as_string_opt::<i32>()
        .ok_or_else(wrong)?;
    let numbers: Vec<u8> = values.iter().map(|text| text.map_or(0, code)).collect();
    let number = |key: i32| numbers.get(key as usize).copied().unwrap_or(0);
    let keys = dictionary.keys();
    Ok(match keys.nulls() {
        None => keys
            .values()
            .iter()
            .map(|key| number(*key))
            .collect::<Vec<u8>>()
            .into(),
        Some(_) => keys
            .iter()
            .map(|key| key.map_or(0, number))
            .collect::<Vec<u8>>()
            .into(),
    })
}

fn output_code(text: &str) -> u8 {
    OutputStream::ALL
        .iter()
        .position(|output| output.as_str() == text)
        .unwrap_or(0) as u8
}

fn level_code(text: &str) -> u8 {
    Level::ALL
        .iter()
        .position(|level| level.as_str() == text)
        .unwrap_or(0) as u8
}

fn tags_code(text: &str) -> u8 {
    text.split(',')
        .filter_map(Tags::from_name)
        .fold(Tags::NONE, Tags::with)
        .0
}

/// The texts of outputs, levels and tags by their numbers; `None` for the number of nothing.
pub(crate) fn code_texts(column: usize) -> StringArray {
    match column {
        schema::sealed::OUTPUT => OutputStream::ALL
            .iter()
            .map(|output| Some(output.as_str()))
            .collect(),
        schema::sealed::LEVEL => Level::ALL
            .iter()
            .map(|level| Some(level.as_str()))
            .collect(),
        _ => (0..=u8::MAX)
            .map(|tags| Some(Tags(tags).names().collect::<Vec<_>>().join(",")))
            .collect(),
    }
}
