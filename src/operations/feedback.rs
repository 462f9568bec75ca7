//! Labels of decisions, questions after a decision, and requests to forget.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::comment::{AuthorKey, Comment};
use crate::feedback::{FeedbackError, Labeled, Recorder, UnredactedDecision};
use crate::privacy::Pseudonymizer;
use crate::record::{DecisionId, Entry, Forgotten, Judged, Label, LabelSource, Opinion, Selection};
use crate::sensitive::Sensitive;
use crate::site::{SiteId, SitePolicy};

use super::Operations;

/// A caller's clock may be ahead of ours by this much; a label from further in the future could never be corrected.
const AHEAD_MAX: std::time::Duration = std::time::Duration::from_secs(300);

/// A label for a decision, or for a comment that is sent along.
#[derive(Debug)]
pub struct Feedback {
    /// The decision; without one there is a comment.
    pub decision: Option<DecisionId>,
    /// The site; required with a comment, and otherwise compared with the decision's if given.
    pub site: Option<SiteId>,
    /// The comment, and the caller's own id of it, if any.
    pub comment: Option<(Comment, String)>,
    /// The label.
    pub opinion: Opinion,
    /// The moment of the label; now, if that is not known.
    pub labeled_at: Option<Timestamp>,
    /// The reviewer who gave the label.
    pub reviewer: Option<Sensitive<String>>,
    /// The role in which the label was given.
    pub source: LabelSource,
}

/// A selection of decisions to forget.
#[derive(Debug)]
pub enum Forget {
    /// One decision.
    Decision(DecisionId),
    /// A site's decisions, of an author, or before a moment, or both.
    Site {
        /// The site.
        site: SiteId,
        /// The author's name, if it is about one.
        name: Option<Sensitive<String>>,
        /// The author's e-mail address, if it is about one.
        email: Option<Sensitive<String>>,
        /// Decided earlier than this.
        before: Option<Timestamp>,
    },
}

/// The reason why feedback is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedbackRefusal {
    /// Nothing is configured that could remember.
    #[error("decisions are not kept here: start with --data-dir D, or with --redis URL and feedback.redis = true")]
    NoStore,
    /// The decision is not known, or not any more.
    #[error(
        "decision {0} is not known here, or was forgotten; send its comment again in full, with site, comment and label"
    )]
    NotFound(DecisionId),
    /// The decision was made for another site.
    #[error("decision {0} was not made for this site")]
    OtherSite(DecisionId),
    /// The configuration does not know the site.
    #[error("site {0} is not configured here")]
    UnknownSite(SiteId),
    /// The label is from the future.
    #[error("labeled_at lies in the future: more than 5 minutes ahead of this service's clock")]
    FromTheFuture,
    /// The store failed; the same call may succeed later.
    #[error("{0}")]
    Store(#[from] FeedbackError),
}

impl Operations {
    /// Takes a label. When this returns, it is as durable as the store makes it.
    ///
    /// # Errors
    /// [`FeedbackRefusal`]; after [`FeedbackRefusal::Store`] it is not known whether the label was kept, and sending it
    /// again does no harm.
    pub async fn submit_feedback(&self, feedback: Feedback) -> Result<(DecisionId, Labeled), FeedbackRefusal> {
        let Feedback {
            decision,
            site,
            comment,
            opinion,
            labeled_at,
            reviewer,
            source,
        } = feedback;
        let recorder = self.store()?;
        let now = self.clock.now();
        let labeled_at = labeled_at.unwrap_or(now);
        if labeled_at > now.after(AHEAD_MAX) {
            return Err(FeedbackRefusal::FromTheFuture);
        }
        let reviewer = reviewer.map(|reviewer| self.pseudonymizer.reviewer(reviewer.expose()));
        let label = Label {
            opinion,
            labeled_at,
            received_at: now,
            first_received_at: now,
            reviewer,
            source,
        };
        let full = match (comment, &site) {
            (Some((comment, own_id)), Some(site)) => {
                let policy = self.feedback_policy(site)?;
                let id = decision.unwrap_or_else(|| self.history_id(site, &comment, &own_id));
                let sent_at = comment.submitted_at.map(|sent_at| sent_at.min(now));
                Some(UnredactedDecision {
                    submitted_at: sent_at,
                    ..unredacted(&self.pseudonymizer, (id, site), &policy, &comment, None, now)
                })
            }
            _ => None,
        };
        let id = decision.or(full.as_ref().map(|raw| raw.id));
        let Some(id) = id else {
            // Requests without either are refused before.
            return Err(FeedbackRefusal::NotFound(DecisionId::new([0; 16])));
        };
        if let Some(site) = &site
            && decision.is_some()
            && recorder
                .get(id, now)
                .await?
                .is_some_and(|entry| entry.record.site != *site)
        {
            return Err(FeedbackRefusal::OtherSite(id));
        }
        let labeled = recorder
            .label(id, label, full)
            .await?
            .ok_or(FeedbackRefusal::NotFound(id))?;
        self.metrics.labeled(opinion, labeled.verdict);
        Ok((id, labeled))
    }

