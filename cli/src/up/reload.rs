//! What changes when the configuration is read again? A wrong one changes nothing; of a right one, all that can.

use anyhow::Context;
use collector::ship::elasticsearch::Remote;

use super::watch::Watch;
use crate::args::Common;
use crate::config::Config;
use crate::config::keys::{self, Key};
use crate::place::Place;
use crate::settings;

/// Reads the configuration again on demand.
#[derive(Debug)]
pub(super) struct Reloader {
    /// What the process started with.
    started: Config,
    /// What was read last.
    place: Place,
    /// The command line, which does not change.
    common: Common,
    /// The running sink's, if that ships to a cluster.
    remote: Option<Remote>,
}

// === impl Reloader ===

impl Reloader {
    /// Begins with what the process started with.
    pub(super) fn new(place: Place, common: Common, remote: Option<Remote>) -> Self {
        Self {
            started: place.config.clone(),
            place,
            common,
            remote,
        }
    }

    /// What was read last.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Reads the configuration and puts it in force. The error is one line for people; nothing has changed then.
    /// Otherwise the keys whose change needs a restart are given.
    pub(super) fn reload(&mut self, watch: &Watch) -> Result<Vec<&'static str>, String> {
        match self.apply(watch) {
            Ok(waiting) => Ok(waiting),
            Err(error) => {
                let text = format!("{error:#}")
                    .replace(":\n", ": ")
                    .replace('\n', "; ");
                tracing::error!(error = %text, "configuration not taken over, the one before stays in force");
                Err(text)
            }
        }
    }

    fn apply(&mut self, watch: &Watch) -> anyhow::Result<Vec<&'static str>> {
        let place = Place::of(&self.common)?;
        let config = settings::collector(&place, false)?;
        let handle = watch.handle().context("the collector does not run")?;
        // First what can still fail: after it nothing does.
        match (&self.remote, place.elasticsearch()) {
            (Some(remote), Some(cluster))
                if self.place.elasticsearch().as_ref() != Some(&cluster) =>
            {
                remote
                    .reconnect(&cluster)
                    .context("prepare the connection to Elasticsearch")?;
            }
            // The secrets behind unchanged names may be new ones.
            (Some(_), _) => handle.renew(),
            (None, _) => {}
        }
        handle.reconfigure(config);
        let changed = names(&self.place.config, &place.config, |_| true);
        tracing::info!(changed = changed.join(", "), "configuration read again");
        let is_shipping = |place: &Place| place.elasticsearch().is_some();
        let mut waiting = names(&self.started, &place.config, |key| !key.live);
        if is_shipping(&place) != self.remote.is_some() {
            waiting.push("elasticsearch.urls");
        }
        if !waiting.is_empty() {
            tracing::warn!(keys = waiting.join(", "), "changed keys need a restart");
        }
        self.place = place;
        Ok(waiting)
    }
}

/// The keys whose values differ, of those that are wanted.
fn names(old: &Config, new: &Config, wanted: fn(&Key) -> bool) -> Vec<&'static str> {
    keys::keys()
        .filter(|key| wanted(key))
        .map(|key| key.path)
        .filter(|path| old.written.value(path) != new.written.value(path))
        .collect()
}
