//! Counting while two pseudonym keys are alive.
//!
//! A new key gives every author a new pseudonym, under which nothing has been counted. So while the previous key is
//! given too, every take is made under both: first under the previous one, which knows the author's past and decides,
//! then under the current one, which is to know it when the previous one goes. Replicas that have the previous key alone
//! count there as well, so nothing is forgotten while a fleet is changed over one by one.

use std::time::Duration;

use super::{Moderator, Submission};
use crate::clock::Timestamp;
use crate::limit::{Answer, Source, Take, Taken};
use crate::privacy::Pseudonymizer;
use crate::site::SitePolicy;

impl Moderator {
    /// Asks the limiter: once, or while two keys are alive once for each. `take` is under the current key.
    pub(super) async fn take(
        &self,
        take: &Take<'_>,
        submission: &Submission,
        policy: &SitePolicy,
        (now, patience): (Timestamp, Duration),
    ) -> Taken {
        match self.pseudonymizer.previous() {
            None => self.limiter.take_within(take, now, patience).await,
            // Boxed, or every call that waits would be larger for it.
            Some(previous) => Box::pin(self.take_twice(previous, take, submission, policy, (now, patience))).await,
        }
    }

    async fn take_twice(
        &self,
        previous: &Pseudonymizer,
        take: &Take<'_>,
        submission: &Submission,
        policy: &SitePolicy,
        (now, patience): (Timestamp, Duration),
    ) -> Taken {
        let before = Take {
            subject: take
                .subject
                .and_then(|_| Self::counted(previous, submission, policy).subject()),
            claim: take
                .claim
                .and_then(|claim| Self::claim(previous, submission, policy, claim.payload)),
            ..*take
        };
        let past = self.limiter.take_within(&before, now, patience / 2).await;
        if !grants(&past, policy) {
            return past;
        }
        let present = self.limiter.take_within(take, now, patience / 2).await;
        if !grants(&present, policy) {
            return present;
        }
        // The past has counted more, so what it says is left is what is left.
        let away = present.source == Source::LocalForRedis;
        Taken {
            source: if away { present.source } else { past.source },
            ..past
        }
    }
}

/// Whether a new request took its grants.
fn grants(taken: &Taken, policy: &SitePolicy) -> bool {
    let Answer::Fresh(outcomes) = &taken.answer else {
        return false;
    };
    let mut enforced = outcomes.iter().zip(&policy.quotas).filter(|(_, quota)| !quota.shadow);
    enforced.all(|(outcome, _)| !outcome.exceeded)
}
