//! Everything the judge may look at.

use crate::comment::Trust;
use crate::model::{Assessment, Thresholds};
use crate::signals::{History, Signal};
use crate::verdict::QuotaState;

/// The facts about one comment. A failure at the edge arrives here as a fact like any other.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What the caller vouches for.
    pub trust: Trust,
    /// What the form and the hidden field show.
    pub signals: Vec<Signal>,
    /// What the quotas say.
    pub velocity: Velocity,
    /// Redis should have answered for quotas and request ids, and this process did alone.
    pub redis_away: bool,
    /// What the site knows of the author's past.
    pub history: History,
    /// What the model says.
    pub classifier: Classifier,
}

/// How often the author has commented lately.
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

/// What the model says of the text.
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
