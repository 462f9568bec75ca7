//! Quotas in this process: a map from subject to state that never grows past its cap, and a memory of claims that does
//! not either. Also what a replica falls back on while Redis is away.
//!
//! The map is cut into shards with a lock each. What a full shard forgets, and in which order, is in `shard.rs`; the cap
//! is exact, the order is kept within a shard (a shard holds up to 14,336 subjects, which a keyed hash spreads evenly).

mod claims;
mod shard;

use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use xxhash_rust::xxh3::xxh3_128;

use self::claims::Claims;
use self::shard::Shard;
use super::{Answer, Claim, Mode, Outcome, Take, gcra};
use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::site::{Quota, SiteId};

pub use self::claims::CLAIM_TTL;

/// As many subjects as a shard takes: 7/8 of 2^14, what a hash index of 2^14 places holds before it doubles.
const SHARD_SUBJECTS: usize = 14_336;

/// Claims are cut into this many parts, with a lock each.
const CLAIM_PARTS: usize = 8;

/// How large the limiter in memory may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemorySettings {
    /// Subjects remembered at most, at least 1. A million with three quotas each take about 60 MiB.
    pub subjects_max: usize,
    /// Bytes for claimed request ids and their payloads, at most. When they are full the oldest claim goes.
    pub claim_bytes_max: usize,
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self {
            subjects_max: 1_000_000,
            claim_bytes_max: 16 << 20,
        }
    }
}

/// The limiter in memory.
pub struct Memory {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    claims: Box<[Mutex<Claims>]>,
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
            claims: (0..CLAIM_PARTS)
                .map(|_| Mutex::new(Claims::new(settings.claim_bytes_max / CLAIM_PARTS)))
                .collect(),
            hasher,
        }
    }

    /// Answers a take at `now`.
    pub fn take(&self, take: &Take<'_>, now: Timestamp) -> Answer {
        let Some(claim) = &take.claim else {
            return Answer::Fresh(self.spend(take, now));
        };
        // The claim's lock is held over the take, so of two that come at once the second is a replay.
        let mut claims = lock(self.claims_of(claim));
        if let Some(known) = claims.look_up(claim, now) {
            return known;
        }
        let outcomes = self.spend(take, now);
        if take.mode == Mode::Spend {
            claims.remember(claim, &outcomes, claim.payload, now);
        }
        Answer::Fresh(outcomes)
    }

    /// What is known of a claim: a replay, a conflict, or nothing.
    pub fn look_up(&self, claim: &Claim<'_>, now: Timestamp) -> Option<Answer> {
        lock(self.claims_of(claim)).look_up(claim, now)
    }

    /// Remembers a claim that was answered elsewhere.
    pub fn remember(&self, claim: &Claim<'_>, outcomes: &[Outcome], payload: &[u8], now: Timestamp) {
        lock(self.claims_of(claim)).remember(claim, outcomes, payload, now);
    }

    /// Takes over what Redis said: the level of each quota (µs) at `now`.
    pub fn learn(&self, site: &SiteId, subject: AuthorKey, quotas: &[Quota], levels: &[u64], now: Timestamp) {
        let (key, hash) = self.place(site, subject);
        lock(self.shard_of(hash)).learn(hash, key, quotas, levels, now.as_micros());
    }

    /// Subjects remembered now.
    pub fn subjects(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Bytes that the subjects' map holds from the allocator, without claims.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).bytes()).sum()
    }

    fn spend(&self, take: &Take<'_>, now: Timestamp) -> Vec<Outcome> {
        let Some(subject) = take.subject else {
            // Nobody to count: every quota is at rest.
            return gcra::take(
                take.quotas,
                &mut vec![0; take.quotas.len()],
                now.as_micros(),
                Mode::Peek,
            );
        };
        let (key, hash) = self.place(take.site, subject);
        lock(self.shard_of(hash)).take(hash, key, take.quotas, now.as_micros(), take.mode)
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

    fn claims_of(&self, claim: &Claim<'_>) -> &Mutex<Claims> {
        &self.claims[scale(self.hasher.hash_one(claim.request), self.claims.len())]
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

/// A thread that panicked while it held the lock leaves at worst one half-counted take behind: go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
