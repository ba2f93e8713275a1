//! One sealed file: columns, encodings, footer.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray,
    TimestampNanosecondArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use record::File;
use record::document::dataset;

use super::{Rows, SealError, Spot, Target};
use crate::columns::{Columns, code_texts};
use crate::index::{self, Index, Run};
use crate::manifest::{Sealed, sync_directory};
use crate::schema::{self, sealed as at};

/// Rows are arranged and handed on this many at a time, so that sealing holds them once only.
const SLICE_ROWS: usize = 8192;

/// Texts come in pages of this size. To give one row its page must be decompressed, and to search many their pages must
/// fit a core's cache; smaller than this they compress worse.
const TEXT_PAGE_BYTES: usize = 64 << 10;

/// The text columns that have statistics.
const PRUNED_BY: [&str; 4] = [
    "log_level",
    "log_stream",
    "kubernetes_namespace",
    "kubernetes_pod_name",
];

/// Numbers come in pages of so many rows.
const PAGE_ROWS: usize = 8192;

/// Writes the rows at `spots` into the file at `path` below the target's directory.
pub(super) fn write(
    rows: &Rows,
    spots: &[Spot],
    path: &str,
    target: Target<'_>,
) -> Result<Sealed, SealError> {
    let full = target.dir.join(path);
    let part = full.with_extension("parquet.tmp");
    let parent = full.parent().unwrap_or(target.dir);
    fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    let file = fs::File::create(&part).map_err(io_error("create", &part))?;
    let written = write_rows(rows, spots, file).map_err(|error| match error {
        WriteRows::Parquet(source) => SealError::Parquet {
            path: part.clone(),
            source,
        },
        WriteRows::Arrow(source) => SealError::Arrow {
            path: part.clone(),
            source,
        },
        WriteRows::Index(source) => source.of(&part),
    });
    let (written, index) = match written {
        Ok((index, file)) => (Ok(file), index),
        Err(error) => (Err(error), Index::default()),
    };
    let bytes = commit(written, &part, &full, target.dir)?;
    Ok(summary(&index, path, bytes, target))
}

/// Makes a written file durable under its final name and tells its size; removes one that could not be written.
pub(super) fn commit(
    written: Result<fs::File, SealError>,
    part: &Path,
    full: &Path,
    dir: &Path,
) -> Result<u64, SealError> {
    let done = written.and_then(|file| {
        file.sync_all().map_err(io_error("sync", part))?;
        let bytes = file.metadata().map_err(io_error("inspect", part))?.len();
        fs::rename(part, full).map_err(io_error("rename", part))?;
        let parent = full.parent().unwrap_or(dir);
        sync_directory(parent).map_err(io_error("sync", parent))?;
        sync_directory(dir).map_err(io_error("sync", dir))?;
        Ok(bytes)
    });
    if done.is_err()
        && let Err(error) = fs::remove_file(part)
    {
        tracing::debug!(%error, path = %part.display(), "unfinished file stays until the next start");
    }
    done
}

/// Makes an error of what was tried on a file.
pub(super) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> SealError {
    let path = path.to_owned();
    move |source| SealError::Io {
        action,
        path,
        source,
    }
}

/// What the manifest says about a file.
fn summary(index: &Index, path: &str, bytes: u64, target: Target<'_>) -> Sealed {
    let runs = &index.runs;
    let started = runs
        .iter()
        .filter_map(|run| index.files.get(run.file as usize));
    let started = started.map(|file| file.started);
    Sealed {
        path: path.to_owned(),
        rows: runs.iter().map(|run| u64::from(run.rows)).sum(),
        bytes,
        row_groups: 1,
        time: (
            runs.iter().map(|run| run.time_min).min().unwrap_or(0),
            runs.iter().map(|run| run.time_max).max().unwrap_or(0),
        ),
        started: (
            started.clone().min().unwrap_or(0),
            started.max().unwrap_or(0),
        ),
        made_at: target.now.0,
        fresh: target.fresh,
    }
}

/// What may go wrong below the level that knows the path.
enum WriteRows {
    Parquet(ParquetError),
    Arrow(ArrowError),
    Index(index::IndexError),
}

fn write_rows(rows: &Rows, spots: &[Spot], file: fs::File) -> Result<(Index, fs::File), WriteRows> {
    let (index, places) = index_of(rows, spots);
    let constants = Constants::new(&index.files);
    let mut writer = ArrowWriter::try_new(file, schema::sealed(), Some(properties()))
        .map_err(WriteRows::Parquet)?;
    let mut done = 0;
    for spots in spots.chunks(SLICE_ROWS) {
        let place = places.get(done..done + spots.len()).unwrap_or_default();
        done += spots.len();
        let mut columns = varying(rows, spots).map_err(WriteRows::Arrow)?;
        columns.extend(constants.columns(place).map_err(WriteRows::Arrow)?);
        let slice = RecordBatch::try_new(schema::sealed(), columns).map_err(WriteRows::Arrow)?;
        writer.write(&slice).map_err(WriteRows::Parquet)?;
    }
    let text = index.to_text().map_err(WriteRows::Index)?;
    writer.append_key_value_metadata(KeyValue::new(index::KEY.to_owned(), text));
    let file = writer.into_inner().map_err(WriteRows::Parquet)?;
    Ok((index, file))
}

