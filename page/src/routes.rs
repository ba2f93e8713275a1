//! Which address shows what? `/` and `/why` for people, `/metrics` for Prometheus, `/healthz` for probes, `/api` for programs.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::metrics;
use crate::overview;
use crate::process::Process;
use crate::snapshot::{Health, Snapshot, Source};
use crate::why;

type Shared = Arc<dyn Source>;

/// How many scrapes may run at a time: Prometheus needs one, a second one and a person a few more.
const SCRAPES_MAX: usize = 4;
/// How many reports about alerts may be made at a time: each asks other servers and searches the logs.
const REPORTS_MAX: usize = 2;

#[derive(Clone)]
struct Scrapes {
    source: Arc<dyn Source>,
    permits: Arc<Semaphore>,
}

/// No script, no frame, no foreign host: the page needs its own style sheet only.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes over a source of snapshots.
pub fn router(source: Arc<dyn Source>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/style.css", get(style))
        .route("/api/status", get(status))
        .route("/api/sources", get(sources))
        .with_state(Arc::clone(&source))
        .merge(report_router(Arc::clone(&source)))
        .merge(metrics_router(source))
}

/// What scrapers and probes need, and nothing else.
pub fn metrics_router(source: Arc<dyn Source>) -> Router {
    health_router(Arc::clone(&source)).merge(exposition_router(source))
}

/// Whether the process works, and nothing else.
pub fn health_router(source: Arc<dyn Source>) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .with_state(source)
}

fn report_router(source: Arc<dyn Source>) -> Router {
    let scrapes = Scrapes {
        source,
        permits: Arc::new(Semaphore::new(REPORTS_MAX)),
    };
    Router::new()
        .route("/why", get(why_page))
        .route("/api/why", get(why_json))
        .with_state(scrapes)
}

fn exposition_router(source: Arc<dyn Source>) -> Router {
    let discovery = Router::new()
        .route("/sd/jvm", get(jvm_agents))
        .with_state(Arc::clone(&source));
    let scrapes = Scrapes {
        source,
        permits: Arc::new(Semaphore::new(SCRAPES_MAX)),
    };
    Router::new()
        .route("/metrics", get(exposition))
        .with_state(scrapes)
        .merge(discovery)
}

async fn page(State(source): State<Shared>) -> Response {
    typed(
        "text/html; charset=utf-8",
        overview::render(&source.snapshot()),
    )
}

/// The likely causes of what fires, for people.
async fn why_page(State(scrapes): State<Scrapes>) -> Response {
    let source = Arc::clone(&scrapes.source);
    match report(scrapes).await {
        Err(refusal) => refusal,
        Ok(report) => {
            let host = source.snapshot().host;
            let report = report.as_ref().map_err(String::as_str);
            typed("text/html; charset=utf-8", why::render(&host, report))
        }
    }
}

/// The same for programs; 502 where nobody could be asked.
async fn why_json(State(scrapes): State<Scrapes>) -> Response {
    match report(scrapes).await {
        Err(refusal) => refusal,
        Ok(Ok(report)) => json(&report),
        Ok(Err(why)) => (StatusCode::BAD_GATEWAY, typed(PLAIN, format!("{why}\n"))).into_response(),
    }
}

/// Asked in a thread that may wait; no more than a few at a time.
async fn report(scrapes: Scrapes) -> Result<Result<why::Report, String>, Response> {
    let Ok(permit) = Arc::clone(&scrapes.permits).try_acquire_owned() else {
        let text = "too many reports at a time\n".to_owned();
        return Err((StatusCode::SERVICE_UNAVAILABLE, typed(PLAIN, text)).into_response());
    };
    let asked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        scrapes.source.why()
    });
    asked.await.map_err(|error| {
        tracing::error!(%error, "cannot make a report");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

async fn style() -> Response {
    typed("text/css; charset=utf-8", overview::STYLE.to_owned())
}

async fn jvm_agents(State(source): State<Shared>) -> Response {
    match source.jvm_agents() {
        Some(agents) => typed("application/json", agents),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Runs in a thread that may wait: the node's plumbing is read for it.
async fn exposition(State(scrapes): State<Scrapes>, headers: HeaderMap) -> Response {
    let Ok(permit) = Arc::clone(&scrapes.permits).try_acquire_owned() else {
        let text = "too many scrapes at a time\n".to_owned();
        return (StatusCode::SERVICE_UNAVAILABLE, typed(PLAIN, text)).into_response();
    };
    let patience = patience(&headers);
    let rendered = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let source = scrapes.source;
        let own = metrics::render(&source.snapshot(), &Process::read())?;
        Ok::<String, metrics::RenderError>(source.all_metrics(own, patience))
    });
    match rendered.await {
        Ok(Ok(text)) => typed(metrics::CONTENT_TYPE, text),
        Ok(Err(error)) => {
            tracing::error!(%error, "cannot write metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(error) => {
            tracing::error!(%error, "cannot gather metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// How long a scraper waits (`X-Prometheus-Scrape-Timeout-Seconds`), less what the answer's way takes.
fn patience(headers: &HeaderMap) -> Duration {
    let given = headers
        .get("x-prometheus-scrape-timeout-seconds")
        .and_then(|value| value.to_str().ok()?.parse::<f64>().ok())
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    let seconds = given.unwrap_or(10.0).min(300.0);
    Duration::from_secs_f64((seconds * 0.95).max(0.1))
}

/// 200 while the process works, whatever its sink does; 503 only when a restart would help.
async fn health(State(source): State<Shared>) -> Response {
    match source.snapshot().health() {
        Health::Well => typed(PLAIN, "ok\n".to_owned()),
        Health::Troubled(trouble) => typed(PLAIN, format!("ok, but {trouble}\n")),
        Health::Hangs(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            typed(PLAIN, format!("{why}\n")),
        )
            .into_response(),
    }
}

async fn status(State(source): State<Shared>) -> Response {
    json(&source.snapshot())
}

/// The streams and what was found, without the rest of the status.
async fn sources(State(source): State<Shared>) -> Response {
    #[derive(Serialize)]
    struct Sources<'a> {
        streams: &'a [collector::status::StreamStatus],
        found: &'a collector::discover::Report,
    }
    let Snapshot { collector, .. } = source.snapshot();
    json(&Sources {
        streams: &collector.streams,
        found: &collector.found,
    })
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => typed("application/json", text),
        Err(error) => {
            tracing::error!(%error, "cannot write json");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn typed(content_type: &'static str, body: String) -> Response {
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests;
