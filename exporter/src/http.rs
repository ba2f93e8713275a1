//! How is a server asked? One request at a time from a thread that may wait, with limits of time and size.
//!
//! For what Kubernetes' API knows and what a receiver of metrics takes. Agents inside pods are asked by their probe.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Identity, Method};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// More than a token or a chain of certificates has, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A text, or the file in which it stands: tokens and certificates are renewed there.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// The text.
    Inline(String),
    /// The file, read anew each time.
    File(PathBuf),
}

/// Who is asked, and by what right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Its address, without a slash at the end.
    pub url: String,
    /// The certificates that its own is checked with; those of the Web where there are none.
    pub authorities: Option<Content>,
    /// Whether its certificate is not checked at all.
    pub insecure: bool,
    /// `Authorization: Bearer`
    pub token: Option<Content>,
    /// User and password.
    pub basic: Option<(String, Content)>,
    /// Our certificate and its key.
    pub identity: Option<(Content, Content)>,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
    /// The body, as much of it as was wanted.
    pub body: Vec<u8>,
}

/// A request with its body.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// What stands behind the server's address.
    pub path: &'a str,
    /// The body; without one it is a GET.
    pub body: Option<Vec<u8>>,
    /// Further headers.
    pub headers: &'a [(&'static str, &'static str)],
    /// How long it may take.
    pub timeout: Duration,
    /// The largest answer, in bytes.
    pub answer_bytes_max: usize,
}

/// There is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// A token, a certificate, a password can't be read.
    #[error("read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A token or certificate is none.
    #[error("use {what}")]
    Secret {
        /// What it should be.
        what: &'static str,
    },
    /// No client can be made of it.
    #[error("prepare a client")]
    Client(#[source] reqwest::Error),
    /// A thread can't wait.
    #[error("start a runtime")]
    Runtime(#[source] io::Error),
    /// The request failed. The error is without the address, in which secrets may stand.
    #[error("ask the server")]
    Ask(#[source] reqwest::Error),
    /// The answer is larger than any should be.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// A client of one server, for one thread.
#[derive(Debug)]
pub struct Client {
    runtime: tokio::runtime::Runtime,
    made: Option<(reqwest::Client, Trust)>,
}

/// What a connection is made with; when it changes, a new one is made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trust {
    authorities: Option<String>,
    insecure: bool,
    identity: Option<String>,
}

// === impl Content ===

impl Content {
    fn read(&self) -> Result<String, HttpError> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File(path) => {
                let read = || {
                    use io::Read;
                    let mut text = String::new();
                    fs::File::open(path)?
                        .take(FILE_BYTES_MAX)
                        .read_to_string(&mut text)?;
                    Ok(text)
                };
                read().map_err(|source| HttpError::File {
                    path: path.clone(),
                    source,
                })
            }
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Inline(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

// === impl Server ===

impl Server {
    fn trust(&self) -> Result<Trust, HttpError> {
        let identity = match &self.identity {
            None => None,
            Some((certificate, key)) => Some(format!("{}\n{}", certificate.read()?, key.read()?)),
        };
        Ok(Trust {
            authorities: self.authorities.as_ref().map(Content::read).transpose()?,
            insecure: self.insecure,
            identity,
        })
    }
}

// === impl Client ===

impl Client {
    /// A client that has no connection yet.
    pub fn new() -> Result<Self, HttpError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(HttpError::Runtime)?;
        Ok(Self {
            runtime,
            made: None,
        })
    }

    /// Asks, and waits for the answer. Tokens and certificates are read anew.
    pub fn ask(&mut self, server: &Server, request: Request<'_>) -> Result<Answer, HttpError> {
        let client = self.client(server.trust()?)?;
        let method = if request.body.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let url = format!("{}{}", server.url, request.path);
        let mut asked = client
            .request(method, url)
            .timeout(request.timeout)
            .headers(headers(request.headers));
        if let Some(token) = &server.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.read()?.trim()))
                .ok()
                .ok_or(HttpError::Secret { what: "the token" })?;
            value.set_sensitive(true);
            asked = asked.header(AUTHORIZATION, value);
        }
        if let Some((user, password)) = &server.basic {
            let password = password.read()?;
            asked = asked.basic_auth(user, Some(password.trim_end_matches(['\r', '\n'])));
        }
        if let Some(body) = request.body {
            asked = asked.body(body);
        }
        let answer_bytes_max = request.answer_bytes_max;
        self.runtime.block_on(async {
            let wrap = |error: reqwest::Error| HttpError::Ask(error.without_url());
            let mut answer = asked.send().await.map_err(wrap)?;
            let retry_after = answer
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok())
                .map(Duration::from_secs);
            let status = answer.status().as_u16();
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(wrap)? {
                if answer_bytes_max < body.len() + chunk.len() {
                    return Err(HttpError::TooLarge(answer_bytes_max));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Answer {
                status,
                retry_after,
                body,
            })
        })
    }

    fn client(&mut self, trust: Trust) -> Result<reqwest::Client, HttpError> {
        if let Some((client, known)) = &self.made
            && *known == trust
        {
            return Ok(client.clone());
        }
        let mut builder = reqwest::Client::builder()
            .use_rustls_tls()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("nodetap/", env!("CARGO_PKG_VERSION")))
            .danger_accept_invalid_certs(trust.insecure);
        if let Some(authorities) = &trust.authorities {
            let what = "the certificates of the authorities";
            let found = Certificate::from_pem_bundle(authorities.as_bytes())
                .ok()
                .filter(|found| !found.is_empty())
                .ok_or(HttpError::Secret { what })?;
            builder = builder.tls_built_in_root_certs(false);
            for certificate in found {
                builder = builder.add_root_certificate(certificate);
            }
        }
        if let Some(identity) = &trust.identity {
            let what = "our certificate and its key";
            let identity = Identity::from_pem(identity.as_bytes())
                .ok()
                .ok_or(HttpError::Secret { what })?;
            builder = builder.identity(identity);
        }
        let client = builder.build().map_err(HttpError::Client)?;
        self.made = Some((client.clone(), trust));
        Ok(client)
    }
}

/// Names and values are ours: none is wrong.
fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}
