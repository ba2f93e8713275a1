//! A real Elasticsearch 8.19: what happens to lines on their way to it, and whether our fake answers like it.

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
    let mut server = take(Engine::Elasticsearch, doors);
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
            "elasticsearch::behind_tls::password_that_is_wrong_at_first",
            Doors::Guarded,
            shipping::let_in_by_password,
        );
    }

    #[test]
    fn certificate_of_strangers() {
        on(
            "elasticsearch::behind_tls::certificate_of_strangers",
            Doors::Guarded,
            shipping::strangers_get_nothing,
        );
    }

    #[test]
    fn api_key_of_the_least_rights() {
        on(
            "elasticsearch::behind_tls::api_key_of_the_least_rights",
            Doors::Guarded,
            shipping::let_in_by_api_key,
        );
    }
}

#[test]
fn the_fake_answers_like_it() {
    on(
        "elasticsearch::the_fake_answers_like_it",
        Doors::Open,
        likeness::must_be_like,
    );
}

#[test]
fn lines_of_two_days_go_to_two_indices() {
    on(
        "elasticsearch::lines_of_two_days_go_to_two_indices",
        Doors::Open,
        indices::midnight,
    );
}

#[test]
fn positions_are_lost_and_all_is_read_again() {
    on(
        "elasticsearch::positions_are_lost_and_all_is_read_again",
        Doors::Open,
        indices::positions_lost,
    );
}

#[test]
fn untimed_text_keeps_its_ids_across_restarts() {
    on(
        "elasticsearch::untimed_text_keeps_its_ids_across_restarts",
        Doors::Open,
        indices::untimed_text_across_a_restart,
    );
}

#[test]
fn the_template_is_used() {
    on(
        "elasticsearch::the_template_is_used",
        Doors::Open,
        |server| shipping::template_is_used(server, Mode::Index),
    );
}

#[test]
fn the_template_of_data_streams_is_used() {
    on(
        "elasticsearch::the_template_of_data_streams_is_used",
        Doors::Open,
        |server| shipping::template_is_used(server, Mode::DataStream),
    );
}

#[test]
fn poison_becomes_plain_text() {
    on(
        "elasticsearch::poison_becomes_plain_text",
        Doors::Open,
        refusal::poison_becomes_plain_text,
    );
}

#[test]
fn what_never_fits_is_a_dead_letter() {
    on(
        "elasticsearch::what_never_fits_is_a_dead_letter",
        Doors::Open,
        refusal::what_never_fits_is_a_dead_letter,
    );
}

#[test]
fn hostile_lines_are_stored() {
    on(
        "elasticsearch::hostile_lines_are_stored",
        Doors::Open,
        refusal::hostile_lines,
    );
}

#[test]
fn data_stream_for_each_namespace() {
    on(
        "elasticsearch::data_stream_for_each_namespace",
        Doors::Open,
        streams::one_for_each_namespace,
    );
}

#[test]
fn rollover_while_nodetap_is_down() {
    on(
        "elasticsearch::rollover_while_nodetap_is_down",
        Doors::Open,
        streams::rolled_over_while_down,
    );
}

#[test]
fn cluster_without_memory() {
    on(
        "elasticsearch::cluster_without_memory",
        Doors::Open,
        |server| trouble::of_the_cluster(server, &Fault::Busy, "429"),
    );
}

#[test]
fn write_queue_full() {
    on(
        "elasticsearch::write_queue_full",
        Doors::Open,
        trouble::queue_full,
    );
}

#[test]
fn bodies_larger_than_the_cluster_takes() {
    on(
        "elasticsearch::bodies_larger_than_the_cluster_takes",
        Doors::Open,
        trouble::small_bodies,
    );
}

#[test]
fn no_more_shards() {
    on(
        "elasticsearch::no_more_shards",
        Doors::Open,
        trouble::no_more_shards,
    );
}

#[test]
fn closed_index() {
    on("elasticsearch::closed_index", Doors::Open, |server| {
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
        "elasticsearch::index_with_a_write_block",
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
fn killed_while_files_rotate_and_pods_are_deleted() {
    on(
        "elasticsearch::killed_while_files_rotate_and_pods_are_deleted",
        Doors::Open,
        |server| outage::while_files_rotate_and_pods_are_deleted(server, &Fault::Killed, &[], 8),
    );
}

#[test]
fn killed_under_load_with_data_streams() {
    on(
        "elasticsearch::killed_under_load_with_data_streams",
        Doors::Open,
        |server| shipping::killed_under_load(server, Mode::DataStream),
    );
}

#[test]
fn disk_watermark() {
    on(
        "elasticsearch::disk_watermark",
        Doors::Open,
        shipping::disk_watermark,
    );
}

#[test]
fn the_same_answers_as_the_store() {
    on(
        "elasticsearch::the_same_answers_as_the_store",
        Doors::Open,
        same_answers::must_be_given_by,
    );
}

#[test]
fn the_same_answers_to_every_question() {
    on(
        "elasticsearch::the_same_answers_to_every_question",
        Doors::Open,
        same_answers::must_be_given_to_every_question,
    );
}
