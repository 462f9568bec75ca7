//! Quotas in Redis, shared by every replica: one script, one round trip, Redis' clock. While Redis is away this process
//! counts by itself, from what it last knew.
//!
//! Start with [`Redis::take`]; a Redis process with its breaker is `node.rs`, the bytes on the wire are `script.rs`.

mod error;
mod node;
mod script;
mod url;

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use self::error::Failure;
use self::node::{Node, Place};
use self::script::{Call, Reply};
use self::url::Deployment;
use super::key::Layout;
use super::memory::{Memory, MemorySettings};
use super::{Answer, Cause, Counters, LimitError, Mode, RedisState, Source, Take, Taken};
use crate::clock::Timestamp;

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
        }
    }
}

impl std::fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisSettings")
            .field("url", &url::redact(&self.url))
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
    local: Memory,
    running: OnceLock<Running>,
    states: watch::Sender<RedisState>,
}

/// What all parts of one limiter use.
struct Shared {
    settings: RedisSettings,
    tls: Option<::redis::TlsCertificates>,
    /// The script and its digest.
    text: String,
    digest: String,
    counts: Counts,
    /// Told when a node's breaker opens or closes.
    changed: Notify,
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

/// The part that needs a runtime.
struct Running {
    node: Arc<Node>,
    watcher: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl Redis {
    /// Reads the settings; connects when first used.
    ///
    /// # Errors
    /// If the URL cannot be understood. A Redis that is not there is no error.
    pub fn new(settings: RedisSettings) -> Result<Self, LimitError> {
        let deployment = Deployment::parse(&settings.url)?;
        if !matches!(deployment, Deployment::Single(_)) {
            let problem = "Sentinel and Cluster cannot be used yet";
            return Err(LimitError::Url {
                url: url::redact(&settings.url),
                problem,
            });
        }
        let script = script::script();
        let tls = ::redis::TlsCertificates {
            client_tls: settings
                .tls_identity
                .clone()
                .map(|(client_cert, client_key)| ::redis::ClientTlsConfig {
                    client_cert,
                    client_key,
                }),
            root_cert: settings.tls_roots.clone(),
        };
        let tls = Some(tls).filter(|tls| tls.client_tls.is_some() || tls.root_cert.is_some());
        let shared = Shared {
            tls,
            text: include_str!("../take.lua").to_owned(),
            digest: script.get_hash().to_owned(),
            counts: Counts::default(),
            changed: Notify::new(),
            settings,
        };
        Ok(Self {
            local: Memory::new(&shared.settings.local),
            shared: Arc::new(shared),
            deployment,
            running: OnceLock::new(),
            states: watch::Sender::new(RedisState::Away {
                cause: Cause::Connecting,
            }),
        })
    }

    /// Begins to connect and waits until the first attempt has ended, well or not.
    pub async fn connect(&self) {
        self.running();
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
    /// longer than the budget.
    pub async fn take(&self, take: &Take<'_>, now: Timestamp) -> Taken {
        if let Some(answer) = take.claim.as_ref().and_then(|claim| self.local.look_up(claim, now)) {
            return Taken {
                answer,
                source: Source::Local,
            };
        }
        let call = Call::take(Layout::Single, take, Vec::new());
        if call.key().is_none() {
            return Taken {
                answer: self.local.take(take, now),
                source: Source::Local,
            };
        }
        match self.running().node.call(&call).await {
            Ok(Reply::Known(answer)) => Taken {
                answer,
                source: Source::Redis,
            },
            Ok(Reply::Fresh(levels)) if levels.len() == take.quotas.len() => Taken {
                answer: self.learn(take, &levels, now),
                source: Source::Redis,
            },
            Ok(Reply::Fresh(_)) | Err(Failure::NotRun(_) | Failure::InDoubt(_) | Failure::Moved | Failure::Shed) => {
                self.shared.counts.local.fetch_add(1, Ordering::Relaxed);
                Taken {
                    answer: self.local.take(take, now),
                    source: Source::LocalForRedis,
                }
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

    /// Keeps what Redis said, for the time when it does not.
    fn learn(&self, take: &Take<'_>, levels: &[(u64, bool)], now: Timestamp) -> Answer {
        let outcomes = script::outcomes(take.quotas, levels);
        if take.mode == Mode::Spend {
            if let Some(subject) = take.subject {
                let levels: Vec<u64> = levels.iter().map(|(level, _)| *level).collect();
                self.local.learn(take.site, subject, take.quotas, &levels, now);
            }
            if let Some(claim) = &take.claim {
                self.local.remember(claim, &outcomes, claim.payload, now);
            }
        }
        Answer::Fresh(outcomes)
    }

    fn running(&self) -> &Running {
        self.running.get_or_init(|| {
            let place = match &self.deployment {
                Deployment::Single(info) => Place::At(info.clone()),
                Deployment::Sentinel { master, .. } => Place::At(master.clone()),
                Deployment::Cluster { seeds } => Place::At(seeds[0].clone()),
            };
            let node = Arc::new(Node::start(Arc::clone(&self.shared), place, 0));
            let watcher = tokio::spawn(watch(Arc::clone(&self.shared), Arc::clone(&node), self.states.clone()));
            Running { node, watcher }
        })
    }
}

/// Tells the world when the state changes.
async fn watch(shared: Arc<Shared>, node: Arc<Node>, states: watch::Sender<RedisState>) {
    loop {
        shared.changed.notified().await;
        let state = node.away().map_or(RedisState::Up, |cause| RedisState::Away { cause });
        states.send_if_modified(|known| std::mem::replace(known, state) != state);
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

impl std::fmt::Debug for Deployment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Single(_) => "Single",
            Self::Sentinel { .. } => "Sentinel",
            Self::Cluster { .. } => "Cluster",
        })
    }
}
