//! The station that weighs: what the model has to say of a text, asked once, by whoever needs it first.

use super::Submission;
use super::counting::Measure;
use super::memo::Memo;
use super::report::Stopwatch;
use crate::artifact::LoadedModel;
use crate::clock::Timestamp;
use crate::comment::{Comment, Trust};
use crate::model::{Reading, SpamProbability, Thresholds};
use crate::policy::{Classifier, Previous};
use crate::signals::{self, History};
use crate::site::SitePolicy;
use crate::text::Form;

/// All that the weighing of a submission takes.
pub(super) struct Weighing<'a> {
    pub(super) submission: &'a Submission,
    pub(super) policy: &'a SitePolicy,
    /// The model at work.
    pub(super) model: Option<&'a LoadedModel>,
    /// The decision that it is for.
    pub(super) decision_id: [u8; 16],
    /// Whether quotas are asked.
    pub(super) measure: Measure,
    /// When the call began.
    pub(super) now: Timestamp,
    /// What a person said of the decision before.
    pub(super) previous: Previous,
    /// Where it is noted how long it took.
    pub(super) stopwatch: &'a Stopwatch<'a>,
}

impl Weighing<'_> {
    /// Weighs.
    pub(super) fn memo(&self) -> Memo {
        let from = self.stopwatch.mark();
        let memo = Memo {
            decision_id: self.decision_id,
            measure: self.measure,
            history: self.history(),
            previous: self.previous,
            classifier: weigh(self.model, &self.submission.comment, self.policy),
            model_version: version(self.model),
        };
        self.stopwatch.weighed(from);
        memo
    }

    /// What is known of the author's past, as of when the comment was sent.
    fn history(&self) -> History {
        let comment = &self.submission.comment;
        let sent_at = comment.submitted_at.unwrap_or(self.now);
        History::of(&comment.author, &self.policy.history, sent_at)
    }
}

/// The model's reading of the text.
fn weigh(model: Option<&LoadedModel>, comment: &Comment, policy: &SitePolicy) -> Classifier {
    if !policy.classifier || comment.author.trust == Trust::Staff {
        return Classifier::Off;
    }
    if signals::is_blank(comment.content.expose()) {
        return Classifier::NoText;
    }
    let Some(loaded) = model else {
        return Classifier::Unavailable;
    };
    let assessment = loaded.model.assess(&reading(comment));
    Classifier::Scored(assessment, thresholds(loaded.model.thresholds(), policy))
}

/// Names a model; empty if there is none.
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

/// All that the model reads. Of the e-mail address that is the domain; the network address is not read.
pub(super) fn reading(comment: &Comment) -> Reading<'_> {
    let known = |text: &'_ str| !text.trim().is_empty();
    Reading {
        content: comment.content.expose(),
        article_hosts: &comment.article_hosts,
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
