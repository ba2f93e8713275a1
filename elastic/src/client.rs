//! How does one request get to one of the hosts? The door to the `elasticsearch` crate.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use elasticsearch::auth::Credentials;
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::headers::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER,
};
use elasticsearch::http::transport::{SingleNodeConnectionPool, Transport, TransportBuilder};
use elasticsearch::http::{Method, Url};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::settings::{UrlError, parse_url};
use crate::{Answer, Auth, Request, Secret, SendError, Settings};

/// How long a host that could not be reached is left alone while others answer.
const SHUNNED: Duration = Duration::from_secs(30);
/// The longest `Retry-After` that is believed.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// Why there is no connection to speak of.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No host.
    #[error("no address of the cluster is given")]
    NoHost,
    /// An address is wrong.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The file of certificate authorities can't be read.
    #[error("read certificate authority {}", path.display())]
    ReadAuthority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has no certificate.
    #[error("{} holds no PEM certificate: {reason}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// TLS can't be set up.
    #[error("prepare connection to {url}: {reason}")]
    Prepare {
        /// The host.
        url: String,
        /// Why.
        reason: String,
    },
}

/// A cluster that can be asked.
#[derive(Debug)]
pub struct Client {
    hosts: Vec<Host>,
    next: AtomicUsize,
    auth: Auth,
    timeout: Duration,
    compression: Option<Compression>,
}

#[derive(Debug)]
struct Host {
    url: Url,
    transport: Transport,
    shunned_until: Mutex<Option<Instant>>,
}

// === impl Client ===

impl Client {
    /// Prepares everything; nothing is sent yet. A secret file that is missing is an error of the requests, not of this.
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        let authority = match &settings.ca_file {
            Some(path) => Some(fs::read(path).map_err(|source| SetupError::ReadAuthority {
                path: path.clone(),
                source,
            })?),
            None => None,
        };
        let mut hosts = Vec::new();
        for text in &settings.urls {
            let url = parse_url(text)?;
            let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(url.clone()))
                .disable_proxy()
                .enable_meta_header(false);
            if let (Some(pem), Some(path)) = (&authority, &settings.ca_file) {
                let wrong = |reason: String| SetupError::Authority {
                    path: path.clone(),
                    reason,
                };
                if !pem.windows(11).any(|window| window == b"-----BEGIN ") {
                    return Err(wrong("nothing in it begins as PEM does".to_owned()));
                }
                let chain = Certificate::from_pem(pem).map_err(|error| wrong(error.to_string()))?;
                builder = builder.cert_validation(CertificateValidation::Full(chain));
            }
            let transport = builder.build().map_err(|error| SetupError::Prepare {
                url: text.clone(),
                reason: error.to_string(),
            })?;
            hosts.push(Host {
                url,
                transport,
                shunned_until: Mutex::new(None),
            });
        }
        if hosts.is_empty() {
            return Err(SetupError::NoHost);
        }
        let client = Self {
            hosts,
            next: AtomicUsize::new(0),
            auth: settings.auth.clone(),
            timeout: settings.timeout,
            compression: (settings.gzip_level > 0)
                .then(|| Compression::new(settings.gzip_level.min(9))),
        };
        // An unreadable secret is said with the first request, which tries again.
        if let Err(error) = client.read_credentials() {
            tracing::warn!(%error, "cannot read credentials yet");
        }
        Ok(client)
    }

    /// Reads the secret files anew.
    pub fn read_credentials(&self) -> Result<(), SendError> {
        let reveal = |secret: &Secret| {
            secret.reveal().map_err(|error| {
                let cause = error
                    .source()
                    .map(|cause| format!(": {cause}"))
                    .unwrap_or_default();
                SendError::Secret {
                    reason: format!("{error}{cause}"),
                }
            })
        };
        let credentials = match &self.auth {
            Auth::None => return Ok(()),
            Auth::Basic { user, password } => Credentials::Basic(user.clone(), reveal(password)?),
            Auth::ApiKey(key) => Credentials::EncodedApiKey(reveal(key)?),
            Auth::Bearer(token) => Credentials::Bearer(reveal(token)?),
        };
        for host in &self.hosts {
            host.transport.set_auth(credentials.clone());
        }
        Ok(())
    }

    /// The hosts, for people.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| host.url.as_str())
    }

    /// Sends one request with a JSON body and waits for the whole answer. A host that can't be reached is passed over for
    /// the next one; all else is the caller's to decide.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Answer, SendError> {
        self.ask(Request {
            body,
            ..Request::new(method, path)
        })
        .await
    }

    /// The same with newline-delimited JSON, as `_bulk` and `_msearch` want it.
    pub async fn send_lines(&self, path: &str, body: Bytes) -> Result<Answer, SendError> {
        self.ask(Request {
            body: Some(body),
            content_type: "application/x-ndjson",
            ..Request::new(Method::Post, path)
        })
        .await
    }

    /// Sends one request of any kind.
    pub async fn ask(&self, request: Request<'_>) -> Result<Answer, SendError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(request.content_type));
        for (name, value) in request.headers {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let body = match (request.body, self.compression) {
            (Some(body), Some(level)) if body.len() >= 1024 => {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                Some(compress(&body, level))
            }
            (body, _) => body,
        };
        let mut failure = None;
        for _ in 0..self.hosts.len() {
            let host = self.host();
            let sent = host
                .ask(
                    request.method,
                    request.path,
                    headers.clone(),
                    body.clone(),
                    self.timeout,
                )
                .await;
            match sent {
                Err(error @ SendError::Connect { .. }) => {
                    host.shun(Some(Instant::now() + SHUNNED));
                    failure = Some(error);
                }
                Err(error) => {
                    host.shun(Some(Instant::now() + SHUNNED));
                    return Err(error);
                }
                Ok(answer) => {
                    host.shun(None);
                    if matches!(answer.status, 401 | 403) {
                        // They may have been renewed; whoever asks again asks with the new ones.
                        self.read_credentials()?;
                    }
                    return Ok(answer);
                }
            }
        }
        Err(failure.unwrap_or(SendError::Secret {
            reason: "no host to ask".to_owned(),
        }))
    }

    /// The next host in turn that is not shunned; if all are, the next one.
    fn host(&self) -> &Host {
        let count = self.hosts.len();
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let turn = |step: usize| &self.hosts[(start + step) % count];
        (0..count)
            .map(turn)
            .find(|host| !host.is_shunned(now))
            .unwrap_or_else(|| turn(0))
    }
}

