//! Scores a submission's text by the model, and gathers what else a repetition of the request is to be told.

use std::borrow::Cow;

use super::events::Stopwatch;
use super::replay::ReplayRecord;
use super::subject::QuotaScope;
use super::submission::Submission;
use crate::artifact::LoadedModel;
use crate::clock::Timestamp;
use crate::comment::{Comment, Trust};
use crate::model::{Reading, SpamProbability, Thresholds};
use crate::policy::{Classifier, Previous};
use crate::signals::{self, History};
use crate::site::SitePolicy;
use crate::text::Form;

/// The input of scoring.
pub(super) struct ScoringInput<'a> {
    pub(super) submission: &'a Submission,
    pub(super) policy: &'a SitePolicy,
    /// The model at work.
    pub(super) model: Option<&'a LoadedModel>,
    /// The decision that the score is for.
    pub(super) decision_id: [u8; 16],
    /// The scope of the quotas.
    pub(super) scope: QuotaScope,
    /// The moment at which the call began.
    pub(super) now: Timestamp,
    /// A person's word on the decision before.
    pub(super) previous: Previous,
    /// Notes how long scoring took, for a traced call.
    pub(super) stopwatch: &'a Stopwatch<'a>,
}

impl ScoringInput<'_> {
    /// Scores the text.
    pub(super) fn score(&self) -> ReplayRecord {
        let from = self.stopwatch.mark();
        let record = ReplayRecord {
            decision_id: self.decision_id,
            scope: self.scope,
            history: self.history(),
            previous: self.previous,
            classifier: classify(self.model, &self.submission.comment, self.policy),
            model_version: version(self.model),
        };
        self.stopwatch.scored(from);
        record
    }

    /// The author's history as of when the comment was sent.
    fn history(&self) -> History {
        let comment = &self.submission.comment;
        let sent_at = comment.submitted_at.unwrap_or(self.now);
        History::of(&comment.author, &self.policy.history, sent_at)
    }
}

/// The classifier's evidence.
fn classify(model: Option<&LoadedModel>, comment: &Comment, policy: &SitePolicy) -> Classifier {
    if !policy.classifier || comment.author.trust == Trust::Staff {
        return Classifier::Off;
    }
    if signals::is_blank(comment.content.expose()) {
        return Classifier::NoText;
    }
    let Some(loaded) = model else {
        return Classifier::Unavailable;
    };
    let assessment = loaded.model.assess(&reading(comment, &neutral_hosts(comment, policy)));
    Classifier::Scored(assessment, thresholds(loaded.model.thresholds(), policy))
}

/// The version of a model; empty if there is none.
pub(super) fn version(model: Option<&LoadedModel>) -> String {
    model
        .map(|loaded| loaded.model.version().to_owned())
        .unwrap_or_default()
}

/// The site's thresholds, where it has its own, else the model's. Holding never begins above rejecting.
fn thresholds(model: Thresholds, policy: &SitePolicy) -> Thresholds {
    let reject_at = policy.reject_at.map(SpamProbability::new).or(model.reject_at);
    let hold_at = policy.hold_at.map_or(model.hold_at, SpamProbability::new);
    let hold_at = match reject_at {
        Some(reject_at) if reject_at < hold_at => reject_at,
        _ => hold_at,
    };
    Thresholds { hold_at, reject_at }
}

/// The hosts whose links are no evidence: those that the article links to, and the site's own.
pub(super) fn neutral_hosts<'a>(comment: &'a Comment, policy: &SitePolicy) -> Cow<'a, [String]> {
    let own = &policy.links.own_hosts;
    if own.is_empty() {
        return Cow::Borrowed(&comment.article_hosts);
    }
    let own = own.names().map(str::to_owned);
    Cow::Owned(own.chain(comment.article_hosts.iter().cloned()).collect())
}

/// The parts of a comment that the model reads; `neutral_hosts` is what [`neutral_hosts`] gave. Of the e-mail address
/// that is the domain; the network address is not read.
pub(super) fn reading<'a>(comment: &'a Comment, neutral_hosts: &'a [String]) -> Reading<'a> {
    let known = |text: &'_ str| !text.trim().is_empty();
    Reading {
        content: comment.content.expose(),
        article_hosts: neutral_hosts,
        parent_content: Some(comment.parent_content.expose().as_str()).filter(|parent| known(parent)),
        form: Form {
            name: Some(comment.author.name.expose().as_str()).filter(|name| known(name)),
            website: comment.author.url.as_ref().map(|url| url.expose().as_str()),
            email_domain: comment.author.email.expose().rsplit_once('@').map(|(_, domain)| domain),
        },
        article_title: Some(comment.article_title.as_str()).filter(|title| known(title)),
        article_text: Some(comment.article_text.as_str()).filter(|text| known(text)),
    }
}
