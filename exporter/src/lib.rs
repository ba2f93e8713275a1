//! How is the node's plumbing? Probes read the kernel and the node's files, a scrape collects them, HTTP serves them.
//!
//! The modules stand in the order of a sample's way; each uses only what stands above it.
//! [`place`] is where files are read, [`netlink`] how the kernel is asked, [`http`] how a server, [`machine`] what it
//! runs on, [`pods`] whose a process is, [`networks`] whose a network namespace and an address, [`subnet`] a range of them;
//! [`labels`], [`family`] and [`text`] are what a sample becomes, [`exposition`] is how others' are read, [`probe`] is what
//! a probe must do, [`probes`] the table of all of them, [`scrape`] runs them, each on its own thread, [`serve`]
//! answers Prometheus, and [`push`] brings it all to where no scrape reaches.
//!
//! A thing that is not there (a kernel module, a right, a file) is a state with a reason, never an error loop. Bytes
//! from the kernel are read as if they came from a stranger.

pub mod place;

pub mod netlink;

pub mod http;

pub mod machine;

pub mod pods;

pub mod networks;

pub mod subnet;

pub mod labels;

pub mod family;

pub mod text;

pub mod exposition;

pub mod probe;

pub mod probes;

pub mod scrape;

pub mod serve;

pub mod push;

pub mod manual;

pub use probes::Settings;
pub use scrape::{Exporter, Scrape, Selection};
