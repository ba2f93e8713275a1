//! Where do the lines stay? The embedded log store: one writer, any number of readers, in any process.
//!
//! Fresh rows are appended to an Arrow IPC stream; when that is large or old enough its rows are sealed, sorted by
//! (stream, started, offset), into a Parquet file. One manifest says which files count, and is replaced in one step,
//! so that a reader never meets a row twice nor misses one. `docs/store.md` describes the files.
//!
//! Modules stand in the order of the data: what may be asked ([`predicate`]), rows on their way in ([`batch`]), the
//! fresh stream, sealed files, the [`reader`], and the [`writer`].

pub mod text;

pub mod predicate;

mod fault;

mod schema;

pub mod batch;

mod frame;

mod columns;

mod index;

mod needle;

mod evaluate;

mod manifest;

mod sealed;

mod seal;

mod fresh;

pub mod reader;

pub mod writer;

pub use batch::Batch;
pub use evaluate::Matcher;
pub use frame::{Whole, recover_fresh};
pub use predicate::{Comparison, Field, Predicate, Test, Value};
pub use reader::{Cursor, Extent, Histogram, ReadError, Reader, Scan, Stats};
pub use writer::{Maintained, OpenError, Options, Recovered, WriteError, Writer};
