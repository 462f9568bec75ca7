//! Routes calls to the node that holds their key, and tells how Redis stands.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use super::call::Call;
use super::cause::Cause;
use super::error::Failure;
use super::node::InFlight;
use super::shared::Shared;
use super::slots::SlotTable;

/// The state of a Redis, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedisState {
    /// Every process answers.
    Up,
    /// A part of a cluster is away; calls on its keys fail at once.
    Partly {
        /// The reason, for one of the parts.
        cause: Cause,
    },
    /// No process answers; every call fails at once.
    Away {
        /// The reason.
        cause: Cause,
    },
}

/// The table of slots and the state that follows from its nodes.
pub(super) struct Router {
    pub(super) shared: Arc<Shared>,
    slots: RwLock<Arc<SlotTable>>,
    /// The reason for an empty table.
    lost: Mutex<Cause>,
    states: watch::Sender<RedisState>,
    /// Held while the state is computed and published, or an older state of two could be published last.
    publishing: Mutex<()>,
}

impl Router {
    /// A router with its first table; the state goes to `states`.
    pub(super) fn new(shared: Arc<Shared>, slots: SlotTable, states: watch::Sender<RedisState>) -> Self {
        Self {
            shared,
            slots: RwLock::new(Arc::new(slots)),
            lost: Mutex::new(Cause::Connecting),
            states,
            publishing: Mutex::default(),
        }
    }

    /// The table as it is now.
    pub(super) fn slots(&self) -> Arc<SlotTable> {
        Arc::clone(&self.slots.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends a call to the node that holds its key; see [`super::node::Node::send`].
    pub(super) fn send(&self, call: Call) -> Result<InFlight, Failure> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        match call.key().and_then(|key| slots.node(key)) {
            Some(node) => node.send(call),
            None => Err(Failure::NotRun(Cause::ClusterDown)),
        }
    }

    /// Puts a new table into place.
    pub(super) fn replace(&self, slots: SlotTable) {
        *self.slots.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(slots);
        self.publish();
        self.shared.refreshed.send_replace(());
    }

    /// Notes that no process could say who has which slots. The table stays: a part may still answer.
    pub(super) fn lost(&self, cause: Cause) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = cause;
        self.publish();
    }

    /// True if every slot has a node, and each of them is up.
    pub(super) fn all_up(&self) -> bool {
        let slots = self.slots();
        !slots.nodes.is_empty() && !slots.has_holes() && slots.nodes.iter().all(|node| node.away().is_none())
    }

    /// Publishes the state, if it changed.
    fn publish(&self) {
        let _publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = self.slots();
        let nodes: Vec<Option<Cause>> = slots.nodes.iter().map(|node| node.away()).collect();
        let lost = *self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let was_up = matches!(*self.states.borrow(), RedisState::Up);
        if let Some(state) = state(&nodes, slots.has_holes(), lost, was_up) {
            self.states
                .send_if_modified(|known| std::mem::replace(known, state) != state);
        }
    }
}

/// The state that follows from the nodes, each with the reason for being away, and from slots without a node (`holes`);
/// `lost` is the reason for having no nodes. `None` before the first attempts have ended.
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

/// Publishes the state whenever a node changed.
pub(super) async fn watch(router: Arc<Router>) {
    let mut changes = router.shared.changed.subscribe();
    loop {
        router.publish();
        // The sender lives in `router`: this only returns on a change.
        let _ = changes.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::RedisState::{self, Away, Partly, Up};
    use super::state;
    use crate::redis::Cause::{self, ClusterDown, Connecting, Timeout};

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