// === impl Host ===

impl Host {
    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Bytes>,
        timeout: Duration,
    ) -> Result<Answer, SendError> {
        let sent = self
            .transport
            .send(method, path, headers, None::<&()>, body, Some(timeout))
            .await;
        let response = sent.map_err(|error| self.failure(&error, timeout))?;
        let status = response.status_code().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
        let body = response
            .bytes()
            .await
            .map_err(|error| self.failure(&error, timeout))?;
        Ok(Answer {
            status,
            retry_after,
            body,
        })
    }

    fn failure(&self, error: &elasticsearch::Error, timeout: Duration) -> SendError {
        let host = self.url.to_string();
        if error.is_timeout() {
            return SendError::Timeout {
                host,
                seconds: timeout.as_secs(),
            };
        }
        // The outer layers only repeat the address; what went wrong is said by the innermost two.
        let mut causes = Vec::new();
        let mut cause: Option<&dyn Error> = Some(error);
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        let is_connect = causes
            .iter()
            .any(|cause| cause == "client error (Connect)" || cause.contains("dns error"));
        let from = causes.len().saturating_sub(2);
        let mut last = causes.split_off(from);
        last.dedup();
        let reason = last.join(": ");
        if is_connect {
            SendError::Connect { host, reason }
        } else {
            SendError::Broken { host, reason }
        }
    }

    fn is_shunned(&self, now: Instant) -> bool {
        let until = self.shunned_until.lock().map_or(None, |until| *until);
        until.is_some_and(|until| now < until)
    }

    fn shun(&self, until: Option<Instant>) {
        if let Ok(mut place) = self.shunned_until.lock() {
            *place = until;
        }
    }
}

/// gzip (RFC 1952) of a whole body.
fn compress(body: &[u8], level: Compression) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 6), level);
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    match written {
        Ok(compressed) => Bytes::from(compressed),
        // Memory is all it writes to.
        Err(error) => {
            tracing::error!(%error, "bug: memory refused bytes");
            Bytes::new()
        }
    }
}
