//! Whose turn is it? One server runs at a time, and the next test takes it over if it is of the kind that it wants.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard};

use tests::cluster::{Cluster, Engine};

use super::{Doors, Server};

static SERVER: Mutex<Option<Server>> = Mutex::new(None);

/// A server that is one test's own until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn(MutexGuard<'static, Option<Server>>);

/// Waits for the turn; gives an empty server without faults.
pub(crate) fn take(engine: Engine, doors: Doors) -> Turn {
    let mut turn = SERVER.lock().unwrap_or_else(|poisoned| {
        // Whatever a failed test left is not worth a look.
        SERVER.clear_poison();
        let mut turn = poisoned.into_inner();
        *turn = None;
        turn
    });
    let is_wanted = |server: &Server| server.engine == engine && server.doors == doors;
    if !turn.as_ref().is_some_and(is_wanted) {
        // The old one ends before the new one starts.
        *turn = None;
        *turn = Some(Server::start(engine, doors));
    }
    let mut turn = Turn(turn);
    turn.clear();
    turn
}

// === impl Turn ===

impl Deref for Turn {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.0.as_ref().expect("a turn has a server")
    }
}

impl DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut Server {
        self.0.as_mut().expect("a turn has a server")
    }
}
