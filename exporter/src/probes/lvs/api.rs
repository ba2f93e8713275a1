//! What does the `ConfigMap` say now? Asked of Kubernetes' API every half a minute, by a thread of its own: a scrape
//! never waits for an API server, but the first one a little.
//!
//! The ports of services that the mapping names are looked up too, where we may read services.

use std::collections::HashMap;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::http::{Client, HttpError, Request, Server};

use super::mapping::Mapping;
use super::table::Protocol;

/// How often the API server is asked.
const INTERVAL: Duration = Duration::from_secs(30);
/// How long it may think.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the first scrape waits for the first answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than Kubernetes lets an object have, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// The services whose ports are looked up each time; the others are known by the kernel's port.
const SERVICES_MAX: usize = 200;

/// Where the mapping is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMap {
    /// The API server.
    pub server: Server,
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

/// What is known of it.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    /// The last mapping that could be read, and when that was.
    pub mapping: Option<(Arc<Mapping>, SystemTime)>,
    /// Whether the last try was well.
    pub well: bool,
    /// Whether there was a try.
    tried: bool,
}

/// The thread that asks; it ends with this.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    _life: SyncSender<()>,
}

#[derive(Debug, Default)]
struct Shared {
    latest: Mutex<Latest>,
    news: Condvar,
}

/// There is no mapping.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Another status than 200.
    #[error("the API server answers {0}")]
    Status(u16),
    /// The answer is no object.
    #[error("understand the API server's answer")]
    Malformed(#[source] serde_json::Error),
}

// === impl Watch ===

impl Watch {
    /// Begins to ask. Without a thread there is never an answer.
    pub fn start(source: ConfigMap) -> Self {
        let shared = Arc::new(Shared::default());
        let (life, end) = sync_channel::<()>(0);
        let told = Arc::clone(&shared);
        let work = move || {
            let mut client = None;
            loop {
                let found = read(&mut client, &source);
                told.tell(found, SystemTime::now());
                if end.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let started = thread::Builder::new()
            .name("lvs mapping".to_owned())
            .spawn(work);
        if let Err(error) = started {
            tracing::error!(%error, "no thread asks for the mapping of virtual addresses");
        }
        Self {
            shared,
            _life: life,
        }
    }

    /// What is known; waits a little, and not beyond the deadline, where nothing is known yet.
    pub fn latest(&self, deadline: Instant) -> Latest {
        let latest = &self.shared.latest;
        let guard = latest.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now()) / 2;
        let waited = self
            .shared
            .news
            .wait_timeout_while(guard, PATIENCE.min(left), |latest| !latest.tried);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

// === impl Shared ===

impl Shared {
    fn tell(&self, found: Result<Mapping, ApiError>, now: SystemTime) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(mapping) => {
                latest.well = mapping.wrong.is_empty();
                latest.mapping = Some((Arc::new(mapping), now));
            }
            Err(error) => {
                if latest.well || !latest.tried {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, cause, "the mapping of virtual addresses can't be read");
                }
                latest.well = false;
            }
        }
        latest.tried = true;
        self.news.notify_all();
    }
}

/// Reads the object, and the services that it names.
fn read(client: &mut Option<Client>, source: &ConfigMap) -> Result<Mapping, ApiError> {
    let client = match client {
        Some(client) => client,
        none => none.insert(Client::new()?),
    };
    let path = |kind: &str, namespace: &str, name: &str| {
        format!("/api/v1/namespaces/{namespace}/{kind}/{name}")
    };
    let found = object(
        client,
        &source.server,
        &path("configmaps", &source.namespace, &source.name),
    )?;
    let mut mapping = of_object(&found);
    let mut ports: HashMap<(String, String), Option<Value>> = HashMap::new();
    mapping.resolve(|namespace, service, name, protocol| {
        if !is_name(namespace) || !is_name(service) {
            return None;
        }
        let of = (namespace.to_owned(), service.to_owned());
        if !ports.contains_key(&of) && ports.len() < SERVICES_MAX {
            let asked = object(
                client,
                &source.server,
                &path("services", namespace, service),
            );
            // Not to be allowed to read services is common, and no failure.
            ports.insert(of.clone(), asked.ok());
        }
        port_of(ports.get(&of)?.as_ref()?, name, protocol)
    });
    Ok(mapping)
}

/// Names come from whoever writes the mapping, and go into a path.
fn is_name(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

fn object(client: &mut Client, server: &Server, path: &str) -> Result<Value, ApiError> {
    let request = Request {
        path,
        body: None,
        headers: &[("accept", "application/json")],
        timeout: TIMEOUT,
        answer_bytes_max: ANSWER_BYTES_MAX,
    };
    let answer = client.ask(server, request)?;
    if answer.status != 200 {
        return Err(ApiError::Status(answer.status));
    }
    serde_json::from_slice(&answer.body).map_err(ApiError::Malformed)
}

/// Reads a `ConfigMap`; pure.
pub fn of_object(found: &Value) -> Mapping {
    let data = found.get("data").and_then(Value::as_object);
    Mapping::of_members(
        data.into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))),
    )
}

/// The number of a service's port; pure.
fn port_of(service: &Value, name: &str, protocol: Protocol) -> Option<u16> {
    let ports = service.get("spec")?.get("ports")?.as_array()?;
    let port = ports.iter().find(|port| {
        let text = |key| port.get(key).and_then(Value::as_str);
        text("name") == Some(name) && text("protocol").unwrap_or("TCP") == protocol.to_string()
    })?;
    port.get("port")?.as_u64()?.try_into().ok()
}

#[cfg(test)]
mod tests;
