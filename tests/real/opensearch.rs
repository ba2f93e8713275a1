//! A real OpenSearch 2.19: what happens to lines on their way to it, and whether our fake answers like it.

use tests::cluster::{Engine, Fault};
use tests::scenario::{indices, outage, refusal, streams, trouble};

use crate::likeness;
use crate::same_answers;
use crate::server::{Doors, Server, take};
use crate::shipping::{self, Mode};
use crate::stopwatch::Stopwatch;

/// Goes through a situation on an empty server.
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
fn lines_of_two_days_go_to_two_indices() {
    on(
        "opensearch::lines_of_two_days_go_to_two_indices",
        Doors::Open,
        |server| indices::midnight(server),
    );
}

#[test]
fn positions_are_lost_and_all_is_read_again() {
    on(
        "opensearch::positions_are_lost_and_all_is_read_again",
        Doors::Open,
        |server| indices::positions_lost(server),
    );
}

#[test]
fn untimed_text_keeps_its_ids_across_restarts() {
    on(
        "opensearch::untimed_text_keeps_its_ids_across_restarts",
        Doors::Open,
        |server| indices::untimed_text_across_a_restart(server),
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
fn poison_becomes_plain_text() {
    on(
        "opensearch::poison_becomes_plain_text",
        Doors::Open,
        |server| refusal::poison_becomes_plain_text(server),
    );
}

#[test]
fn what_never_fits_is_a_dead_letter() {
    on(
        "opensearch::what_never_fits_is_a_dead_letter",
        Doors::Open,
        |server| refusal::what_never_fits_is_a_dead_letter(server),
    );
}

#[test]
fn hostile_lines_are_stored() {
    on(
        "opensearch::hostile_lines_are_stored",
        Doors::Open,
        |server| refusal::hostile_lines(server),
    );
}

#[test]
fn data_stream_for_each_namespace() {
    on(
        "opensearch::data_stream_for_each_namespace",
        Doors::Open,
        |server| streams::one_for_each_namespace(server),
    );
}

#[test]
fn rollover_while_nodetap_is_down() {
    on(
        "opensearch::rollover_while_nodetap_is_down",
        Doors::Open,
        |server| streams::rolled_over_while_down(server),
    );
}

#[test]
fn cluster_without_memory() {
    on(
        "opensearch::cluster_without_memory",
        Doors::Open,
        |server| trouble::of_the_cluster(server, &Fault::Busy, "429"),
    );
}

#[test]
fn write_queue_full() {
    on("opensearch::write_queue_full", Doors::Open, |server| {
        trouble::queue_full(server)
    });
}

#[test]
fn bodies_larger_than_the_cluster_takes() {
    on(
        "opensearch::bodies_larger_than_the_cluster_takes",
        Doors::Open,
        |server| trouble::small_bodies(server),
    );
}

#[test]
fn no_more_shards() {
    on("opensearch::no_more_shards", Doors::Open, |server| {
        trouble::no_more_shards(server)
    });
}

#[test]
fn closed_index() {
    on("opensearch::closed_index", Doors::Open, |server| {
        trouble::of_an_index(
            server,
            |index| Fault::Closed { index },
            "index_closed_exception",
        )
    });
}

#[test]
fn index_with_a_write_block() {
    on(
        "opensearch::index_with_a_write_block",
        Doors::Open,
        |server| {
            trouble::of_an_index(
                server,
                |index| Fault::WriteBlocked { index },
                "cluster_block_exception",
            )
        },
    );
}

#[test]
fn stopped_while_files_rotate_and_pods_are_deleted_in_data_streams() {
    on(
        "opensearch::stopped_while_files_rotate_and_pods_are_deleted_in_data_streams",
        Doors::Open,
        |server| {
            outage::while_files_rotate_and_pods_are_deleted(
                server,
                &Fault::Stopped,
                &["mode: data_stream"],
                8,
            )
        },
    );
}

#[test]
fn killed_under_load() {
    on("opensearch::killed_under_load", Doors::Open, |server| {
        shipping::killed_under_load(server, Mode::Index)
    });
}

#[test]
fn index_of_a_full_disk() {
    on("opensearch::index_of_a_full_disk", Doors::Open, |server| {
        trouble::of_an_index(server, |index| Fault::FloodStage { index }, "flood-stage")
    });
}

#[test]
fn password_that_is_wrong_at_first() {
    on(
        "opensearch::password_that_is_wrong_at_first",
        Doors::Guarded,
        |server| shipping::let_in_by_password(server),
    );
}

#[test]
fn certificate_of_strangers() {
    on(
        "opensearch::certificate_of_strangers",
        Doors::Guarded,
        |server| shipping::strangers_get_nothing(server),
    );
}

#[test]
fn the_same_answers_as_the_store() {
    on(
        "opensearch::the_same_answers_as_the_store",
        Doors::Open,
        |server| same_answers::must_be_given_by(server),
    );
}

#[test]
fn the_same_answers_to_every_question() {
    on(
        "opensearch::the_same_answers_to_every_question",
        Doors::Open,
        same_answers::must_be_given_to_every_question,
    );
}
