//! The keys in Redis, and the only place that spells them. Version 1:
//!
//! ```text
//! moderato:1:{<site>:<subject>}              every quota of one subject
//! moderato:1:{<site>:<subject>}:r:<request>  a claimed request id, in a cluster: in its author's slot
//! moderato:1:{<site>:r:<request>}            the same without a cluster, or without a known author
//! moderato:1:{probe:<n>}                     written by probes, lives for a millisecond
//! ```
//!
//! `site` is 1 to 64 of `a-z0-9._-`; subject and request are 32 hex digits of a keyed hash, never what an author typed.
//! What is between the braces is the hash tag: it alone decides the slot in a cluster, so that one script may touch both
//! of a request's keys. The version changes when the value's format does; old and new then count side by side until the
//! old keys expire. An ACL needs one pattern, `~moderato:*`.

use xxhash_rust::xxh3::xxh3_64;

use super::Claim;
use crate::comment::{AuthorKey, digits};
use crate::site::{Quota, SiteId};

/// Before every key: the product and the version of the layout.
const PREFIX: &str = "moderato:1:";

/// Where claims live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Any script may touch any key, so a request id has one place whoever its author is.
    Single,
    /// A script may touch one slot, so a claim lives with its author's quotas.
    Cluster,
}

/// The key that holds every quota of a subject.
pub fn subject(site: &SiteId, subject: AuthorKey) -> String {
    // With each take: written in one piece.
    [PREFIX, "{", site.as_str(), ":", &digits(subject.as_bytes()), "}"].concat()
}

/// The key that holds a claimed request id.
///
/// A take's `subject` goes before the claim's author: in a cluster both keys of one script must lie in one slot.
pub fn claim(layout: Layout, site: &SiteId, subject: Option<AuthorKey>, claim: &Claim<'_>) -> String {
    let request = digits(&claim.request);
    match (layout, subject.or(claim.beside)) {
        (Layout::Cluster, Some(author)) => {
            format!("{PREFIX}{{{site}:{}}}:r:{request}", digits(author.as_bytes()))
        }
        _ => format!("{PREFIX}{{{site}:r:{request}}}"),
    }
}

/// The key that probe number `n` writes. In a cluster, numbers are tried until one falls into the node's slots.
pub fn probe(n: u32) -> String {
    format!("{PREFIX}{{probe:{n}}}")
}

/// Names a quota inside a subject's value: a hash of its name and numbers. A quota whose numbers change therefore starts
/// at rest, and replicas that still have the old numbers count beside it instead of against it.
pub fn quota_id(quota: &Quota) -> [u8; 4] {
    let mut text = Vec::with_capacity(quota.name.len() + 20);
    text.extend_from_slice(&quota.burst.to_le_bytes());
    text.extend_from_slice(&quota.interval.as_micros().to_le_bytes());
    text.extend_from_slice(quota.name.as_bytes());
    let [a, b, c, d, ..] = xxh3_64(&text).to_le_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::{Layout, claim, subject};
    use crate::comment::AuthorKey;
    use crate::limit::Claim;
    use crate::site::SiteId;

    #[test]
    fn keys_are_plain_and_tagged() {
        let site = SiteId::new("example.org").unwrap();
        let author = AuthorKey::new([0xab; 16]);
        let request = Claim {
            request: [1; 16],
            fingerprint: [2; 16],
            beside: Some(author),
            payload: b"",
        };
        let tag = "{example.org:abababababababababababababababab}";
        assert_eq!(subject(&site, author), format!("moderato:1:{tag}"));
        let one = "01".repeat(16);
        let beside = format!("moderato:1:{tag}:r:{one}");
        let alone = format!("moderato:1:{{example.org:r:{one}}}");
        let unknown = Claim {
            beside: None,
            ..request
        };
        assert_eq!(claim(Layout::Cluster, &site, None, &request), beside);
        assert_eq!(claim(Layout::Cluster, &site, Some(author), &unknown), beside);
        let other = Claim {
            beside: Some(AuthorKey::new([0xcd; 16])),
            ..request
        };
        assert_eq!(
            claim(Layout::Cluster, &site, Some(author), &other),
            beside,
            "one script, one slot"
        );
        assert_eq!(claim(Layout::Cluster, &site, None, &unknown), alone);
        assert_eq!(claim(Layout::Single, &site, Some(author), &request), alone);
        assert!(alone.bytes().all(|b| b.is_ascii_graphic()));
    }
}
