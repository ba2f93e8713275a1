//! How long may a connection be silent? Connections with limits: of their number, of the time until something is said,
//! of the time without an answer.
//!
//! The handshake is part of the first read, so it runs in the connection's own task and holds up nobody.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::file::Current;

/// How many connections one address may have; more wait in the kernel.
const CONNECTIONS_MAX: usize = 256;
/// How long a client may take for the handshake and its first byte.
const GREETING: Duration = Duration::from_secs(10);
/// How long a connection may be without a byte of an answer: longer than any scrape may take.
const SILENCE: Duration = Duration::from_mins(6);

/// Accepts connections, with TLS if the web-config file says so.
pub(super) struct Listener {
    tcp: TcpListener,
    current: Arc<Current>,
    permits: Arc<Semaphore>,
}

/// One connection.
pub(super) struct Connection {
    stream: Stream,
    limit: Pin<Box<Sleep>>,
    has_spoken: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

enum Stream {
    Plain(TcpStream),
    Greeting(Box<Accept<TcpStream>>),
    Secure(Box<TlsStream<TcpStream>>),
    Refused,
}

// === impl Listener ===

impl Listener {
    /// Takes a listener over.
    pub(super) fn new(tcp: TcpListener, current: Arc<Current>) -> Self {
        Self {
            tcp,
            current,
            permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        }
    }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        let (stream, address) = axum::serve::Listener::accept(&mut self.tcp).await;
        let stream = match &self.current.now().tls {
            None => Stream::Plain(stream),
            Some(tls) => {
                let accept = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
                Stream::Greeting(Box::new(accept))
            }
        };
        let connection = Connection {
            stream,
            limit: Box::pin(sleep(GREETING)),
            has_spoken: false,
            _permit: permit,
        };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

// === impl Connection ===

impl Connection {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.limit.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    fn go_on(&mut self) {
        self.limit.as_mut().reset(Instant::now() + SILENCE);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = out.filled().len();
        ready!(self.stream.with(context, |stream, context| match stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, out),
            Stream::Secure(stream) => Pin::new(stream).poll_read(context, out),
            Stream::Greeting(_) | Stream::Refused => Poll::Ready(Ok(())),
        }))?;
        if !self.has_spoken && before < out.filled().len() {
            self.has_spoken = true;
            self.go_on();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let written = ready!(self.stream.with(context, |stream, context| match stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Secure(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Greeting(_) | Stream::Refused => Poll::Ready(Ok(0)),
        }))?;
        self.go_on();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        self.stream.with(context, |stream, context| match stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Secure(stream) => Pin::new(stream).poll_flush(context),
            Stream::Greeting(_) | Stream::Refused => Poll::Ready(Ok(())),
        })
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Secure(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Greeting(_) | Stream::Refused => Poll::Ready(Ok(())),
        }
    }
}

// === impl Stream ===

impl Stream {
    /// Does something with the stream once its handshake is done.
    fn with<T>(
        &mut self,
        context: &mut Context<'_>,
        act: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if let Self::Greeting(accept) = self {
            match ready!(Pin::new(accept).poll(context)) {
                Ok(stream) => *self = Self::Secure(Box::new(stream)),
                Err(error) => {
                    tracing::debug!(%error, "a client and the server did not agree on TLS");
                    *self = Self::Refused;
                }
            }
        }
        if matches!(self, Self::Refused) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        act(self, context)
    }
}
