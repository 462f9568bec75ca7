//! Asks the limiter for the quotas of a submission and for its request id, in one call.

use std::sync::Arc;
use std::time::Duration;

use super::deps::Deps;
use super::key_rotation;
use super::replay::ReplayRecord;
use super::subject::{QuotaScope, QuotaSubject, idempotency_key};
use super::submission::{Refusal, Submission};
use crate::clock::Timestamp;
use crate::limit::{Acquire, Acquired, Answer, Mode, Outcome, Source};
use crate::policy::Velocity;
use crate::site::{Quota, RedisAway, SitePolicy};
use crate::verdict::QuotaState;

/// The question to the limiter, and the time that the answer may take.
#[derive(Clone, Copy)]
pub(super) struct QuotaQuery<'a> {
    pub(super) submission: &'a Submission,
    pub(super) policy: &'a SitePolicy,
    pub(super) subject: QuotaSubject,
    pub(super) now: Timestamp,
    pub(super) patience: Duration,
}

/// The limiter's answer.
pub(super) struct QuotaResult {
    outcomes: Vec<Outcome>,
    /// True if Redis was to be asked, and this process answered alone.
    pub(super) redis_away: bool,
    /// True if the request was answered before.
    pub(super) replayed: bool,
    /// The record of that answer; `None` also for one of another version of moderato, whose text is scored anew.
    pub(super) record: Option<ReplayRecord>,
}

impl QuotaResult {
    /// The answer where nothing was to be asked.
    const UNASKED: Self = Self {
        outcomes: Vec::new(),
        redis_away: false,
        replayed: false,
        record: None,
    };

    /// The quotas' evidence for the judge. `scope` is the one of the first answer to the request.
    pub(super) fn velocity(&self, policy: &SitePolicy, scope: QuotaScope) -> Velocity {
        match (scope.unmeasured(), self.redis_away, policy.redis_away) {
            (Some(unmeasured), ..) => unmeasured,
            (None, true, RedisAway::Hold) => Velocity::Unknown { hold: true },
            (None, true, RedisAway::Ignore) => Velocity::Unknown { hold: false },
            _ => Velocity::Measured(states(policy, &self.outcomes)),
        }
    }
}

/// Spends the quotas, or only looks at them for a dry run. `payload` is what a repetition of the request is to be told.
///
/// # Errors
/// [`Refusal::RequestIdReused`]
pub(super) async fn acquire(deps: &Deps, query: &QuotaQuery<'_>, payload: &[u8]) -> Result<QuotaResult, Refusal> {
    let QuotaQuery {
        submission,
        policy,
        subject,
        now,
        patience,
    } = *query;
    let acquire = Acquire {
        site: &submission.site,
        subject: subject.key(),
        quotas: match subject {
            QuotaSubject::Author(_) => &policy.quotas,
            _ => &[],
        },
        // A dry run is remembered nowhere, so there is nothing that could be replayed.
        idempotency_key: idempotency_key(&deps.operations.pseudonymizer, submission, policy, payload)
            .filter(|_| !submission.dry_run),
        mode: if submission.dry_run { Mode::Peek } else { Mode::Spend },
    };
    if subject.key().is_none() && acquire.idempotency_key.is_none() {
        return Ok(QuotaResult::UNASKED);
    }
    let Acquired { answer, source } = key_rotation::acquire(deps, &acquire, submission, policy, (now, patience)).await;
    let redis_away = source == Source::Degraded;
    match answer {
        Answer::Conflict => Err(Refusal::RequestIdReused),
        Answer::Fresh(outcomes) => Ok(QuotaResult {
            outcomes,
            redis_away,
            ..QuotaResult::UNASKED
        }),
        Answer::Replayed { outcomes, payload } => Ok(QuotaResult {
            outcomes,
            redis_away,
            replayed: true,
            record: ReplayRecord::decode(&payload),
        }),
    }
}

fn states(policy: &SitePolicy, outcomes: &[Outcome]) -> Vec<QuotaState> {
    let state = |(quota, outcome): (&Quota, &Outcome)| QuotaState {
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
