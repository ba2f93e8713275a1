//! How do small files become large ones? Rows that fit into one row group are sealed anew, sorted together; the row
//! groups of larger files are copied as they are, which costs no more than the copying.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::writer::SerializedFileWriter;
use record::File;

use super::parquet_file::{commit, io_error, properties};
use super::{Rows, SealError, Target, seal};
use crate::evaluate::Needed;
use crate::index::{self, Index, Run};
use crate::manifest::Sealed;
use crate::sealed::{SealedError, SealedFile};

/// Merges files of one day, given oldest first.
///
/// Rows that take at most `reseal_bytes` in memory are sorted together; otherwise row groups are copied.
pub(crate) fn merge(
    inputs: &[Sealed],
    target: Target<'_>,
    reseal_bytes: u64,
) -> Result<Vec<Sealed>, SealError> {
    let mut files = Vec::new();
    for input in inputs {
        let path = target.dir.join(&input.path);
        let file = SealedFile::open(&path).map_err(|error| damaged(&path, error))?;
        files.push(file);
    }
    if files.iter().map(SealedFile::plain_bytes).sum::<u64>() <= reseal_bytes {
        return reseal(&files, target);
    }
    Ok(vec![copy(inputs, &files, target)?])
}

fn reseal(files: &[SealedFile], target: Target<'_>) -> Result<Vec<Sealed>, SealError> {
    let mut rows = Rows::default();
    for file in files {
        let names = file.index.files.iter().map(|own| {
            let text = serde_json::to_string(own.as_ref());
            text.map(|text| rows.place(&text, || Arc::clone(own)))
        });
        let places: Result<Vec<u32>, _> = names.collect();
        let places =
            places.map_err(|error| damaged(&file.path, index::IndexError::Files(error).into()))?;
        for row_group in 0..file.row_groups() {
            let mut own = Vec::new();
            for run in file.runs(row_group) {
                let place = places.get(run.file as usize).copied().unwrap_or(0);
                own.resize(own.len() + run.rows as usize, place);
            }
            let all = 0..own.len();
            let mut done = 0;
            let read = file.read(
                row_group,
                Needed::DOCUMENT,
                std::slice::from_ref(&all),
                &mut |columns| {
                    let end = done + columns.rows;
                    let file = own.get(done..end).unwrap_or_default().to_vec();
                    done = end;
                    rows.add(columns, file);
                    true
                },
            );
            read.map_err(|error| damaged(&file.path, error))?;
        }
    }
    seal(&rows, target)
}

/// Copies all row groups into one file.
fn copy(inputs: &[Sealed], files: &[SealedFile], target: Target<'_>) -> Result<Sealed, SealError> {
    let day = inputs
        .first()
        .and_then(|input| input.path.split_once('/'))
        .map_or("", |parts| parts.0);
    let path = format!("{day}/{:010}.parquet", target.number);
    let full = target.dir.join(&path);
    let part = full.with_extension("parquet.tmp");
    let index = joined(files);
    let written = fs::File::create(&part)
        .map_err(io_error("create", &part))
        .and_then(|file| copy_groups(files, &index, file, &part));
    let bytes = commit(written, &part, &full, target.dir)?;
    let bounds = |of: fn(&Sealed) -> (i64, i64)| {
        let first = inputs.iter().map(|input| of(input).0).min().unwrap_or(0);
        (
            first,
            inputs.iter().map(|input| of(input).1).max().unwrap_or(0),
        )
    };
    Ok(Sealed {
        path,
        rows: inputs.iter().map(|input| input.rows).sum(),
        bytes,
        row_groups: inputs.iter().map(|input| input.row_groups).sum(),
        time: bounds(|input| input.time),
        started: bounds(|input| input.started),
        made_at: target.now.0,
        fresh: target.fresh,
    })
}

/// The index of all files, one behind the other.
fn joined(files: &[SealedFile]) -> Index {
    let mut index = Index::default();
    let mut known: HashMap<Arc<File>, u32> = HashMap::new();
    let mut row_groups = 0;
    for file in files {
        let places: Vec<u32> = file
            .index
            .files
            .iter()
            .map(|own| {
                *known.entry(Arc::clone(own)).or_insert_with(|| {
                    index.files.push(Arc::clone(own));
                    index.files.len() as u32 - 1
                })
            })
            .collect();
        index.runs.extend(file.index.runs.iter().map(|run| Run {
            row_group: run.row_group + row_groups,
            file: places.get(run.file as usize).copied().unwrap_or(0),
            ..*run
        }));
        row_groups += file.row_groups() as u32;
    }
    index
}

fn copy_groups(
    files: &[SealedFile],
    index: &Index,
    out: fs::File,
    path: &Path,
) -> Result<fs::File, SealError> {
    let parquet = |source| SealError::Parquet {
        path: path.to_owned(),
        source,
    };
    let Some(first) = files.first() else {
        return Err(parquet(ParquetError::General(
            "nothing to merge".to_owned(),
        )));
    };
    let schema = first
        .metadata()
        .file_metadata()
        .schema_descr()
        .root_schema_ptr();
    let mut writer =
        SerializedFileWriter::new(out, schema, Arc::new(properties())).map_err(parquet)?;
    for file in files {
        let source = fs::File::open(&file.path).map_err(io_error("open", &file.path))?;
        let metadata = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .parse_and_finish(&source)
            .map_err(parquet)?;
        for row_group in 0..metadata.num_row_groups() {
            copy_group(&mut writer, &source, &metadata, row_group).map_err(parquet)?;
        }
    }
    let texts = first.metadata().file_metadata().key_value_metadata();
    for text in texts
        .into_iter()
        .flatten()
        .filter(|text| text.key != index::KEY)
    {
        writer.append_key_value_metadata(text.clone());
    }
    let text = index.to_text().map_err(|error| error.of(path))?;
    writer.append_key_value_metadata(KeyValue::new(index::KEY.to_owned(), text));
    writer.into_inner().map_err(parquet)
}

fn copy_group(
    writer: &mut SerializedFileWriter<fs::File>,
    source: &fs::File,
    metadata: &ParquetMetaData,
    number: usize,
) -> Result<(), ParquetError> {
    let group = metadata.row_group(number);
    let pages = metadata.page_index_for_row_group(number);
    let mut out = writer.next_row_group()?;
    for (place, column) in group.columns().iter().enumerate() {
        let column_index = pages.column_index(place).cloned();
        let offset_index = pages.offset_index(place).cloned();
        let close = ColumnCloseResult {
            bytes_written: column.compressed_size() as u64,
            rows_written: group.num_rows() as u64,
            metadata: column.clone(),
            bloom_filter: None,
            column_index,
            offset_index,
        };
        out.append_column(source, close)?;
    }
    out.close()?;
    Ok(())
}

fn damaged(path: &Path, error: SealedError) -> SealError {
    SealError::Damaged {
        path: path.to_owned(),
        source: Box::new(error),
    }
}
