//! Where is the cluster, and who are we there?

use std::path::PathBuf;
use std::time::Duration;

use elasticsearch::http::Url;

use crate::Secret;

/// How to reach a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its hosts, each as [`parse_url`] accepts it; they are used in turn, those that fail later.
    pub urls: Vec<String>,
    /// A PEM file of certificate authorities that are trusted beside the well-known ones.
    pub ca_file: Option<PathBuf>,
    /// Who we are.
    pub auth: Auth,
    /// How long one request may take, its answer included.
    pub timeout: Duration,
    /// The gzip level of request bodies, 0 (none) to 9.
    pub gzip_level: u32,
}

/// Who we are to the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nobody.
    #[default]
    None,
    /// Name and password (RFC 7617).
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// An API key in its encoded form, base64 of `id:key`.
    ApiKey(Secret),
    /// A token (RFC 6750), as Grafana's service accounts have it.
    Bearer(Secret),
}

/// Why a text is no address of a cluster.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UrlError {
    /// Not a URL at all.
    #[error("`{url}` is not a URL: {reason}")]
    Malformed {
        /// The text.
        url: String,
        /// Why.
        reason: String,
    },
    /// Neither http nor https.
    #[error("`{url}` must begin with http:// or https://")]
    Scheme {
        /// The text.
        url: String,
    },
    /// A password in the address would show up in logs and process lists.
    #[error(
        "a user or password does not belong into a URL: set elasticsearch.user and elasticsearch.password_file"
    )]
    Credentials,
    /// The address is a prefix; it has neither query nor fragment.
    #[error("`{url}` must not have a query or a fragment")]
    Surplus {
        /// The text.
        url: String,
    },
}

// === impl Settings ===

impl Settings {
    /// A cluster without authentication.
    pub fn of(urls: Vec<String>) -> Self {
        Self {
            urls,
            ca_file: None,
            auth: Auth::None,
            timeout: Duration::from_mins(1),
            gzip_level: 1,
        }
    }
}

/// Checks the address of one host: `http[s]://host[:port][/prefix]`. The port is 9200 where none is given, as Elastic's
/// own tools have it.
pub fn parse_url(text: &str) -> Result<Url, UrlError> {
    let mut url = Url::parse(text).map_err(|error| UrlError::Malformed {
        url: text.to_owned(),
        reason: error.to_string(),
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(UrlError::Scheme {
            url: text.to_owned(),
        });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(UrlError::Surplus {
            url: text.to_owned(),
        });
    }
    // The parser drops a port that is the scheme's own, so only the text tells whether one was given.
    let given = text
        .split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .is_some_and(|authority| {
            let after_address = authority.rsplit(']').next().unwrap_or(authority);
            after_address.contains(':')
        });
    if !given && url.set_port(Some(9200)).is_err() {
        return Err(UrlError::Scheme {
            url: text.to_owned(),
        });
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_9200_unless_one_is_given() {
        let parsed = |text| parse_url(text).map(|url| url.to_string());
        assert_eq!(parsed("http://es"), Ok("http://es:9200/".into()));
        assert_eq!(parsed("https://es:443/x"), Ok("https://es/x".into()));
        assert_eq!(parsed("http://[::1]"), Ok("http://[::1]:9200/".into()));
        assert_eq!(parsed("http://[::1]:80"), Ok("http://[::1]/".into()));
        assert_eq!(parsed("https://es/sub/"), Ok("https://es:9200/sub/".into()));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        assert!(matches!(parse_url("es:9200"), Err(UrlError::Scheme { .. })));
        assert!(matches!(parse_url("::"), Err(UrlError::Malformed { .. })));
        assert_eq!(parse_url("http://a:b@es"), Err(UrlError::Credentials));
        assert!(matches!(
            parse_url("http://es?x=1"),
            Err(UrlError::Surplus { .. })
        ));
    }
}
