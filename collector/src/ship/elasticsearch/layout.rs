//! Which index does a record belong to?

use record::document::{data_stream_namespace, dataset};
use record::{File, Timestamp};

/// How documents are spread over indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One index a day, `prefix-YYYY.MM.DD`, by the line's own time: a line that is sent again meets its first copy.
    Index {
        /// What the names begin with.
        prefix: String,
    },
    /// Data streams, `logs-nodetap.<container|host>-<namespace>`. Their backing indices change with time, so what may have
    /// been sent before is looked up before it is sent again.
    DataStream,
}

// === impl Layout ===

impl Layout {
    /// The index or data stream of a file's record. `named` is the time that its id is made from.
    pub fn index(&self, file: &File, named: Timestamp) -> String {
        match self {
            Self::Index { prefix } => {
                let (year, month, day) = named.day();
                format!("{prefix}-{year:04}.{month:02}.{day:02}")
            }
            Self::DataStream => format!(
                "logs-{}-{}",
                dataset(file.origin.kind),
                data_stream_namespace(file)
            ),
        }
    }

    /// What all indices are matched by.
    pub fn pattern(&self) -> String {
        match self {
            Self::Index { prefix } => format!("{prefix}-*"),
            Self::DataStream => "logs-nodetap.*-*".to_owned(),
        }
    }

    /// The name of the index template.
    pub fn template_name(&self) -> String {
        match self {
            Self::Index { prefix } => prefix.clone(),
            Self::DataStream => "logs-nodetap".to_owned(),
        }
    }

    /// The day that an index is for, counted from 1970-01-01.
    pub(super) fn day(&self, named: Timestamp) -> Option<i64> {
        match self {
            Self::Index { .. } => Some(named.epoch_day()),
            Self::DataStream => None,
        }
    }
}
