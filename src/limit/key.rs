//! The keys of limits in Redis, which are spelled here alone. Version 1:
//!
//! ```text
//! moderato:1:{<site>:<subject>}              every quota of one subject
//! moderato:1:{<site>:<subject>}:r:<request>  the first answer to a request id, in a cluster: in its author's slot
//! moderato:1:{<site>:r:<request>}            the same without a cluster, or without a known author
//! moderato:1:{probe:<n>}                     written by the probes of `redis`, lives for a millisecond
//! ```
//!
//! `site` is 1 to 64 of `a-z0-9._-`; subject and request are 32 hex digits of a keyed hash, never what an author typed.
//! The text between the braces is the hash tag: it alone decides the slot in a cluster, so that one script may touch
//! both of a request's keys. The version changes when the value's format does; old and new then count side by side
//! until the old keys expire. An ACL needs one pattern, `~moderato:*`.

use xxhash_rust::xxh3::xxh3_64;

use super::IdempotencyKey;
use crate::comment::{AuthorKey, digits};
use crate::site::{Quota, SiteId};

/// The prefix of every key: the product and the version of the layout.
const PREFIX: &str = "moderato:1:";

/// The place of a request id's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Any script may touch any key, so a request id has one place whoever its author is.
    Single,
    /// A script may touch one slot, so an answer lies with its author's quotas.
    Cluster,
}

/// The key that holds every quota of a subject.
pub fn subject(site: &SiteId, subject: AuthorKey) -> String {
    // On the path of every comment: one allocation.
    [PREFIX, "{", site.as_str(), ":", &digits(subject.as_bytes()), "}"].concat()
}

/// The key that holds the first answer to a request id.
///
/// The counted `subject` goes before the comment's author: in a cluster both keys of one script must lie in one slot.
pub fn request(layout: Layout, site: &SiteId, subject: Option<AuthorKey>, id: &IdempotencyKey<'_>) -> String {
    let request = digits(&id.request);
    match (layout, subject.or(id.author)) {
        (Layout::Cluster, Some(author)) => {
            format!("{PREFIX}{{{site}:{}}}:r:{request}", digits(author.as_bytes()))
        }
        _ => format!("{PREFIX}{{{site}:r:{request}}}"),
    }
}

/// Names a quota inside a subject's value: a hash of its name and numbers. A quota whose numbers change therefore
/// starts at rest, and replicas that still have the old numbers count beside it instead of against it.
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
    use super::{Layout, request, subject};
    use crate::comment::AuthorKey;
    use crate::limit::IdempotencyKey;
    use crate::site::SiteId;

    #[test]
    fn keys_are_plain_and_tagged() {
        let site = SiteId::new("example.org").unwrap();
        let author = AuthorKey::new([0xab; 16]);
        let known = IdempotencyKey {
            request: [1; 16],
            fingerprint: [2; 16],
            author: Some(author),
            payload: b"",
        };
        let tag = "{example.org:abababababababababababababababab}";
        assert_eq!(subject(&site, author), format!("moderato:1:{tag}"));
        let one = "01".repeat(16);
        let beside = format!("moderato:1:{tag}:r:{one}");
        let alone = format!("moderato:1:{{example.org:r:{one}}}");
        let unknown = IdempotencyKey { author: None, ..known };
        assert_eq!(request(Layout::Cluster, &site, None, &known), beside);
        assert_eq!(request(Layout::Cluster, &site, Some(author), &unknown), beside);
        let other = IdempotencyKey {
            author: Some(AuthorKey::new([0xcd; 16])),
            ..known
        };
        assert_eq!(
            request(Layout::Cluster, &site, Some(author), &other),
            beside,
            "one script, one slot"
        );
        assert_eq!(request(Layout::Cluster, &site, None, &unknown), alone);
        assert_eq!(request(Layout::Single, &site, Some(author), &known), alone);
        assert!(alone.bytes().all(|b| b.is_ascii_graphic()));
    }
}
