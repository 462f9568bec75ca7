//! The station that counts: whose quotas a submission spends, if anybody's, and what the limiter says of them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::memo::Memo;
use super::weighing::Weighing;
use super::{Moderator, Refusal, Submission};
use crate::clock::Timestamp;
use crate::comment::{Action, Author, AuthorKey, Trust};
use crate::limit::{Acquire, Answer, IdempotencyKey, Mode, Outcome, Source};
use crate::policy::Velocity;
use crate::privacy::{self, Network, Pseudonymizer};
use crate::site::{RedisAway, SiteId, SitePolicy};
use crate::verdict::QuotaState;

/// What the limiter said.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub(super) velocity: Velocity,
    /// Redis was to be asked, and this process answered alone.
    pub(super) redis_away: bool,
    /// What the model said, and of which decision.
    pub(super) memo: Memo,
    /// The request was answered before, like this.
    pub(super) replayed: bool,
}

/// Who is counted.
#[derive(Clone, Copy)]
pub(super) enum Counted {
    Subject(AuthorKey),
    NotMeasured,
    NoAddress,
    AddressNotPublic,
}

/// What the limiter is to be asked of a submission, and how long it may take.
#[derive(Clone, Copy)]
pub(super) struct Inquiry<'a> {
    pub(super) submission: &'a Submission,
    pub(super) policy: &'a SitePolicy,
    pub(super) counted: Counted,
    pub(super) weighing: &'a Weighing<'a>,
    pub(super) now: Timestamp,
    pub(super) patience: Duration,
}

/// Whether anybody's quotas are asked, and why not. Remembered of a request: its repetition is answered as the first was,
/// also when it is sent as something for which nobody is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Measure {
    Quotas,
    NotMeasured,
    NoAddress,
    AddressNotPublic,
}

impl Measure {
    /// The one that is this as a byte.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        let all = [Self::Quotas, Self::NotMeasured, Self::NoAddress, Self::AddressNotPublic];
        all.into_iter().find(|measure| *measure as u8 == byte)
    }

    /// What is known without the limiter.
    const fn unmeasured(self) -> Option<Velocity> {
        match self {
            Self::Quotas => None,
            Self::NotMeasured => Some(Velocity::NotMeasured),
            Self::NoAddress => Some(Velocity::NoAddress),
            Self::AddressNotPublic => Some(Velocity::AddressNotPublic),
        }
    }
}

impl Counted {
    /// Whether quotas are asked.
    pub(super) const fn measure(self) -> Measure {
        match self {
            Self::Subject(_) => Measure::Quotas,
            Self::NotMeasured => Measure::NotMeasured,
            Self::NoAddress => Measure::NoAddress,
            Self::AddressNotPublic => Measure::AddressNotPublic,
        }
    }

    /// Who is counted.
    pub(super) const fn subject(self) -> Option<AuthorKey> {
        match self {
            Self::Subject(key) => Some(key),
            Self::NotMeasured | Self::NoAddress | Self::AddressNotPublic => None,
        }
    }
}

impl Moderator {
    /// Who is counted, if anybody, under the pseudonym that `epoch` gives.
    pub(super) fn counted(epoch: &Pseudonymizer, submission: &Submission, policy: &SitePolicy) -> Counted {
        let author = &submission.comment.author;
        if submission.action != Action::Submit || author.trust == Trust::Staff || policy.quotas.is_empty() {
            return Counted::NotMeasured;
        }
        Self::author(epoch, submission, policy)
    }

    /// Whose comment it is, as far as that can be said, whether or not it counts.
    fn author(epoch: &Pseudonymizer, submission: &Submission, policy: &SitePolicy) -> Counted {
        let author = &submission.comment.author;
        if is_account(author) {
            return Counted::Subject(epoch.account(&submission.site, author.id.expose()));
        }
        let Some(address) = author.address.as_ref().map(|address| *address.expose()) else {
            return Counted::NoAddress;
        };
        Self::network(epoch, &submission.site, address, policy)
    }

    /// Looks for the signs of a proxy whose address is passed on for its readers'.
    pub(super) fn watch_address(&self, submission: &Submission, policy: &SitePolicy, counted: Counted) {
        let author = &submission.comment.author;
        if submission.dry_run || submission.action != Action::Submit || author.trust == Trust::Staff {
            return;
        }
        let Some(address) = author.address.as_ref().map(|address| *address.expose()) else {
            return;
        };
        let seen = match counted {
            Counted::Subject(network) if !is_account(author) => Counted::Subject(network),
            // An account's address is looked at too, and that of a form that goes back.
            _ => Self::network(&self.pseudonymizer, &submission.site, address, policy),
        };
        match seen {
            Counted::Subject(network) => self.proxies.public(&submission.site, network, &self.metrics),
            _ => self.proxies.not_public(&submission.site, &self.metrics),
        }
    }

