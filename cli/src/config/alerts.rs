//! Who knows which alerts fire, and how are they reached?

use std::path::PathBuf;
use std::time::Duration;

use elastic::{Auth, Secret};

/// How long an Alertmanager or a Prometheus may take for one answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The section `alerts`, as it was written.
#[derive(Clone, Debug, Default)]
pub struct RawAlerts {
    /// `alerts.alertmanager`
    pub alertmanager: Option<String>,
    /// `alerts.prometheus`
    pub prometheus: Option<String>,
    /// `alerts.user`
    pub user: Option<String>,
    /// `alerts.password_file`
    pub password_file: Option<Secret>,
    /// `alerts.ca_file`
    pub ca_file: Option<PathBuf>,
}

/// The section `alerts`.
#[derive(Clone, Debug, Default)]
pub struct Alerts {
    /// The Alertmanager.
    pub alertmanager: Option<String>,
    /// The Prometheus.
    pub prometheus: Option<String>,
    /// Who we are to both.
    pub auth: Auth,
    /// Authorities that both are trusted by.
    pub ca_file: Option<PathBuf>,
}

// === impl Alerts ===

impl Alerts {
    /// How to reach one of them.
    pub fn server(&self, url: &str) -> elastic::Settings {
        elastic::Settings {
            ca_file: self.ca_file.clone(),
            auth: self.auth.clone(),
            timeout: TIMEOUT,
            gzip_level: 0,
            ..elastic::Settings::of(vec![with_port(url)])
        }
    }
}

impl From<RawAlerts> for Alerts {
    fn from(raw: RawAlerts) -> Self {
        let RawAlerts {
            alertmanager,
            prometheus,
            user,
            password_file,
            ca_file,
        } = raw;
        let basic = user
            .zip(password_file)
            .map(|(user, password)| Auth::Basic { user, password });
        Self {
            alertmanager,
            prometheus,
            auth: basic.unwrap_or_default(),
            ca_file,
        }
    }
}

/// The address with its port written out: for these servers it is the scheme's, not that of Elasticsearch.
pub(crate) fn with_port(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let after_address = authority.rsplit(']').next().unwrap_or(authority);
    if after_address.contains(':') {
        return url.to_owned();
    }
    let port = if scheme == "https" { 443 } else { 80 };
    format!("{scheme}://{authority}:{port}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_schemes_unless_one_is_given() {
        for (given, expect) in [
            ("http://prometheus", "http://prometheus:80"),
            (
                "https://prometheus.example/sub/",
                "https://prometheus.example:443/sub/",
            ),
            ("http://[::1]", "http://[::1]:80"),
            ("http://[::1]:9090", "http://[::1]:9090"),
            ("http://prometheus:9090/x", "http://prometheus:9090/x"),
            ("prometheus", "prometheus"),
        ] {
            assert_eq!(with_port(given), expect);
        }
    }
}
