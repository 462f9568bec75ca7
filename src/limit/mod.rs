//! Limits on how often one author may comment.

use std::time::Duration;

use crate::comment::AuthorKey;
use crate::site::{Quota, SiteId};

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
    /// Look only.
    Peek,
}

/// A claim on an idempotency key: whoever comes second with the same body gets the first one's answer.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Keyed hash of site and request id.
    pub request: [u8; 16],
    /// Keyed hash of the whole request body.
    pub fingerprint: [u8; 16],
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

// STUB-BEGIN
#[derive(Debug)]
pub enum Limiter {
    Memory,
}
#[derive(Debug, Clone, Copy)]
pub struct MemorySettings {
    pub subjects_max: usize,
    pub requests_max: usize,
}
#[derive(Debug, Clone)]
pub struct RedisSettings {
    pub url: String,
    pub budget: Duration,
    pub memory: MemorySettings,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Local,
    Redis,
    LocalForRedis,
}
#[derive(Debug)]
pub struct Taken {
    pub answer: Answer,
    pub source: Source,
}
impl Limiter {
    pub fn memory(_: MemorySettings) -> Self {
        Self::Memory
    }
    pub fn redis(_: RedisSettings) -> Result<Self, std::io::Error> {
        Ok(Self::Memory)
    }
    pub async fn take(&self, take: &Take<'_>, _now: crate::clock::Timestamp) -> Taken {
        Taken {
            answer: Answer::Fresh(
                take.quotas
                    .iter()
                    .map(|q| Outcome {
                        remaining: q.burst,
                        retry_after: Duration::ZERO,
                        reset_after: Duration::ZERO,
                        exceeded: false,
                    })
                    .collect(),
            ),
            source: Source::Local,
        }
    }
}
