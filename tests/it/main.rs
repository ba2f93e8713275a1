//! Situations: the real binary beside a fake node that does to log files what the platform does.
//!
//! One file per situation or family of situations; each test's name is the promise. After each: every line once in the
//! store, in exact order, and the ledger balanced.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a panic with its reason is how a situation fails"
)]

mod any_cutting;
mod choices;
mod clock_jumps;
mod copytruncate_to_the_same_banner;
mod dead_letters;
mod disk_full;
mod elasticsearch;
mod hostile_volume;
mod killed_at_random_moments;
mod many_files;
mod partials;
mod pod_deleted_while_down;
mod pods_deleted_while_reading;
mod queries;
mod reload;
mod rotations;
mod rotations_in_quick_succession;
mod several_rotations_while_down;
mod streams_at_speed;
mod two_files_with_the_same_first_line;
mod unreadable_file;
mod unsynced_writes_dropped;