/// The index of rows in this order, and the place of each row's file in it.
fn index_of(rows: &Rows, spots: &[Spot]) -> (Index, Vec<i32>) {
    let mut index = Index::default();
    let mut places = vec![None; rows.files.len()];
    let mut file_of_row = Vec::with_capacity(spots.len());
    for (row, spot) in spots.iter().enumerate() {
        let Some(part) = rows.parts.get(spot.0 as usize) else {
            continue;
        };
        let from = part.file.get(spot.1 as usize).copied().unwrap_or(0) as usize;
        let known = places.get(from).copied().flatten();
        let place = known.unwrap_or_else(|| {
            let place = index.files.len() as u32;
            index.files.extend(rows.files.get(from).cloned());
            if let Some(slot) = places.get_mut(from) {
                *slot = Some(place);
            }
            place
        });
        file_of_row.push(place as i32);
        let (offset, ..) = part.columns.place(spot.1 as usize);
        if index.runs.last().is_none_or(|run| run.file != place) {
            index.runs.push(Run::new(0, place, row as u32, offset));
        }
        if let Some(run) = index.runs.last_mut() {
            let time = part
                .columns
                .time
                .as_ref()
                .map_or(0, |time| time.value(spot.1 as usize));
            let level = part
                .columns
                .level
                .as_ref()
                .map_or(0, |l| l.value(spot.1 as usize));
            run.add(time, offset, level);
        }
    }
    (index, file_of_row)
}

/// The columns that differ from row to row, in the schema's order.
fn varying(rows: &Rows, spots: &[Spot]) -> Result<Vec<ArrayRef>, ArrowError> {
    let numbers = |of: fn(&Columns) -> Option<&UInt64Array>| -> ArrayRef {
        let values = spots.iter().map(|spot| {
            let part = rows.parts.get(spot.0 as usize);
            part.and_then(|part| of(&part.columns))
                .map_or(0, |array| array.value(spot.1 as usize))
        });
        Arc::new(values.collect::<UInt64Array>())
    };
    let codes = |column, of: fn(&Columns) -> Option<&UInt8Array>| -> Result<ArrayRef, ArrowError> {
        let keys = spots.iter().map(|spot| {
            let part = rows.parts.get(spot.0 as usize);
            let code = part.and_then(|part| of(&part.columns));
            let code = code.map_or(0, |array| array.value(spot.1 as usize));
            (code != 0).then_some(i32::from(code))
        });
        let keys: Int32Array = keys.collect();
        Ok(Arc::new(DictionaryArray::try_new(
            keys,
            Arc::new(code_texts(column)),
        )?))
    };
    let texts = |of: fn(&Columns) -> Option<&StringArray>| -> Result<ArrayRef, ArrowError> {
        let empty = StringArray::new_null(0);
        let arrays: Vec<&dyn Array> = rows
            .parts
            .iter()
            .map(|part| of(&part.columns).map_or(&empty as &dyn Array, |array| array as &dyn Array))
            .collect();
        if arrays.iter().all(|array| array.null_count() == array.len()) {
            return Ok(Arc::new(StringArray::new_null(spots.len())));
        }
        let spots: Vec<(usize, usize)> = spots
            .iter()
            .map(|spot| (spot.0 as usize, spot.1 as usize))
            .collect();
        interleave(&arrays, &spots)
    };
    let at_spot = |spot: &Spot| rows.parts.get(spot.0 as usize).map(|part| &part.columns);
    let time = spots.iter().map(|spot| {
        at_spot(spot)
            .and_then(|columns| columns.time.as_ref())
            .map_or(0, |t| t.value(spot.1 as usize))
    });
    let part = spots.iter().map(|spot| {
        at_spot(spot)
            .map(|columns| columns.place(spot.1 as usize).1)
            .filter(|part| *part > 0)
    });
    let end_started = spots.iter().map(|spot| {
        let array = at_spot(spot).and_then(|columns| columns.end_started.as_ref())?;
        array
            .is_valid(spot.1 as usize)
            .then(|| array.value(spot.1 as usize))
    });
    let time = TimestampNanosecondArray::from(time.collect::<Vec<i64>>());
    Ok(vec![
        Arc::new(time.with_timezone("UTC")),
        texts(|columns| columns.message.as_ref())?,
        codes(at::OUTPUT, |columns| columns.output.as_ref())?,
        codes(at::LEVEL, |columns| columns.level.as_ref())?,
        numbers(|columns| columns.offset.as_ref()),
        Arc::new(part.collect::<UInt32Array>()),
        numbers(|columns| columns.end.as_ref()),
        Arc::new(
            end_started
                .collect::<TimestampNanosecondArray>()
                .with_timezone("UTC"),
        ),
        codes(at::TAGS, |columns| columns.tags.as_ref())?,
        texts(|columns| columns.app.as_ref())?,
        texts(|columns| columns.error.as_ref())?,
    ])
}