    fn network(epoch: &Pseudonymizer, site: &SiteId, address: IpAddr, policy: &SitePolicy) -> Counted {
        if !policy.judge_private_addresses && !privacy::is_public(address) {
            return Counted::AddressNotPublic;
        }
        let network = Network::of(address, policy.ipv4_prefix, policy.ipv6_prefix);
        Counted::Subject(epoch.network(site, network))
    }

    pub(super) fn idempotency_key<'a>(
        epoch: &Pseudonymizer,
        submission: &Submission,
        policy: &SitePolicy,
        payload: &'a [u8],
    ) -> Option<IdempotencyKey<'a>> {
        submission.request.as_ref().map(|request| IdempotencyKey {
            request: epoch.request(&submission.site, &request.id),
            fingerprint: epoch.body(&request.body),
            author: Self::author(epoch, submission, policy).subject(),
            payload,
        })
    }

    /// Asks the limiter, once, for the quotas and for the request id.
    pub(super) async fn measure(&self, inquiry: &Inquiry<'_>) -> Result<Measured, Refusal> {
        let Inquiry {
            submission,
            policy,
            counted,
            weighing,
            now,
            patience,
        } = *inquiry;
        // A repetition of the request will be told what the model said, so then the text is weighed first. Otherwise the
        // quotas come first: a call that waits for Redis has little in its hands then that is cold when it goes on.
        // A dry run is remembered nowhere, so there is nothing that could be replayed.
        let remembered = (submission.request.is_some() && !submission.dry_run).then(|| weighing.memo());
        let payload = remembered.as_ref().map(Memo::encode).unwrap_or_default();
        let acquire = Acquire {
            site: &submission.site,
            subject: counted.subject(),
            quotas: match counted {
                Counted::Subject(_) => &policy.quotas,
                _ => &[],
            },
            idempotency_key: Self::idempotency_key(&self.pseudonymizer, submission, policy, &payload)
                .filter(|_| !submission.dry_run),
            mode: if submission.dry_run { Mode::Peek } else { Mode::Spend },
        };
        if let (Some(velocity), None) = (weighing.measure.unmeasured(), &acquire.idempotency_key) {
            return Ok(Measured {
                velocity,
                redis_away: false,
                memo: weighing.memo(),
                replayed: false,
            });
        }
        let asked_at = weighing.stopwatch.mark();
        let acquired = self.acquire(&acquire, submission, policy, (now, patience)).await;
        weighing.stopwatch.counted(asked_at);
        let memo = || remembered.unwrap_or_else(|| weighing.memo());
        let redis_away = acquired.source == Source::Degraded;
        let (outcomes, memo, replayed) = match acquired.answer {
            Answer::Conflict => return Err(Refusal::RequestIdReused),
            Answer::Fresh(outcomes) => (outcomes, memo(), false),
            // A payload of another version of moderato cannot be read: the text is judged anew, on the first's counts.
            Answer::Replayed { outcomes, payload } => (outcomes, Memo::decode(&payload).unwrap_or_else(memo), true),
        };
        let velocity = match (memo.measure.unmeasured(), redis_away, policy.redis_away) {
            (Some(unmeasured), ..) => unmeasured,
            (None, true, RedisAway::Hold) => Velocity::Unknown { hold: true },
            (None, true, RedisAway::Ignore) => Velocity::Unknown { hold: false },
            _ => Velocity::Measured(states(policy, &outcomes)),
        };
        Ok(Measured {
            velocity,
            redis_away,
            memo,
            replayed,
        })
    }
}

/// Whether the author is counted by the account and not by the address.
fn is_account(author: &Author) -> bool {
    author.trust >= Trust::Authenticated && !author.id.expose().is_empty()
}

fn states(policy: &SitePolicy, outcomes: &[Outcome]) -> Vec<QuotaState> {
    let state = |(quota, outcome): (&crate::site::Quota, &Outcome)| QuotaState {
        name: Arc::clone(&quota.name),
        limit: quota.burst,
        remaining: outcome.remaining,
        retry_after: outcome.retry_after,
        reset_after: outcome.reset_after,
        exceeded: outcome.exceeded,
        effect: quota.effect,
        shadow: quota.shadow,
    };
    policy.quotas.iter().zip(outcomes).map(state).collect()
}
