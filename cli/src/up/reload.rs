//! What changes when the configuration is read again? A wrong one changes nothing; of a right one, all that can.

use anyhow::anyhow;

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
}

// === impl Reloader ===

impl Reloader {
    /// Begins with what the process started with.
    pub(super) fn new(place: Place, common: Common) -> Self {
        Self {
            started: place.config.clone(),
            place,
            common,
        }
    }

    /// What was read last.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Reads the configuration and puts it in force. The error is one line for people; nothing has changed then.
    pub(super) fn reload(&mut self, watch: &Watch) -> Result<(), String> {
        match self.apply(watch) {
            Ok(()) => Ok(()),
            Err(error) => {
                let text = format!("{error:#}").replace('\n', "; ");
                tracing::error!(error = %text, "configuration not taken over, the one before stays in force");
                Err(text)
            }
        }
    }

    fn apply(&mut self, watch: &Watch) -> anyhow::Result<()> {
        let place = Place::of(&self.common)?;
        let config = settings::collector(&place, false)?;
        let handle = watch
            .handle()
            .ok_or_else(|| anyhow!("the collector does not run"))?;
        drop((config, handle));
        let changed = names(&self.place.config, &place.config, |_| true);
        let waiting = names(&self.started, &place.config, |key| !key.live);
        if !waiting.is_empty() {
            tracing::warn!(keys = waiting.join(", "), "changed keys need a restart");
        }
        tracing::info!(changed = changed.join(", "), "configuration read again");
        self.place = place;
        Ok(())
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
