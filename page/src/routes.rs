//! Which address shows what? `/` for people, `/metrics` for Prometheus, `/healthz` for probes, `/api` for programs.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use crate::metrics;
use crate::overview;
use crate::process::Process;
use crate::snapshot::{Health, Snapshot, Source};

type Shared = Arc<dyn Source>;

/// No script, no frame, no foreign host: the page needs its own style sheet only.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes over a source of snapshots.
pub fn router(source: Arc<dyn Source>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/style.css", get(style))
        .route("/metrics", get(exposition))
        .route("/healthz", get(health))
        .route("/api/status", get(status))
        .route("/api/sources", get(sources))
        .with_state(source)
}

async fn page(State(source): State<Shared>) -> Response {
    typed(
        "text/html; charset=utf-8",
        overview::render(&source.snapshot()),
    )
}

async fn style() -> Response {
    typed("text/css; charset=utf-8", overview::STYLE.to_owned())
}

async fn exposition(State(source): State<Shared>) -> Response {
    match metrics::render(&source.snapshot(), &Process::read()) {
        Ok(text) => typed(metrics::CONTENT_TYPE, text),
        Err(error) => {
            tracing::error!(%error, "cannot write metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
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
