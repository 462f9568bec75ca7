//! The record of a decision and its labels: enough to learn from, and nothing that names an author.

use std::fmt;

use crate::clock::Timestamp;
use crate::comment::AuthorKey;
use crate::site::SiteId;
use crate::verdict::Verdict;

/// Names a decision: 128 bits that nobody can guess.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId([u8; 16]);

impl DecisionId {
    /// Wraps the bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads 32 hexadecimal digits; `None` if it is not that.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A person's opinion of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Opinion {
    /// Meant for the readers. It teaches ham.
    Ham,
    /// Advertising, fraud. It teaches spam.
    Spam,
    /// Abuse: it is kept, and teaches neither.
    Abuse,
    /// Off topic: it is kept, and teaches neither.
    OffTopic,
    /// The label before is taken back; it teaches nothing.
    Withdrawn,
}

impl Opinion {
    /// Every opinion.
    pub const ALL: [Self; 5] = [Self::Ham, Self::Spam, Self::Abuse, Self::OffTopic, Self::Withdrawn];

    /// The word for it in exports and statistics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ham => "ham",
            Self::Spam => "spam",
            Self::Abuse => "abuse",
            Self::OffTopic => "off_topic",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// The role of whoever gave a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LabelSource {
    /// A moderator.
    Moderator,
    /// The author, who appealed.
    AuthorAppeal,
    /// It was brought in from another system.
    Import,
}

impl LabelSource {
    /// Every source.
    pub const ALL: [Self; 3] = [Self::Moderator, Self::AuthorAppeal, Self::Import];

    /// The word for it in exports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moderator => "moderator",
            Self::AuthorAppeal => "author_appeal",
            Self::Import => "import",
        }
    }
}

/// One label on a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The opinion.
    pub opinion: Opinion,
    /// The moment at which it was said, by the caller's clock: the latest wins.
    pub labeled_at: Timestamp,
    /// The moment at which it came in; decides between two of the same moment.
    pub received_at: Timestamp,
    /// The moment at which the decision's first label came in.
    pub first_received_at: Timestamp,
    /// A keyed pseudonym of who said it, if that was named.
    pub reviewer: Option<AuthorKey>,
    /// The role of whoever gave it.
    pub source: LabelSource,
}

impl Label {
    /// Returns true if this label takes the other's place.
    pub fn supersedes(&self, other: &Self) -> bool {
        (self.labeled_at, self.received_at) >= (other.labeled_at, other.received_at)
    }
}

/// The part of a text that is kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Kept {
    /// Nothing: there was no text, or the site keeps none.
    Nothing,
    /// The features of the redacted text, as bytes.
    Features(Vec<u8>),
    /// The redacted text.
    Text(String),
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Features(bytes) => write!(f, "Features({} bytes)", bytes.len()),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

/// A reason, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The stable public code.
    pub code: String,
    /// The verdict that it pulled towards; `None` was for information.
    pub effect: Option<Verdict>,
    /// The sentence for the moderator.
    pub message: String,
    /// Counted and shown, without effect.
    pub shadow: bool,
}

/// A decision of moderato.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// Every reason, in order of precedence.
    pub causes: Vec<Cause>,
    /// The probability that the text is spam, where it was scored.
    pub spam_probability: Option<f64>,
    /// The version of the model that scored it; empty if none did.
    pub model_version: String,
    /// The version of the policy that judged.
    pub policy_version: String,
}

/// The record of one comment.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its name.
    pub id: DecisionId,
    /// The site that it was sent to.
    pub site: SiteId,
    /// The moment at which it was decided, or came in. It is kept for a time from here on.
    pub decided_at: Timestamp,
    /// The moment at which it was sent, of a comment of the past; otherwise it was sent when it was decided.
    pub submitted_at: Option<Timestamp>,
    /// The decision; `None` for history that moderato never saw.
    pub judged: Option<Judged>,
    /// The part of its text that is kept.
    pub kept: Kept,
    /// Keyed pseudonyms of the author's name and e-mail address, where the site wants author history.
    pub authors: Vec<AuthorKey>,
    /// A keyed hash of what readers would see of the comment, unless the site keeps nothing of texts: it tells whether
    /// another is the same.
    pub shown: Option<[u8; 16]>,
}

impl Record {
    /// The moment at which the comment was sent.
    pub fn sent_at(&self) -> Timestamp {
        self.submitted_at.unwrap_or(self.decided_at)
    }
}

/// A record with what people said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The record.
    pub record: Record,
    /// The label in force.
    pub label: Option<Label>,
    /// The moment at which it is forgotten.
    pub expires_at: Timestamp,
}

/// A selection of records to forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// One decision.
    Decision(DecisionId),
    /// A site's records: of these authors (of all, if none is named), decided before a moment (at any, if none is
    /// given).
    Site {
        /// The site.
        site: SiteId,
        /// Pseudonyms; a record with any of them is meant.
        authors: Vec<AuthorKey>,
        /// Decided earlier than this.
        before: Option<Timestamp>,
    },
}

impl Selection {
    /// Returns true if a record of this name, place, time and authorship is meant.
    pub fn has(&self, id: DecisionId, site: &SiteId, decided_at: Timestamp, authors: &[AuthorKey]) -> bool {
        match self {
            Self::Decision(wanted) => *wanted == id,
            Self::Site {
                site: wanted,
                authors: named,
                before,
            } => {
                wanted == site
                    && before.is_none_or(|before| decided_at < before)
                    && (named.is_empty() || named.iter().any(|author| authors.contains(author)))
            }
        }
    }
}

/// An export of labeled rows: whoever trained from it has seen what was in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// SHA-256 of the rows, in hexadecimal: the card of a model trained from them names it.
    pub sha256: String,
    /// The moment.
    pub at: Timestamp,
    /// The site; `None` is of all sites.
    pub site: Option<SiteId>,
}

/// The records that were forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Records removed.
    pub n_records: u64,
    /// The labeled ones among them.
    pub n_labels: u64,
    /// The exports that held any of them.
    pub exports: Vec<Export>,
}

/// The contents of a store, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Records.
    pub n_records: u64,
    /// The labeled ones among them.
    pub n_labels: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Records by site, verdict (`None` for history) and label in force, in that order.
    pub cells: Vec<(SiteId, Option<Verdict>, Option<Opinion>, u64)>,
}
