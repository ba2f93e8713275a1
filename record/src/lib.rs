//! The nouns of a line's way from a container's file to a document; no I/O and no clock.
//!
//! Modules stand in the order of the data: a [`Source`] is found, its bytes have [`Position`]s, a parsed line is an
//! [`Entry`], an entry with its file's constant part is a [`Record`], and a record is written as a document.

pub mod time;

pub mod origin;

pub mod position;

pub mod entry;

pub mod file;

pub mod id;

pub mod document;

pub use document::Document;
pub use entry::{Entry, Level, OutputStream, Tags};
pub use file::{File, Record};
pub use id::DocumentId;
pub use origin::{Container, Origin, Pod, Source};
pub use position::{FileKey, Fingerprint, Position};
pub use time::Timestamp;
