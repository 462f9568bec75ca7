//! Counting while two pseudonym keys are alive.
//!
//! A new key gives every author a new pseudonym, under which nothing has been counted. So while the previous key is
//! given too, every quota is asked under both: first under the previous one, which knows the author's past and decides,
//! then under the current one, which is to know it when the previous one goes. Replicas that have the previous key
//! alone count there as well, so nothing is forgotten while a fleet is changed over one by one.

use std::time::Duration;

use super::deps::Deps;
use super::subject::{QuotaSubject, idempotency_key};
use super::submission::Submission;
use crate::clock::Timestamp;
use crate::limit::{Acquire, Acquired, Answer, Source};
use crate::privacy::Pseudonymizer;
use crate::site::SitePolicy;

/// Asks the limiter: once, or while two keys are alive once for each. `acquire` is under the current key.
pub(super) async fn acquire(
    deps: &Deps,
    acquire: &Acquire<'_>,
    submission: &Submission,
    policy: &SitePolicy,
    (now, patience): (Timestamp, Duration),
) -> Acquired {
    match deps.operations.pseudonymizer.previous() {
        None => deps.operations.limiter.acquire_within(acquire, now, patience).await,
        // Boxed, or every call that waits would be larger for it.
        Some(previous) => {
            Box::pin(acquire_twice(
                deps,
                previous,
                acquire,
                submission,
                policy,
                (now, patience),
            ))
            .await
        }
    }
}

async fn acquire_twice(
    deps: &Deps,
    previous: &Pseudonymizer,
    acquire: &Acquire<'_>,
    submission: &Submission,
    policy: &SitePolicy,
    (now, patience): (Timestamp, Duration),
) -> Acquired {
    let before = Acquire {
        subject: acquire
            .subject
            .and_then(|_| QuotaSubject::of(previous, submission, policy).key()),
        idempotency_key: acquire
            .idempotency_key
            .and_then(|key| idempotency_key(previous, submission, policy, key.payload)),
        ..*acquire
    };
    let past = deps.operations.limiter.acquire_within(&before, now, patience / 2).await;
    if !grants(&past, policy) {
        return past;
    }
    let present = deps.operations.limiter.acquire_within(acquire, now, patience / 2).await;
    if !grants(&present, policy) {
        return present;
    }
    // The past has counted more, so what it says is left is what is left.
    let away = present.source == Source::Degraded;
    Acquired {
        source: if away { present.source } else { past.source },
        ..past
    }
}

/// True if a new request was granted all that it asked for.
fn grants(acquired: &Acquired, policy: &SitePolicy) -> bool {
    let Answer::Fresh(outcomes) = &acquired.answer else {
        return false;
    };
    let mut enforced = outcomes.iter().zip(&policy.quotas).filter(|(_, quota)| !quota.shadow);
    enforced.all(|(outcome, _)| !outcome.exceeded)
}
