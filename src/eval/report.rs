//! The report of an evaluation. These structs *are* the document: their field names are the names in the JSON output,
//! and a test pins them; the text and HTML renderings show the same fields.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::budget::BudgetCheck;
use super::compare::Comparison;
use super::gate::Gate;
use super::interval::Estimate;
use super::metrics::Measure;
use super::terms::ViewTerms;
use crate::verdict::Verdict;

/// The version of the document's field names.
pub const SCHEMA: &str = "moderato.evaluation.v1";

/// An evaluation of one model, or of the models of a protocol's folds with their verdicts pooled.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The title: the model and the data, in one line.
    pub title: String,
    /// The facts that a reader must know to repeat the evaluation: model version, data files, seed.
    pub about: Vec<Fact>,
    /// The names of the data files that the model was trained on; the figures flatter it where there are any.
    pub trained_on: Vec<String>,
    /// Readers' comments evaluated.
    pub n_ham: usize,
    /// Spam evaluated.
    pub n_spam: usize,
    /// The thresholds that made the verdicts: one pair a model.
    pub thresholds: Vec<ThresholdsUsed>,
    /// Every verdict against every label.
    pub verdicts: Verdicts,
    /// The measures, with their intervals.
    pub measures: Measures,
    /// Quality budgets and whether they are met.
    pub budgets: Vec<BudgetCheck>,
    /// The gate's verdict on whether this model may replace the baseline, if that was asked.
    pub gate: Option<Gate>,
    /// Against a baseline, if one was given.
    pub comparison: Option<Comparison>,
    /// Place by place, if each place was left out of training in turn.
    pub places: Option<Places>,
    /// The same by source, length, script and so on.
    pub slices: Vec<Slices>,
    /// The share of spam among comments of each stated probability.
    pub reliability: Vec<ReliabilityBin>,
    /// Counts by probability and label.
    pub histogram: Vec<HistogramBin>,
    /// Spam caught by ham blocked, from the strictest threshold down, thinned.
    pub roc: Vec<CurvePoint>,
    /// Precision by spam caught, likewise.
    pub precision_recall: Vec<CurvePoint>,
    /// The effect of other thresholds.
    pub trade_off: Vec<TradeOff>,
    /// The terms that moved these comments most, view by view.
    pub terms: Vec<ViewTerms>,
    /// Readers' comments with the highest probabilities.
    pub worst_ham: Vec<WorstError>,
    /// Spam with the lowest.
    pub worst_spam: Vec<WorstError>,
}

/// A fact about the evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// The subject.
    pub name: String,
    /// The value.
    pub value: String,
}

/// The thresholds of one model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ThresholdsUsed {
    /// At least this spam probability: hold.
    pub hold_at: f64,
    /// At least this: reject. `None`: the model promises nothing and only holds.
    pub reject_at: Option<f64>,
}

/// Counts of comments by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct VerdictCounts {
    /// Approved.
    pub approve: usize,
    /// Held.
    pub hold: usize,
    /// Rejected.
    pub reject: usize,
    /// The held ones that would have been rejected, but for too little evidence.
    pub hold_thin: usize,
}

impl VerdictCounts {
    /// Counts one verdict.
    pub(super) fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Approve => self.approve += 1,
            Verdict::Hold => self.hold += 1,
            Verdict::Reject => self.reject += 1,
        }
    }

    /// All of them.
    pub const fn total(&self) -> usize {
        self.approve + self.hold + self.reject
    }
}

/// Verdicts against labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Verdicts {
    /// The verdicts on readers' comments.
    pub ham: VerdictCounts,
    /// The verdicts on spam.
    pub spam: VerdictCounts,
    /// The share of readers' comments rejected.
    pub ham_rejected: Option<Estimate>,
    /// The share of readers' comments held.
    pub ham_held: Option<Estimate>,
    /// The share of spam rejected.
    pub spam_rejected: Option<Estimate>,
    /// The share of spam rejected or held.
    pub spam_rejected_or_held: Option<Estimate>,
}

