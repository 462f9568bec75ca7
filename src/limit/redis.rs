//! Quotas in Redis, shared by every replica: one script, one round trip, Redis' clock. While Redis is away this process
//! counts by itself, from what it last knew.

use std::time::Duration;

use tokio::sync::watch;

use super::degraded::{DegradedSettings, LocalState};
use super::key::Layout;
use super::script::{self, Reply};
use super::{Acquire, Acquired, Answer, Source};
use crate::clock::Timestamp;
use crate::redis::{InvalidSettings, RedisClient, RedisCounters, RedisSettings, RedisState};

/// The limiter in Redis.
#[derive(Debug)]
pub struct RedisLimiter {
    client: RedisClient,
    layout: Layout,
    local: LocalState,
}

impl RedisLimiter {
    /// Checks the settings; connects when first used.
    ///
    /// # Errors
    /// If the URL or a certificate cannot be read. A Redis that is not there is no error.
    pub fn new(redis: RedisSettings, degraded: &DegradedSettings) -> Result<Self, InvalidSettings> {
        let client = RedisClient::new(redis, script::PROBE)?;
        let layout = if client.is_cluster() {
            Layout::Cluster
        } else {
            Layout::Single
        };
        Ok(Self {
            client,
            layout,
            local: LocalState::new(degraded),
        })
    }

    /// Begins to connect and waits until the first attempt has ended, well or not; see [`RedisClient::connect`].
    pub async fn connect(&self) {
        self.client.connect().await;
    }

    /// Answers an acquisition, from Redis if it answers in time, else from what this process knows. Never fails, and
    /// takes no longer than the budget, or than `patience` if that is less.
    pub async fn acquire(&self, acquire: &Acquire<'_>, now: Timestamp, patience: Duration) -> Acquired {
        let local = &self.local;
        if let Some(known) = acquire.idempotency_key.as_ref().and_then(|id| local.look_up(id, now)) {
            return known;
        }
        if acquire.idempotency_key.is_none() && (acquire.subject.is_none() || acquire.quotas.is_empty()) {
            return Acquired {
                answer: local.acquire(acquire, now),
                source: Source::Local,
            };
        }
        let replied = match self.client.send(script::call(self.layout, acquire)) {
            Ok(mut in_flight) => in_flight.answer(patience, |value| script::reply(&value)).await,
            Err(failure) => Err(failure),
        };
        match replied {
            Ok(Reply::Known(acquired)) => acquired,
            Ok(Reply::Fresh(levels)) => {
                let outcomes = script::outcomes(acquire.quotas, &levels);
                let levels: Vec<u64> = levels.iter().map(|(level, _)| *level).collect();
                local.learn(acquire, &levels, &outcomes, now);
                Acquired {
                    answer: Answer::Fresh(outcomes),
                    source: Source::Redis,
                }
            }
            Err(_) => local.acquire_degraded(acquire, now),
        }
    }

    /// The state of Redis now, and each change of it.
    pub fn states(&self) -> watch::Receiver<RedisState> {
        self.client.states()
    }

    /// Counts of calls to Redis since the start.
    pub fn counters(&self) -> RedisCounters {
        self.client.counters()
    }
}
