//! Authenticates callers: turns the key of a call into a [`Caller`], which knows the sites that the key opens, and
//! limits how often each caller may call.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::limit::gcra::Meter;
use crate::site::{Grant, KeyHash, Opens, SiteId, Sites};

/// The reason why a call is denied for who makes it. The texts tell a stranger nothing about sites and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No key, or one that opens nothing: unknown, expired, or for something else.
    #[error("a valid key is needed, as `authorization: Bearer KEY`")]
    Unauthenticated,
    /// The key does not open that site, whether there is such a site or not.
    #[error("the key is not for that site")]
    OtherSite,
    /// The key opens sites, and this call needs an administrator's.
    #[error("the key is not an administrator's")]
    NotAdmin,
    /// The caller makes more calls than it may.
    #[error("the caller makes more calls a second than its key allows")]
    TooManyCalls {
        /// The time after which it may try again.
        retry_after: Duration,
    },
}

impl Denied {
    /// Its word in the metrics, one of [`crate::telemetry::DENIALS`].
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unauthenticated => "key",
            Self::OtherSite => "site",
            Self::NotAdmin => "admin",
            Self::TooManyCalls { .. } => "calls",
        }
    }
}

/// An authenticated caller, with what its key opens.
#[derive(Debug, Clone)]
pub struct Caller {
    sites: Arc<Sites>,
    /// `None` for anyone, where no key is needed.
    grant: Option<Arc<Grant>>,
    now: Timestamp,
}

impl Caller {
    /// Returns true if every site is open, because no site has a key.
    pub fn opens_all(&self) -> bool {
        !self.sites.callers.key_needed()
    }

    /// Checks that the caller may ask for this site.
    ///
    /// # Errors
    /// The key is another site's. What is not there is refused in the same words.
    pub fn opens(&self, site: &SiteId) -> Result<(), Denied> {
        if !self.sites.callers.key_needed() {
            return Ok(());
        }
        let what = if self.sites.named.contains_key(site) {
            Opens::Site(site.clone())
        } else {
            Opens::Unnamed
        };
        let opens = |grant: &Arc<Grant>| grant.opens(&what, self.now);
        self.grant
            .as_ref()
            .is_some_and(opens)
            .then_some(())
            .ok_or(Denied::OtherSite)
    }

    /// Checks that the caller may administrate: with a key for it, or where there are no keys and only this machine can
    /// call.
    ///
    /// # Errors
    /// No key, or not an administrator's.
    pub fn administrates(&self) -> Result<(), Denied> {
        let callers = &self.sites.callers;
        match &self.grant {
            Some(grant) if grant.opens(&Opens::Admin, self.now) => Ok(()),
            Some(_) => Err(Denied::NotAdmin),
            None if callers.is_empty() && callers.admin_without_key => Ok(()),
            None => Err(Denied::Unauthenticated),
        }
    }
}

/// The time at which each limited caller has its whole quota again, in microseconds. It outlives a reload, and holds
/// known keys only.
#[derive(Debug, Default)]
struct CallerQuotas {
    at_rest: Mutex<HashMap<Option<KeyHash>, u64>>,
}

impl CallerQuotas {
    /// Takes one call from a caller who may make `rate` in a second, and as many at once.
    fn take(&self, caller: Option<KeyHash>, rate: u32, now: Timestamp) -> Result<(), Denied> {
        let meter = Meter::per_second(rate);
        let mut at_rest = self.at_rest.lock().unwrap_or_else(PoisonError::into_inner);
        let at_rest = at_rest.entry(caller).or_default();
        let level = meter.level(*at_rest, now.as_micros());
        if meter.fits(level) {
            *at_rest = now.as_micros() + level + meter.interval;
            return Ok(());
        }
        Err(Denied::TooManyCalls {
            retry_after: meter.outcome(level, true).retry_after,
        })
    }
}

/// Turns the key of a call into its caller. One for the whole process; share it behind an `Arc`.
pub struct Authenticator {
    sites: Box<dyn Fn() -> Arc<Sites> + Send + Sync>,
    clock: Clock,
    quotas: CallerQuotas,
}

impl Authenticator {
    /// Authenticates by what `sites` says at the moment of each call.
    pub fn new(clock: Clock, sites: impl Fn() -> Arc<Sites> + Send + Sync + 'static) -> Self {
        Self {
            sites: Box::new(sites),
            clock,
            quotas: CallerQuotas::default(),
        }
    }

    /// Authenticates the caller who presents this key, or none, and takes one call from its quota.
    ///
    /// # Errors
    /// A key is needed and this is none, or it makes too many calls.
    pub fn admit(&self, key: Option<&str>) -> Result<Caller, Denied> {
        let now = self.clock.now();
        let sites = (self.sites)();
        let grant = key.and_then(|key| sites.callers.find(key, now)).map(Arc::clone);
        self.let_in(sites, grant, now)
    }

    /// Authenticates a caller again for one more item of its stream, and takes one call from its quota: the key may
    /// have expired or been taken away since.
    ///
    /// # Errors
    /// The key opens nothing any more, or the caller makes too many calls.
    pub fn admit_again(&self, caller: &Caller) -> Result<Caller, Denied> {
        let Caller { sites, grant, now } = self.renew(caller)?;
        self.let_in(sites, grant, now)
    }

    /// Authenticates a caller again for the first item of its stream, which was counted as the call that opened the
    /// stream.
    ///
    /// # Errors
    /// The key opens nothing any more.
    pub fn renew(&self, caller: &Caller) -> Result<Caller, Denied> {
        let now = self.clock.now();
        let sites = (self.sites)();
        let known = caller.grant.as_ref();
        let grant = known
            .and_then(|grant| sites.callers.find_hash(&grant.hash(), now))
            .map(Arc::clone);
        if grant.is_none() && sites.callers.key_needed() {
            return Err(Denied::Unauthenticated);
        }
        Ok(Caller { sites, grant, now })
    }

    fn let_in(&self, sites: Arc<Sites>, grant: Option<Arc<Grant>>, now: Timestamp) -> Result<Caller, Denied> {
        if grant.is_none() && sites.callers.key_needed() {
            return Err(Denied::Unauthenticated);
        }
        let rate = sites.callers.rate(grant.as_deref());
        if rate > 0 {
            self.quotas.take(grant.as_ref().map(|grant| grant.hash()), rate, now)?;
        }
        Ok(Caller { sites, grant, now })
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{CallerQuotas, Denied};
    use crate::clock::Timestamp;
    use crate::site::KeyHash;
    use crate::telemetry::DENIALS;
    use std::time::Duration;

    #[test]
    fn a_caller_may_make_as_many_calls_at_once_as_in_a_second() {
        let quotas = CallerQuotas::default();
        let take = |who: &str, at: u64| quotas.take(Some(KeyHash::of(who)), 4, Timestamp::from_micros(at));
        let now = 1_000_000_000;
        for _ in 0..4 {
            assert_eq!(take("a", now), Ok(()));
        }
        let retry_after = Duration::from_millis(250);
        assert_eq!(take("a", now), Err(Denied::TooManyCalls { retry_after }));
        assert_eq!(take("b", now), Ok(()), "callers do not share");
        assert!(take("a", now + 249_999).is_err());
        assert_eq!(take("a", now + 250_000), Ok(()));
    }

    #[test]
    fn every_denial_has_its_counter() {
        let retry_after = Duration::ZERO;
        let all = [
            Denied::Unauthenticated,
            Denied::OtherSite,
            Denied::NotAdmin,
            Denied::TooManyCalls { retry_after },
        ];
        assert_eq!(all.map(Denied::code), DENIALS);
    }
}
