//! What is asked, beyond a method and a path?

use bytes::Bytes;

use crate::Method;

/// One request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The verb.
    pub method: Method,
    /// Below the host's own prefix, with its query.
    pub path: &'a str,
    /// What the body is.
    pub content_type: &'static str,
    /// Headers that some servers insist on, names in lower case.
    pub headers: &'a [(&'static str, &'static str)],
    /// The body.
    pub body: Option<Bytes>,
}

// === impl Request ===

impl<'a> Request<'a> {
    /// A request without a body; one that gets a body has JSON in it.
    pub fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            content_type: "application/json",
            headers: &[],
            body: None,
        }
    }
}
