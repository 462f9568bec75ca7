//! The comments whose verdicts would change between two models: their number, and those that matter most.

use std::collections::BTreeSet;

use serde::Serialize;

use super::gate::Set;
use super::{Scored, assemble};
use crate::comment::Label;
use crate::verdict::Verdict;

/// Comments listed of each kind of flip.
const FLIPPED_MAX: usize = 10;

/// A test of two verdicts, old and new, for a flip of one kind.
type Flips = fn(Verdict, Verdict) -> bool;

/// Comments whose verdict would change, of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FlipList {
    /// The set.
    pub set: String,
    /// The kind of change: `ham newly rejected` …
    pub kind: &'static str,
    /// The number of comments.
    pub n: usize,
    /// The number of them are not near-duplicates of each other.
    pub n_groups: usize,
    /// Those with the greatest change, one of each group.
    pub strongest: Vec<Flipped>,
}

/// A comment whose verdict would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flipped {
    /// Its id in the data, if it has one.
    pub id: Option<String>,
    /// Its position in its set, from 1.
    pub position: usize,
    /// The collection that it is from.
    pub source: String,
    /// The current model's verdict and the new one's.
    pub verdicts: [&'static str; 2],
    /// Their spam probabilities.
    pub probabilities: [f64; 2],
    /// The text's shape, or the text if that was asked for.
    pub text: String,
}

/// The comments of a set whose verdicts would change, by kind; kinds without any are left out.
pub(super) fn lists(set: &Set<'_>, show_text: bool) -> Vec<FlipList> {
    let kinds: [(&'static str, Label, Flips); 5] = [
        ("ham newly rejected", Label::Ham, |old, new| {
            new == Verdict::Reject && old < new
        }),
        ("ham newly held", Label::Ham, |old, new| {
            new == Verdict::Hold && old < new
        }),
        ("ham no longer rejected or held", Label::Ham, |old, new| {
            new == Verdict::Approve && old > new
        }),
        ("spam no longer caught", Label::Spam, |old, new| {
            new == Verdict::Approve && old > new
        }),
        ("spam newly caught", Label::Spam, |old, new| {
            old == Verdict::Approve && new > old
        }),
    ];
    kinds
        .into_iter()
        .map(|(kind, label, flips)| {
            let pairs = set.new.iter().zip(set.old).enumerate();
            let mut flipped: Vec<(usize, &Scored<'_>, &Scored<'_>)> = pairs
                .filter(|(_, (new, old))| new.label == label && flips(old.verdict, new.verdict))
                .map(|(at, (new, old))| (at, new, old))
                .collect();
            let change =
                |new: &Scored<'_>, old: &Scored<'_>| (log_odds(new.probability) - log_odds(old.probability)).abs();
            flipped.sort_by(|a, b| change(b.1, b.2).total_cmp(&change(a.1, a.2)));
            let n = flipped.len();
            let mut seen = BTreeSet::new();
            flipped.retain(|(_, new, _)| seen.insert(new.group));
            FlipList {
                set: set.name.to_owned(),
                kind,
                n,
                n_groups: flipped.len(),
                strongest: flipped
                    .into_iter()
                    .take(FLIPPED_MAX)
                    .map(|(at, new, old)| Flipped {
                        id: new.id.map(str::to_owned),
                        position: at + 1,
                        source: new.source.to_owned(),
                        verdicts: [old.verdict.as_str(), new.verdict.as_str()],
                        probabilities: [old.probability, new.probability],
                        text: assemble::text_shown(new.text, show_text),
                    })
                    .collect(),
            }
        })
        .filter(|list| list.n > 0)
        .collect()
}

/// Finite log-odds: certainty is as good as one in a billion.
fn log_odds(probability: f64) -> f64 {
    let p = probability.clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln()
}
