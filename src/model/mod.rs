//! The spam model: what a comment's words, characters, links and shape say together, as a probability that keeps its
//! word.
//!
//! It must never see an e-mail address or a network address, never treat what is unknown as evidence, and never answer
//! from anything but the bytes of its artifact and the text before it: the same two give the same answer everywhere.
//! Start reading at [`SpamModel::assess`]; how the worth of a term is learned stands in [`crate::train`].

use std::cell::RefCell;

mod card;
mod evidence;
mod explain;
mod low_support;
mod quoted;
mod rescore;
mod score;
mod slots;
mod table;
mod types;

pub use card::{
    Card, CardThresholds, CertifiedPlace, DataFile, Metrics, Predecessor, Promise, SelfTest, Training, ViewTerms,
};
pub use evidence::{Evidence, Round};
pub use types::{Assessment, Contribution, Explanation, Reading, SpamProbability, Thresholds};

use crate::text::emit;
use score::{Rows, Seen, Tally};
use table::{Table, Unfit};
pub use types::ReadingScratch;

pub(crate) use crate::text::{NUMBER_OF_SIGNS, SIGN};
pub(crate) use table::Weight;

/// The parts of a model, as its artifact holds them.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// The model's card.
    pub card: Card,
    /// Log-odds before anything is read.
    pub base_log_odds: f64,
    /// All weights are whole multiples of this, fewer than 32,768 of it.
    pub weight_step: f32,
    /// The terms, by ascending hash.
    pub terms: Vec<Term>,
    /// The counts that training goes on from, if they were kept; serving does not read them.
    pub evidence: Option<Evidence>,
}

/// The weight of a term.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// The hash of its view and text.
    pub hash: u32,
    /// The addition to the log-odds, before its view is damped; above zero pulls towards spam.
    pub weight: f32,
    /// True if it was seen in ham.
    pub in_ham: bool,
}

/// The reason why parts do not make a model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidParts {
    /// A number is not finite.
    #[error("a number of the model is not finite")]
    NotFinite,
    /// The terms are not in ascending order.
    #[error("the model's terms are not in ascending order")]
    Unsorted,
    /// The terms' hashes are not those of texts.
    #[error("the model's terms crowd together as those of no text do: train it again")]
    Crowded,
    /// The thresholds are out of order.
    #[error("the model's thresholds are not in order: hold_at {hold_at}, reject_at {reject_at:?}")]
    Thresholds {
        /// The probability from which on comments are held.
        hold_at: f64,
        /// The probability from which on comments are rejected.
        reject_at: Option<f64>,
    },
    /// Texts are read by other rules than when the model was trained.
    #[error(
        "the model reads texts by version {found} of the rules, this program by version {expected}: train it again"
    )]
    Reading {
        /// The program's.
        expected: u32,
        /// The model's.
        found: u32,
    },
    /// A text of the card scores otherwise than the card says.
    #[error("the model's self-test {index} gives log-odds {found}, its card says {expected}: train it again")]
    SelfTest {
        /// The index of the text, from 0.
        index: usize,
        /// The value on the card.
        expected: f64,
        /// The value that was found.
        found: f64,
    },
}

/// Weighs comments. Share it behind an `Arc`: it never changes.
#[derive(Debug, Clone)]
pub struct SpamModel {
    table: Table,
    /// The table's weights are multiples of this, in log-odds.
    step: f64,
    base_log_odds: f64,
    thresholds: Thresholds,
    evidence_min: f64,
    card: Card,
    version: String,
}

