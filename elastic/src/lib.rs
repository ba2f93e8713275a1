//! A connection to an Elasticsearch or OpenSearch cluster: hosts, TLS, credentials, one request at a time.
//!
//! What is sent and what the answers mean is the business of those who ask: `collector` ships, `query` searches. Plain
//! `application/json` goes out, so that both engines understand it.

mod settings;

mod secret;

mod answer;

mod request;

mod client;

pub use answer::{Answer, SendError};
pub use client::{Client, SetupError};
pub use request::Request;
pub use secret::{Secret, SecretError};
pub use settings::{Auth, Settings, UrlError, parse_url};

/// The verbs of the public APIs.
pub use elasticsearch::http::Method;
