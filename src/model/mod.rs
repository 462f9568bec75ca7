//! The spam model.

use std::ops::Range;

/// What the model may read of a comment. What is not known is `None` and adds exactly nothing.
#[derive(Clone, Copy, Default)]
pub struct Reading<'a> {
    /// The text as submitted.
    pub content: &'a str,
    /// The name the author typed.
    pub author_name: Option<&'a str>,
    /// The website the author typed.
    pub author_url: Option<&'a str>,
    /// The domain of the author's e-mail address. Never the address.
    pub author_email_domain: Option<&'a str>,
    /// Hosts that the article links to: no evidence against the author.
    pub article_hosts: &'a [String],
    /// The text that the comment replies to: what it repeats is no evidence against the author.
    pub parent_content: Option<&'a str>,
}

/// A probability in [0, 1] that a text is spam.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct SpamProbability(f64);

/// Where the verdicts begin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// At least this: hold.
    pub hold_at: SpamProbability,
    /// At least this: reject. `None`: the data could not carry the promise, so the model may only hold.
    pub reject_at: Option<SpamProbability>,
}

/// What the model says of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assessment {
    /// The calibrated probability of spam.
    pub probability: SpamProbability,
    /// How much of the text the model has evidence for, in [0, 1].
    pub evidence: f64,
    /// Too little evidence to reject on.
    pub thin: bool,
}

/// Why a text was scored as it was: `base_log_odds + Σ contributions = log_odds`, exactly as scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Log-odds before anything is read.
    pub base_log_odds: f64,
    /// Log-odds of the answer.
    pub log_odds: f64,
    /// Every term's contribution, heaviest first.
    pub contributions: Vec<Contribution>,
    /// As in [`Assessment`].
    pub evidence: f64,
}

/// What one term added.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// The view, for example `words`.
    pub view: &'static str,
    /// The term as read.
    pub term: String,
    /// What it added, in log-odds; above zero pulls towards spam.
    pub log_odds: f64,
    /// Byte offsets of its first place in the content, if it has one.
    pub span: Option<Range<usize>>,
}

// STUB-BEGIN
impl SpamProbability {
    pub fn new(p: f64) -> Self {
        Self(p)
    }
    pub fn get(self) -> f64 {
        self.0
    }
}
#[derive(Debug)]
pub struct SpamModel;
#[derive(Debug)]
pub struct Card;
impl Card {
    pub fn to_json(&self) -> String {
        "{}".into()
    }
}
impl SpamModel {
    pub fn assess(&self, r: &Reading<'_>) -> Assessment {
        Assessment {
            probability: SpamProbability(if r.content.contains("viagra") { 0.9999 } else { 0.01 }),
            evidence: 1.0,
            thin: false,
        }
    }
    pub fn explain(&self, _: &Reading<'_>) -> Explanation {
        Explanation {
            base_log_odds: 0.0,
            log_odds: 0.0,
            contributions: vec![],
            evidence: 1.0,
        }
    }
    pub fn thresholds(&self) -> Thresholds {
        Thresholds {
            hold_at: SpamProbability(0.5),
            reject_at: Some(SpamProbability(0.99)),
        }
    }
    pub fn version(&self) -> &str {
        "stub"
    }
    pub fn card(&self) -> &Card {
        &Card
    }
    pub fn n_terms(&self) -> usize {
        0
    }
}
