//! How is Grafana or Kibana asked, and what do they say when they refuse?

use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use elastic::{Answer, Auth, Client, Method, Request, Secret, Settings};
use serde_json::Value;

use crate::args::install::Access;
use crate::config::alerts::with_port;

/// A dashboard is imported within seconds, also by a server that has much to do.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Kibana takes no change without it; others pass it over.
const NO_FORGERY: (&str, &str) = ("kbn-xsrf", "nodetap");

/// What a token is to the server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token {
    /// A token in its own right (Grafana).
    Bearer,
    /// An API key of Elasticsearch (Kibana).
    ApiKey,
}

/// A server with an API over HTTP.
#[derive(Debug)]
pub(super) struct Server {
    client: Client,
    url: String,
}

// === impl Server ===

impl Server {
    pub(super) fn new(access: &Access, token: Token) -> anyhow::Result<Self> {
        let auth = match (&access.user, &access.password_file, &access.token_file) {
            (Some(user), Some(file), _) => Auth::Basic {
                user: user.clone(),
                password: Secret::File(file.clone()),
            },
            (_, _, Some(file)) => match token {
                Token::Bearer => Auth::Bearer(Secret::File(file.clone())),
                Token::ApiKey => Auth::ApiKey(Secret::File(file.clone())),
            },
            _ => Auth::None,
        };
        let settings = Settings {
            urls: vec![with_port(&access.url)],
            ca_file: access.ca_file.clone(),
            auth,
            timeout: TIMEOUT,
            gzip_level: 0,
        };
        Ok(Self {
            client: Client::new(&settings)?,
            url: access.url.clone(),
        })
    }

    /// What is there; `None` where it is not.
    pub(super) async fn read(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let answer = self.client.ask(Request::new(Method::Get, path)).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        self.understood(&answer, path).map(Some)
    }

    /// Sends JSON; what is refused is an error.
    pub(super) async fn write(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let answer = self
            .post(
                method,
                path,
                "application/json",
                Bytes::from(body.to_string()),
            )
            .await?;
        self.understood(&answer, path)
    }

    /// Sends a body of any kind; what comes back is the caller's to judge.
    pub(super) async fn post(
        &self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let request = Request {
            content_type,
            headers: &[NO_FORGERY],
            body: Some(body),
            ..Request::new(method, path)
        };
        Ok(self.client.ask(request).await?)
    }

    /// The JSON of an answer that is a success.
    pub(super) fn understood(&self, answer: &Answer, path: &str) -> anyhow::Result<Value> {
        let hint = match answer.status {
            401 => " (who we are is not known there: --user with --password-file, or --token-file)",
            403 => " (who we are may not do that)",
            _ => "",
        };
        if !answer.is_success() {
            return Err(anyhow!(
                "{} refused {path}: {}{hint}",
                self.url,
                answer.complaint()
            ));
        }
        answer.json().ok_or_else(|| {
            anyhow!(
                "{} answered {path} with something that is not JSON",
                self.url
            )
        })
    }
}