/// The columns that are the same for all rows of a file, one value a file.
struct Constants {
    started: Vec<i64>,
    restart_count: Vec<Option<u32>>,
    texts: Vec<StringArray>,
}

// === impl Constants ===

impl Constants {
    fn new(files: &[Arc<File>]) -> Self {
        let texts = schema::CONSTANT_TEXTS.map(|name| {
            files
                .iter()
                .map(|file| constant_text(name, file).filter(|text| !text.is_empty()))
                .collect()
        });
        Self {
            started: files.iter().map(|file| file.started).collect(),
            restart_count: files.iter().map(|file| file.restart_count).collect(),
            texts: texts.into(),
        }
    }

    /// The constant columns of rows of these files, in the schema's order.
    fn columns(&self, places: &[i32]) -> Result<Vec<ArrayRef>, ArrowError> {
        let started = places
            .iter()
            .map(|place| self.started.get(*place as usize).copied().unwrap_or(0));
        let started = TimestampNanosecondArray::from(started.collect::<Vec<i64>>());
        let counts = places
            .iter()
            .map(|place| self.restart_count.get(*place as usize).copied().flatten());
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(started.with_timezone("UTC")),
            Arc::new(counts.collect::<UInt32Array>()),
        ];
        let all = Int32Array::from(places.to_vec());
        for texts in &self.texts {
            let keys = if texts.null_count() == 0 {
                all.clone()
            } else {
                let there = |place: &i32| texts.is_valid(*place as usize).then_some(*place);
                places.iter().map(there).collect()
            };
            columns.push(Arc::new(DictionaryArray::try_new(
                keys,
                Arc::new(texts.clone()),
            )?));
        }
        Ok(columns)
    }
}

/// What a file has in one of [`schema::CONSTANT_TEXTS`].
fn constant_text(name: &str, file: &File) -> Option<String> {
    let origin = &file.origin;
    let (pod, container) = (origin.pod.as_ref(), origin.container.as_ref());
    match name {
        "log_stream" => Some(origin.stream.clone()),
        "kubernetes_namespace" => pod.map(|pod| pod.namespace.clone()),
        "kubernetes_pod_name" => pod.map(|pod| pod.name.clone()),
        "kubernetes_pod_uid" => pod.map(|pod| pod.uid.clone()),
        "kubernetes_labels" => pod
            .filter(|pod| !pod.labels.is_empty())
            .and_then(|pod| serde_json::to_string(&pod.labels).ok()),
        "kubernetes_node_name" => Some(file.node.name.clone()),
        "container_name" => container.map(|container| container.name.clone()),
        "container_id" => container.map(|container| container.id.clone()),
        "container_runtime" => container.map(|container| container.runtime.clone()),
        "container_image_name" => container.map(|container| container.image.clone()),
        "host_name" => Some(file.node.host.clone()),
        "orchestrator_cluster_name" => Some(file.node.cluster.clone()),
        "log_file_path" => Some(file.path.clone()),
        "log_file_fingerprint" => Some(file.fingerprint.clone()),
        _ => Some(dataset(origin.kind).to_owned()),
    }
}

/// How sealed files are encoded.
pub(super) fn properties() -> WriterProperties {
    let schema = schema::sealed();
    let path = |index: usize| ColumnPath::from(schema.field(index).name().as_str());
    let mut properties = WriterProperties::builder()
        .set_created_by("nodetap".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_dictionary_page_size_limit(4 << 20)
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_index_truncate_length(Some(64))
        .set_statistics_truncate_length(Some(64))
        .set_sorting_columns(Some(
            [at::FIRST_TEXT, at::STARTED, at::OFFSET]
                .map(|index| SortingColumn {
                    column_idx: index as i32,
                    descending: false,
                    nulls_first: true,
                })
                .into(),
        ));
    for index in [
        at::TIME,
        at::OFFSET,
        at::END,
        at::END_STARTED,
        at::STARTED,
        at::PART,
        at::RESTART_COUNT,
    ] {
        properties = properties.set_column_encoding(path(index), Encoding::DELTA_BINARY_PACKED);
    }
    for index in [at::MESSAGE, at::APP, at::ERROR] {
        properties = properties
            .set_column_statistics_enabled(path(index), EnabledStatistics::None)
            .set_column_data_page_size_limit(path(index), TEXT_PAGE_BYTES);
    }
    for (index, field) in schema.fields().iter().enumerate() {
        if matches!(field.data_type(), DataType::Dictionary(..)) {
            properties = properties.set_column_dictionary_enabled(path(index), true);
            // Comparing long texts row by row costs as much as writing them; these are what others prune by.
            if !PRUNED_BY.contains(&field.name().as_str()) {
                properties =
                    properties.set_column_statistics_enabled(path(index), EnabledStatistics::None);
            }
        }
    }
    properties.build()
}