/// Memory of one reading, kept for the next.
#[derive(Default)]
struct Memory {
    scratch: ReadingScratch,
    rows: Rows,
    seen: Seen,
    parent: Seen,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

impl SpamModel {
    /// Builds a model from its parts. `version` is the beginning of its artifact's digest.
    ///
    /// # Errors
    /// [`InvalidParts`] if they contradict themselves or this program.
    pub fn new(parts: Parts, version: String) -> Result<Self, InvalidParts> {
        let Parts {
            card,
            base_log_odds,
            weight_step,
            terms,
            evidence: _,
        } = parts;
        if terms.iter().any(|term| !term.weight.is_finite()) {
            return Err(InvalidParts::NotFinite);
        }
        let worths = terms.iter().map(|term| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "saturates, and fits by what parts promise"
            )]
            let steps = (term.weight / weight_step).round() as i16;
            let in_ham = term.in_ham;
            (term.hash, Weight { steps, in_ham })
        });
        Self::of_terms(card, (base_log_odds, weight_step), &worths, version)
    }

    /// As [`SpamModel::new`], with terms that come one by one: a million of them need not be held. Their worth is in
    /// steps.
    pub(crate) fn of_terms(
        card: Card,
        (base_log_odds, weight_step): (f64, f32),
        terms: &(impl ExactSizeIterator<Item = (u32, Weight)> + Clone),
        version: String,
    ) -> Result<Self, InvalidParts> {
        if crate::text::n_views_of(card.reading).is_none() {
            return Err(InvalidParts::Reading {
                expected: crate::text::READING_VERSION,
                found: card.reading,
            });
        }
        let is_step = weight_step.is_finite() && weight_step > 0.0;
        if !is_step || !base_log_odds.is_finite() {
            return Err(InvalidParts::NotFinite);
        }
        let CardThresholds {
            hold_at,
            reject_at,
            evidence_min,
        } = card.thresholds;
        if !evidence_min.is_finite() {
            return Err(InvalidParts::NotFinite);
        }
        let in_order = |at: f64| (0.0..=1.0).contains(&at) && at >= hold_at;
        if !in_order(hold_at) || !reject_at.is_none_or(in_order) {
            return Err(InvalidParts::Thresholds { hold_at, reject_at });
        }
        let thresholds = Thresholds {
            hold_at: SpamProbability::new(hold_at),
            reject_at: reject_at.map(SpamProbability::new),
        };
        let table = Table::new(terms).map_err(|unfit| match unfit {
            Unfit::Unsorted => InvalidParts::Unsorted,
            Unfit::Crowded => InvalidParts::Crowded,
        })?;
        let model = Self {
            table,
            step: f64::from(weight_step),
            base_log_odds,
            thresholds,
            evidence_min,
            card,
            version,
        };
        model.test_itself()?;
        Ok(model)
    }

    fn test_itself(&self) -> Result<(), InvalidParts> {
        for (index, test) in self.card.self_test.iter().enumerate() {
            let found = self.log_odds(&self.tally(&Reading::of(&test.content)));
            if (found - test.log_odds).abs() > 1e-6 {
                return Err(InvalidParts::SelfTest {
                    index,
                    expected: test.log_odds,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Weighs a comment.
    pub fn assess(&self, reading: &Reading<'_>) -> Assessment {
        self.conclude(&self.tally(reading))
    }

    /// Weighs a comment and says why: by [`SpamModel::assess`]'s own sum.
    pub fn explain(&self, reading: &Reading<'_>) -> Explanation {
        explain::explain(self, reading)
    }

    /// The thresholds of the verdicts.
    pub const fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// The model's card.
    pub const fn card(&self) -> &Card {
        &self.card
    }

    /// The first 12 hexadecimal digits of the artifact's digest.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The number of terms that it knows.
    pub const fn n_terms(&self) -> usize {
        self.table.n_terms()
    }

    /// Reads a comment and adds up its terms.
    fn tally(&self, reading: &Reading<'_>) -> Tally {
        with_memory(reading, |memory, has_parent| {
            let Memory {
                scratch,
                rows,
                seen,
                parent,
            } = memory;
            let content = reading.own_content();
            reading.emit(&content, scratch, rows);
            let mut tally = rows.tally(&self.table, seen, has_parent.then_some(&*parent));
            tally.is_foreign = scratch.text.is_foreign();
            tally
        })
    }

    fn log_odds(&self, tally: &Tally) -> f64 {
        self.base_log_odds + self.step * tally.sum(tally.spam_only_discount(self.evidence_min))
    }

    fn conclude(&self, tally: &Tally) -> Assessment {
        let probability = SpamProbability::from_log_odds(self.log_odds(tally));
        let scale = low_support::Scale {
            base_log_odds: self.base_log_odds,
            step: self.step,
            evidence_min: self.evidence_min,
        };
        Assessment {
            probability,
            evidence: low_support::evidence(tally),
            thin: low_support::is_thin(tally, &scale),
        }
    }
}

/// Lends the thread's memory, emptied, with the parent's terms in it if there is a parent, and says whether there is.
fn with_memory<R>(reading: &Reading<'_>, work: impl FnOnce(&mut Memory, bool) -> R) -> R {
    let run = |memory: &mut Memory| {
        let parent = reading.parent_content.filter(|text| !text.trim().is_empty());
        memory.rows.clear();
        if let Some(text) = parent {
            emit(text, &[], &mut memory.scratch.text, &mut memory.rows);
            memory.rows.collect_into(&mut memory.parent);
            memory.rows.clear();
        }
        work(memory, parent.is_some())
    };
    MEMORY.with(|memory| match memory.try_borrow_mut() {
        Ok(mut memory) => run(&mut memory),
        // Never so today: nothing in here reads a second comment while it reads one.
        Err(_) => run(&mut Memory::default()),
    })
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
