//! How are answers made small? gzip (RFC 1952) for whoever takes it, a piece at a time.
//!
//! A director's scrape of fifteen megabytes is one of a megabyte on its way; Prometheus always asks for it. Fast rather
//! than small: the other end is near.

use std::io::{self, Write};

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt, stream};

/// Smaller answers go as they are.
const BYTES_MIN: u64 = 1024;
/// How much is compressed before others have their turn, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// Compresses the answer, if its kind and whoever asks allow it.
pub(super) async fn compress(request: Request, next: Next) -> Response {
    let is_wanted = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    if !is_text(response.headers()) || response.body().size_hint().exact().is_some_and(is_small) {
        return response;
    }
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !is_wanted {
        return response;
    }
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.map(|body| squeeze(body.into_data_stream()))
}

fn is_small(bytes: u64) -> bool {
    bytes < BYTES_MIN
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    (kind.starts_with("text/") || kind.starts_with("application/json"))
        && !headers.contains_key(header::CONTENT_ENCODING)
}

/// Whether `Accept-Encoding` names gzip, and not with a weight of 0 (RFC 9110, 12.5.3); pure.
fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let name = name.trim();
            let weight = weight.trim().strip_prefix("q=");
            let is_zero = weight.is_some_and(|weight| weight.trim().parse() == Ok(0.0));
            (name.eq_ignore_ascii_case("gzip") || name == "*") && !is_zero
        })
}

/// What is left to do.
struct Squeezed {
    encoder: Option<GzEncoder<Vec<u8>>>,
    from: BodyDataStream,
    rest: Bytes,
}

fn squeeze(from: BodyDataStream) -> Body {
    let begin = Squeezed {
        encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())),
        from,
        rest: Bytes::new(),
    };
    Body::from_stream(stream::try_unfold(begin, |mut state| async move {
        loop {
            let Some(encoder) = &mut state.encoder else {
                return Ok(None);
            };
            if state.rest.is_empty() {
                if let Some(piece) = state.from.next().await {
                    state.rest = piece.map_err(io::Error::other)?;
                    continue;
                }
                let last = state.encoder.take().map(GzEncoder::finish);
                return last.transpose().map(|last| Some((last?, state)));
            }
            let piece = state.rest.split_to(state.rest.len().min(PIECE_BYTES));
            encoder.write_all(&piece)?;
            let out = std::mem::take(encoder.get_mut());
            if !out.is_empty() {
                return Ok::<_, io::Error>(Some((out, state)));
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_gzip() {
        for (value, wanted) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(takes_gzip(&headers), wanted, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
