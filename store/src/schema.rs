//! What are the columns called, fresh and sealed?
//!
//! Sealed columns have the document's field names with dots replaced by underscores and without the `@`, and texts
//! where documents have texts, so that whoever opens a file with `DuckDB` knows them. Fresh columns are leaner: what is
//! the same for a file is one dictionary of JSON texts, levels and outputs are numbers.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The places of the columns in a fresh batch.
pub(crate) mod fresh {
    pub(crate) const TIME: usize = 0;
    pub(crate) const FILE: usize = 1;
    pub(crate) const OFFSET: usize = 2;
    pub(crate) const END: usize = 3;
    pub(crate) const END_STARTED: usize = 4;
    pub(crate) const OUTPUT: usize = 5;
    pub(crate) const LEVEL: usize = 6;
    pub(crate) const PART: usize = 7;
    pub(crate) const TAGS: usize = 8;
    pub(crate) const MESSAGE: usize = 9;
    pub(crate) const APP: usize = 10;
    pub(crate) const ERROR: usize = 11;
}

/// The places of the columns in a sealed file.
///
/// The first ones differ from row to row; those from [`sealed::STARTED`] on are the same for all rows of a
/// file, and there for others: this crate takes them from the file table in the footer.
pub(crate) mod sealed {
    pub(crate) const TIME: usize = 0;
    pub(crate) const MESSAGE: usize = 1;
    pub(crate) const OUTPUT: usize = 2;
    pub(crate) const LEVEL: usize = 3;
    pub(crate) const OFFSET: usize = 4;
    pub(crate) const PART: usize = 5;
    pub(crate) const END: usize = 6;
    pub(crate) const END_STARTED: usize = 7;
    pub(crate) const TAGS: usize = 8;
    pub(crate) const APP: usize = 9;
    pub(crate) const ERROR: usize = 10;
    pub(crate) const STARTED: usize = 11;
    pub(crate) const RESTART_COUNT: usize = 12;
    pub(crate) const FIRST_TEXT: usize = 13;
}

/// The constant text columns of a sealed file, from [`sealed::FIRST_TEXT`] on.
pub(crate) const CONSTANT_TEXTS: [&str; 15] = [
    "log_stream",
    "kubernetes_namespace",
    "kubernetes_pod_name",
    "kubernetes_pod_uid",
    "kubernetes_labels",
    "kubernetes_node_name",
    "container_name",
    "container_id",
    "container_runtime",
    "container_image_name",
    "host_name",
    "orchestrator_cluster_name",
    "log_file_path",
    "log_file_fingerprint",
    "event_dataset",
];

static FRESH: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = DataType::Utf8;
    Arc::new(Schema::new(vec![
        Field::new("time", timestamp(), false),
        Field::new("file", dictionary(DataType::UInt32), false),
        Field::new("offset", DataType::UInt64, false),
        Field::new("end", DataType::UInt64, false),
        Field::new("end_started", DataType::Int64, true),
        Field::new("output", DataType::UInt8, false),
        Field::new("level", DataType::UInt8, false),
        Field::new("part", DataType::UInt32, false),
        Field::new("tags", DataType::UInt8, false),
        Field::new("message", text.clone(), false),
        Field::new("app", text.clone(), true),
        Field::new("error", text, true),
    ]))
});

static SEALED: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = DataType::Utf8;
    let mut fields = vec![
        Field::new("timestamp", timestamp(), false),
        Field::new("message", text.clone(), false),
        Field::new("stream", dictionary(DataType::Int32), true),
        Field::new("log_level", dictionary(DataType::Int32), true),
        Field::new("log_offset", DataType::UInt64, false),
        Field::new("log_part", DataType::UInt32, true),
        Field::new("log_end", DataType::UInt64, false),
        Field::new("log_end_file_started", timestamp(), true),
        Field::new("tags", dictionary(DataType::Int32), true),
        Field::new("app", text.clone(), true),
        Field::new("error_message", text, true),
        Field::new("log_file_started", timestamp(), false),
        Field::new("kubernetes_container_restart_count", DataType::UInt32, true),
    ];
    fields.extend(CONSTANT_TEXTS.map(|name| Field::new(name, dictionary(DataType::Int32), true)));
    Arc::new(Schema::new(fields))
});

/// The schema of a fresh stream.
pub(crate) fn fresh() -> SchemaRef {
    Arc::clone(&FRESH)
}

/// The schema of a sealed file.
pub(crate) fn sealed() -> SchemaRef {
    Arc::clone(&SEALED)
}

/// The type of times: nanoseconds since the epoch, UTC.
pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

fn dictionary(keys: DataType) -> DataType {
    DataType::Dictionary(Box::new(keys), Box::new(DataType::Utf8))
}
