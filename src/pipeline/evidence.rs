//! Gathers quotas and score, once for a submission and its duplicates.

use super::deps::Deps;
use super::duplicate::{FirstResult, Key};
use super::measured::Measured;
use super::quota::{self, QuotaQuery};
use super::replay::ReplayRecord;
use super::scoring::ScoringInput;
use super::subject::idempotency_key;
use super::submission::{Refusal, Submission};
use crate::clock::Timestamp;
use crate::limit::{Acquire, Answer, Mode};
use crate::signals::Signal;
use crate::site::SitePolicy;

/// Gathers quotas and score. A duplicate gets what the first submission got, and its signals replace `signals`; of two
/// that come at once, one is measured and the other waits for it.
///
/// # Errors
/// [`Refusal::RequestIdReused`]
pub(super) async fn measure_once(
    deps: &Deps,
    duplicate_key: Option<Key>,
    (query, scoring): (&QuotaQuery<'_>, &ScoringInput<'_>),
    signals: &mut Vec<Signal>,
) -> Result<Measured, Refusal> {
    let Some(key) = duplicate_key else {
        return measure(deps, query, scoring).await;
    };
    let first = deps.duplicates.first(key, query.now);
    let mut is_first = false;
    let found = first
        .get_or_try_init(|| async {
            is_first = true;
            Ok(FirstResult {
                measured: measure(deps, query, scoring).await?,
                signals: signals.clone(),
            })
        })
        .await?;
    let mut measured = found.measured.clone();
    if !is_first {
        // Boxed, or every call that waits would be larger for it.
        Box::pin(refuse_reused_id(deps, query.submission, query.policy, query.now)).await?;
        measured.replayed = true;
        signals.clone_from(&found.signals);
    }
    Ok(measured)
}

/// Asks the limiter, then scores: a call that waits for Redis has little in its hands that is cold when it goes on.
/// Where the request is remembered, a repetition will be told the score, so then the text is scored first.
async fn measure(deps: &Deps, query: &QuotaQuery<'_>, scoring: &ScoringInput<'_>) -> Result<Measured, Refusal> {
    let submission = query.submission;
    let is_remembered = submission.request.is_some() && !submission.dry_run;
    let remembered = is_remembered.then(|| scoring.score());
    let payload = remembered.as_ref().map(ReplayRecord::encode).unwrap_or_default();
    let asked_at = scoring.stopwatch.mark();
    let mut quotas = quota::acquire(deps, query, &payload).await?;
    scoring.stopwatch.counted(asked_at);
    let record = quotas.record.take().or(remembered).unwrap_or_else(|| scoring.score());
    Ok(Measured {
        velocity: quotas.velocity(query.policy, record.scope),
        redis_away: quotas.redis_away,
        replayed: quotas.replayed,
        record,
    })
}

/// Refuses a duplicate whose request id stands for another submission; it need not be counted otherwise.
async fn refuse_reused_id(
    deps: &Deps,
    submission: &Submission,
    policy: &SitePolicy,
    now: Timestamp,
) -> Result<(), Refusal> {
    let operations = &deps.operations;
    let Some(key) = idempotency_key(&operations.pseudonymizer, submission, policy, &[]) else {
        return Ok(());
    };
    let acquire = Acquire {
        site: &submission.site,
        subject: None,
        quotas: &[],
        idempotency_key: Some(key),
        mode: Mode::Peek,
    };
    match operations.limiter.acquire(&acquire, now).await.answer {
        Answer::Conflict => Err(Refusal::RequestIdReused),
        Answer::Fresh(_) | Answer::Replayed { .. } => Ok(()),
    }
}
