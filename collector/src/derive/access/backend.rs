//! Whose backend is meant by these names?
//!
//! `$proxy_upstream_name` is namespace, service and port joined by dashes, and each of the three may have dashes itself.
//! Three parts can only mean one thing. Of more parts the beginning is taken for the namespace if it is one that the
//! configuration names; otherwise the namespace stays empty and the whole name is the service: a wrong name would be
//! worse than none.

use std::sync::Arc;

use memchr::memchr_iter;

use super::Backend;

/// The labels of a backend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Names {
    pub(super) namespace: Arc<str>,
    pub(super) ingress: Arc<str>,
    pub(super) service: Arc<str>,
}

/// The longest label value, in bytes; Kubernetes' own names are shorter.
const NAME_BYTES_MAX: usize = 253;

/// What ingress-nginx calls the backend of requests that no rule matches.
const DEFAULT_BACKEND: &[u8] = b"upstream-default-backend";

// === impl Names ===

impl Names {
    /// The labels of a backend, as seen by a container in the namespace `own`. `namespaces` are those that are known to
    /// have dashes in their names, longest first.
    pub(super) fn of(backend: &Backend<'_>, own: &str, namespaces: &[String]) -> Self {
        match backend {
            Backend::Own => Self::new(own.as_bytes(), b"", b""),
            Backend::Named {
                namespace,
                ingress,
                service,
            } => Self::new(namespace, ingress, service),
            Backend::Upstream(name) => {
                let (namespace, service) = split(name, namespaces);
                Self::new(namespace, b"", service)
            }
        }
    }

    fn new(namespace: &[u8], ingress: &[u8], service: &[u8]) -> Self {
        Self {
            namespace: label(namespace),
            ingress: label(ingress),
            service: label(service),
        }
    }
}

/// Appends what tells one backend from another; cheap, since it is made for every line.
pub(super) fn key(backend: &Backend<'_>, own: &str, out: &mut Vec<u8>) {
    out.clear();
    match backend {
        Backend::Own => {
            out.push(0);
            out.extend_from_slice(own.as_bytes());
        }
        Backend::Upstream(name) => {
            out.push(1);
            out.extend_from_slice(name);
        }
        Backend::Named {
            namespace,
            ingress,
            service,
        } => {
            out.push(2);
            for name in [namespace, ingress, service] {
                // No UTF-8 text has this byte, so no two lists of names are alike.
                out.extend_from_slice(name);
                out.push(0xff);
            }
        }
    }
}

/// Namespace and service.
fn split<'a>(name: &'a [u8], namespaces: &[String]) -> (&'a [u8], &'a [u8]) {
    let three_parts = memchr_iter(b'-', name).count() == 2;
    let first = name.iter().position(|byte| *byte == b'-');
    let known = namespaces.iter().find_map(|namespace| {
        let rest = name.strip_prefix(namespace.as_bytes())?;
        service_at(name, name.len() - rest.len())
    });
    let three = || {
        service_at(
            name,
            first.filter(|_| three_parts && name != DEFAULT_BACKEND)?,
        )
    };
    known.or_else(three).unwrap_or((b"", name))
}

/// Namespace and service where the namespace ends at a dash; what follows the last dash is the port.
fn service_at(name: &[u8], end: usize) -> Option<(&[u8], &[u8])> {
    let namespace = name.get(..end).filter(|namespace| !namespace.is_empty())?;
    let rest = name.get(end..)?.strip_prefix(b"-")?;
    let port = rest.iter().rposition(|byte| *byte == b'-')?;
    let service = rest.get(..port).filter(|service| !service.is_empty())?;
    Some((namespace, service))
}

fn label(name: &[u8]) -> Arc<str> {
    let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
    Arc::from(String::from_utf8_lossy(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expect: (&str, &str)) {
        let namespaces = ["my-team-two".to_owned(), "my-team".to_owned()];
        let names = Names::of(&Backend::Upstream(name.as_bytes()), "own", &namespaces);
        assert_eq!((&*names.namespace, &*names.service), expect, "{name}");
    }

    #[test]
    fn an_upstream_name_is_split_only_where_it_means_one_thing() {
        check("shop-order-80", ("shop", "order"));
        check("shop-order-api-80", ("", "shop-order-api-80"));
        check("my-team-order-api-80", ("my-team", "order-api"));
        check("my-team-two-order-http", ("my-team-two", "order"));
        check("my-team-80", ("my", "team"));
        check("upstream-default-backend", ("", "upstream-default-backend"));
        check("--80", ("", "--80"));
        check("a--80", ("", "a--80"));
        check("internal", ("", "internal"));
    }

    #[test]
    fn without_a_backend_it_is_who_wrote_the_line() {
        let names = Names::of(&Backend::Own, "ingress-nginx", &[]);
        assert_eq!((&*names.namespace, &*names.service), ("ingress-nginx", ""));
    }
}
