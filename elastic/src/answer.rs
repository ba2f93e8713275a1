//! What came back, or why nothing did?

use std::time::Duration;

use bytes::Bytes;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After` in its form of seconds (RFC 9110 section 10.2.3), at most an hour.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

/// Why there is no whole answer. Whether the request was carried out is unknown unless [`SendError::is_unsent`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    /// No connection, so nothing was sent.
    #[error("connect to {host}: {reason}")]
    Connect {
        /// Address of the host.
        host: String,
        /// The innermost causes.
        reason: String,
    },
    /// The answer did not come in time.
    #[error("{host} did not answer within {seconds} s")]
    Timeout {
        /// Address of the host.
        host: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The connection broke before the whole answer was there.
    #[error("connection to {host} broke: {reason}")]
    Broken {
        /// Address of the host.
        host: String,
        /// The innermost causes.
        reason: String,
    },
    /// The secret can't be had; nothing was sent.
    #[error("{reason}")]
    Secret {
        /// Why.
        reason: String,
    },
}

// === impl Answer ===

impl Answer {
    /// 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON; `None` when it is not.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// What the cluster says is wrong, in one line: `type: reason` of its error object, else the beginning of the body.
    pub fn complaint(&self) -> String {
        const SHOWN_CHARACTERS: usize = 300;
        let error = self.json().map(|json| json["error"].clone());
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let said = error.as_ref().and_then(|error| {
            let kind = text(&error["type"])?;
            let reason = text(&error["reason"]).unwrap_or_default();
            Some(format!("{kind}: {reason}"))
        });
        // Kibana and Grafana have the reason in `message`, and in `error` at most the name of the status.
        let message = self.json().and_then(|json| text(&json["message"]));
        let said = said
            .or(message)
            .or_else(|| error.as_ref().and_then(text))
            .unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned());
        let one_line = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = one_line.chars().take(SHOWN_CHARACTERS).collect();
        format!(
            "HTTP {}{}{short}",
            self.status,
            if short.is_empty() { "" } else { ": " }
        )
    }
}

// === impl SendError ===

impl SendError {
    /// Whether nothing can have reached the cluster.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Secret { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer {
            status,
            retry_after: None,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn a_complaint_is_one_short_line() {
        let typed = answer(
            403,
            r#"{"error":{"type":"security","reason":"no\nway"},"status":403}"#,
        );
        assert_eq!(typed.complaint(), "HTTP 403: security: no way");
        assert_eq!(
            answer(401, r#"{"error":"go away"}"#).complaint(),
            "HTTP 401: go away"
        );
        assert_eq!(
            answer(400, r#"{"error":"Bad Request","message":"no such space"}"#).complaint(),
            "HTTP 400: no such space"
        );
        assert_eq!(answer(413, "").complaint(), "HTTP 413");
        let long: &'static str = Box::leak("x ".repeat(9000).into_boxed_str());
        assert!(answer(502, long).complaint().len() < 400);
    }
}
