//! Limits on how often one author may comment: several quotas at once, all or none, and the memory of request ids.
//!
//! Counts live in this process ([`Limiter::memory`]) or in a Redis that replicas share ([`Limiter::redis`]), by the same
//! arithmetic. [`Limiter::take`] never fails and never waits longer than its budget: while Redis is away this process
//! counts by itself and says so ([`Source::LocalForRedis`]).
//!
//! What this room must never do: log, read a clock (the caller passes `now`; in Redis it is Redis' clock that counts),
//! retry inside a request, hold a lock over an await, or see an address: subjects are keyed hashes.
//!
//! Where to start reading: `gcra.rs` is the arithmetic, `take.lua` its second home, `memory/` the bounded map, `redis/`
//! the connection with `breaker.rs` in front of it, `key.rs` the layout in Redis. `docs/limits.md` is for operators.

mod breaker;
mod cause;
mod dominance;
pub mod gcra;
pub mod key;
mod local;
mod memory;
mod redis;

use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::deployment::InvalidUrl;
use crate::site::{Quota, SiteId};

pub use self::breaker::{Breaker, Phase};
pub use self::cause::Cause;
pub use self::dominance::{Change, Dominance};
pub use self::memory::{CLAIM_TTL, Memory, MemorySettings};
pub use self::redis::{Redis, RedisSettings};

/// A limiter: the two homes that counts can have.
#[derive(Debug)]
pub enum Limiter {
    /// In this process.
    Memory(Memory),
    /// In Redis, shared by a fleet.
    Redis(Box<Redis>),
}

impl Limiter {
    /// A limiter in this process.
    pub fn memory(settings: &MemorySettings) -> Self {
        Self::Memory(Memory::new(settings))
    }

    /// A limiter in Redis. Nothing is connected yet: see [`Limiter::connect`].
    ///
    /// # Errors
    /// If the URL or a certificate cannot be understood. A Redis that is not there is no error: the service starts
    /// without it.
    pub fn redis(settings: RedisSettings) -> Result<Self, LimitError> {
        Ok(Self::Redis(Box::new(Redis::new(settings)?)))
    }

    /// Begins to connect and waits until the first attempt has ended, well or not: at most twice the connect time-out and
    /// once the budget, and in a cluster the connect time-out once more for each seed that is silent. Call it before
    /// serving, so that the first takes find Redis. Needs a running tokio runtime, as `take` does.
    pub async fn connect(&self) {
        if let Self::Redis(redis) = self {
            redis.connect().await;
        }
    }

    /// Answers a take. Never fails; waits for Redis at most the configured budget. `now` is this process' time; Redis
    /// counts by its own.
    pub async fn take(&self, take: &Take<'_>, now: Timestamp) -> Taken {
        self.take_within(take, now, Duration::MAX).await
    }

    /// As [`Limiter::take`], and waits for Redis no longer than `patience`: a caller's deadline. If that passes first,
    /// this process answers, which is better for the caller than no answer.
    pub async fn take_within(&self, take: &Take<'_>, now: Timestamp, patience: Duration) -> Taken {
        match self {
            Self::Memory(memory) => Taken {
                answer: memory.take(take, now),
                source: Source::Local,
            },
            Self::Redis(redis) => redis.take(take, now, patience).await,
        }
    }

    /// What is known of Redis, and each change of it; `None` for a limiter without one.
    pub fn states(&self) -> Option<watch::Receiver<RedisState>> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(redis) => Some(redis.states()),
        }
    }

    /// What happened at Redis so far; all zero without one.
    pub fn counters(&self) -> Counters {
        match self {
            Self::Memory(_) => Counters::default(),
            Self::Redis(redis) => redis.counters(),
        }
    }
}

/// Why a limiter could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The URL of Redis.
    #[error("read the Redis URL {url}: {problem}")]
    Url {
        /// The URL without user and password.
        url: String,
        /// What is wrong, and the form that is right.
        problem: &'static str,
    },
    /// A certificate for TLS to Redis, or its key.
    #[error("read the {whose} certificate for TLS to Redis; certificates and key must be PEM, the key unencrypted")]
    Certificate {
        /// Whose it is.
        whose: &'static str,
    },
}

impl From<InvalidUrl> for LimitError {
    fn from(InvalidUrl { url, problem }: InvalidUrl) -> Self {
        Self::Url { url, problem }
    }
}

/// An answer and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The answer.
    pub answer: Answer,
    /// Who gave it.
    pub source: Source,
}

/// Who answered a take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// This process, as it should: there is no Redis, or the answer was known.
    Local,
    /// Redis.
    Redis,
    /// This process, because Redis did not answer, to this take or to the one that it replays: the caller reports
    /// `rate_limit.redis` as degraded.
    LocalForRedis,
}

/// What is known of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedisState {
    /// It answers.
    Up,
    /// A part of a cluster is away; takes of its subjects are counted locally.
    Partly {
        /// Why, for one of the parts.
        cause: Cause,
    },
    /// It is not asked; takes are counted locally.
    Away {
        /// Why.
        cause: Cause,
    },
}

/// What happened at Redis since the start, for metrics. Each only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Takes sent to Redis.
    pub asked: u64,
    /// Takes that Redis answered in time.
    pub answered: u64,
    /// Takes that it did not answer in time.
    pub timed_out: u64,
    /// Takes not sent because too many were under way.
    pub shed: u64,
    /// Takes answered by this process because Redis did not.
    pub local: u64,
    /// Probes of a Redis that is away.
    pub probed: u64,
    /// How often a breaker opened.
    pub opened: u64,
}

/// A request to take one grant from every quota of a subject, all or none.
#[derive(Debug, Clone, Copy)]
pub struct Take<'a> {
    /// The publication; each has its own counts.
    pub site: &'a SiteId,
    /// Who is counted; `None` if nobody is (no address, staff), in which case `quotas` is empty.
    pub subject: Option<AuthorKey>,
    /// What to take from. Shadow quotas are counted, and never stop the others.
    pub quotas: &'a [Quota],
    /// The caller's idempotency key, if it gave one.
    pub claim: Option<Claim<'a>>,
    /// Whether the take counts.
    pub mode: Mode,
}

/// Whether a take counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Spend and remember.
    Spend,
    /// Answer what `Spend` would, and change nothing.
    Peek,
}

/// A claim on an idempotency key: whoever comes second with the same body gets the first one's answer.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Keyed hash of site and request id.
    pub request: [u8; 16],
    /// Keyed hash of the whole request body.
    pub fingerprint: [u8; 16],
    /// Whose comment it is, also when nobody is counted: in a cluster the claim lies beside this author's quotas, so that
    /// the same body is found again however it is sent. Not looked at where the take has a subject: that is the author.
    pub beside: Option<AuthorKey>,
    /// What to remember and to hand to a replay; opaque to the limiter.
    pub payload: &'a [u8],
}

/// What one quota says to a take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Grants left after this take.
    pub remaining: u32,
    /// How long until the quota grants again; zero if it would now.
    pub retry_after: Duration,
    /// How long until the quota is at rest.
    pub reset_after: Duration,
    /// This take found the quota empty.
    pub exceeded: bool,
}

/// What the limiter answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A new request; one outcome for each quota, in their order.
    Fresh(Vec<Outcome>),
    /// The same request again: the first one's outcomes and payload. Nothing was spent.
    Replayed {
        /// As they were the first time.
        outcomes: Vec<Outcome>,
        /// The first one's payload.
        payload: Vec<u8>,
    },
    /// The request id was used with another body.
    Conflict,
}
