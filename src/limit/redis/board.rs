//! What all tasks of one limiter share: the routes, and what the world is told about them.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use super::Shared;
use super::error::Failure;
use super::node::Asked;
use super::routes::Routes;
use super::script::Call;
use crate::limit::{Cause, RedisState};

/// The routes and their state.
pub(super) struct Board {
    pub(super) shared: Arc<Shared>,
    routes: RwLock<Arc<Routes>>,
    /// Why there are no routes.
    lost: Mutex<Cause>,
    states: watch::Sender<RedisState>,
    /// Held while the state is read and told, or an older state of two could be told last.
    telling: Mutex<()>,
}

impl Board {
    pub(super) fn new(shared: Arc<Shared>, routes: Routes, states: watch::Sender<RedisState>) -> Self {
        Self {
            shared,
            routes: RwLock::new(Arc::new(routes)),
            lost: Mutex::new(Cause::Connecting),
            states,
            telling: Mutex::default(),
        }
    }

    /// The routes as they are now.
    pub(super) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the process that has the call's keys; see [`super::node::Node::ask`].
    pub(super) fn ask(&self, call: Call) -> Result<Asked, Failure> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        match call.key().and_then(|key| routes.node(key)) {
            Some(node) => node.ask(call),
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

    /// Whether every key has a process, and each of them answers.
    pub(super) fn all_up(&self) -> bool {
        let routes = self.routes();
        !routes.nodes.is_empty() && !routes.has_holes() && routes.nodes.iter().all(|node| node.away().is_none())
    }

    /// Tells the world what is known, if it changed.
    pub(super) fn tell(&self) {
        let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let routes = self.routes();
        let nodes: Vec<Option<Cause>> = routes.nodes.iter().map(|node| node.away()).collect();
        let lost = *self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let was_up = matches!(*self.states.borrow(), RedisState::Up);
        if let Some(state) = state(&nodes, routes.has_holes(), lost, was_up) {
            self.states
                .send_if_modified(|known| std::mem::replace(known, state) != state);
        }
    }
}

/// What there is to tell of nodes, each with why it is away, and of keys that have none (`holes`). `lost` says why there
/// are no nodes. Nothing, before the first attempts have ended.
fn state(nodes: &[Option<Cause>], holes: bool, lost: Cause, was_up: bool) -> Option<RedisState> {
    let causes: Vec<Cause> = nodes.iter().copied().flatten().collect();
    let known = causes.iter().copied().find(|cause| *cause != Cause::Connecting);
    let cause = known.unwrap_or(Cause::Connecting);
    match (nodes.len(), causes.len()) {
        (0, _) => Some(RedisState::Away { cause: lost }),
        (_, 0) if holes => Some(RedisState::Partly {
            cause: Cause::ClusterDown,
        }),
        (_, 0) => Some(RedisState::Up),
        _ if causes.contains(&Cause::Connecting) && !was_up => None,
        (all, away) if all == away => Some(RedisState::Away { cause }),
        _ => Some(RedisState::Partly { cause }),
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

#[cfg(test)]
mod tests {
    use super::state;
    use crate::limit::Cause::{self, ClusterDown, Connecting, Timeout};
    use crate::limit::RedisState::{self, Away, Partly, Up};

    #[test]
    fn what_is_told_of_nodes_and_holes() {
        let told = |nodes: &[Option<Cause>], holes| state(nodes, holes, Connecting, false);
        let partly = |cause| Some(Partly { cause });
        assert_eq!(told(&[], true), Some(Away { cause: Connecting }));
        assert_eq!(told(&[None, None], false), Some(Up));
        assert_eq!(told(&[None, None], true), partly(ClusterDown), "a hole is not up");
        assert_eq!(told(&[None, Some(Timeout)], true), partly(Timeout));
        assert_eq!(told(&[Some(Timeout)], true), Some(Away { cause: Timeout }));
        assert_eq!(told(&[None, Some(Connecting)], false), None);
        let was_up: Option<RedisState> = state(&[None, Some(Connecting)], false, Connecting, true);
        assert_eq!(was_up, partly(Connecting));
    }
}
