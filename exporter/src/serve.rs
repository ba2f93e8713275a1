//! Who asks, and what is answered? `/metrics` for Prometheus, `/ready` for load balancers, `/healthz` for a liveness
//! probe.
//!
//! A scrape takes no longer than Prometheus waits (`X-Prometheus-Scrape-Timeout-Seconds`), and no more than a few run at
//! a time: whoever scrapes in a loop gets 503, not the node's CPUs.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use tokio::sync::Semaphore;

use crate::family::Families;
use crate::scrape::{Exporter, Selection};
use crate::text;

/// How long a scrape may take when nobody says.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What the answer needs on its way back, taken off the time that Prometheus gives.
const MARGIN: Duration = Duration::from_millis(500);
/// The longest and shortest time a scrape may be given.
const TIMEOUT_MAX: Duration = Duration::from_mins(5);
const TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// Families of the process itself, added to each scrape.
pub type Own = Arc<dyn Fn(&mut Families) + Send + Sync>;

/// Whose readiness is asked for; `None` where nobody looks.
pub type Find = Arc<dyn Fn() -> Option<Arc<Exporter>> + Send + Sync>;

#[derive(Clone)]
struct Shared {
    exporter: Arc<Exporter>,
    own: Own,
    scrapes: Arc<Semaphore>,
}

/// The routes. At most `scrapes_max` scrapes run at a time.
pub fn router(exporter: Arc<Exporter>, own: Own, scrapes_max: usize) -> Router {
    let found = Arc::clone(&exporter);
    let shared = Shared {
        exporter,
        own,
        scrapes: Arc::new(Semaphore::new(scrapes_max)),
    };
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/sd/jvm", get(jvm_agents))
        .route("/debug/conntrack/top", get(top))
        .route("/healthz", get(async || "ok\n"))
        .with_state(shared)
        .merge(ready_router(Arc::new(move || Some(Arc::clone(&found)))))
}

/// What load balancers and `readinessProbe`s ask, for any process that has an exporter.
pub fn ready_router(find: Find) -> Router {
    Router::new()
        .route("/ready", get(ready))
        .route("/ready/{namespace}/{pod}", get(pod_ready))
        .with_state(find)
}

/// For an address of its own: `/ready`, and whether the process works.
pub fn probe_router(exporter: Arc<Exporter>) -> Router {
    ready_router(Arc::new(move || Some(Arc::clone(&exporter))))
        .route("/healthz", get(async || "ok\n"))
}

async fn index() -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        "nodetap export\n\n/metrics  the node's plumbing (collect[]=PROBE, exclude[]=PROBE)\n/ready    whether the network behind this node answers; /ready/NAMESPACE/POD from inside a pod\n/sd/jvm   agents in JVMs, for Prometheus' HTTP service discovery\n/healthz  whether this process works\n/debug/conntrack/top  who has the most connections, where `export.conntrack_top` is on\n",
    )
        .into_response()
}

/// 200 or 503, and why. 404 where the probe is off: whoever asks should know that nobody looks.
async fn ready(State(find): State<Find>) -> Response {
    let exporter = find();
    let Some(readiness) = exporter.as_deref().and_then(Exporter::readiness) else {
        return refuse(StatusCode::NOT_FOUND, &"the probe `readiness` is off");
    };
    say_ready(readiness.answer(SystemTime::now()))
}

/// The same for a pod. 404 also for a pod that has no network of its own here: who asks for one asks for the node.
async fn pod_ready(
    State(find): State<Find>,
    Path((namespace, pod)): Path<(String, String)>,
) -> Response {
    let exporter = find();
    let Some(pods) = exporter.as_deref().and_then(Exporter::pod_readiness) else {
        return refuse(
            StatusCode::NOT_FOUND,
            &"nothing is asked from inside pods: `export.ping_from_pods` is off",
        );
    };
    match pods.answer(&namespace, &pod, SystemTime::now()) {
        Some(answer) => say_ready(answer),
        None => refuse(
            StatusCode::NOT_FOUND,
            &"no pod of this name with a network of its own is known on this node",
        ),
    }
}

