//! Where do lines go? The sink that the configuration asks for, started.

use anyhow::Context;
use collector::clock::{Clock, SystemClock};
use collector::ship::elasticsearch::{Elasticsearch, Remote};
use collector::ship::embedded::Embedded;
use collector::ship::{Sink, Waker};

use crate::place::Place;
use crate::settings;

/// Starts the sink, with a remote of it if it ships to a cluster. Whether a cluster answers is no matter: lines wait in their files until it does.
pub(super) fn open(
    place: &Place,
    waker: Waker,
    clock: SystemClock,
) -> anyhow::Result<(Box<dyn Sink>, Option<Remote>)> {
    if let Some(shipping) = settings::shipping(place) {
        let sink = Elasticsearch::start(shipping, waker, Box::new(clock))
            .context("prepare shipping to Elasticsearch")?;
        let remote = sink.remote();
        return Ok((Box::new(sink), remote));
    }
    let writer = store::Writer::open(&place.store(), settings::store(&place.config), clock.wall())?;
    let sink =
        Embedded::start(writer, waker, Box::new(clock)).context("start the store's thread")?;
    Ok((Box::new(sink), None))
}

/// Leaves nothing fresh behind: whoever drains wants to read the sealed files with other programs.
pub(super) fn seal(place: &Place) -> anyhow::Result<()> {
    if place.elasticsearch().is_some() {
        return Ok(());
    }
    let now = SystemClock::new().wall();
    store::Writer::open(&place.store(), settings::store(&place.config), now)
        .context("open the store again to seal it")?
        .settle(now, true)
        .context("seal the store")?;
    Ok(())
}
