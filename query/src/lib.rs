//! One query: what a person asks of the logs, and how the answer looks.
//!
//! Modules stand in the order of the data: a text is read by [`language`] and [`times`] and becomes, with the flags
//! beside it, a [`Query`]; a [`Backend`] answers it with [`Item`]s in reading order, which [`render`] shows.

pub mod times;

pub mod language;

pub mod question;

pub mod order;

pub mod backend;

pub mod render;

pub use backend::{
    Backend, BackendError, Bookmark, ElasticsearchBackend, Histogram, Item, StoreBackend, Summary,
};
pub use language::{QueryError, parse};
pub use question::Query;
pub use times::parse_moment;
