//! A site: one publication, with the policy its comments are judged by. Everything here is resolved: a policy has a
//! value for every setting, so the path of a request never asks whether something is set.

mod caller;
pub mod lists;
mod policy;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::verdict::Verdict;

pub use caller::{CallerKey, Callers, Grant, KeyHash, Opens};
pub use lists::Lists;
pub use policy::{
    Effect, Effects, Field, FieldSet, HistoryPolicy, Keep, Lengths, LinkPolicy, RedisAway, Required, SitePolicy,
};

/// The name of a publication: 1 to 64 characters of `a-z`, `0-9`, `.`, `_`, `-`. Safe in keys, logs and metrics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(String);

/// The reason why a text is not the name of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSiteId {
    /// Nothing there.
    #[error("is empty; name the publication")]
    Empty,
    /// More than 64 characters.
    #[error("is longer than 64 characters")]
    TooLong,
    /// A character that is not allowed.
    #[error("holds a character other than a-z, 0-9, '.', '_' and '-'")]
    Character,
}

impl SiteId {
    /// Checks a name.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn new(name: &str) -> Result<Self, InvalidSiteId> {
        if name.is_empty() {
            return Err(InvalidSiteId::Empty);
        }
        if name.len() > 64 {
            return Err(InvalidSiteId::TooLong);
        }
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if !name.bytes().all(allowed) {
            return Err(InvalidSiteId::Character);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of comments one author may send: `burst` at once from rest, then one every `interval`. In any window of
/// length t it grants at most `burst + ⌊t / interval⌋`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Its name in the configuration and in answers, for example `minute`.
    pub name: Arc<str>,
    /// Comments granted at once from rest, 1 to 1,000,000.
    pub burst: u32,
    /// The time that gives one grant back, in whole microseconds, above zero.
    pub interval: Duration,
    /// The verdict on a comment that finds the quota empty.
    pub effect: Verdict,
    /// Counted and reported, never enforced.
    pub shadow: bool,
}

/// Every site's policy, and who may call for it: one immutable snapshot.
#[derive(Debug, Clone)]
pub struct Sites {
    /// The sites that the configuration names.
    pub named: BTreeMap<SiteId, Arc<SitePolicy>>,
    /// The policy of a site that is not named; `None` refuses it.
    pub unnamed: Option<Arc<SitePolicy>>,
    /// The callers.
    pub callers: Callers,
}

impl Sites {
    /// The policy of a site, or `None` if the site is unknown here.
    pub fn get(&self, site: &SiteId) -> Option<&Arc<SitePolicy>> {
        self.named.get(site).or(self.unnamed.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidSiteId, SiteId};

    #[test]
    fn names_of_sites() {
        assert_eq!(SiteId::new("gazette.example").unwrap().as_str(), "gazette.example");
        assert_eq!(SiteId::new(""), Err(InvalidSiteId::Empty));
        assert_eq!(SiteId::new("The Gazette"), Err(InvalidSiteId::Character));
        assert_eq!(SiteId::new(&"a".repeat(65)), Err(InvalidSiteId::TooLong));
    }
}
