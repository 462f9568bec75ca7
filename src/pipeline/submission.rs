//! A submission to judge, its judgment, and the reasons why it is refused.

use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::comment::{Action, Comment};
use crate::model::Explanation;
use crate::policy::Summary;
use crate::record::DecisionId;
use crate::site::SiteId;
use crate::telemetry::Call;
use crate::verdict::Decision;

/// One comment to judge.
#[derive(Debug)]
pub struct Submission {
    /// The site that it was sent to.
    pub site: SiteId,
    /// The comment.
    pub comment: Comment,
    /// The occasion on which it is judged.
    pub action: Action,
    /// The caller's idempotency key.
    pub request: Option<RequestId>,
    /// The decision before it, for an edit or a recheck.
    pub previous: Option<DecisionId>,
    /// True if the score is to be explained.
    pub explain: bool,
    /// Judge only: spend, record and remember nothing.
    pub dry_run: bool,
    /// The call that it came by, if that is traced.
    pub call: Option<Call>,
}

/// A caller's clock may be ahead of ours by this much; a comment from further in the future is a mistake.
const AHEAD_MAX: Duration = Duration::from_secs(86_400);

impl Submission {
    /// The moment that the comment is counted and remembered at, if it is one of the past: when it was sent, for a
    /// backfill that says so. All others are of the moment at which they are judged, also a recheck of what was sent
    /// before an outage: its hold is today's work.
    pub(super) fn of_the_past(&self, now: Timestamp) -> Option<Timestamp> {
        let sent_at = self.comment.submitted_at.filter(|_| self.action == Action::Backfill);
        sent_at.map(|sent_at| sent_at.min(now))
    }

    /// Refuses a comment that was sent more than a day from now.
    pub(super) fn refuse_the_future(&self, now: Timestamp) -> Result<(), Refusal> {
        let is_ahead = self
            .comment
            .submitted_at
            .is_some_and(|sent_at| sent_at > now.after(AHEAD_MAX));
        if is_ahead { Err(Refusal::FromTheFuture) } else { Ok(()) }
    }
}

/// A caller's idempotency key, with the body it stands for.
#[derive(Clone)]
pub struct RequestId {
    /// The key.
    pub id: String,
    /// The whole request in a canonical form: another body under the same key is a mistake.
    pub body: Vec<u8>,
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestId(..)")
    }
}

/// The answer to a submission.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgment {
    /// Names the decision; empty for a dry run.
    pub decision_id: String,
    /// The decision.
    pub decision: Decision,
    /// The version of the model that read the text; empty if none did.
    pub model_version: String,
    /// The version of the policy that judged.
    pub policy_version: String,
    /// The answer was given before.
    pub replayed: bool,
    /// The explanation of the score, if it was asked for and the text was scored.
    pub explanation: Option<Explained>,
}

/// An explanation and its summary for an editor.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The score's own sum.
    pub explanation: Explanation,
    /// The same in words.
    pub summary: Summary,
}

/// The reason why a submission is not judged: a mistake of the calling program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The configuration does not know the site.
    #[error("site {0} is not configured here")]
    UnknownSite(SiteId),
    /// The request id stands for another body.
    #[error("the request_id was used within the last 10 minutes with another body")]
    RequestIdReused,
    /// The comment is said to have been sent more than a day from now.
    #[error("submitted_at lies in the future: more than a day ahead of this service's clock")]
    FromTheFuture,
}
