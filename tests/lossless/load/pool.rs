//! Persistent connections, each used in its turn.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use super::http::Connection;

/// How many connections a client keeps.
const KEPT: usize = 20;

#[derive(Default)]
pub(super) struct Pool {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: VecDeque<Connection>,
    /// Requests that have a connection, or are opening one.
    busy: usize,
}

/// A request's place in a pool; it leaves when this is dropped.
pub(super) struct Place<'p> {
    pool: &'p Pool,
}

impl Pool {
    pub(super) fn enter(&self) -> Place<'_> {
        self.state().busy += 1;
        Place { pool: self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

impl Place<'_> {
    /// The connection that was idle for the longest; none while there are fewer than are to be kept.
    ///
    /// What the server has closed meanwhile is thrown away, as clients do that watch their idle connections.
    pub(super) fn idle(&self) -> Option<Connection> {
        let mut state = self.pool.state();
        state.idle.retain(Connection::is_open);
        if state.idle.len() + state.busy > KEPT {
            return state.idle.pop_front();
        }
        None
    }

    /// Keeps a connection for others, where there are not enough.
    pub(super) fn give_back(self, connection: Connection) {
        let mut state = self.pool.state();
        if state.idle.len() < KEPT {
            state.idle.push_back(connection);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.pool.state().busy -= 1;
    }
}
