//! Where is it shown? The addresses, bound before anything else happens, and what is served at each.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use exporter::serve::{Find, ready_router};
use page::Source;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use crate::args::{self, Common};
use crate::failure::WrongUse;
use crate::place::Place;
use crate::settings;
use crate::web::{self, Web};

/// Every address, with nobody answering yet.
pub(super) struct Addresses {
    page: tokio::net::TcpListener,
    /// For scrapers and probes alone.
    metrics: Option<tokio::net::TcpListener>,
    /// For whoever asks about the network alone.
    ready: Option<tokio::net::TcpListener>,
    /// For our own commands, where the others want more than they have.
    socket: Option<UnixListener>,
    web: Web,
}

// === impl Addresses ===

impl Addresses {
    /// Binds all of them and writes down where our own commands can ask.
    pub(super) fn bind(place: &Place, args: &args::Up) -> anyhow::Result<Self> {
        let config = &place.config;
        let web_config = args.web_config.as_ref().or(config.web_config.as_ref());
        let web = Web::load(web_config.map(|path| &**path)).map_err(WrongUse::new)?;
        let maybe = |wanted: Option<SocketAddr>| wanted.map(listen).transpose();
        let page = listen(args.listen.unwrap_or(config.listen))?;
        let address = page
            .local_addr()
            .context("ask for the listener's address")?;
        let socket = if web.is_open() {
            None
        } else {
            own_socket(&place.socket())
        };
        let mut text = format!("{address}\n");
        if socket.is_some() {
            text.push_str("socket\n");
        }
        write_whole(&place.listen_file(), &text)
            .with_context(|| format!("write {}", place.listen_file().display()))?;
        Ok(Self {
            page,
            metrics: maybe(args.listen_metrics.or(config.listen_metrics))?,
            ready: maybe(args.listen_ready.or(config.listen_ready))?,
            socket,
            web,
        })
    }

    /// Says where everything is.
    pub(super) fn say(&self, place: &Place, common: &Common) -> io::Result<()> {
        let host = settings::node(&place.config).host;
        let scheme = self.web.scheme();
        let page = self.page.local_addr()?;
        let mut out = io::stdout().lock();
        writeln!(out, "nodetap {} on {host}", env!("CARGO_PKG_VERSION"))?;
        writeln!(out, "  page     {scheme}://{page}/")?;
        for listener in self.metrics.iter().chain([&self.page]) {
            writeln!(
                out,
                "  metrics  {scheme}://{}/metrics",
                listener.local_addr()?
            )?;
        }
        if let Some(listener) = &self.ready {
            writeln!(out, "  ready    http://{}/ready", listener.local_addr()?)?;
        }
        if let Some(cluster) = place.elasticsearch() {
            writeln!(out, "  ships to {}", cluster.urls.join(", "))?;
        }
        writeln!(out, "  search   nodetap logs -f{}", common.again())?;
        out.flush()
    }

    /// Answers at all of them, each in a task of its own.
    pub(super) fn serve(self, source: &Arc<dyn Source>, find: &Find) -> Vec<JoinHandle<()>> {
        let ready = || ready_router(Arc::clone(find));
        let page = || page::router(Arc::clone(source)).merge(ready());
        let mut tasks = Vec::new();
        if let Some(listener) = self.metrics {
            let router = page::routes::metrics_router(Arc::clone(source)).merge(ready());
            tasks.push(answer(self.web.clone(), listener, router));
        }
        if let Some(listener) = self.ready {
            let router = page::routes::health_router(Arc::clone(source)).merge(ready());
            tasks.push(answer(Web::open(), listener, router));
        }
        if let Some(listener) = self.socket {
            let router = page();
            tasks.push(tokio::spawn(async move {
                said(web::serve_socket(listener, router).await);
            }));
        }
        tasks.push(answer(self.web, self.page, page()));
        tasks
    }
}

fn answer(web: Web, listener: tokio::net::TcpListener, router: Router) -> JoinHandle<()> {
    tokio::spawn(async move { said(web.serve(listener, router).await) })
}

fn said(served: io::Result<()>) {
    if let Err(error) = served {
        tracing::error!(%error, "an address is not served any more");
    }
}

/// A listener that is there from now on.
fn listen(wanted: SocketAddr) -> anyhow::Result<tokio::net::TcpListener> {
    let listener = TcpListener::bind(wanted).with_context(|| format!("listen on {wanted}"))?;
    listener
        .set_nonblocking(true)
        .context("prepare the listener")?;
    tokio::net::TcpListener::from_std(listener).context("prepare the listener")
}

/// A socket in the state directory, for this user alone. Without it `nodetap sources` knows less; nothing else does.
fn own_socket(path: &Path) -> Option<UnixListener> {
    // One is left where a process was killed; the state directory is ours.
    drop(fs::remove_file(path));
    let bound = UnixListener::bind(path).and_then(|listener| {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    bound
        .inspect_err(|error| {
            tracing::warn!(%error, path = %path.display(), "this machine's own commands can't ask the running process");
        })
        .ok()
}

/// Written whole or not at all: others read it at any time.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, file)
}
