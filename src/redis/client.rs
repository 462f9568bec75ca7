//! The public face: a client that routes calls and tells how its Redis stands.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::call::{Call, Probe};
use super::cause::Cause;
use super::error::{Failure, InvalidSettings};
use super::node::{Endpoint, InFlight, Node};
use super::router::{self, RedisState, Router};
use super::shared::{Counts, RedisCounters, RedisSettings, Shared};
use super::slots::SlotTable;
use super::target::Target;
use super::{tls, topology};

/// A client of one Redis in any of its forms; its connections and tasks end with it.
#[derive(Debug)]
pub struct RedisClient {
    shared: Arc<Shared>,
    target: Target,
    running: OnceLock<Running>,
    states: watch::Sender<RedisState>,
}

/// The part that needs a runtime.
struct Running {
    router: Arc<Router>,
    tasks: Vec<JoinHandle<()>>,
}

impl RedisClient {
    /// Checks the settings; connects when first used.
    ///
    /// # Errors
    /// If the URL or a certificate cannot be read. A Redis that is not there is no error.
    pub fn new(settings: RedisSettings, probe: Probe) -> Result<Self, InvalidSettings> {
        let target = Target::parse(&settings.url)?;
        let tls = tls::certificates(&settings, &target)?;
        let shared = Shared {
            is_cluster: matches!(target, Target::Cluster { .. }),
            tls,
            probe,
            counts: Counts::default(),
            changed: watch::Sender::new(()),
            refreshed: watch::Sender::new(()),
            settings,
        };
        let cause = Cause::Connecting;
        Ok(Self {
            shared: Arc::new(shared),
            target,
            running: OnceLock::new(),
            states: watch::Sender::new(RedisState::Away { cause }),
        })
    }

    /// Begins to connect and waits until the first attempt has ended, well or not: at most twice the connect time-out
    /// and once the budget, and in a cluster the connect time-out once more for each silent seed. Needs a tokio
    /// runtime.
    pub async fn connect(&self) {
        self.router();
        let cause = Cause::Connecting;
        let mut states = self.states.subscribe();
        // The sender lives as long as `self`.
        let _ = states.wait_for(|state| *state != RedisState::Away { cause }).await;
    }

    /// Sends a call to the process that holds its key. It is on its way when this returns. Needs a tokio runtime.
    ///
    /// # Errors
    /// If it was not sent: why.
    pub fn send(&self, call: Call) -> Result<InFlight, Failure> {
        self.router().send(call)
    }

    /// Tells whether keys are spread over several processes, so that a script may touch one slot only.
    pub const fn is_cluster(&self) -> bool {
        matches!(self.target, Target::Cluster { .. })
    }

    /// The settings as they were given.
    pub fn settings(&self) -> &RedisSettings {
        &self.shared.settings
    }

    /// The state of Redis now, and each change of it.
    pub fn states(&self) -> watch::Receiver<RedisState> {
        self.states.subscribe()
    }

    /// Notices of each time that a cluster's slots were read anew.
    pub fn refreshes(&self) -> watch::Receiver<()> {
        self.shared.refreshed.subscribe()
    }

    /// The counters so far.
    pub fn counters(&self) -> RedisCounters {
        self.shared.counts.read()
    }

    fn router(&self) -> &Router {
        &self.running.get_or_init(|| Running::start(self)).router
    }
}

impl Running {
    fn start(client: &RedisClient) -> Self {
        let shared = &client.shared;
        let one = |endpoint| SlotTable::one(Node::start(Arc::clone(shared), endpoint, 0));
        let (slots, seeds) = match client.target.clone() {
            Target::Single(info) => (one(Endpoint::Fixed(info)), None),
            Target::Sentinel {
                sentinels,
                name,
                master,
            } => {
                let endpoint = Endpoint::Sentinel {
                    sentinels,
                    name,
                    master,
                };
                (one(endpoint), None)
            }
            Target::Cluster { seeds } => (SlotTable::empty(), Some(seeds)),
        };
        let router = Arc::new(Router::new(Arc::clone(shared), slots, client.states.clone()));
        let mut tasks = vec![tokio::spawn(router::watch(Arc::clone(&router)))];
        tasks.extend(seeds.map(|seeds| tokio::spawn(topology::follow(Arc::clone(&router), seeds))));
        Self { router, tasks }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Running")
    }
}
