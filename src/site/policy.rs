//! The settings that one site's comments are judged by.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::comment::{LanguageTag, Trust};
use crate::site::{Lists, Quota};
use crate::text::Hosts;
use crate::verdict::Verdict;

/// The policy that a site judges its comments by.
#[derive(Debug, Clone, PartialEq)]
pub struct SitePolicy {
    /// The start of the digest of the resolved settings: two policies that judge alike have one version.
    pub version: String,
    /// True if the text is read by the model.
    pub classifier: bool,
    /// Hold from this probability on; `None` takes the model's own threshold.
    pub hold_at: Option<f64>,
    /// Reject from this probability on; `None` takes the model's own threshold.
    pub reject_at: Option<f64>,
    /// True if addresses that are not public are counted.
    pub judge_private_addresses: bool,
    /// Leading bits of an IPv4 address that make one author, 8 to 32.
    pub ipv4_prefix: u8,
    /// Leading bits of an IPv6 address that make one author, 16 to 128.
    pub ipv6_prefix: u8,
    /// The treatment of quotas while Redis is away.
    pub redis_away: RedisAway,
    /// The number of held comments a day the site has people for; statistics are held against it.
    pub holds_per_day: Option<u64>,
    /// The part of each text that is kept, where decisions are remembered.
    pub keep: Keep,
    /// True if keyed pseudonyms of the author's name and e-mail address are kept with each decision.
    pub author_history: bool,
    /// The required fields, by trust.
    pub required: Required,
    /// The longest lengths of fields.
    pub lengths: Lengths,
    /// A form that comes back sooner was not read by a person.
    pub form_age_min: Duration,
    /// The languages that comments are expected in; none expects any.
    pub languages: Vec<LanguageTag>,
    /// The links that count, and the number that is allowed.
    pub links: LinkPolicy,
    /// The weight of the past.
    pub history: HistoryPolicy,
    /// The lists.
    pub lists: Arc<Lists>,
    /// The effect of each check.
    pub effects: Effects,
    /// The quotas, shortest interval first.
    pub quotas: Vec<Quota>,
}

/// The treatment of quotas while Redis is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisAway {
    /// This process counts by itself.
    Local,
    /// Every comment that a quota applies to is held.
    Hold,
    /// As if there were no quotas.
    Ignore,
}

/// The part of a text that is kept for retraining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The features that the model reads of it, hashed.
    Features,
    /// The text, without what is personal.
    Text,
    /// Nothing.
    Nothing,
}

/// A field of the reply form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The author's name.
    AuthorName,
    /// The author's e-mail address.
    AuthorEmail,
    /// The author's website.
    AuthorUrl,
    /// The comment itself.
    Content,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 4] = [Self::AuthorName, Self::AuthorEmail, Self::AuthorUrl, Self::Content];

    /// Its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorName => "author_name",
            Self::AuthorEmail => "author_email",
            Self::AuthorUrl => "author_url",
            Self::Content => "content",
        }
    }
}

/// A set of fields.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldSet {
    bits: u8,
}

impl FieldSet {
    /// Returns true if the set holds the field.
    pub const fn has(self, field: Field) -> bool {
        self.bits & (1 << field as u8) != 0
    }
}

impl FieldSet {
    /// The fields of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self {
            bits: self.bits & !other.bits,
        }
    }
}

impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(
                Field::ALL
                    .iter()
                    .filter(|field| self.has(**field))
                    .map(|field| field.as_str()),
            )
            .finish()
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        let bits = fields.into_iter().fold(0, |bits, field| bits | 1 << field as u8);
        Self { bits }
    }
}

/// The required fields, by what the caller vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Required {
    /// The fields required of anonymous authors.
    pub anonymous: FieldSet,
    /// The fields required of authors who are signed in.
    pub authenticated: FieldSet,
    /// The fields required of authors whom the site trusts.
    pub trusted: FieldSet,
    /// The fields required of the site's own people.
    pub staff: FieldSet,
}

impl Required {
    /// The fields required of an author of that trust.
    pub const fn of(&self, trust: Trust) -> FieldSet {
        match trust {
            Trust::Anonymous => self.anonymous,
            Trust::Authenticated => self.authenticated,
            Trust::Trusted => self.trusted,
            Trust::Staff => self.staff,
        }
    }
}

/// The longest that fields may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// The most characters (Unicode scalar values), trimmed.
    pub author_name_chars_max: usize,
    /// The most characters, trimmed.
    pub author_email_chars_max: usize,
    /// The most characters, trimmed.
    pub author_url_chars_max: usize,
    /// The most bytes of UTF-8, as submitted.
    pub content_bytes_max: usize,
}

/// The links that count, and the number that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPolicy {
    /// So many links are allowed.
    pub max: usize,
    /// The site's own hosts, to which links are free.
    pub own_hosts: Hosts,
}

/// The weight of the past of an author and of a comment. Shifts of the classifier's thresholds are in log-odds; one of
/// 0 moves nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistoryPolicy {
    /// The number of approved comments from which on an author is known, at least 1.
    pub known_count: u32,
    /// Both thresholds rise by this for an author who is known, 0 to 10.
    pub known_shift: f64,
    /// An account younger than this, without an approved comment, is new.
    pub new_account_age: Duration,
    /// `hold_at` falls by this for an author who is new, 0 to 10.
    pub new_shift: f64,
    /// True if an edit or a recheck starts from what a person said of the decision that it names.
    pub previous_labels: bool,
}

/// The effect of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The check is not made.
    Off,
    /// It is made, and pulls towards this verdict; `Approve` reports without pulling.
    Pull(Verdict),
}

/// The effect of each check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effects {
    /// Missing, malformed or overlong fields.
    pub form: Effect,
    /// The field that people cannot see.
    pub honeypot: Effect,
    /// Hosts, networks, accounts and e-mail domains on the block list.
    pub list_blocked: Effect,
    /// Words, and whoever else is listed to be held.
    pub list_moderated: Effect,
    /// An e-mail address of a domain where mailboxes are thrown away.
    pub disposable_email: Effect,
    /// A comment that a person has called spam, unchanged.
    pub previous_spam: Effect,
    /// More links than allowed.
    pub links_too_many: Effect,
    /// Links in BBCode.
    pub links_bbcode: Effect,
    /// Links in HTML.
    pub links_html: Effect,
    /// Nothing but links.
    pub content_only_link: Effect,
    /// A form that came back too soon.
    pub form_too_fast: Effect,
    /// A comment that a program sent.
    pub client_program: Effect,
    /// A language that is not among the site's.
    pub language_unexpected: Effect,
    /// A form that was sent from a page of another host.
    pub referrer_foreign: Effect,
    /// Pingbacks and trackbacks.
    pub pingback: Effect,
    /// Probability of at least `reject_at`.
    pub classifier_spam: Effect,
    /// Probability of at least `hold_at`.
    pub classifier_unsure: Effect,
    /// The effect on a comment that would be rejected, on too little evidence.
    pub classifier_thin_evidence: Effect,
    /// No model.
    pub classifier_unavailable: Effect,
}
