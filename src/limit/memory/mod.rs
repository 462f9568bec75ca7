//! Quotas in this process: a map from subject to state that never grows past its cap, and a store of first answers to
//! request ids that does not either. A replica falls back on them while Redis is away.
//!
//! The map is cut into shards with a lock each. The order in which a full shard forgets is in `shard.rs`; the cap
//! is exact, the order is kept within a shard (a shard holds up to 14,336 subjects, which a keyed hash spreads evenly).

mod replays;
mod shard;

use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use xxhash_rust::xxh3::xxh3_128;

use self::replays::ReplayStore;
use self::shard::Shard;
use super::{Acquire, Answer, IdempotencyKey, Mode, Outcome, gcra};
use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::site::{Quota, SiteId};

pub use self::replays::REPLAY_TTL;

/// Subjects of one shard: 7/8 of 2^14, as many as a hash index of 2^14 places holds before it doubles.
const SHARD_SUBJECTS: usize = 14_336;

/// Parts of the store of first answers, with a lock each.
const REPLAY_PARTS: usize = 8;

/// Bounds on the size of a limiter in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemorySettings {
    /// Subjects remembered at most, at least 1. A million with three quotas each take about 60 MiB.
    pub subjects_max: usize,
    /// Bytes for request ids and their first answers, at most. When they are full the oldest goes.
    pub replay_bytes_max: usize,
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self {
            subjects_max: 1_000_000,
            replay_bytes_max: 16 << 20,
        }
    }
}

/// The limiter in memory.
pub struct Memory {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    replays: Box<[Mutex<ReplayStore>]>,
}

impl Memory {
    /// An empty limiter; memory is taken as subjects come.
    pub fn new(settings: &MemorySettings) -> Self {
        let subjects = settings.subjects_max.max(1);
        let n_shards = subjects.div_ceil(SHARD_SUBJECTS);
        let hasher = RandomState::default();
        let shard = |i: usize| {
            let cap = subjects / n_shards + usize::from(i < subjects % n_shards);
            Mutex::new(Shard::new(cap, hasher.clone()))
        };
        Self {
            shards: (0..n_shards).map(shard).collect(),
            replays: (0..REPLAY_PARTS)
                .map(|_| Mutex::new(ReplayStore::new(settings.replay_bytes_max / REPLAY_PARTS)))
                .collect(),
            hasher,
        }
    }

    /// Answers an acquisition at `now`.
    pub fn acquire(&self, acquire: &Acquire<'_>, now: Timestamp) -> Answer {
        let Some(id) = &acquire.idempotency_key else {
            return Answer::Fresh(self.spend(acquire, now));
        };
        // The lock is held over the acquisition, so of two that come at once the second is a replay.
        let mut replays = lock(self.replays_of(id));
        if let Some(known) = replays.look_up(id, now) {
            return known;
        }
        let outcomes = self.spend(acquire, now);
        if acquire.mode == Mode::Spend {
            replays.remember(id, &outcomes, id.payload, now);
        }
        Answer::Fresh(outcomes)
    }

    /// Looks a request id up: a replay, a conflict, or nothing.
    pub fn look_up(&self, id: &IdempotencyKey<'_>, now: Timestamp) -> Option<Answer> {
        lock(self.replays_of(id)).look_up(id, now)
    }

    /// Remembers an answer that was given elsewhere.
    pub fn remember(&self, id: &IdempotencyKey<'_>, outcomes: &[Outcome], payload: &[u8], now: Timestamp) {
        lock(self.replays_of(id)).remember(id, outcomes, payload, now);
    }

    /// Replaces the level of each quota (µs) by what Redis said at `now`.
    pub fn learn(&self, site: &SiteId, subject: AuthorKey, quotas: &[Quota], levels: &[u64], now: Timestamp) {
        let (key, hash) = self.place(site, subject);
        lock(self.shard_of(hash)).learn(hash, key, quotas, levels, now.as_micros());
    }

    /// Subjects remembered now.
    pub fn subjects(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Bytes that the subjects' map holds from the allocator, without the first answers.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).bytes()).sum()
    }

    fn spend(&self, acquire: &Acquire<'_>, now: Timestamp) -> Vec<Outcome> {
        let Some(subject) = acquire.subject else {
            // Nobody to count: every quota is at rest.
            return gcra::acquire(
                acquire.quotas,
                &mut vec![0; acquire.quotas.len()],
                now.as_micros(),
                Mode::Peek,
            );
        };
        let (key, hash) = self.place(acquire.site, subject);
        lock(self.shard_of(hash)).acquire(hash, key, acquire.quotas, now.as_micros(), acquire.mode)
    }

    /// The key of a subject on a site, and its hash. Subjects are keyed hashes already; the hash here has its own seed,
    /// so that nobody who knows a subject knows its shard.
    fn place(&self, site: &SiteId, subject: AuthorKey) -> ([u8; 16], u64) {
        let key = u128::from_le_bytes(*subject.as_bytes()) ^ xxh3_128(site.as_str().as_bytes());
        let key = key.to_le_bytes();
        (key, self.hasher.hash_one(key))
    }

    /// The shard's number comes from bits that the index inside it does not use (its places from the lowest, its tags
    /// from the highest).
    fn shard_of(&self, hash: u64) -> &Mutex<Shard> {
        &self.shards[scale(hash >> 16, self.shards.len())]
    }

    fn replays_of(&self, id: &IdempotencyKey<'_>) -> &Mutex<ReplayStore> {
        &self.replays[scale(self.hasher.hash_one(id.request), self.replays.len())]
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory")
            .field("subjects", &self.subjects())
            .finish_non_exhaustive()
    }
}

/// Maps the low 32 bits of `bits` evenly onto 0..n.
fn scale(bits: u64, n: usize) -> usize {
    (((bits & 0xffff_ffff) * n as u64) >> 32) as usize
}

/// A thread that panicked while it held the lock leaves at worst one half-counted acquisition behind: go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
