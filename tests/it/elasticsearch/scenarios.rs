//! The scenarios that real servers go through as well, with the fake of each engine.

use tests::cluster::{Engine, Fault};
use tests::elasticsearch::Fake;
use tests::scenario::{indices, outage, refusal, streams, trouble};

use super::fake;

fn opensearch() -> Fake {
    Fake::start(Engine::OpenSearch)
}

#[test]
fn template_is_installed() {
    indices::template_is_installed(&mut fake());
    indices::template_is_installed(&mut opensearch());
}

#[test]
fn lines_of_two_days_go_to_two_indices() {
    indices::midnight(&mut fake());
}

#[test]
fn positions_are_lost_and_all_is_read_again() {
    indices::positions_lost(&mut fake());
}

#[test]
fn untimed_text_keeps_its_ids_across_restarts() {
    indices::untimed_text_across_a_restart(&mut fake());
}

#[test]
fn poison_becomes_plain_text() {
    refusal::poison_becomes_plain_text(&mut fake());
    refusal::poison_becomes_plain_text(&mut opensearch());
}

#[test]
fn what_never_fits_is_a_dead_letter() {
    refusal::what_never_fits_is_a_dead_letter(&mut fake());
    refusal::what_never_fits_is_a_dead_letter(&mut opensearch());
}

#[test]
fn hostile_lines_are_stored() {
    refusal::hostile_lines(&mut fake());
    refusal::hostile_lines(&mut opensearch());
}

#[test]
fn cluster_without_memory() {
    trouble::of_the_cluster(&mut fake(), &Fault::Busy, "429");
    trouble::of_the_cluster(&mut opensearch(), &Fault::Busy, "429");
}

#[test]
fn cluster_stopped() {
    trouble::of_the_cluster(&mut fake(), &Fault::Stopped, "connect");
}

#[test]
fn cluster_killed() {
    trouble::of_the_cluster(&mut fake(), &Fault::Killed, "");
}

#[test]
fn write_queue_full() {
    trouble::queue_full(&mut fake());
    trouble::queue_full(&mut opensearch());
}

#[test]
fn bodies_larger_than_the_cluster_takes() {
    trouble::small_bodies(&mut fake());
}

#[test]
fn closed_index() {
    trouble::of_an_index(
        &mut fake(),
        |index| Fault::Closed { index },
        "index_closed_exception",
    );
}

#[test]
fn index_with_a_write_block() {
    trouble::of_an_index(
        &mut fake(),
        |index| Fault::WriteBlocked { index },
        "cluster_block_exception",
    );
}

#[test]
fn disk_of_the_cluster_is_full() {
    trouble::of_an_index(
        &mut opensearch(),
        |index| Fault::FloodStage { index },
        "flood-stage",
    );
}

#[test]
fn no_more_shards() {
    trouble::no_more_shards(&mut fake());
}

#[test]
fn down_while_files_rotate_and_pods_are_deleted() {
    outage::while_files_rotate_and_pods_are_deleted(&mut fake(), &Fault::Stopped, &[], 24);
}

#[test]
fn killed_while_files_rotate_and_pods_are_deleted_in_data_streams() {
    outage::while_files_rotate_and_pods_are_deleted(
        &mut opensearch(),
        &Fault::Killed,
        &["mode: data_stream"],
        6,
    );
}

#[test]
fn data_stream_for_each_namespace() {
    streams::one_for_each_namespace(&mut fake());
    streams::one_for_each_namespace(&mut opensearch());
}

#[test]
fn data_stream_rolled_over_while_down() {
    streams::rolled_over_while_down(&mut fake());
}
