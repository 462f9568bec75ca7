//! Limits on how often one author may comment: several quotas at once, all or none, and the first answers to request
//! ids.
//!
//! Counts live in this process ([`Limiter::memory`]) or in a Redis that replicas share ([`Limiter::redis`]), by the
//! same arithmetic. [`Limiter::acquire`] never fails and never waits longer than its budget: while Redis is away this
//! process counts by itself and says so ([`Source::Degraded`]).
//!
//! This room must never log, read a clock (the caller passes `now`; in Redis it is Redis' clock that counts),
//! retry inside a request, hold a lock over an await, or see an address: subjects are keyed hashes.
//!
//! Where to start reading: `gcra.rs` is the arithmetic, `take.lua` its second home, `script.rs` the bytes between the
//! two, `memory/` the bounded map, `redis.rs` the limiter in Redis, `degraded.rs` what it does without, `key.rs` the
//! layout in Redis. The connection is the room `redis`. `docs/limits.md` is for operators.

mod degraded;
mod dominance;
pub mod gcra;
pub mod key;
mod memory;
mod redis;
mod script;

use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::redis::{InvalidSettings, RedisCounters, RedisSettings};
use crate::site::{Quota, SiteId};

pub use self::degraded::DegradedSettings;
pub use self::dominance::{Change, Dominance};
pub use self::memory::{Memory, MemorySettings, REPLAY_TTL};
pub use self::redis::RedisLimiter;
pub use crate::redis::{Cause, RedisState};

/// A limiter, with its counts in one of two places.
#[derive(Debug)]
pub enum Limiter {
    /// Counts in this process.
    Memory(Memory),
    /// Counts in Redis, shared by a fleet.
    Redis(Box<RedisLimiter>),
}

impl Limiter {
    /// A limiter in this process.
    pub fn memory(settings: &MemorySettings) -> Self {
        Self::Memory(Memory::new(settings))
    }

    /// A limiter in Redis. Nothing is connected yet: see [`Limiter::connect`].
    ///
    /// # Errors
    /// If the URL or a certificate cannot be read. A Redis that is not there is no error: the service starts without
    /// it.
    pub fn redis(redis: RedisSettings, degraded: &DegradedSettings) -> Result<Self, InvalidSettings> {
        Ok(Self::Redis(Box::new(RedisLimiter::new(redis, degraded)?)))
    }

    /// Begins to connect and waits until the first attempt has ended, well or not: at most twice the connect time-out
    /// and once the budget, and in a cluster the connect time-out once more for each seed that is silent. Call it
    /// before serving, so that the first acquisitions find Redis. Needs a running tokio runtime, as `acquire` does.
    pub async fn connect(&self) {
        if let Self::Redis(redis) = self {
            redis.connect().await;
        }
    }

    /// Answers an acquisition. Never fails; waits for Redis at most the configured budget. `now` is this process' time;
    /// Redis counts by its own.
    pub async fn acquire(&self, acquire: &Acquire<'_>, now: Timestamp) -> Acquired {
        self.acquire_within(acquire, now, Duration::MAX).await
    }

    /// Answers as [`Limiter::acquire`] does, and waits for Redis no longer than `patience`: a caller's deadline. If
    /// that passes first, this process answers, which is better for the caller than no answer.
    pub async fn acquire_within(&self, acquire: &Acquire<'_>, now: Timestamp, patience: Duration) -> Acquired {
        match self {
            Self::Memory(memory) => Acquired {
                answer: memory.acquire(acquire, now),
                source: Source::Local,
            },
            Self::Redis(redis) => redis.acquire(acquire, now, patience).await,
        }
    }

    /// The state of Redis, and each change of it; `None` for a limiter without one.
    pub fn states(&self) -> Option<watch::Receiver<RedisState>> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(redis) => Some(redis.states()),
        }
    }

    /// Counts of calls to Redis since the start; all zero without one.
    pub fn counters(&self) -> RedisCounters {
        match self {
            Self::Memory(_) => RedisCounters::default(),
            Self::Redis(redis) => redis.counters(),
        }
    }
}

/// An answer with its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquired {
    /// The answer.
    pub answer: Answer,
    /// The place that gave it.
    pub source: Source,
}

/// The place that answered an acquisition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// This process, as it should: there is no Redis, or the answer was known.
    Local,
    /// Redis.
    Redis,
    /// This process, because Redis did not answer, to this acquisition or to the one that it replays: the caller
    /// reports `rate_limit.redis` as degraded.
    Degraded,
}

/// A request for one grant from every quota of a subject, all or none.
#[derive(Debug, Clone, Copy)]
pub struct Acquire<'a> {
    /// The publication; each has its own counts.
    pub site: &'a SiteId,
    /// The counted author; `None` if nobody is counted (no address, staff), in which case `quotas` is empty.
    pub subject: Option<AuthorKey>,
    /// The quotas to take from. Shadow quotas are counted, and never stop the others.
    pub quotas: &'a [Quota],
    /// The caller's idempotency key, if it gave one.
    pub idempotency_key: Option<IdempotencyKey<'a>>,
    /// Spend or peek.
    pub mode: Mode,
}

/// An acquisition either counts or only looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Spend and remember.
    Spend,
    /// Answer what `Spend` would, and change nothing.
    Peek,
}

/// An idempotency key: a second request with the same key and body gets the first one's answer.
#[derive(Debug, Clone, Copy)]
pub struct IdempotencyKey<'a> {
    /// Keyed hash of site and request id.
    pub request: [u8; 16],
    /// Keyed hash of the whole request body.
    pub fingerprint: [u8; 16],
    /// The comment's author, also when nobody is counted: in a cluster the answer lies beside this author's quotas, so
    /// that the same body is found again however it is sent. Ignored where the acquisition has a subject: that is the
    /// author.
    pub author: Option<AuthorKey>,
    /// Bytes to remember and to hand to a replay; opaque to the limiter.
    pub payload: &'a [u8],
}

/// The answer of one quota to an acquisition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Grants left after this acquisition.
    pub remaining: u32,
    /// The time until the quota grants again; zero if it would now.
    pub retry_after: Duration,
    /// The time until the quota is at rest.
    pub reset_after: Duration,
    /// This acquisition found the quota empty.
    pub exceeded: bool,
}

/// The limiter's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A new request; one outcome for each quota, in their order.
    Fresh(Vec<Outcome>),
    /// The same request again: the first one's outcomes and payload. Nothing was spent.
    Replayed {
        /// The first answer's outcomes.
        outcomes: Vec<Outcome>,
        /// The first request's payload.
        payload: Vec<u8>,
    },
    /// The request id was used with another body.
    Conflict,
}
