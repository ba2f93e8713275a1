//! The loop that moves lines: one thread that looks, reads, hands over, takes receipts and remembers.
//!
//! Everything that must be in order happens in this thread, so nothing here is locked. It sleeps until a file changes,
//! a receipt comes or a deadline passes; files that grow all the time are looked at in intervals ([`LOOK_INTERVAL`])
//! instead of being told of each write. Sinks and probes have threads of their own.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::checkpoint::CheckpointError;
use crate::clock::Clock;
use crate::config::Config;
use crate::derive::Snapshot;
use crate::discover::DiscoverError;
use crate::ship::{Sink, Waker};
use crate::status::Status;

use self::engine::Engine;

mod followed;
mod pace;
mod stream;
mod engine;
mod meet;
mod part;
mod read;
mod receive;
mod settle;
mod report;

/// How often growing files are looked at: while much is written, and while little is. Even the longer one is a delay that
/// hardly anybody notices, and the shorter one is twenty wake-ups a second at most.
pub const LOOK_INTERVAL: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(200));

/// Why the collector does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state can't be opened, or another instance has it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// There is nothing to discover with.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The kernel gives no thread or descriptor.
    #[error("start the collector's thread")]
    Thread(#[source] std::io::Error),
}

/// Makes collectors.
#[derive(Debug)]
pub struct Collector;

/// A running collector.
#[derive(Debug)]
pub struct Handle {
    orders: Sender<Order>,
    waker: Waker,
    thread: Option<JoinHandle<Outcome>>,
}

/// How a collector ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The last status, everything included.
    pub status: Status,
    /// Whether all positions are durable.
    pub saved: bool,
}

/// What the loop is asked from outside.
#[derive(Debug)]
enum Order {
    /// Answer with a snapshot.
    Status(Sender<Status>),
    /// Answer with the metrics made from lines.
    Derived(Sender<Snapshot>),
    /// Go on with another configuration.
    Reconfigure(Box<Config>),
    /// Read anew what may have changed outside (credentials).
    Renew,
    /// Stop reading, wait for receipts up to this long, write the state, end.
    Stop(Duration),
}

// === impl Collector ===

impl Collector {
    /// Opens the state, looks once at everything and starts the loop in a thread of its own.
    ///
    /// `waker` must be the one that the sink wakes. With [`Config::until_drained`] the loop ends by itself.
    pub fn start(
        config: Config,
        sink: Box<dyn Sink>,
        waker: Waker,
        clock: Box<dyn Clock>,
    ) -> Result<Handle, StartError> {
        let (orders, incoming) = channel();
        let engine = Engine::new(config, sink, waker.clone(), clock)?;
        let thread = thread::Builder::new()
            .name("collector".into())
            .spawn(move || run(engine, &incoming))
            .map_err(StartError::Thread)?;
        Ok(Handle {
            orders,
            waker,
            thread: Some(thread),
        })
    }
}

// === impl Handle ===

impl Handle {
    /// A snapshot of now; `None` when the loop has ended or does not answer within `patience`.
    pub fn status(&self, patience: Duration) -> Option<Status> {
        let (answer, answered) = channel();
        self.order(Order::Status(answer));
        answered.recv_timeout(patience).ok()
    }

    /// Metrics made from lines, as they are now; `None` as with [`Self::status`].
    pub fn derived(&self, patience: Duration) -> Option<Snapshot> {
        let (answer, answered) = channel();
        self.order(Order::Derived(answer));
        answered.recv_timeout(patience).ok()
    }

    /// Goes on with another configuration: how lines are parsed, which files are taken, what is redacted and derived, rate
    /// limit, names of the node and start policy. Positions and pending lines stay. The root, the state, the other parts of discovery and the sink are
    /// those it was started with.
    pub fn reconfigure(&self, config: Config) {
        self.order(Order::Reconfigure(Box::new(config)));
    }

    /// Has the sink read its credentials anew.
    pub fn renew(&self) {
        self.order(Order::Renew);
    }

    /// Whether the loop has ended by itself.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops: what is read is handed over and waited for up to `grace`, then the state is written in any case.
    ///
    /// `None` when the loop panicked; what it held is read again at the next start.
    pub fn stop(mut self, grace: Duration) -> Option<Outcome> {
        self.order(Order::Stop(grace));
        self.thread.take()?.join().ok()
    }

    /// Waits until the loop ends by itself.
    pub fn join(mut self) -> Option<Outcome> {
        self.thread.take()?.join().ok()
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            tracing::debug!("the collector has ended already");
        }
        self.waker.wake();
    }
}

fn run(mut engine: Engine, orders: &Receiver<Order>) -> Outcome {
    loop {
        for order in orders.try_iter() {
            match order {
                Order::Status(answer) => {
                    if answer.send(engine.status()).is_err() {
                        tracing::debug!("nobody waits for the status any more");
                    }
                }
                Order::Derived(answer) => {
                    if answer.send(engine.derived()).is_err() {
                        tracing::debug!("nobody waits for the metrics any more");
                    }
                }
                Order::Reconfigure(config) => engine.reconfigure(*config),
                Order::Renew => engine.sink.renew(),
                Order::Stop(grace) => return engine.finish(grace),
            }
        }
        engine.turn();
        if engine.is_drained() {
            return engine.finish(Duration::from_mins(1));
        }
        engine.sleep();
    }
}

#[cfg(test)]
mod tests;
