//! `nodetap install`: where to, as whom, and whether in earnest.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `nodetap install`
#[derive(Clone, Debug, Args)]
pub struct Install {
    /// What is put where
    #[command(subcommand)]
    pub what: InstallWhat,
}

/// What can be put in place.
#[derive(Clone, Debug, Subcommand)]
pub enum InstallWhat {
    /// The dashboards, into a folder of their own
    Grafana(InstallGrafana),
    /// The data view, the saved searches and the dashboard of logs
    Kibana(InstallKibana),
    /// The index template, and how long logs are kept (reached as the collector reaches it)
    Elasticsearch(InstallElasticsearch),
}

/// `nodetap install grafana`
#[derive(Clone, Debug, Args)]
pub struct InstallGrafana {
    /// How Grafana is reached
    #[command(flatten)]
    pub access: Access,
    /// Title of the folder
    #[arg(long, value_name = "TITLE", default_value = "nodetap")]
    pub folder: String,
    /// Address of Kibana, for the dashboards' links to log lines [default: what is set there already]
    #[arg(long, value_name = "URL", value_parser = super::cluster_url)]
    pub kibana: Option<String>,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `nodetap install kibana`
#[derive(Clone, Debug, Args)]
pub struct InstallKibana {
    /// How Kibana is reached
    #[command(flatten)]
    pub access: Access,
    /// The space, by its identifier [default: the default space]
    #[arg(long, value_name = "SPACE", value_parser = space)]
    pub space: Option<String>,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `nodetap install elasticsearch`
#[derive(Clone, Copy, Debug, Args)]
pub struct InstallElasticsearch {
    /// Days after which logs are deleted, or `never`; applies to indices made from now on [default: what is set there
    /// already, else 30]
    #[arg(long, value_name = "DAYS", value_parser = days)]
    pub delete_after: Option<DeleteAfter>,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How a server is reached, and who we are there. Secrets come from files, never from the command line.
#[derive(Clone, Debug, Args)]
pub struct Access {
    /// Its address; the port is that of the scheme where none is given
    #[arg(long, value_name = "URL", value_parser = super::cluster_url)]
    pub url: String,
    /// User name, with --password-file
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,
    /// File with the user's password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// File with a token: of a Grafana service account, or an API key of Elasticsearch for Kibana
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    pub token_file: Option<PathBuf>,
    /// PEM file of certificate authorities to trust beside the well-known ones
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// When logs are deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteAfter {
    /// After so many days.
    Days(u32),
    /// Not by nodetap's doing.
    Never,
}

fn days(text: &str) -> Result<DeleteAfter, String> {
    if text == "never" {
        return Ok(DeleteAfter::Never);
    }
    match text.strip_suffix('d').unwrap_or(text).parse() {
        Ok(days @ 1..=36_500) => Ok(DeleteAfter::Days(days)),
        _ => Err("must be a number of days from 1 to 36500, or never".to_owned()),
    }
}

/// Identifiers of spaces have lower-case letters, digits, `-` and `_` (Kibana's spaces API); nothing else gets into a path.
fn space(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if text.is_empty() || !text.chars().all(fits) {
        return Err("must have lower-case letters, digits, - and _ alone".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_numbers_or_never() {
        assert_eq!(days("30"), Ok(DeleteAfter::Days(30)));
        assert_eq!(days("7d"), Ok(DeleteAfter::Days(7)));
        assert_eq!(days("never"), Ok(DeleteAfter::Never));
        for wrong in ["0", "-1", "soon", "30h", "", "999999"] {
            assert!(days(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_space_is_no_path() {
        assert_eq!(space("team-a_1"), Ok("team-a_1".to_owned()));
        for wrong in ["", "A", "a/b", "..", "a?b"] {
            assert!(space(wrong).is_err(), "{wrong}");
        }
    }
}
