//! The model's input and output.

use std::borrow::Cow;
use std::ops::Range;

use super::quoted::without_quoted;
use crate::comment::Example;
use crate::sensitive::Sensitive;
use crate::text::{Article, Form, Places, Scratch, Sink, emit_article, emit_form, emit_with_places};

/// All that the model reads of a submission. What is not known is `None` and adds exactly nothing.
#[derive(Clone, Copy, Default)]
pub struct Reading<'a> {
    /// The text as submitted.
    pub content: &'a str,
    /// Hosts that the article links to: no evidence against the author.
    pub article_hosts: &'a [String],
    /// The text that the comment replies to: what it repeats is no evidence against the author.
    pub parent_content: Option<&'a str>,
    /// The author's name, website and e-mail domain.
    pub form: Form<'a>,
    /// The title of the article.
    pub article_title: Option<&'a str>,
    /// The text of the article.
    pub article_text: Option<&'a str>,
}

impl<'a> Reading<'a> {
    /// A text of which nothing else is known.
    pub fn of(content: &'a str) -> Self {
        Self {
            content,
            ..Self::default()
        }
    }
}

/// Memory for reading one submission after another.
#[derive(Debug, Default)]
pub struct ReadingScratch {
    /// The comment's text.
    pub(crate) text: Scratch,
    /// Each field of the form, and the article.
    field: Scratch,
}

impl<'a> Reading<'a> {
    /// The content without what it quotes of its parent.
    pub(crate) fn own_content(&self) -> Cow<'a, str> {
        without_quoted(self.content, self.parent_content)
    }

    /// Hands every term of the submission to the sink; `own_content` is what [`Reading::own_content`] gave. Scoring,
    /// explaining and training read through this.
    pub(crate) fn emit<'c, S: Sink>(
        &self,
        own_content: &'c str,
        scratch: &mut ReadingScratch,
        sink: &mut S,
    ) -> Places<'c> {
        let ReadingScratch { text, field } = scratch;
        let places = emit_with_places(own_content, self.article_hosts, text, sink);
        emit_form(self.form, text, field, sink);
        let article = Article {
            title: self.article_title,
            text: self.article_text,
            parent: self.parent_content,
        };
        emit_article(article, text, field, sink);
        places
    }
}

impl<'a> From<&'a Example> for Reading<'a> {
    fn from(example: &'a Example) -> Self {
        let field = |field: &'a Option<Sensitive<String>>| field.as_ref().map(|text| text.expose().as_str());
        Self {
            content: example.content.expose(),
            form: Form {
                name: field(&example.author_name),
                website: field(&example.author_url),
                email_domain: field(&example.author_email_domain),
            },
            article_title: example.article_title.as_deref(),
            ..Self::default()
        }
    }
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reading({} bytes)", self.content.len())
    }
}

/// A probability in [0, 1] that a text is spam.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct SpamProbability(f64);

impl SpamProbability {
    /// A probability. What lies outside of [0, 1] is taken to its nearer end, what is not a number to even odds.
    pub const fn new(value: f64) -> Self {
        if value.is_nan() {
            Self(0.5)
        } else {
            Self(value.clamp(0.0, 1.0))
        }
    }

    /// The probability of log-odds.
    pub fn from_log_odds(log_odds: f64) -> Self {
        Self::new(1.0 / (1.0 + (-log_odds).exp()))
    }

    /// The value, in [0, 1].
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The probability whose log-odds are higher by so much. 0 and 1 stay what they are.
    #[must_use]
    pub fn shifted(self, log_odds: f64) -> Self {
        if self.0 <= 0.0 || self.0 >= 1.0 {
            return self;
        }
        Self::from_log_odds((self.0 / (1.0 - self.0)).ln() + log_odds)
    }
}

/// The thresholds of the verdicts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// At least this: hold.
    pub hold_at: SpamProbability,
    /// At least this: reject. `None`: the data could not carry the promise, so the model may only hold.
    pub reject_at: Option<SpamProbability>,
}

/// The model's answer to a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assessment {
    /// The calibrated probability of spam.
    pub probability: SpamProbability,
    /// The share of the text that the model has evidence for, in [0, 1].
    pub evidence: f64,
    /// Too little evidence to reject on.
    pub thin: bool,
}

/// The explanation of a score: `base_log_odds + Σ contributions = log_odds`, exactly as scored.
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

/// The contribution of one term.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// The view, for example `words`.
    pub view: &'static str,
    /// The term as read.
    pub term: String,
    /// The addition, in log-odds; above zero pulls towards spam.
    pub log_odds: f64,
    /// Byte offsets of its first place in the content, if it has one.
    pub span: Option<Range<usize>>,
}
