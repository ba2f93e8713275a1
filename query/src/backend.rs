//! Who answers? The seam between a query and where the lines are kept.
//!
//! The embedded store answers in [`store`], Elasticsearch and OpenSearch in [`elasticsearch`]. Calls block: a server
//! runs them on threads of their own.

use std::ops::ControlFlow;
use std::time::Duration;

use record::Document;

use crate::Query;

mod context;

mod passes;

pub mod store;

pub mod elasticsearch;

pub use elasticsearch::ElasticsearchBackend;
pub use store::StoreBackend;

/// What a search gives, in reading order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A line that was asked for.
    Hit(Document),
    /// A line beside one that was asked for.
    Context(Document),
    /// Between two groups of lines that don't meet; only in answers with context.
    Break,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many hits were given.
    pub hits: u64,
    /// Whether there are older hits that the limit kept out.
    pub limited: bool,
    /// How many lines were looked at.
    pub rows_scanned: u64,
    /// Damaged files that had to be left out: the answer may lack their lines.
    pub files_damaged: u64,
    /// Parts of the cluster's indices that could not be asked: likewise.
    pub shards_failed: u64,
}

/// Counts per time and level; see [`::store::Histogram`].
pub type Histogram = ::store::Histogram;

/// How far someone has followed; made by [`Backend::tail`] and moved by [`Backend::follow`].
#[derive(Clone, Debug)]
pub enum Bookmark {
    /// In the embedded store.
    Store(::store::Cursor),
    /// In a cluster.
    Elasticsearch(Box<elasticsearch::Followed>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The embedded store can't be read.
    #[error(transparent)]
    Store(#[from] ::store::ReadError),
    /// The cluster can't be asked.
    #[error(transparent)]
    Elasticsearch(#[from] elasticsearch::ElasticsearchError),
    /// The bookmark was made where other lines are kept.
    #[error("follow from a bookmark of another backend")]
    Bookmark,
    /// The hits with context don't fit in memory.
    #[error(
        "keep the hits for their context: they take more than {bytes_max} bytes; set a limit or leave the context out"
    )]
    Context {
        /// How much is kept at most, in bytes.
        bytes_max: usize,
    },
}

/// Takes items one by one; [`ControlFlow::Break`] ends the search early.
pub type Each<'a> = &'a mut dyn FnMut(Item) -> ControlFlow<()>;

/// Where lines are kept and searched.
pub trait Backend {
    /// Moves on to what is there now; searches see one state until then.
    fn refresh(&mut self) -> Result<(), BackendError>;

    /// Gives the newest hits in reading order, each group with the lines around it when the query asks for context.
    ///
    /// Within a stream the order is (started, offset), whatever the clocks did; between streams it is that of time.
    /// Groups that meet are one; each line is given once.
    fn search(&self, query: &Query, each: Each<'_>) -> Result<Summary, BackendError>;

    /// Counts all hits per bucket of time (aligned to the epoch) and level; the limits don't matter.
    fn histogram(&self, query: &Query, bucket: Duration) -> Result<Histogram, BackendError>;

    /// Searches as [`Self::search`] does, without context, and says where [`Self::follow`] goes on: no line is
    /// missed or given twice between the two.
    fn tail(&mut self, query: &Query, each: Each<'_>) -> Result<Bookmark, BackendError>;

    /// Gives the hits that became visible since the bookmark, each once, and moves it. Does not wait for any.
    ///
    /// Lines of one stream come in exact order; the limits and the context don't matter.
    fn follow(
        &mut self,
        query: &Query,
        bookmark: &mut Bookmark,
        each: Each<'_>,
    ) -> Result<Summary, BackendError>;
}
