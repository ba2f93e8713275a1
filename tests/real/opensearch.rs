//! A real OpenSearch 2.19: what happens to lines on their way to it, and whether our fake answers like it.

use tests::cluster::Engine;

use crate::likeness;
use crate::server::{Doors, Server, take};
use crate::shipping::{self, Mode};
use crate::stopwatch::Stopwatch;

/// Runs a situation on an empty server.
fn on(test: &'static str, doors: Doors, situation: impl FnOnce(&mut Server)) {
    let mut watch = Stopwatch::start(test);
    let mut server = take(Engine::OpenSearch, doors);
    watch.did("got a server");
    situation(&mut server);
    watch.did("went through it");
}

#[test]
fn the_fake_answers_like_it() {
    on(
        "opensearch::the_fake_answers_like_it",
        Doors::Open,
        |server| likeness::must_be_like(server),
    );
}

#[test]
fn the_template_is_used() {
    on("opensearch::the_template_is_used", Doors::Open, |server| {
        shipping::template_is_used(server, Mode::Index)
    });
}

#[test]
fn the_template_of_data_streams_is_used() {
    on(
        "opensearch::the_template_of_data_streams_is_used",
        Doors::Open,
        |server| shipping::template_is_used(server, Mode::DataStream),
    );
}

#[test]
fn killed_under_load() {
    on("opensearch::killed_under_load", Doors::Open, |server| {
        shipping::killed_under_load(server, Mode::Index)
    });
}

#[test]
fn killed_under_load_with_data_streams() {
    on(
        "opensearch::killed_under_load_with_data_streams",
        Doors::Open,
        |server| shipping::killed_under_load(server, Mode::DataStream),
    );
}

#[test]
fn a_disk_watermark() {
    on("opensearch::a_disk_watermark", Doors::Open, |server| {
        shipping::disk_watermark(server)
    });
}

#[test]
fn a_password_that_is_wrong_at_first() {
    on(
        "opensearch::a_password_that_is_wrong_at_first",
        Doors::Guarded,
        |server| shipping::let_in_by_password(server),
    );
}

#[test]
fn a_certificate_of_strangers() {
    on(
        "opensearch::a_certificate_of_strangers",
        Doors::Guarded,
        |server| shipping::strangers_get_nothing(server),
    );
}
