//! Counting while two pseudonym keys are alive.
//!
//! A new key gives every author a new pseudonym, under which nothing has been counted. So while the previous key is
//! given too, every take is made under both: first under the previous one, which knows the author's past and decides,
//! then under the current one, which is to know it when the previous one goes. Replicas that have the previous key alone
//! count there as well, so nothing is forgotten while a fleet is changed over one by one.

use super::{Counted, Moderator, Submission};
use crate::clock::Timestamp;
use crate::limit::{Answer, Claim, Mode, Source, Take, Taken};
use crate::moderator::RequestId;
use crate::privacy::Pseudonymizer;
use crate::site::SitePolicy;

/// What is to be counted, before it is known under which pseudonym.
pub(super) struct Wanted<'a> {
    pub(super) submission: &'a Submission,
    pub(super) policy: &'a SitePolicy,
    /// The form goes back to its author, and nothing is counted.
    pub(super) returned: bool,
    /// What a replay is given.
    pub(super) payload: &'a [u8],
}

impl<'a> Wanted<'a> {
    /// Who is counted, if anybody, under the pseudonym that `epoch` gives.
    pub(super) fn counted(&self, epoch: &Pseudonymizer) -> Counted {
        if self.returned {
            return Counted::NotMeasured;
        }
        Moderator::counted(epoch, self.submission, self.policy)
    }

    /// The request id that is claimed. A dry run is remembered nowhere, so there is nothing that could be replayed.
    pub(super) fn claims(&self) -> Option<&'a RequestId> {
        self.submission.request.as_ref().filter(|_| !self.submission.dry_run)
    }

    fn take(&self, epoch: &Pseudonymizer) -> Take<'a> {
        let Self { submission, policy, .. } = self;
        let subject = match self.counted(epoch) {
            Counted::Subject(key) => Some(key),
            Counted::NotMeasured | Counted::NoAddress | Counted::AddressNotPublic => None,
        };
        Take {
            site: &submission.site,
            subject,
            quotas: if subject.is_some() { &policy.quotas } else { &[] },
            claim: self.claims().map(|request| Claim {
                request: epoch.request(&submission.site, &request.id),
                fingerprint: epoch.body(&request.body),
                payload: self.payload,
            }),
            mode: if submission.dry_run { Mode::Peek } else { Mode::Spend },
        }
    }
}

impl Moderator {
    /// Asks the limiter, once for each key that is alive.
    pub(super) async fn take(&self, wanted: &Wanted<'_>, now: Timestamp) -> Taken {
        let current = wanted.take(&self.pseudonymizer);
        let Some(previous) = self.pseudonymizer.previous() else {
            return self.limiter.take(&current, now).await;
        };
        let past = self.limiter.take(&wanted.take(previous), now).await;
        if !grants(&past, wanted.policy) {
            return past;
        }
        let present = self.limiter.take(&current, now).await;
        if !grants(&present, wanted.policy) {
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
