//! Everything the judge may look at.

use crate::comment::Trust;
use crate::model::{Assessment, Thresholds};
use crate::signals::{History, Signal};
use crate::verdict::QuotaState;

/// The facts about one comment. A failure at the edge arrives here as a fact like any other.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The trust that the caller vouches for.
    pub trust: Trust,
    /// The signals of the form and of the hidden field.
    pub signals: Vec<Signal>,
    /// The quotas' evidence.
    pub velocity: Velocity,
    /// Redis should have answered for quotas and request ids, and this process did alone.
    pub redis_away: bool,
    /// The author's history with the site.
    pub history: History,
    /// A person's word on the comment before.
    pub previous: Previous,
    /// The model's evidence.
    pub classifier: Classifier,
}

/// A person's word on the decision that an edit or a recheck names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Previous {
    /// The caller names none, or it is not to be looked up.
    #[default]
    NotNamed,
    /// No such decision of the site is remembered.
    Unknown,
    /// The store did not answer.
    StoreAway,
    /// It is remembered, and nobody has called it ham or spam.
    Unlabeled,
    /// It was called so, and what is judged now is the same to the byte: the word stands.
    Unchanged(Said),
    /// It was called so, and is judged anew, for it is not known to be the same.
    Changed(Said),
}

/// A person's word on a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It was meant for the readers.
    Ham,
    /// It was spam.
    Spam,
}

impl Previous {
    /// Every one; its place is its number where it is remembered.
    pub const ALL: [Self; 8] = [
        Self::NotNamed,
        Self::Unknown,
        Self::StoreAway,
        Self::Unlabeled,
        Self::Unchanged(Said::Ham),
        Self::Unchanged(Said::Spam),
        Self::Changed(Said::Ham),
        Self::Changed(Said::Spam),
    ];
}

/// The state of the author's quotas.
#[derive(Debug, Clone, PartialEq)]
pub enum Velocity {
    /// Nobody asked: not a new submission, or the author is not counted.
    NotMeasured,
    /// There is nothing to count by.
    NoAddress,
    /// The address is not a reader's.
    AddressNotPublic,
    /// One state for each quota, in the policy's order.
    Measured(Vec<QuotaState>),
    /// Redis was asked and did not answer, and the site does without counts then.
    Unknown {
        /// Hold the comment for it.
        hold: bool,
    },
}

/// The model's evidence about the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Classifier {
    /// Not asked: the site switched it off, or the author is staff.
    Off,
    /// There is no text to score.
    NoText,
    /// There is no model.
    Unavailable,
    /// The score, with the thresholds it is held against.
    Scored(Assessment, Thresholds),
}
