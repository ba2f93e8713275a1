//! What does a node show of itself? The web page, the metrics and the API, all rendered from one snapshot.
//!
//! Everything that a tenant can name (pods, containers, files) is hostile text here: it goes through [`html::Escaped`]
//! into the page and through the label escaping of [`metrics`] into the exposition.

pub mod units;

pub mod snapshot;

pub mod html;

pub mod overview;

pub mod why;

pub mod process;

pub mod metrics;

pub mod routes;

pub use routes::router;
pub use snapshot::{Snapshot, Source, StoreSize};
