//! Who comes in? Names and passwords, how often, and what every answer is given on its way.
//!
//! A hash of a password takes as long as its maker wanted, tens of milliseconds and more. So a right password is
//! remembered by its digest, wrong ones are tried one at a time on a thread that may wait, and few may stand in line.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::file::{Current, Loaded};
use crate::config::web::{Rate, WebConfig};

/// How many right passwords are remembered; there are few users.
const REMEMBERED_MAX: usize = 100;
/// How many passwords may wait to be tried.
const WAITING_MAX: usize = 16;

/// What the door remembers.
pub(super) struct Door {
    current: Arc<Current>,
    /// Digests of names, hashes and passwords that went together.
    right: Mutex<HashSet<[u8; 32]>>,
    tries: Semaphore,
    waiting: Semaphore,
    bucket: Mutex<Option<Bucket>>,
}

/// Tokens that are left, and since when.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    rate: Rate,
    tokens: f64,
    filled: Instant,
}

// === impl Door ===

impl Door {
    /// A door with nobody at it.
    pub(super) fn new(current: Arc<Current>) -> Self {
        Self {
            current,
            right: Mutex::new(HashSet::new()),
            tries: Semaphore::new(1),
            waiting: Semaphore::new(WAITING_MAX),
            bucket: Mutex::new(None),
        }
    }

    /// Whether these credentials are some user's; `Err` is the answer to give instead.
    async fn knows(&self, config: &WebConfig, headers: &HeaderMap) -> Result<(), Response> {
        if config.users.is_empty() {
            return Ok(());
        }
        let Some((name, password)) = credentials(headers) else {
            return Err(unauthorized());
        };
        let found = config.users.get(&name);
        // Who is not known takes as long as who is: the time says nothing of names.
        let Some(hash) = found.or_else(|| config.users.values().next()) else {
            return Err(unauthorized());
        };
        let digest = digest(&[name.as_bytes(), hash.as_str().as_bytes(), &password]);
        if found.is_some() && lock(&self.right).contains(&digest) {
            return Ok(());
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(busy("too many passwords to try"));
        };
        let Ok(_turn) = self.tries.acquire().await else {
            return Err(unauthorized());
        };
        let hash = hash.as_str().to_owned();
        let tried = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash)).await;
        if found.is_none() || !matches!(tried, Ok(Ok(true))) {
            return Err(unauthorized());
        }
        let mut right = lock(&self.right);
        if REMEMBERED_MAX <= right.len() {
            right.clear();
        }
        right.insert(digest);
        Ok(())
    }

    /// Takes a token, if the file wants tokens.
    fn takes_token(&self, rate: Option<Rate>, now: Instant) -> bool {
        let mut bucket = lock(&self.bucket);
        *bucket = rate.map(|rate| match *bucket {
            Some(known) if known.rate == rate => known,
            _ => Bucket::full(rate, now),
        });
        bucket.as_mut().is_none_or(|bucket| bucket.take(now))
    }
}

/// Lets a request in, or answers it.
pub(super) async fn admit(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let now = door.current.now();
    let mut response = if door.takes_token(now.config.rate, Instant::now()) {
        match door.knows(&now.config, request.headers()).await {
            Ok(()) => next.run(request).await,
            Err(response) => response,
        }
    } else {
        busy("too many requests")
    };
    add_headers(&now, response.headers_mut());
    response
}

fn add_headers(now: &Loaded, headers: &mut HeaderMap) {
    for (name, value) in &now.config.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
}

/// Name and password (RFC 7617); pure.
fn credentials(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let name = String::from_utf8(decoded.get(..colon)?.to_vec()).ok()?;
    Some((name, decoded.get(colon + 1..)?.to_vec()))
}

/// Of parts with their lengths, so that no two lists of parts are one text.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn unauthorized() -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Basic")];
    (StatusCode::UNAUTHORIZED, challenge, "Unauthorized\n").into_response()
}

fn busy(why: &str) -> Response {
    (StatusCode::TOO_MANY_REQUESTS, format!("{why}\n")).into_response()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Bucket ===

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            tokens: f64::from(rate.burst),
            filled: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        let back = passed / self.rate.interval.as_secs_f64();
        self.tokens = (self.tokens + back).min(f64::from(self.rate.burst));
        self.filled = now;
        let is_left = 1.0 <= self.tokens;
        if is_left {
            self.tokens -= 1.0;
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn credentials_are_read_as_rfc_7617_has_them() {
        let read = |value| credentials(&headers(value));
        let found = Some(("Aladdin".to_owned(), b"open sesame".to_vec()));
        assert_eq!(read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), found);
        assert_eq!(read("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), found);
        assert_eq!(read("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), None);
        assert_eq!(read("Basic QWxhZGRpbg=="), None, "no colon");
        assert_eq!(read("Basic !"), None);
        assert_eq!(credentials(&HeaderMap::new()), None);
    }

    #[test]
    fn tokens_come_back_with_time() {
        let rate = Rate {
            interval: Duration::from_secs(2),
            burst: 3,
        };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut bucket = Bucket::full(rate, start);
        let taken = [0, 0, 0, 0, 1, 2, 3, 60, 60, 60, 60].map(|second| bucket.take(at(second)));
        let wanted = [
            true, true, true, false, false, true, false, true, true, true, false,
        ];
        assert_eq!(taken, wanted);
    }

    #[test]
    fn parts_with_other_borders_have_another_digest() {
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
    }
}
