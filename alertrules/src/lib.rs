//! What must a person do? Alert rules, the runbooks and tests beside them, and the topology that joins alerts.
//!
//! The folder holds the rules as people read them; this crate carries them in the binary and knows what they mean.

mod tree;

pub mod files;

pub mod runbook;

pub mod values;

pub mod rules;

pub mod topology;

pub mod inhibit;

pub mod render;

pub mod manual;

pub mod why;
