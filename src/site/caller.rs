//! The callers of a site: keys, of which only the hash is known here.
//!
//! A key is 256 random bits, so a plain SHA-256 of it gives nothing away, and needs no salt and no stretching. It is
//! found by the first eight bytes of its hash and told apart by the rest in constant time: what a clock could tell of
//! the search is about the hash of a guess, which does not lead to the key.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock::Timestamp;
use crate::site::SiteId;

/// No key is longer, in bytes; ours have 73.
const KEY_BYTES_MAX: usize = 256;

/// The prefix of a hash in the configuration.
const PREFIX: &str = "sha256:";

/// The hash of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of this key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Reads `sha256:` and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text.strip_prefix(PREFIX)?, &mut hash).ok()?;
        Some(Self(hash))
    }

    fn selector(&self) -> [u8; 8] {
        let mut selector = [0; 8];
        selector.copy_from_slice(&self.0[..8]);
        selector
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", hex::encode(self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

/// A key as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerKey {
    /// Its hash.
    pub hash: KeyHash,
    /// The owner, for people.
    pub name: String,
    /// The first moment at which it opens nothing any more; `None` is never.
    pub expires: Option<Timestamp>,
    /// Calls that it may make in a second, and at once, above zero; `None` is what [`Callers::calls_per_second`] says.
    pub calls_per_second: Option<u32>,
}

/// The calls that a key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opens {
    /// One site.
    Site(SiteId),
    /// Every site that the configuration does not name.
    Unnamed,
    /// The administrative calls.
    Admin,
}

/// One key with everything that it opens.
#[derive(Debug)]
pub struct Grant {
    hash: KeyHash,
    calls_per_second: Option<u32>,
    opens: Vec<(Opens, Timestamp)>,
}

impl Grant {
    /// The key's hash.
    pub const fn hash(&self) -> KeyHash {
        self.hash
    }

    /// Returns true if it opens this at `now`.
    pub fn opens(&self, what: &Opens, now: Timestamp) -> bool {
        self.opens.iter().any(|(opens, until)| opens == what && now < *until)
    }
}

/// Every key of a configuration.
#[derive(Debug, Clone, Default)]
pub struct Callers {
    keys: BTreeMap<[u8; 8], Vec<Arc<Grant>>>,
    site_keys: bool,
    /// Calls that one caller may make in a second, and at once; zero is no limit.
    pub calls_per_second: u32,
    /// True if the administrative calls are open to everybody while there is no key at all: so it is where nobody but
    /// this machine can call.
    pub admin_without_key: bool,
}

impl Callers {
    /// The callers with these keys.
    pub fn new(entries: impl IntoIterator<Item = (Opens, CallerKey)>) -> Self {
        let mut grants: BTreeMap<KeyHash, Grant> = BTreeMap::new();
        for (opens, key) in entries {
            let grant = grants.entry(key.hash).or_insert_with(|| Grant {
                hash: key.hash,
                calls_per_second: None,
                opens: Vec::new(),
            });
            let never = Timestamp::from_micros(u64::MAX);
            grant.opens.push((opens, key.expires.unwrap_or(never)));
            grant.calls_per_second = grant.calls_per_second.max(key.calls_per_second);
        }
        let mut callers = Self::default();
        for (hash, grant) in grants {
            callers.site_keys |= grant.opens.iter().any(|(opens, _)| *opens != Opens::Admin);
            callers.keys.entry(hash.selector()).or_default().push(Arc::new(grant));
        }
        callers
    }

    /// Returns true if calls for sites need a key: as soon as any site has one.
    pub const fn key_needed(&self) -> bool {
        self.site_keys
    }

    /// Returns true if there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The grant of this key, if it opens anything at `now`.
    pub fn find(&self, key: &str, now: Timestamp) -> Option<&Arc<Grant>> {
        if key.len() > KEY_BYTES_MAX {
            return None;
        }
        self.find_hash(&KeyHash::of(key), now)
    }

    /// As [`Callers::find`], by the key's hash.
    pub fn find_hash(&self, hash: &KeyHash, now: Timestamp) -> Option<&Arc<Grant>> {
        let same = |grant: &&Arc<Grant>| bool::from(grant.hash.0.ct_eq(&hash.0));
        let grant = self.keys.get(&hash.selector())?.iter().find(same)?;
        grant.opens.iter().any(|(_, until)| now < *until).then_some(grant)
    }

    /// Calls that this caller may make in a second, and at once; zero is no limit.
    pub fn rate(&self, grant: Option<&Grant>) -> u32 {
        grant
            .and_then(|grant| grant.calls_per_second)
            .unwrap_or(self.calls_per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::{CallerKey, Callers, KeyHash, Opens};
    use crate::clock::Timestamp;
    use crate::site::SiteId;

    fn key(text: &str, expires: Option<u64>) -> CallerKey {
        CallerKey {
            hash: KeyHash::of(text),
            name: String::new(),
            expires: expires.map(Timestamp::from_micros),
            calls_per_second: None,
        }
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-4's example, as `printf abc | sha256sum` prints it.
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyHash::of("abc").to_string(), text);
        assert_eq!(KeyHash::parse(text), Some(KeyHash::of("abc")));
        for bad in [&text[7..], &text[..70], "sha256:", ""] {
            assert_eq!(KeyHash::parse(bad), None, "{bad}");
        }
        assert!(!format!("{:?}", KeyHash::of("abc")).contains("ba78"));
    }

    #[test]
    fn a_key_opens_what_it_was_given_until_it_expires() {
        let site = |name: &str| Opens::Site(SiteId::new(name).unwrap());
        let callers = Callers::new([
            (site("gazette"), key("old", Some(10))),
            (site("gazette"), key("new", None)),
            (site("times"), key("new", Some(20))),
            (Opens::Admin, key("root", None)),
        ]);
        let at = Timestamp::from_micros;
        assert!(callers.key_needed());
        assert!(callers.find("old", at(9)).unwrap().opens(&site("gazette"), at(9)));
        assert!(callers.find("old", at(10)).is_none(), "expired is as unknown");
        let new = callers.find("new", at(20)).unwrap();
        assert!(new.opens(&site("gazette"), at(20)) && !new.opens(&site("times"), at(20)));
        assert!(!new.opens(&Opens::Admin, at(0)) && !new.opens(&Opens::Unnamed, at(0)));
        assert!(callers.find("root", at(0)).unwrap().opens(&Opens::Admin, at(0)));
        for wrong in ["", "OLD", "new ", &"x".repeat(1_000_000)] {
            assert!(callers.find(wrong, at(0)).is_none());
        }
    }

    #[test]
    fn administrators_keys_alone_leave_the_sites_open() {
        let callers = Callers::new([(Opens::Admin, key("root", None))]);
        assert!(!callers.key_needed() && !callers.is_empty());
        assert!(Callers::default().is_empty());
    }
}
