//! Looks up what a person said of the decision that an edit or a recheck names.

use std::time::Duration;

use super::deps::Deps;
use super::submission::Submission;
use crate::clock::Timestamp;
use crate::comment::Action;
use crate::feedback::LookedUp;
use crate::operations::shown;
use crate::policy::{Previous, Said};
use crate::record::{DecisionId, Label, LabelSource, Opinion, Record};
use crate::site::SitePolicy;

/// Looks up the decision that the submission names, if it is to be looked up. The store may take as long as `patience`,
/// if that is less than its own bound: its absence is then a fact like any other.
pub(super) async fn look_up(
    deps: &Deps,
    submission: &Submission,
    policy: &SitePolicy,
    now: Timestamp,
    patience: Duration,
) -> Previous {
    match named(submission, policy) {
        // Boxed, or every call that waits would be larger for it.
        Some(id) => Box::pin(ask(deps, id, submission, now, patience)).await,
        None => Previous::NotNamed,
    }
}

async fn ask(deps: &Deps, id: DecisionId, submission: &Submission, now: Timestamp, patience: Duration) -> Previous {
    let Some(recorder) = deps.operations.recorder() else {
        return Previous::Unknown;
    };
    let entry = match recorder.look_up(id, now, patience).await {
        LookedUp::Found(entry) => entry,
        LookedUp::Unknown => return Previous::Unknown,
        LookedUp::StoreAway => return Previous::StoreAway,
    };
    // Another site's decision is nobody's business here, not even that there is one.
    if entry.record.site != submission.site {
        return Previous::Unknown;
    }
    match entry.label.as_ref().and_then(said) {
        Some(said) if is_unchanged(deps, &entry.record, submission) => Previous::Unchanged(said),
        Some(said) => Previous::Changed(said),
        None => Previous::Unlabeled,
    }
}

/// Returns true if the comment is, to the byte, the one that the record is of. Of an older version's records, and where
/// a site keeps nothing of texts, that is not known: then it counts as changed.
fn is_unchanged(deps: &Deps, record: &Record, submission: &Submission) -> bool {
    let Submission { site, comment, .. } = submission;
    let pseudonymizer = &deps.operations.pseudonymizer;
    let mut epochs = [Some(pseudonymizer), pseudonymizer.previous()].into_iter().flatten();
    let is_of = |digest: [u8; 16]| epochs.any(|epoch| shown(epoch, site, comment) == digest);
    record.shown.is_some_and(is_of)
}

/// The decision to look up: only an edit or a recheck has one before it.
fn named(submission: &Submission, policy: &SitePolicy) -> Option<DecisionId> {
    let may_have = matches!(submission.action, Action::Edit | Action::Recheck);
    submission
        .previous
        .filter(|_| may_have && policy.history.previous_labels)
}

/// The meaning of a label for the next decision. An author's own appeal is no person's word for the site; abuse and
/// what is off topic are no spam, and are left to the classifier.
fn said(label: &Label) -> Option<Said> {
    match (label.source, label.opinion) {
        (LabelSource::Moderator | LabelSource::Import, Opinion::Ham) => Some(Said::Ham),
        (LabelSource::Moderator | LabelSource::Import, Opinion::Spam) => Some(Said::Spam),
        _ => None,
    }
}
