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

/// First by their name, so that the server is exchanged once.
mod behind_tls {
    use super::{Doors, on, shipping};

    #[test]
    fn password_that_is_wrong_at_first() {
        on(
            "opensearch::behind_tls::password_that_is_wrong_at_first",
            Doors::Guarded,
            shipping::let_in_by_password,
        );
    }

    #[test]
    fn certificate_of_strangers() {
        on(
            "opensearch::behind_tls::certificate_of_strangers",
            Doors::Guarded,
            shipping::strangers_get_nothing,
        );
    }
}

#[test]
fn the_fake_answers_like_it() {
    on(
        "opensearch::the_fake_answers_like_it",
        Doors::Open,
        likeness::must_be_like,
    );
}

#[test]
fn lines_of_two_days_go_to_two_indices() {
    on(
        "opensearch::lines_of_two_days_go_to_two_indices",
        Doors::Open,
        indices::midnight,
    );
}

#[test]
fn positions_are_lost_and_all_is_read_again() {
    on(
        "opensearch::positions_are_lost_and_all_is_read_again",
        Doors::Open,
        indices::positions_lost,
    );
}

#[test]
fn untimed_text_keeps_its_ids_across_restarts() {
    on(
        "opensearch::untimed_text_keeps_its_ids_across_restarts",
        Doors::Open,
        indices::untimed_text_across_a_restart,
    );
}

#[test]
fn the_template_is_used() {
    on("opensearch::the_template_is_used", Doors::Open, |server| {
        shipping::template_is_used(server, Mode::Index);
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
        refusal::poison_becomes_plain_text,
    );
}

#[test]
fn what_never_fits_is_a_dead_letter() {
    on(
        "opensearch::what_never_fits_is_a_dead_letter",
        Doors::Open,
        refusal::what_never_fits_is_a_dead_letter,
    );
}

#[test]
fn hostile_lines_are_stored() {
    on(
        "opensearch::hostile_lines_are_stored",
        Doors::Open,
        refusal::hostile_lines,
    );
}

#[test]
fn data_stream_for_each_namespace() {
    on(
        "opensearch::data_stream_for_each_namespace",
        Doors::Open,
        streams::one_for_each_namespace,
    );
}

#[test]
fn rollover_while_nodetap_is_down() {
    on(
        "opensearch::rollover_while_nodetap_is_down",
        Doors::Open,
        streams::rolled_over_while_down,
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
    on(
        "opensearch::write_queue_full",
        Doors::Open,
        trouble::queue_full,
    );
}

#[test]
fn bodies_larger_than_the_cluster_takes() {
    on(
        "opensearch::bodies_larger_than_the_cluster_takes",
        Doors::Open,
        trouble::small_bodies,
    );
}

#[test]
fn no_more_shards() {
    on(
        "opensearch::no_more_shards",
        Doors::Open,
        trouble::no_more_shards,
    );
}

#[test]
fn closed_index() {
    on("opensearch::closed_index", Doors::Open, |server| {
        trouble::of_an_index(
            server,
            |index| Fault::Closed { index },
            "index_closed_exception",
        );
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
            );
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
            );
        },
    );
}

#[test]
fn killed_under_load() {
    on("opensearch::killed_under_load", Doors::Open, |server| {
        shipping::killed_under_load(server, Mode::Index);
    });
}

#[test]
fn index_of_a_full_disk() {
    on("opensearch::index_of_a_full_disk", Doors::Open, |server| {
        trouble::of_an_index(server, |index| Fault::FloodStage { index }, "flood-stage");
    });
}

#[test]
fn the_same_answers_as_the_store() {
    on(
        "opensearch::the_same_answers_as_the_store",
        Doors::Open,
        same_answers::must_be_given_by,
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
