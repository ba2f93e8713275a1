//! How is the cluster asked, and what does its refusal mean? Blocking requests over a runtime of their own.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use elastic::{Answer, Client, Method, SendError, SetupError};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// How often a request is tried again that a busy cluster refused.
const TRIES_MAX: u32 = 4;
/// How long is waited before the second try; twice as long before each further one.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause that a cluster may ask for; a person is waiting.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Why a cluster can't be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ElasticsearchError {
    /// The addresses or certificates are wrong.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// No runtime for requests.
    #[error("start the runtime for requests")]
    Runtime(#[source] io::Error),
    /// There is no answer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// 401: the cluster does not know us.
    #[error("the cluster does not accept our credentials: {complaint}")]
    Credentials {
        /// What it said.
        complaint: String,
    },
    /// 403: it knows us and we may not.
    #[error("our user may not read here: {complaint}")]
    Forbidden {
        /// What it said.
        complaint: String,
    },
    /// There is nothing to search yet.
    #[error(
        "no index {patterns} there yet, or none that our user may read; \
         nodetap makes it when it ships its first line"
    )]
    NoIndex {
        /// What the indices' names are matched by.
        patterns: String,
    },
    /// The fields are not of the types that the index template gives them.
    #[error(
        "fields are not mapped as nodetap needs them, so the indices were made without its template \
         (`nodetap check`): {complaint}"
    )]
    Mapping {
        /// What it said.
        complaint: String,
    },
    /// Any other refusal.
    #[error("the cluster refuses: {complaint}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        complaint: String,
    },
    /// The answer is not what the API promises.
    #[error("the cluster's answer can't be read: {reason}")]
    Malformed {
        /// Why.
        reason: String,
    },
}

/// A cluster and the means to wait for its answers.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    runtime: Runtime,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Nothing,
    Json(Value),
    /// Newline-delimited JSON.
    Lines(Bytes),
}

// === impl Link ===

impl Link {
    pub(super) fn new(settings: &elastic::Settings) -> Result<Self, ElasticsearchError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ElasticsearchError::Runtime)?;
        Ok(Self {
            client: Client::new(settings)?,
            runtime,
        })
    }

    /// Asks until there is an answer or a refusal that lasts.
    ///
    /// All that is asked here reads, so it may be asked twice: a connection that broke while it was idle, credentials
    /// that were renewed in their file, and a busy cluster get another try.
    pub(super) fn ask(
        &self,
        method: Method,
        path: &str,
        body: &Body,
    ) -> Result<Bytes, ElasticsearchError> {
        self.runtime.block_on(self.asked(method, path, body))
    }

    async fn asked(
        &self,
        method: Method,
        path: &str,
        body: &Body,
    ) -> Result<Bytes, ElasticsearchError> {
        let json = match body {
            Body::Json(value) => Some(Bytes::from(value.to_string())),
            Body::Nothing | Body::Lines(_) => None,
        };
        let mut pause = PAUSE;
        let mut tried = 0;
        loop {
            tried += 1;
            let sent = match body {
                Body::Lines(lines) => self.client.send_lines(path, lines.clone()).await,
                Body::Nothing | Body::Json(_) => self.client.send(method, path, json.clone()).await,
            };
            let answer = match sent {
                Ok(answer) if answer.is_success() => return Ok(answer.body),
                Ok(answer) => answer,
                Err(SendError::Broken { .. }) if tried == 1 => continue,
                Err(error) => return Err(error.into()),
            };
            match answer.status {
                401 | 403 if tried == 1 => {}
                429 | 502 | 503 | 504 if tried < TRIES_MAX => {
                    let wait = answer.retry_after.unwrap_or(pause).min(PAUSE_MAX);
                    tracing::debug!(status = answer.status, ?wait, "cluster is busy");
                    tokio::time::sleep(wait).await;
                    pause *= 2;
                }
                _ => return Err(refusal(&answer)),
            }
        }
    }
}

// === impl ElasticsearchError ===

impl ElasticsearchError {
    /// Whether a point in time is not there any more.
    pub(super) fn is_expired(&self) -> bool {
        matches!(self, Self::Refused { status: 404, complaint }
            if complaint.contains("search_context_missing") || complaint.contains("all shards failed"))
    }

    /// An answer that does not have what it should.
    pub(super) fn malformed(error: &serde_json::Error) -> Self {
        Self::Malformed {
            reason: error.to_string(),
        }
    }
}

/// What an answer that is no success means.
fn refusal(answer: &Answer) -> ElasticsearchError {
    let cause = answer.json().and_then(|json| {
        let shard = json.pointer("/error/failed_shards/0/reason")?;
        Some(cause(shard))
    });
    let complaint = match cause {
        Some(cause) => format!("{}: {cause}", answer.complaint()),
        None => answer.complaint(),
    };
    of_status(answer.status, complaint)
}

/// The refusal of a status and what the cluster said with it.
pub(super) fn of_status(status: u16, complaint: String) -> ElasticsearchError {
    let unmapped = [
        "Fielddata is disabled",
        "No mapping found for",
        "numeric_type",
    ];
    match status {
        401 => ElasticsearchError::Credentials { complaint },
        403 => ElasticsearchError::Forbidden { complaint },
        400 if unmapped.iter().any(|said| complaint.contains(said)) => {
            ElasticsearchError::Mapping { complaint }
        }
        _ => ElasticsearchError::Refused { status, complaint },
    }
}

/// An error object of the API in one line: its type and its innermost reason.
pub(super) fn cause(error: &Value) -> String {
    const SHOWN_CHARACTERS: usize = 300;
    let mut inner = error;
    // Their depth is that of the text, which the parser bounds.
    while let Some(next) = inner.get("caused_by").filter(|next| next.is_object()) {
        inner = next;
    }
    let text = |name: &str| inner.get(name).and_then(Value::as_str).unwrap_or_default();
    let said = format!("{}: {}", text("type"), text("reason"));
    said.chars().take(SHOWN_CHARACTERS).collect()
}
