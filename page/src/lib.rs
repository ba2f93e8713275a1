//! The web page and its routes.

pub mod units;
