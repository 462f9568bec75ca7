//! A comment to judge, with its author and its place, and labeled examples to learn from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::sensitive::Sensitive;

/// The label that people gave a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// A comment somebody meant for the readers, however angry.
    Ham,
    /// Advertising, fraud, or filler that carries a link.
    Spam,
}

impl Label {
    /// The label as the corpus format spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ham => "ham",
            Self::Spam => "spam",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The trust that the caller vouches for. Each step includes the trust of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Trust {
    /// Nobody vouches for the author.
    #[default]
    Anonymous,
    /// Signed in to the site's own account system.
    Authenticated,
    /// Trusted by the site.
    Trusted,
    /// The site's own people.
    Staff,
}

/// The occasion on which a comment is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Action {
    /// The author has just sent it. Only this spends quota.
    #[default]
    Submit,
    /// The author changed it.
    Edit,
    /// The caller asks again.
    Recheck,
    /// The caller goes through the past.
    Backfill,
}

/// The kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// A reply under an article.
    #[default]
    Comment,
    /// A reply to another comment.
    Reply,
    /// A post in a forum.
    ForumPost,
    /// A review of a product or a place.
    Review,
    /// A message from a contact form.
    ContactForm,
    /// Sent by a program, without a reader and without a form.
    Pingback,
    /// As a pingback, by an older protocol.
    Trackback,
}

impl Kind {
    /// Returns true if a program sent it, which has no name, no e-mail address and no form.
    pub const fn is_of_program(self) -> bool {
        matches!(self, Self::Pingback | Self::Trackback)
    }
}

/// A language tag as BCP 47 writes it, in lower case. Its form is checked, not whether it is registered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LanguageTag(String);

/// A text that cannot be a language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a language tag of BCP 47: letters and digits, joined by single hyphens, at most 35 bytes, like en-GB")]
pub struct InvalidLanguageTag;

impl LanguageTag {
    /// The longest tag, in bytes: RFC 5646, section 4.4.1, asks programs to keep that many.
    const BYTES_MAX: usize = 35;

    /// Checks the form of a tag: subtags of ASCII letters and digits, joined by hyphens, 1 to 35 bytes in all.
    ///
    /// # Errors
    /// [`InvalidLanguageTag`] if the text is anything else.
    pub fn new(text: &str) -> Result<Self, InvalidLanguageTag> {
        let is_subtag = |subtag: &str| !subtag.is_empty() && subtag.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_tag = text.len() <= Self::BYTES_MAX && text.split('-').all(is_subtag);
        is_tag
            .then(|| Self(text.to_ascii_lowercase()))
            .ok_or(InvalidLanguageTag)
    }

    /// The tag, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if the tag says anything: `und` is the tag of a language that nobody has determined.
    pub fn is_determined(&self) -> bool {
        self.0 != "und"
    }

    /// Returns true if the tag lies within a range, by the basic filtering of RFC 4647: `en-gb` lies within `en` and
    /// `en-gb`, and `en` does not lie within `en-gb`.
    pub fn is_within(&self, range: &Self) -> bool {
        let rest = self.0.strip_prefix(&range.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// The IPv4 address that an IPv6 address holds, with the place of its first bit: mapped (RFC 4291), translated (RFC
/// 7915), compatible (RFC 4291, deprecated), behind a NAT64 (RFC 6052, RFC 8215) or of a 6to4 router (RFC 3056).
pub fn embedded_ipv4(address: Ipv6Addr) -> Option<(Ipv4Addr, u8)> {
    let at = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        // Not `::` and `::1`, nor others that begin with a zero.
        | [0, 0, 0, 0, 0, 0, high @ 0x100..=0xffff, low] => Some((at(high, low), 96)),
        [0x2002, high, low, ..] => Some((at(high, low), 16)),
        _ => None,
    }
}

/// An address as it is counted and listed: IPv4 inside IPv6 is IPv4.
pub fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => embedded_ipv4(v6).map_or(address, |(v4, _)| IpAddr::V4(v4)),
        IpAddr::V4(_) => address,
    }
}

/// The author of a comment, as far as is known. Text that is not known is empty.
#[derive(Debug, Clone, Default)]
pub struct Author {
    /// The name typed into the form.
    pub name: Sensitive<String>,
    /// The e-mail address typed into the form.
    pub email: Sensitive<String>,
    /// The website typed into the form; `None` where the caller did not send the field, empty where it was left empty.
    pub url: Option<Sensitive<String>>,
    /// The reader's network address.
    pub address: Option<Sensitive<IpAddr>>,
    /// The site's own account id.
    pub id: Sensitive<String>,
    /// The trust that the caller vouches for.
    pub trust: Trust,
    /// The moment at which the site's own account of the author was made.
    pub created_at: Option<Timestamp>,
    /// The number of the author's comments that the site has approved.
    pub approved_count: Option<u32>,
}

