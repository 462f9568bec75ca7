//! The explanation for an editor: which part of a submission weighed how much, quoted from it, and one sentence.
//!
//! It must never compute a weight of its own: a part's log-odds are the sum of its contributions, so that the base and
//! the parts are the log-odds of the score, as the contributions are. Start reading at [`summarize`].

mod fields;
mod phrases;
mod sentence;
mod shapes;

use crate::model::{Contribution, Explanation, Reading};

/// A part of a submission, as an editor sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// The words of the comment.
    Text,
    /// The author's name.
    Name,
    /// The author's website.
    Website,
    /// The domain of the author's e-mail address.
    Email,
    /// The destinations of the links in the comment.
    Links,
    /// The look of the comment: its length, capitals, signs, markup.
    Shape,
    /// The words that the comment shares with the article and with the comment that it answers.
    Article,
}

impl PartKind {
    /// All kinds, in the order in which parts of one weight are listed.
    pub const ALL: [Self; 7] = [
        Self::Text,
        Self::Name,
        Self::Website,
        Self::Email,
        Self::Links,
        Self::Shape,
        Self::Article,
    ];

    /// The stable name of the kind, as the answer spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Name => "name",
            Self::Website => "website",
            Self::Email => "e-mail",
            Self::Links => "links",
            Self::Shape => "shape",
            Self::Article => "article",
        }
    }
}

/// One part of a submission and its weight. Its phrases and shapes are those that pull to the side to which the part as
/// a whole pulls, heaviest first.
#[derive(Clone, PartialEq)]
pub struct Part {
    /// The part of the submission.
    pub kind: PartKind,
    /// The sum of the part's contributions; above zero pulls towards spam.
    pub log_odds: f64,
    /// The share of the pull towards the side that the score is on, in [0, 1]; 0 for a part that pulls the other way.
    pub share: f64,
    /// At most three quotes of whole words.
    pub phrases: Vec<String>,
    /// At most three observations in words, for example `one link in four words`.
    pub shapes: Vec<String>,
}

/// Shows nothing that is quoted: explanations are never logged.
impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            kind, log_odds, share, ..
        } = self;
        write!(f, "Part({kind:?} {log_odds:+.3} {share:.3})")
    }
}

/// An explanation for an editor.
#[derive(Clone, PartialEq)]
pub struct Summary {
    /// One English sentence, some 200 characters at most.
    pub sentence: String,
    /// The parts that have contributions, by share and then by weight, heaviest first. The base log-odds and the parts'
    /// log-odds add up to the log-odds of the score; the shares add up to 1, or are all 0 if no part pulls to the side
    /// that the score is on.
    pub parts: Vec<Part>,
}

/// Shows nothing that is quoted: explanations are never logged.
impl std::fmt::Debug for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Summary({:?})", self.parts)
    }
}

/// The side that a score is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Spam,
    Reader,
}

impl Side {
    /// The side of log-odds; even odds are spam's, as a probability of one half is.
    fn of(log_odds: f64) -> Self {
        if log_odds < 0.0 { Self::Reader } else { Self::Spam }
    }

    /// The pull of log-odds to this side; below zero, to the other.
    fn pull(self, log_odds: f64) -> f64 {
        match self {
            Self::Spam => log_odds,
            Self::Reader => -log_odds,
        }
    }
}

/// Phrases and shapes that a part lists.
const LISTED_MAX: usize = 3;

/// Sums an explanation up for an editor; `reading` is what was explained, and what the phrases are quoted from.
pub fn summarize(explanation: &Explanation, reading: &Reading<'_>) -> Summary {
    let side = Side::of(explanation.log_odds);
    let mut parts: Vec<Part> = PartKind::ALL
        .into_iter()
        .filter_map(|kind| {
            let own = |contribution: &&Contribution| kind_of(contribution, reading) == kind;
            let contributions: Vec<&Contribution> = explanation.contributions.iter().filter(own).collect();
            (!contributions.is_empty()).then(|| part(kind, &contributions, reading))
        })
        .collect();
    let total: f64 = parts.iter().map(|part| side.pull(part.log_odds).max(0.0)).sum();
    for part in &mut parts {
        let pull = side.pull(part.log_odds);
        part.share = if pull > 0.0 { pull / total } else { 0.0 };
    }
    parts.sort_by(|a, b| side.pull(b.log_odds).total_cmp(&side.pull(a.log_odds)));
    Summary {
        sentence: sentence::sentence(explanation, side, &parts),
        parts,
    }
}

/// The part that a contribution belongs to.
fn kind_of(contribution: &Contribution, reading: &Reading<'_>) -> PartKind {
    match contribution.view {
        // A link in the place of a word.
        "words" if matches!(contribution.term.as_str(), "<link>" | "<address>" | "<a>") => PartKind::Links,
        "links" => PartKind::Links,
        "shape" => PartKind::Shape,
        "name" => PartKind::Name,
        "website" => PartKind::Website,
        "email" => PartKind::Email,
        "offer" => fields::offered_in(&contribution.term, reading),
        "article" => PartKind::Article,
        _ => PartKind::Text,
    }
}

fn part(kind: PartKind, contributions: &[&Contribution], reading: &Reading<'_>) -> Part {
    // From +0: the sum of nothing is -0 in Rust.
    let log_odds = contributions.iter().fold(0.0, |sum, one| sum + one.log_odds);
    let side = Side::of(log_odds);
    let pulls: Vec<(&Contribution, f64)> = contributions
        .iter()
        .map(|contribution| (*contribution, side.pull(contribution.log_odds)))
        .collect();
    let phrases = match kind {
        PartKind::Text => phrases::of_content(reading.content, &pulls),
        PartKind::Links => phrases::of_links(reading.content, &pulls),
        PartKind::Name => fields::of_name(reading.form.name.unwrap_or_default(), &pulls),
        PartKind::Website => fields::of_website(reading.form.website.unwrap_or_default(), &pulls),
        PartKind::Email => fields::of_email(&pulls),
        PartKind::Shape | PartKind::Article => Vec::new(),
    };
    Part {
        kind,
        log_odds,
        share: 0.0,
        phrases,
        shapes: shapes(&pulls),
    }
}

/// The heaviest observations in words.
fn shapes(pulls: &[(&Contribution, f64)]) -> Vec<String> {
    let mut pulling: Vec<_> = pulls.iter().filter(|(_, pull)| *pull > 0.0).collect();
    pulling.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut shapes: Vec<String> = Vec::new();
    for shape in pulling
        .iter()
        .filter_map(|(one, _)| shapes::in_words(one.view, &one.term))
    {
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
        if shapes.len() == LISTED_MAX {
            break;
        }
    }
    shapes
}

#[cfg(test)]
mod tests;