    /// Returns what is remembered of a decision.
    ///
    /// # Errors
    /// [`FeedbackRefusal`]
    pub async fn decision(&self, id: DecisionId, site: Option<&SiteId>) -> Result<Entry, FeedbackRefusal> {
        let entry = self.store()?.get(id, self.clock.now()).await?;
        let entry = entry.ok_or(FeedbackRefusal::NotFound(id))?;
        if site.is_some_and(|site| *site != entry.record.site) {
            return Err(FeedbackRefusal::OtherSite(id));
        }
        Ok(entry)
    }

    /// Forgets the selected decisions.
    ///
    /// # Errors
    /// [`FeedbackRefusal`]; after [`FeedbackRefusal::Store`] some of it may be left: call again.
    pub async fn forget(&self, forget: Forget) -> Result<Forgotten, FeedbackRefusal> {
        let selection = match forget {
            Forget::Decision(id) => Selection::Decision(id),
            Forget::Site {
                site,
                name,
                email,
                before,
            } => Selection::Site {
                authors: author_keys_of_all(&self.pseudonymizer, &site, name.as_ref(), email.as_ref()),
                site,
                before,
            },
        };
        Ok(self.store()?.forget(selection).await?)
    }

    /// Forgets what is too old. Calling it every half minute is right.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn tidy_feedback(&self) -> Result<(), FeedbackError> {
        match &self.recorder {
            Some(recorder) => recorder.tidy(self.clock.now()).await,
            None => Ok(()),
        }
    }

    /// The same comment gets the same name each time that it is sent.
    fn history_id(&self, site: &SiteId, comment: &Comment, own_id: &str) -> DecisionId {
        let (kind, what) = if own_id.is_empty() {
            ("content", comment.content.expose().as_str())
        } else {
            ("id", own_id)
        };
        DecisionId::new(self.pseudonymizer.history(site, kind, what))
    }

    fn store(&self) -> Result<&Recorder, FeedbackRefusal> {
        self.recorder.as_ref().ok_or(FeedbackRefusal::NoStore)
    }

    fn feedback_policy(&self, site: &SiteId) -> Result<Arc<SitePolicy>, FeedbackRefusal> {
        self.policies
            .of(site)
            .ok_or_else(|| FeedbackRefusal::UnknownSite(site.clone()))
    }
}

/// The pseudonyms of an author's name and e-mail address under every key that is alive, the previous one included: what
/// was kept before a rotation is found under that one only.
pub fn author_keys_of_all(
    pseudonymizer: &Pseudonymizer,
    site: &SiteId,
    name: Option<&Sensitive<String>>,
    email: Option<&Sensitive<String>>,
) -> Vec<AuthorKey> {
    let mut epochs = vec![pseudonymizer];
    epochs.extend(pseudonymizer.previous());
    let keys = epochs.into_iter().map(|epoch| author_keys(epoch, site, name, email));
    keys.flatten().collect()
}

/// The pseudonyms of an author's name and e-mail address; of what is not known, none.
fn author_keys(
    pseudonymizer: &Pseudonymizer,
    site: &SiteId,
    name: Option<&Sensitive<String>>,
    email: Option<&Sensitive<String>>,
) -> Vec<AuthorKey> {
    let known = |text: Option<&'_ Sensitive<String>>| text.map(|text| text.expose().trim().to_lowercase());
    let name = known(name).filter(|name| !name.is_empty());
    let email = known(email).filter(|email| !email.is_empty());
    let keys = [
        name.map(|name| pseudonymizer.author_name(site, &name)),
        email.map(|email| pseudonymizer.author_email(site, &email)),
    ];
    keys.into_iter().flatten().collect()
}

/// A decision as it is handed to the recorder, which redacts it: with what the site's policy lets be kept.
pub(crate) fn unredacted(
    pseudonymizer: &Pseudonymizer,
    (id, site): (DecisionId, &SiteId),
    policy: &SitePolicy,
    comment: &Comment,
    judged: Option<Judged>,
    now: Timestamp,
) -> UnredactedDecision {
    let author = &comment.author;
    let mailbox = author.email.expose().split('@').next().unwrap_or_default().to_owned();
    let authors = if policy.author_history {
        author_keys(pseudonymizer, site, Some(&author.name), Some(&author.email))
    } else {
        Vec::new()
    };
    // Links to the site itself are no evidence, here as in scoring.
    let own_hosts = policy.links.own_hosts.names().map(str::to_owned);
    UnredactedDecision {
        id,
        site: site.clone(),
        decided_at: now,
        submitted_at: None,
        judged,
        keep: policy.keep,
        content: comment.content.clone(),
        article_hosts: comment.article_hosts.iter().cloned().chain(own_hosts).collect(),
        name: author.name.clone(),
        accounts: vec![author.id.clone(), Sensitive::new(mailbox)],
        authors,
        shown: Some(shown(pseudonymizer, site, comment)),
    }
}

/// A keyed hash of what readers would see of a comment: its text, and its author's name and website.
pub(crate) fn shown(epoch: &Pseudonymizer, site: &SiteId, comment: &Comment) -> [u8; 16] {
    let author = &comment.author;
    let parts = [
        comment.content.expose().as_str(),
        author.name.expose(),
        author.url_or_empty().expose(),
    ];
    epoch.shown(site, &parts)
}