impl Author {
    /// The website typed into the form; empty where it is unknown.
    pub fn url_or_empty(&self) -> &Sensitive<String> {
        static EMPTY: Sensitive<String> = Sensitive::new(String::new());
        self.url.as_ref().unwrap_or(&EMPTY)
    }
}

/// One comment, with what is needed to judge it.
#[derive(Debug, Clone, Default)]
pub struct Comment {
    /// The text as submitted.
    pub content: Sensitive<String>,
    /// The author.
    pub author: Author,
    /// The kind of text.
    pub kind: Kind,
    /// The moment at which it was sent, where the caller says so; otherwise it is sent now.
    pub submitted_at: Option<Timestamp>,
    /// The caller's id of the article, or else the address of its page; empty if unknown.
    pub article: String,
    /// The address of the page that holds the comment; empty if unknown.
    pub permalink: String,
    /// The caller's id of the comment that this one replies to; empty if unknown.
    pub parent_id: String,
    /// The time from showing the page to sending the form.
    pub form_age: Option<Duration>,
    /// The article's title; empty if unknown.
    pub article_title: String,
    /// The article's text; empty if unknown.
    pub article_text: String,
    /// Hosts that the article itself links to, lower case.
    pub article_hosts: Vec<String>,
    /// The text that this comment replies to.
    pub parent_content: Sensitive<String>,
    /// The content of the field that people cannot see.
    pub honeypot: Sensitive<String>,
    /// The language that the site believes the comment to be in.
    pub language: Option<LanguageTag>,
    /// The `User-Agent` header; `None` where the caller did not send the field, empty where the browser sent no header.
    pub user_agent: Option<Sensitive<String>>,
    /// The `Referer` header; empty if unknown.
    pub referrer: Sensitive<String>,
}

/// Tells comments that somebody received from comments that were written to be learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// A place received it, and its label is somebody's decision.
    #[default]
    Received,
    /// It was written or generated. Models learn from it, and are never measured or certified on it.
    Written,
}

/// A labeled comment to learn from or to measure on. An absent field is unknown, which is not the same as empty.
#[derive(Debug, Clone)]
pub struct Example {
    /// The caller's id, echoed in reports.
    pub id: Option<String>,
    /// The label that people gave.
    pub label: Label,
    /// The text as submitted; empty where only its features were kept.
    pub content: Sensitive<String>,
    /// The features of the text, as bytes that `text::Features` knows, where the text was not kept.
    pub features: Option<Sensitive<Vec<u8>>>,
    /// The name the author gave, where the collection kept it.
    pub author_name: Option<Sensitive<String>>,
    /// The website the author gave, where the collection kept it; empty where it was left so.
    pub author_url: Option<Sensitive<String>>,
    /// The domain of the author's e-mail address, where the collection kept it. Never the address.
    pub author_email_domain: Option<Sensitive<String>>,
    /// The title of the article that the comment stands under, where the collection kept it.
    pub article_title: Option<String>,
    /// The collection that the example is from; a slice in every report.
    pub source: String,
    /// Received by a place, or written to be learned from.
    pub origin: Origin,
    /// The moment at which it was submitted, as the collection wrote it (RFC 3339 where known).
    pub submitted_at: Option<String>,
    /// The moment at which the label was given, in the same way.
    pub labeled_at: Option<String>,
    /// The pseudonym of the reviewer who gave the label.
    pub reviewer: Option<String>,
}

/// A keyed pseudonym of an author: 128 bits that cannot be turned back without the site's secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorKey([u8; 16]);

impl AuthorKey {
    /// Wraps the bytes that `privacy` made.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The 32 hexadecimal digits of a keyed hash. (`hex::encode` makes them one character at a time.)
pub fn digits(hash: &[u8; 16]) -> String {
    let mut digits = vec![0; 2 * hash.len()];
    // It cannot fail: there is a place for each digit.
    let _ = hex::encode_to_slice(hash, &mut digits);
    String::from_utf8(digits).unwrap_or_default()
}

impl fmt::Debug for AuthorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidLanguageTag, LanguageTag};

    #[test]
    fn language_tags_are_checked_for_their_form() {
        for good in ["en", "en-GB", "zh-Hant-TW", "de-1996", "x-klingon", "und"] {
            assert_eq!(LanguageTag::new(good).unwrap().as_str(), good.to_ascii_lowercase());
        }
        assert!(LanguageTag::new(&"a".repeat(35)).is_ok());
        let long = "a".repeat(36);
        for bad in ["", "en_GB", "-en", "en-", "en--gb", "en gb", "\u{e9}n", long.as_str()] {
            assert_eq!(LanguageTag::new(bad), Err(InvalidLanguageTag), "{bad}");
        }
    }

    #[test]
    fn a_range_holds_what_is_more_special() {
        let tag = |text| LanguageTag::new(text).unwrap();
        assert!(tag("en-GB").is_within(&tag("EN")) && tag("en").is_within(&tag("en")));
        assert!(!tag("en").is_within(&tag("en-GB")) && !tag("eng").is_within(&tag("en")));
        assert!(tag("en").is_determined() && !tag("und").is_determined());
    }
}
