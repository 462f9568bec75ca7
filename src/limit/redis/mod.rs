//! Quotas in Redis, shared by every replica: one script, one round trip, Redis' clock. While Redis is away this process
//! counts by itself, from what it last knew.
//!
//! Start with [`Redis::take`]; a Redis process with its breaker is `node.rs`, the bytes on the wire are `script.rs`.

mod board;
mod cluster;
mod error;
mod line;
mod node;
mod routes;
mod script;
mod sentinel;
mod tls;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::board::Board;
use self::node::{Node, Place};
use self::routes::Routes;
use self::script::{Call, Reply};
use super::key::Layout;
use super::local::Local;
use super::memory::MemorySettings;
use super::{Answer, Cause, Counters, LimitError, RedisState, Source, Take, Taken};
use crate::clock::Timestamp;
use crate::deployment::{Deployment, redact};

/// How to reach a Redis and how long to wait for it.
#[derive(Clone)]
pub struct RedisSettings {
    /// Where it is; the forms are in `docs/limits.md`.
    pub url: String,
    /// The longest that one take waits for Redis; 20 ms unless set.
    pub budget: Duration,
    /// The longest that one attempt to connect may take, in the background; 300 ms unless set.
    pub connect_timeout: Duration,
    /// Takes under way at one Redis process at most, the others count locally at once; 1024 unless set.
    pub in_flight_max: usize,
    /// The authorities that may sign Redis' certificate, PEM; the usual public ones unless set.
    pub tls_roots: Option<Vec<u8>>,
    /// The certificate and key that we show to Redis, PEM; none unless set.
    pub tls_identity: Option<(Vec<u8>, Vec<u8>)>,
    /// The limiter that is used while Redis is away.
    pub local: MemorySettings,
    /// The part of each quota that this process grants alone while Redis is away, above 0 and at most 1; 1 unless set.
    pub local_share: f64,
}

impl RedisSettings {
    /// The usual settings for a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            budget: Duration::from_millis(20),
            connect_timeout: Duration::from_millis(300),
            in_flight_max: 1024,
            tls_roots: None,
            tls_identity: None,
            local: MemorySettings::default(),
            local_share: 1.0,
        }
    }
}

impl std::fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisSettings")
            .field("url", &redact(&self.url))
            .field("budget", &self.budget)
            .field("in_flight_max", &self.in_flight_max)
            .finish_non_exhaustive()
    }
}

/// The limiter in Redis.
#[derive(Debug)]
pub struct Redis {
    shared: Arc<Shared>,
    deployment: Deployment,
    local: Local,
    running: OnceLock<Running>,
    states: watch::Sender<RedisState>,
}

/// What all parts of one limiter use.
struct Shared {
    settings: RedisSettings,
    layout: Layout,
    tls: Option<::redis::TlsCertificates>,
    counts: Counts,
    /// Changes whenever a node's breaker opens or closes, or keys moved.
    changed: watch::Sender<()>,
}

/// Counters for metrics and tests.
#[derive(Default)]
struct Counts {
    asked: AtomicU64,
    answered: AtomicU64,
    timed_out: AtomicU64,
    shed: AtomicU64,
    local: AtomicU64,
    probed: AtomicU64,
    opened: AtomicU64,
}

/// The part that needs a runtime; it ends with the limiter.
struct Running {
    board: Arc<Board>,
    tasks: Vec<JoinHandle<()>>,
}

impl Redis {
    /// Reads the settings; connects when first used.
    ///
    /// # Errors
    /// If the URL or a certificate cannot be understood. A Redis that is not there is no error.
    pub fn new(settings: RedisSettings) -> Result<Self, LimitError> {
        let deployment = Deployment::parse(&settings.url)?;
        let tls = tls::certificates(&settings, &deployment)?;
        let shared = Shared {
            layout: if matches!(deployment, Deployment::Cluster { .. }) {
                Layout::Cluster
            } else {
                Layout::Single
            },
            tls,
            counts: Counts::default(),
            changed: watch::Sender::new(()),
            settings,
        };
        let local = Local::new(&shared.settings.local, shared.settings.local_share);
        let states = watch::Sender::new(RedisState::Away {
            cause: Cause::Connecting,
        });
        Ok(Self {
            shared: Arc::new(shared),
            deployment,
            local,
            running: OnceLock::new(),
            states,
        })
    }

    /// Begins to connect and waits until the first attempt has ended, well or not.
    pub async fn connect(&self) {
        self.board();
        let mut states = self.states.subscribe();
        // The sender lives as long as `self`.
        let _ = states
            .wait_for(|state| {
                *state
                    != RedisState::Away {
                        cause: Cause::Connecting,
                    }
            })
            .await;
    }

    /// Answers a take, from Redis if it answers in time, else from what this process knows. Never fails, and takes no
    /// longer than the budget, or than `patience` if that is less.
    pub async fn take(&self, take: &Take<'_>, now: Timestamp, patience: Duration) -> Taken {
        let local = &self.local;
        if let Some(known) = take.claim.as_ref().and_then(|claim| local.look_up(claim, now)) {
            return known;
        }
        if take.claim.is_none() && (take.subject.is_none() || take.quotas.is_empty()) {
            return Taken {
                answer: local.take(take, now),
                source: Source::Local,
            };
        }
        let call = Call::take(self.shared.layout, take);
        let called = match self.board().ask(call) {
            Ok(mut asked) => asked.answer(patience).await,
            Err(failure) => Err(failure),
        };
        match called {
            Ok(Reply::Known(taken)) => taken,
            Ok(Reply::Fresh(levels)) => {
                let outcomes = script::outcomes(take.quotas, &levels);
                let levels: Vec<u64> = levels.iter().map(|(level, _)| *level).collect();
                local.learn(take, &levels, &outcomes, now);
                Taken {
                    answer: Answer::Fresh(outcomes),
                    source: Source::Redis,
                }
            }
            Err(_) => {
                self.shared.counts.local.fetch_add(1, Ordering::Relaxed);
                local.take_alone(take, now)
            }
        }
    }

    /// What is known of Redis now, and each change of it.
    pub fn states(&self) -> watch::Receiver<RedisState> {
        self.states.subscribe()
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts {
            asked,
            answered,
            timed_out,
            shed,
            local,
            probed,
            opened,
        } = &self.shared.counts;
        Counters {
            asked: read(asked),
            answered: read(answered),
            timed_out: read(timed_out),
            shed: read(shed),
            local: read(local),
            probed: read(probed),
            opened: read(opened),
        }
    }

    fn board(&self) -> &Board {
        &self.running.get_or_init(|| Running::start(self)).board
    }
}

impl Running {
    fn start(redis: &Redis) -> Self {
        let shared = &redis.shared;
        let at = |place| Routes::one(Node::start(Arc::clone(shared), place, 0));
        let (routes, seeds) = match redis.deployment.clone() {
            Deployment::Single(info) => (at(Place::At(info)), None),
            Deployment::Sentinel {
                sentinels,
                name,
                master,
            } => (
                at(Place::Sentinel {
                    sentinels,
                    name,
                    master,
                }),
                None,
            ),
            Deployment::Cluster { seeds } => (Routes::none(), Some(seeds)),
        };
        let board = Arc::new(Board::new(Arc::clone(shared), routes, redis.states.clone()));
        let mut tasks = vec![tokio::spawn(board::watch(Arc::clone(&board)))];
        tasks.extend(seeds.map(|seeds| tokio::spawn(cluster::follow(Arc::clone(&board), seeds))));
        Self { board, tasks }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    fn news(&self) {
        self.changed.send_replace(());
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.settings.fmt(f)
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Running")
    }
}
