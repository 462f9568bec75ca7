//! Answers that a replica gave alone under a request id, and that the whole fleet should give again. When Redis is back
//! they are written there, unless the id is held already: the first answer that Redis knows is the one that stays.
//!
//! Only the names are kept here; the answers are with the replica's other claims, within the bound on their bytes, and
//! one that had to go there is not written.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Claim, Outcome, Take};
use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::limit::memory::CLAIM_TTL;
use crate::site::{Quota, SiteId};

/// A claim to be written to Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pledge {
    /// Where it was claimed.
    pub(super) name: Name,
    /// What was answered, by the quotas of [`Name::quotas`].
    pub(super) outcomes: Vec<Outcome>,
    /// What a replay hands out.
    pub(super) payload: Vec<u8>,
    /// How long it is still to be remembered.
    pub(super) left: Duration,
}

/// A claim that was answered alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The publication.
    pub(super) site: SiteId,
    /// Who was counted.
    pub(super) subject: Option<AuthorKey>,
    /// The quotas that answered, at this replica's share.
    pub(super) quotas: Arc<[Quota]>,
    request: [u8; 16],
    fingerprint: [u8; 16],
    beside: Option<AuthorKey>,
    until: Timestamp,
}

impl Name {
    /// Names a take's claim.
    pub(super) fn of(take: &Take<'_>, claim: &Claim<'_>, quotas: Arc<[Quota]>, now: Timestamp) -> Self {
        Self {
            site: take.site.clone(),
            subject: take.subject,
            quotas,
            request: claim.request,
            fingerprint: claim.fingerprint,
            beside: claim.beside,
            until: now.after(CLAIM_TTL),
        }
    }

    /// The claim, without its payload.
    pub(super) const fn claim(&self) -> Claim<'static> {
        Claim {
            request: self.request,
            fingerprint: self.fingerprint,
            beside: self.beside,
            payload: &[],
        }
    }

    /// How long it is still to be remembered.
    pub(super) fn left(&self, now: Timestamp) -> Duration {
        // A clock that went back does not make it live longer.
        self.until.since(now).min(CLAIM_TTL)
    }
}

/// Claims that are still to be written, oldest first.
#[derive(Debug)]
pub(super) struct Pledges {
    queue: VecDeque<Name>,
    max: usize,
}

impl Pledges {
    /// None yet, and at most so many.
    pub(super) const fn new(max: usize) -> Self {
        let queue = VecDeque::new();
        Self { queue, max }
    }

    /// Books one; without room it stays known to this replica only.
    pub(super) fn book(&mut self, name: Name) {
        if self.queue.len() < self.max {
            self.queue.push_back(name);
        }
    }

    /// Takes out the oldest.
    pub(super) fn oldest(&mut self) -> Option<Name> {
        self.queue.pop_front()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}