impl Verdicts {
    /// The shares of these counts, with exact intervals.
    pub(super) fn new(ham: VerdictCounts, spam: VerdictCounts) -> Self {
        Self {
            ham,
            spam,
            ham_rejected: Estimate::share(ham.reject, ham.total()),
            ham_held: Estimate::share(ham.hold, ham.total()),
            spam_rejected: Estimate::share(spam.reject, spam.total()),
            spam_rejected_or_held: Estimate::share(spam.reject + spam.hold, spam.total()),
        }
    }
}

/// Measures by name; `null` where the comments cannot say.
#[derive(Debug, Clone, PartialEq)]
pub struct Measures(pub Vec<(Measure, Option<Estimate>)>);

impl Measures {
    /// One of them.
    pub fn get(&self, measure: Measure) -> Option<Estimate> {
        self.0
            .iter()
            .find(|(known, _)| *known == measure)
            .and_then(|(_, estimate)| *estimate)
    }
}

impl Serialize for Measures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (measure, estimate) in &self.0 {
            map.serialize_entry(measure, estimate)?;
        }
        map.end()
    }
}

/// The comments by place, each judged by a model that has not seen it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Places {
    /// One row a place, by name. [`Report::verdicts`] holds all of them together.
    pub rows: Vec<Place>,
    /// The name of the worst place: the largest share of readers rejected; of equal ones, of readers held; then of spam
    /// neither rejected nor held. `None` if there is no place.
    pub worst: Option<String>,
}

/// One place that was left out of training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    /// Its source, or the beginning that its sources share.
    pub name: String,
    /// The verdicts on its comments.
    pub verdicts: Verdicts,
}

/// The comments divided one way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slices {
    /// The property that the slices are made by.
    pub by: &'static str,
    /// One row a part.
    pub rows: Vec<Slice>,
}

/// One part of the comments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    /// Its name.
    pub name: String,
    /// Its verdicts.
    pub verdicts: Verdicts,
    /// Its measures.
    pub measures: Measures,
}

/// Comments of about the same spam probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// The bin's lower edge.
    pub from: f64,
    /// The bin's upper edge.
    pub to: f64,
    /// Comments in it.
    pub n: usize,
    /// Their mean probability.
    pub mean_probability: Option<f64>,
    /// The share of them that is spam.
    pub spam: Option<Estimate>,
}

/// Comments of about the same spam probability, by label.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HistogramBin {
    /// The bin's lower edge.
    pub from: f64,
    /// The bin's upper edge.
    pub to: f64,
    /// Readers' comments in it.
    pub ham: usize,
    /// Spam in it.
    pub spam: usize,
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Across: the share of ham blocked (ROC), the share of spam caught (precision–recall).
    pub x: f64,
    /// Up: the share of spam caught (ROC), precision.
    pub y: f64,
    /// The threshold that gives it.
    pub threshold: f64,
}

/// The effect of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TradeOff {
    /// At least this spam probability is stopped.
    pub threshold: f64,
    /// Spam stopped.
    pub spam: usize,
    /// The share of spam stopped.
    pub spam_caught: Option<f64>,
    /// Readers' comments stopped.
    pub ham: usize,
    /// The share of readers' comments stopped.
    pub ham_blocked: Option<f64>,
    /// The share of spam among what is stopped.
    pub precision: Option<f64>,
    /// `hold_at` or `reject_at`, if it is the model's own.
    pub role: Option<&'static str>,
}

/// A comment that the model got as wrong as can be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorstError {
    /// Its id in the data, if it has one.
    pub id: Option<String>,
    /// Its position among the comments evaluated, from 1.
    pub position: usize,
    /// The collection that it is from.
    pub source: String,
    /// The model's spam probability.
    pub probability: f64,
    /// The verdict.
    pub verdict: &'static str,
    /// The number of near-duplicates that shared the error.
    pub copies: usize,
    /// The text's shape (letters as x, digits as 0), or the text itself if that was asked for.
    pub text: String,
}