fn say_ready((code, text): (u16, String)) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}

async fn jvm_agents(State(shared): State<Shared>) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        shared.exporter.jvm_discovery(),
    )
        .into_response()
}

/// The remote addresses with the most connections: too many to be series, and nobody else's business.
async fn top(State(shared): State<Shared>) -> Response {
    match shared.exporter.top() {
        Some(json) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, json).into_response()
        }
        None => refuse(
            StatusCode::NOT_FOUND,
            &"connections are not counted: `export.conntrack_top` is off, or the first pass has not ended",
        ),
    }
}

async fn metrics(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let selection = selection(query.as_deref().unwrap_or_default());
    if let Err(error) = selection.check() {
        return refuse(StatusCode::BAD_REQUEST, &error);
    }
    let Ok(permit) = Arc::clone(&shared.scrapes).try_acquire_owned() else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            &"too many scrapes at a time",
        );
    };
    let timeout = timeout(&headers);
    let scraped = tokio::task::spawn_blocking(move || {
        let mut scrape = shared.exporter.scrape(&selection, timeout);
        let mut own = Families::new(usize::MAX);
        (shared.own)(&mut own);
        scrape.add(own);
        scrape
    })
    .await;
    match scraped {
        Ok(scrape) => {
            // The permit is held until the last byte is on its way.
            let chunks = scrape.into_chunks().map(move |chunk| {
                let _held = &permit;
                Ok::<_, Infallible>(chunk)
            });
            (
                [
                    (header::CONTENT_TYPE, text::CONTENT_TYPE),
                    (header::CACHE_CONTROL, "no-store"),
                    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                ],
                Body::from_stream(stream::iter(chunks)),
            )
                .into_response()
        }
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}

fn refuse(status: StatusCode, why: &dyn fmt::Display) -> Response {
    (status, format!("{why}\n")).into_response()
}

/// Reads `collect[]` and `exclude[]`; pure. Other parameters are none of ours.
fn selection(query: &str) -> Selection {
    let mut selection = Selection::default();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match decode(name).as_str() {
            "collect[]" => selection.collect.push(decode(value)),
            "exclude[]" => selection.exclude.push(decode(value)),
            _ => {}
        }
    }
    selection
}

/// Undoes percent-encoding (RFC 3986); what is not encoded well stays as it is.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let encoded = after
            .get(..2)
            .filter(|_| *byte == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(encoded.unwrap_or(*byte));
        rest = match encoded {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// How long this scrape may take.
fn timeout(headers: &HeaderMap) -> Duration {
    headers
        .get("x-prometheus-scrape-timeout-seconds")
        .and_then(|value| value.to_str().ok()?.parse::<f64>().ok())
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
        .map_or(TIMEOUT, |seconds| {
            Duration::from_secs_f64(seconds.min(TIMEOUT_MAX.as_secs_f64()))
        })
        .saturating_sub(MARGIN)
        .max(TIMEOUT_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_chooses_probes() {
        let chosen = selection("collect%5B%5D=lvs&collect[]=conntrack&exclude[]=a%20b&x=y&%zz");
        assert_eq!(chosen.collect, ["lvs", "conntrack"]);
        assert_eq!(chosen.exclude, ["a b"]);
        assert_eq!(selection(""), Selection::default());
    }

    #[test]
    fn a_scrape_ends_before_prometheus_gives_up() {
        let mut headers = HeaderMap::new();
        assert_eq!(timeout(&headers), Duration::from_millis(9500));
        for (said, wanted) in [
            ("3", 2500),
            ("0.2", 100),
            ("-1", 9500),
            ("NaN", 9500),
            ("1e300", 299_500),
        ] {
            headers.insert("x-prometheus-scrape-timeout-seconds", said.parse().unwrap());
            assert_eq!(timeout(&headers), Duration::from_millis(wanted), "{said}");
        }
    }
}
