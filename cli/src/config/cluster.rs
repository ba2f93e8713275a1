//! Which cluster is shipped to, every default filled in?

use std::time::Duration;

use elastic::Auth;

use super::raw::{Mode, RawElasticsearch, Template};

/// The section `elasticsearch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// How to reach it; nothing is shipped when it has no URL.
    pub settings: elastic::Settings,
    /// How documents are laid out there.
    pub mode: Mode,
    /// The beginning of index names.
    pub index_prefix: String,
    /// What is done about the template.
    pub template: Template,
    /// How many requests are on their way at once, at most.
    pub requests_max: usize,
}

// === impl Cluster ===

impl From<RawElasticsearch> for Cluster {
    fn from(raw: RawElasticsearch) -> Self {
        let RawElasticsearch {
            urls,
            user,
            password,
            password_file,
            api_key,
            api_key_file,
            ca_file,
            mode,
            index_prefix,
            gzip,
            timeout,
            requests_max,
            template,
        } = raw;
        let basic = user
            .zip(password.or(password_file))
            .map(|(user, password)| Auth::Basic { user, password });
        let auth = basic
            .or_else(|| api_key.or(api_key_file).map(Auth::ApiKey))
            .unwrap_or_default();
        Self {
            settings: elastic::Settings {
                urls: urls.unwrap_or_default(),
                ca_file,
                auth,
                timeout: timeout.unwrap_or(Duration::from_mins(1)),
                gzip_level: gzip.map_or(1, |level| level as u32),
            },
            mode: mode.unwrap_or(Mode::Index),
            index_prefix: index_prefix.unwrap_or_else(|| "nodetap".to_owned()),
            template: template.unwrap_or(Template::Install),
            requests_max: requests_max.unwrap_or(8) as usize,
        }
    }
}
