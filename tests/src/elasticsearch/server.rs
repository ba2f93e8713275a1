//! Who listens? One thread for each connection; the port stays the same when nobody listens for a while.

use std::collections::HashMap;
use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::http::{Delivery, Request};
use super::{Reaction, Shared};

/// Below the range from which the kernel takes ports for outgoing connections, so that nobody takes ours while we do not listen.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// The port to try next, so that fakes of one process do not try the same.
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// A port and who listens there, if anybody does.
#[derive(Debug)]
pub(super) struct Server {
    shared: Shared,
    address: SocketAddr,
    listening: Option<Listening>,
}

#[derive(Debug)]
struct Listening {
    is_ending: Arc<AtomicBool>,
    connections: Connections,
    /// The listening socket, to wake the thread that waits at it.
    socket: Option<TcpListener>,
    thread: JoinHandle<()>,
}

/// The open connections by their number, to end them.
type Connections = Arc<Mutex<HashMap<u64, TcpStream>>>;

// === impl Server ===

impl Server {
    /// Listens on a free port.
    pub(super) fn start(shared: Shared) -> Self {
        let count = PORTS.end - PORTS.start;
        let first = (std::process::id() % u32::from(count)) as u16;
        for _ in 0..count {
            let step = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
            let port = PORTS.start + (first.wrapping_mul(97).wrapping_add(step)) % count;
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            if let Ok(listener) = TcpListener::bind(address) {
                let listening = Listening::start(listener, shared.clone());
                return Self {
                    shared,
                    address,
                    listening: Some(listening),
                };
            }
        }
        panic!("no port of {PORTS:?} is free");
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets nobody in any more; requests that have begun are answered.
    pub(super) fn stop(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.end(Shutdown::Read);
        }
    }

    /// Ends all connections amid what they do.
    pub(super) fn kill(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.end(Shutdown::Both);
        }
    }

    /// Listens again.
    pub(super) fn resume(&mut self) {
        if self.listening.is_none() {
            let listener = TcpListener::bind(self.address).expect("listen again on the same port");
            self.listening = Some(Listening::start(listener, self.shared.clone()));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

// === impl Listening ===

impl Listening {
    fn start(listener: TcpListener, shared: Shared) -> Self {
        let is_ending = Arc::new(AtomicBool::new(false));
        let connections = Connections::default();
        let (ending, open) = (Arc::clone(&is_ending), Arc::clone(&connections));
        let socket = listener.try_clone().ok();
        let thread = std::thread::spawn(move || {
            for (number, connection) in (0..).zip(listener.incoming()) {
                if ending.load(Ordering::Acquire) {
                    return;
                }
                let Ok(connection) = connection else { continue };
                let Ok(handle) = connection.try_clone() else {
                    continue;
                };
                lock(&open).insert(number, handle);
                let (shared, open) = (shared.clone(), Arc::clone(&open));
                std::thread::spawn(move || {
                    serve(connection, &shared);
                    lock(&open).remove(&number);
                });
            }
        });
        Self {
            is_ending,
            connections,
            socket,
            thread,
        }
    }

    fn end(self, how: Shutdown) {
        self.is_ending.store(true, Ordering::Release);
        // Ends the wait for connections (shutdown(2) of a listening socket does on Linux), also where the socket belongs to
        // another network namespace and can't be connected to from here.
        if let Some(socket) = &self.socket {
            rustix::net::shutdown(socket, rustix::net::Shutdown::Both)
                .expect("end the wait for connections");
        }
        // The port is free only when nobody has the socket any more.
        drop(self.socket);
        drop(self.thread.join());
        for connection in lock(&self.connections).values() {
            drop(connection.shutdown(how));
        }
    }
}

fn lock(connections: &Connections) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers a connection's requests in turn.
fn serve(mut connection: TcpStream, shared: &Shared) {
    drop(connection.set_nodelay(true));
    while let Ok(Some(request)) = Request::read(&mut connection) {
        let (number, reaction) = shared.react(&request);
        match reaction {
            Reaction::Answer(answer, delivery) => {
                if delivery != Delivery::Half {
                    shared.answered(number, answer.status);
                }
                match answer.write(&mut connection, delivery) {
                    Ok(true) => {}
                    Ok(false) | Err(_) => break,
                }
            }
            Reaction::Cut => break,
            Reaction::Silence => {
                // Until the client gives up.
                let mut rest = Vec::new();
                drop(connection.read_to_end(&mut rest));
                break;
            }
        }
    }
    // There is another handle to the connection; only this ends it.
    drop(connection.shutdown(Shutdown::Both));
}
