//! Which words must not leave the node?

use super::{Key, Kind};
use crate::config::values;

pub(super) const KEYS: &[Key] = &[Key {
    path: "redact.patterns",
    default: "[]",
    effect: "What is replaced by `[redacted:<name>]` in messages before they are kept or shipped, and before metrics are made \
             of them. Built in, by name alone: `aws_access_key`, `bearer`, `credit_card` (with its check digit), `email`, \
             `jwt`, `password` (the value of `password=` and its like), `private_key`. One of your own is a section of \
             `name` and `pattern`, a regular expression; if it has a group, only what the first one matches is replaced.",
    edges: "At most 50. What was replaced is counted in `log_redactions_total`. A secret that is split over two lines is not \
            seen, but for a private key.",
    who: "Whose applications print what must not be in logs.",
    kind: Kind::Patterns,
    live: true,
    set: |raw, node| values::patterns(node).map(|value| raw.redact = value),
}];
