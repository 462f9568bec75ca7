//! The evaluation room: how good a classifier is, how sure that is, and where its verdicts should begin.
//!
//! It takes labeled comments with the probabilities and verdicts that some model gave them, and says what follows:
//! [`threshold`] certifies and chooses thresholds, [`metrics`] measures, [`interval`] says how sure, [`evaluate`] puts
//! everything into a [`report::Report`], [`gate`] says whether a model may replace another, and [`crate::report`] shows
//! it as text, JSON or a page. [`protocol`] makes the published splits.
//!
//! It must never fit anything, read a file, the clock or the network, or draw from anything but a stated seed. A report
//! holds no author's text unless that was asked for, and no term that fewer than three different texts share.
//!
//! Start reading at [`evaluate`], then [`report`]; for the promise about readers, at [`threshold`].

mod assemble;
pub mod binomial;
pub mod budget;
pub mod compare;
mod facts;
pub mod flips;
pub mod gate;
pub mod interval;
mod measure;
pub mod metrics;
mod places;
pub mod protocol;
mod random;
pub mod report;
pub mod terms;
pub mod threshold;

use crate::comment::Label;
use crate::verdict::Verdict;
use budget::Budget;
use gate::Gate;
use metrics::{Outcome, Ranked};
use report::{Fact, Measures, Report, ThresholdsUsed};
use terms::ViewTerms;

/// A labeled comment with what a model said of it.
#[derive(Clone, Copy)]
pub struct Scored<'a> {
    /// Its id in the data.
    pub id: Option<&'a str>,
    /// The label that people gave.
    pub label: Label,
    /// The collection that it is from.
    pub source: &'a str,
    /// The text, for slices, and for the worst errors.
    pub text: &'a str,
    /// True if the data names the author.
    pub named: bool,
    /// The model's spam probability, in [0, 1].
    pub probability: f64,
    /// The model had too little evidence to reject.
    pub thin: bool,
    /// The classifier's own verdict at its thresholds.
    pub verdict: Verdict,
    /// Near-duplicates share a group.
    pub group: u32,
}

impl std::fmt::Debug for Scored<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            label,
            source,
            probability,
            verdict,
            ..
        } = self;
        write!(f, "Scored({label} {source} {probability} {verdict})")
    }
}

/// The classifier's own verdict: at or above `reject_at` a reject unless the evidence is thin, at or above `hold_at` a
/// hold.
pub fn verdict(probability: f64, thin: bool, thresholds: ThresholdsUsed) -> Verdict {
    if thresholds.reject_at.is_some_and(|reject_at| probability >= reject_at) {
        if thin { Verdict::Hold } else { Verdict::Reject }
    } else if probability >= thresholds.hold_at {
        Verdict::Hold
    } else {
        Verdict::Approve
    }
}

/// The input of a report besides the comments.
#[derive(Debug, Default)]
pub struct Context<'a> {
    /// The title: the model and the data, in one line.
    pub title: String,
    /// The facts that a reader must know to repeat the evaluation.
    pub about: Vec<Fact>,
    /// The names of the data files that the model was trained on: on those it flatters itself.
    pub trained_on: Vec<String>,
    /// The thresholds that made the verdicts: one pair a model.
    pub thresholds: Vec<ThresholdsUsed>,
    /// A baseline's name and its answers on the same comments in the same order.
    pub baseline: Option<(String, &'a [Scored<'a>])>,
    /// The strongest terms, if explanations were made.
    pub terms: Vec<ViewTerms>,
    /// The gate's verdict, if there is a baseline and it was asked for.
    pub gate: Option<Gate>,
    /// The budgets that must be met.
    pub budgets: Vec<(Budget, f64)>,
    /// The beginnings of sources that are one place, for a table place by place; `None` for no such table.
    pub places: Option<&'a [String]>,
    /// True if the worst errors may show their text.
    pub show_text: bool,
    /// The seed of every interval.
    pub seed: u64,
}

/// Evaluates scored comments.
pub fn evaluate(scored: &[Scored<'_>], context: Context<'_>) -> Report {
    let Context {
        title,
        about,
        trained_on,
        thresholds,
        baseline,
        terms,
        gate,
        budgets,
        places,
        show_text,
        seed,
    } = context;
    let ranked = Ranked::new(&outcomes(scored));
    let measures = Measures(interval::estimates(&ranked, seed));
    let verdicts = assemble::verdicts(scored.iter());
    Report {
        schema: report::SCHEMA,
        title,
        about,
        trained_on,
        n_ham: verdicts.ham.total(),
        n_spam: verdicts.spam.total(),
        budgets: budget::check(&verdicts, &measures, &budgets),
        gate,
        comparison: baseline.map(|(name, old)| compare::compare(&name, scored, old, seed)),
        places: places.map(|prefixes| places::places(scored, prefixes)),
        slices: assemble::slices(scored, seed),
        reliability: assemble::reliability(scored),
        histogram: assemble::histogram(scored),
        roc: assemble::roc(&ranked),
        precision_recall: assemble::precision_recall(&ranked),
        trade_off: assemble::trade_off(&ranked, &thresholds),
        terms,
        worst_ham: assemble::worst(scored, Label::Ham, show_text),
        worst_spam: assemble::worst(scored, Label::Spam, show_text),
        thresholds,
        verdicts,
        measures,
    }
}

/// Reduces scored comments to what the measures need. Groups are numbered anew, densely, so that a part of the comments
/// does not draw groups that it does not have.
pub fn outcomes<'a, 'b: 'a>(scored: impl IntoIterator<Item = &'a Scored<'b>>) -> Vec<Outcome> {
    let mut known = std::collections::BTreeMap::new();
    let mut outcomes = Vec::new();
    for item in scored {
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
        let group = *known.entry(item.group).or_insert(next);
        outcomes.push(Outcome {
            spam: item.label == Label::Spam,
            probability: item.probability,
            group,
        });
    }
    outcomes
}

#[cfg(test)]
pub(crate) mod oracle {
    //! Numbers that scikit-learn and scipy computed, with the script that made them: tests/oracle/metrics.py.

    /// The expected values.
    pub(crate) fn expected() -> serde_json::Value {
        serde_json::from_str(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/oracle/metrics.json"
        )))
        .unwrap()
    }
}

#[cfg(test)]
mod tests;
