//! The differences between two models: their cards, their terms, their sizes.
//!
//! Terms are hashed, so a diff can say how many changed and by how much, and not which words they are.

use std::cmp::Ordering;
use std::path::Path;

use serde::Serialize;

use super::file;
use super::format::{Evidence, decode_parts};
use super::{FormatError, LoadModelError};
use crate::model::{Card, Parts, SpamModel, Term};

/// Changed terms that are listed.
const CHANGES_MAX: usize = 20;

/// The differences between two models, the first one being the older.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// Their versions.
    pub versions: [String; 2],
    /// Their sizes in bytes.
    pub bytes: [u64; 2],
    /// Their cards: thresholds, metrics, promise, training data.
    pub cards: [Card; 2],
    /// The differences of their terms.
    pub terms: TermCounts,
    /// The terms whose weight changed most, strongest change first.
    pub strongest: Vec<TermChange>,
}

/// The differences between the terms of two models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TermCounts {
    /// Known to both, with the same weight.
    pub same: usize,
    /// Known to both, with another weight.
    pub changed: usize,
    /// The terms among them that pull to the other side now.
    pub turned: usize,
    /// Known to the first only.
    pub removed: usize,
    /// Known to the second only.
    pub added: usize,
}

/// A term whose weight changed. A term that a model does not know has no weight in it, and adds nothing to its score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TermChange {
    /// The term's hash, in hexadecimal.
    pub hash: String,
    /// Its weights in log-odds; above zero pulls towards spam.
    pub weights: [Option<f32>; 2],
}

impl TermChange {
    /// The change of its pull towards spam, in log-odds.
    pub fn change(&self) -> f32 {
        self.weights[1].unwrap_or(0.0) - self.weights[0].unwrap_or(0.0)
    }
}

/// Compares the models in two files.
///
/// # Errors
/// One of them is no model that this program can use.
pub fn diff(old: &Path, new: &Path) -> Result<Diff, LoadModelError> {
    let load = |path: &Path| -> Result<(Parts, String, u64), LoadModelError> {
        let bytes = file::read(path)?;
        let format = |source: FormatError| LoadModelError::Format {
            path: path.to_owned(),
            source,
        };
        let (parts, version) = decode_parts(&bytes, Evidence::Skip).map_err(format)?;
        SpamModel::new(parts.clone(), version.clone()).map_err(|error| format(error.into()))?;
        Ok((parts, version, bytes.len() as u64))
    };
    let (a, b) = (load(old)?, load(new)?);
    let (terms, strongest) = changes(&a.0.terms, &b.0.terms);
    let card = |parts: Parts| parts.card;
    Ok(Diff {
        versions: [a.1, b.1],
        bytes: [a.2, b.2],
        cards: [card(a.0), card(b.0)],
        terms,
        strongest,
    })
}

/// Walks two lists of terms, each by ascending hash, side by side.
fn changes(old: &[Term], new: &[Term]) -> (TermCounts, Vec<TermChange>) {
    let mut counts = TermCounts::default();
    let mut changes = Vec::new();
    let (mut a, mut b) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (Some(a), Some(b)) => a.hash.cmp(&b.hash),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        let old = (order != Ordering::Greater).then(|| a.next()).flatten();
        let new = (order != Ordering::Less).then(|| b.next()).flatten();
        match (old, new) {
            (Some(old), Some(new)) if old.weight.to_bits() == new.weight.to_bits() => {
                counts.same += 1;
                continue;
            }
            (Some(old), Some(new)) => {
                counts.changed += 1;
                counts.turned += usize::from(old.weight * new.weight < 0.0);
            }
            (Some(_), None) => counts.removed += 1,
            _ => counts.added += 1,
        }
        let hash = old.or(new).map_or(0, |term| term.hash);
        changes.push(TermChange {
            hash: format!("{hash:08x}"),
            weights: [old.map(|term| term.weight), new.map(|term| term.weight)],
        });
    }
    changes.sort_by(|a, b| b.change().abs().total_cmp(&a.change().abs()));
    changes.truncate(CHANGES_MAX);
    (counts, changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(hash: u32, weight: f32) -> Term {
        Term {
            hash,
            weight,
            in_ham: false,
        }
    }

    #[test]
    fn terms_are_told_apart_and_the_strongest_change_comes_first() {
        let old = [term(1, 0.5), term(2, 1.0), term(4, -0.25), term(9, 2.0)];
        let new = [term(1, 0.5), term(2, -1.5), term(3, 0.125), term(9, 2.5)];
        let (counts, strongest) = changes(&old, &new);
        let expected = TermCounts {
            same: 1,
            changed: 2,
            turned: 1,
            removed: 1,
            added: 1,
        };
        assert_eq!(counts, expected);
        let shown: Vec<(&str, f32)> = strongest.iter().map(|c| (c.hash.as_str(), c.change())).collect();
        let expected = [
            ("00000002", -2.5),
            ("00000009", 0.5),
            ("00000004", 0.25),
            ("00000003", 0.125),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_model_does_not_differ_from_itself() {
        let terms = [term(1, 0.5), term(7, -1.0)];
        let (counts, strongest) = changes(&terms, &terms);
        assert_eq!((counts.same, strongest.len()), (2, 0));
    }
}
