//! How is HTTP served? Over TLS, to whom it is meant for, compressed when asked: the same for every address.
//!
//! [`file`] is the web-config file as it is now, [`tls`] and [`client`] what it says of certificates, [`connection`] a
//! connection with limits of time, [`door`] who comes in, [`gzip`] how answers are made small.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use tokio::net::{TcpListener, UnixListener};

mod client;

mod tls;

mod file;

mod connection;

mod door;

mod gzip;

pub(crate) use file::WebError;

use self::connection::Listener;
use self::door::Door;
use self::file::Current;

/// How HTTP is served.
#[derive(Clone)]
pub(crate) struct Web {
    current: Arc<Current>,
    door: Arc<Door>,
}

// === impl Web ===

impl Web {
    /// As a web-config file says, or plainly to everybody without one.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, WebError> {
        let current = Arc::new(Current::load(path)?);
        Ok(Self {
            door: Arc::new(Door::new(Arc::clone(&current))),
            current,
        })
    }

    /// Plainly to everybody.
    pub(crate) fn open() -> Self {
        let current = Arc::new(Current::open());
        Self {
            door: Arc::new(Door::new(Arc::clone(&current))),
            current,
        }
    }

    /// How a URL begins.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.current.now().tls.is_some() {
            "https"
        } else {
            "http"
        }
    }

    /// Whether our own commands, which know no password, could ask over this.
    pub(crate) fn is_open(&self) -> bool {
        let now = self.current.now();
        now.tls.is_none() && now.config.users.is_empty() && now.config.rate.is_none()
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(&self, listener: TcpListener, router: Router) -> io::Result<()> {
        let router = router.layer(middleware::from_fn(gzip::compress)).layer(
            middleware::from_fn_with_state(Arc::clone(&self.door), door::admit),
        );
        axum::serve(Listener::new(listener, Arc::clone(&self.current)), router).await
    }
}

/// Serves this machine's own commands, whom the file system lets in.
pub(crate) async fn serve_socket(listener: UnixListener, router: Router) -> io::Result<()> {
    axum::serve(listener, router).await
}

#[cfg(test)]
mod tests;
