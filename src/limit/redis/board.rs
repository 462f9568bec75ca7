//! What all tasks of one limiter share: the routes, and what the world is told about them.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use super::Shared;
use super::error::Failure;
use super::routes::Routes;
use super::script::{Call, Reply};
use crate::limit::{Cause, RedisState};

/// The routes and their state.
pub(super) struct Board {
    pub(super) shared: Arc<Shared>,
    routes: RwLock<Arc<Routes>>,
    /// Why there are no routes.
    lost: Mutex<Cause>,
    states: watch::Sender<RedisState>,
}

impl Board {
    pub(super) fn new(shared: Arc<Shared>, routes: Routes, states: watch::Sender<RedisState>) -> Self {
        Self {
            shared,
            routes: RwLock::new(Arc::new(routes)),
            lost: Mutex::new(Cause::Connecting),
            states,
        }
    }

    /// The routes as they are now.
    pub(super) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the process that has the call's keys.
    pub(super) async fn call(&self, call: &Call) -> Result<Reply, Failure> {
        let routes = self.routes();
        match call.key().and_then(|key| routes.node(key)) {
            Some(node) => node.call(call).await,
            None => Err(Failure::NotRun(Cause::ClusterDown)),
        }
    }

    /// New routes were found.
    pub(super) fn found(&self, routes: Routes) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
        self.tell();
    }

    /// Nobody could say who has which keys. What was known stays: a part may still answer.
    pub(super) fn lost(&self, cause: Cause) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = cause;
        self.tell();
    }

    /// Whether every process that is known answers.
    pub(super) fn all_up(&self) -> bool {
        let routes = self.routes();
        !routes.nodes.is_empty() && routes.nodes.iter().all(|node| node.away().is_none())
    }

    /// Tells the world what is known, if it changed.
    pub(super) fn tell(&self) {
        let routes = self.routes();
        let causes: Vec<Cause> = routes.nodes.iter().filter_map(|node| node.away()).collect();
        let cause = causes.iter().copied().find(|cause| *cause != Cause::Connecting);
        let state = match (routes.nodes.len(), causes.len()) {
            (0, _) => RedisState::Away {
                cause: *self.lost.lock().unwrap_or_else(PoisonError::into_inner),
            },
            (_, 0) => RedisState::Up,
            // Before the first attempts have ended there is nothing to tell.
            _ if causes.contains(&Cause::Connecting) && !matches!(*self.states.borrow(), RedisState::Up) => return,
            (all, away) if all == away => RedisState::Away {
                cause: cause.unwrap_or(Cause::Connecting),
            },
            _ => RedisState::Partly {
                cause: cause.unwrap_or(Cause::Connecting),
            },
        };
        self.states
            .send_if_modified(|known| std::mem::replace(known, state) != state);
    }
}

/// Tells the world whenever something changed.
pub(super) async fn watch(board: Arc<Board>) {
    let mut changes = board.shared.changed.subscribe();
    loop {
        board.tell();
        // The sender lives in `board`: this only returns on news.
        let _ = changes.changed().await;
    }
}
