//! Settings, counters and change notices that all parts of one client share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::TlsCertificates;
use tokio::sync::watch;

use super::call::Probe;
use super::target::redact;

/// The address of a Redis, and the bounds on waiting for it.
#[derive(Clone)]
pub struct RedisSettings {
    /// The URL; its forms are in `docs/limits.md`.
    pub url: String,
    /// The longest that one call waits for its answer; 20 ms unless set.
    pub budget: Duration,
    /// The longest that one attempt to connect may take, in the background; 300 ms unless set.
    pub connect_timeout: Duration,
    /// Calls in flight at one Redis process at most; one more fails at once. 1024 unless set.
    pub in_flight_max: usize,
    /// The authorities that may sign Redis' certificate, PEM; the usual public ones unless set.
    pub tls_roots: Option<Vec<u8>>,
    /// The certificate and key that we show to Redis, PEM; none unless set.
    pub tls_identity: Option<(Vec<u8>, Vec<u8>)>,
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

/// Counts of one client since its start, for metrics. Each only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RedisCounters {
    /// Calls sent.
    pub sent: u64,
    /// Calls that were not answered within their budget.
    pub timed_out: u64,
    /// Calls not sent because too many were in flight.
    pub shed: u64,
    /// Openings of a circuit breaker: one for each time that a process went away.
    pub opened: u64,
}

/// The counters as they are counted.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) sent: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) shed: AtomicU64,
    pub(super) opened: AtomicU64,
}

impl Counts {
    /// The counters now.
    pub(super) fn read(&self) -> RedisCounters {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RedisCounters {
            sent: read(&self.sent),
            timed_out: read(&self.timed_out),
            shed: read(&self.shed),
            opened: read(&self.opened),
        }
    }
}

/// The parts of one client have this in common.
pub(super) struct Shared {
    pub(super) settings: RedisSettings,
    /// Several processes with a part of the keys each, so that keys may move.
    pub(super) is_cluster: bool,
    pub(super) tls: Option<TlsCertificates>,
    pub(super) probe: Probe,
    pub(super) counts: Counts,
    /// Changes whenever a node's breaker opens or closes, or keys moved.
    pub(super) changed: watch::Sender<()>,
    /// Changes whenever the slots of a cluster were read anew.
    pub(super) refreshed: watch::Sender<()>,
}

impl Shared {
    /// Tells the background tasks that a breaker or the topology changed.
    pub(super) fn notify(&self) {
        self.changed.send_replace(());
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.settings.fmt(f)
    }
}
