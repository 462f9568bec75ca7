//! Two models on the same comments: what changed, and whether it is more than chance.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::interval::{self, Estimate};
use super::metrics::{Measure, Ranked, Values};
use super::report::CurvePoint;
use super::{Scored, assemble, outcomes};
use crate::comment::Label;
use crate::verdict::Verdict;

/// A model against a baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The baseline's name.
    pub baseline: String,
    /// Each measure of both, and their difference resampled in pairs.
    pub measures: Changes,
    /// Verdicts that changed, by what they mean to readers and to spammers.
    pub verdicts: Vec<Flips>,
    /// The baseline's ROC curve, thinned.
    pub roc: Vec<CurvePoint>,
}

/// Changes by measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes(pub Vec<(Measure, Option<Change>)>);

/// One measure of both models.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change {
    /// The baseline's value.
    pub baseline: f64,
    /// This model's.
    pub value: f64,
    /// This model's less the baseline's.
    pub difference: Estimate,
    /// The conclusion that the interval of the difference allows.
    pub judgement: Judgement,
}

/// The meaning of a difference's interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The whole interval is on the better side.
    Better,
    /// The whole interval is on the worse side.
    Worse,
    /// The interval holds zero.
    NotClear,
}

/// Comments whose verdict crossed a line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Flips {
    /// The line's name.
    pub line: &'static str,
    /// Comments on the far side of it now, and not with the baseline.
    pub now: usize,
    /// Comments on the far side of it with the baseline, and not now.
    pub before: usize,
    /// McNemar's exact test: the probability of a split this uneven if neither model is better.
    pub p_value: f64,
}

impl Serialize for Changes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (measure, change) in &self.0 {
            map.serialize_entry(measure, change)?;
        }
        map.end()
    }
}

/// Compares two models' answers on the same comments in the same order.
pub(super) fn compare(baseline: &str, new: &[Scored<'_>], old: &[Scored<'_>], seed: u64) -> Comparison {
    let (new_ranked, old_ranked) = (Ranked::new(&outcomes(new)), Ranked::new(&outcomes(old)));
    let (new_values, old_values) = (new_ranked.values(), old_ranked.values());
    let measures = interval::differences(&new_ranked, &old_ranked, seed)
        .into_iter()
        .map(|(measure, difference)| (measure, change(measure, difference, &new_values, &old_values)))
        .collect();
    let flips = |line, label, from: Verdict| {
        let crossed = |a: &[Scored<'_>], b: &[Scored<'_>]| {
            let pairs = a.iter().zip(b).filter(|(a, _)| a.label == label);
            pairs.filter(|(a, b)| a.verdict >= from && b.verdict < from).count()
        };
        let (now, before) = (crossed(new, old), crossed(old, new));
        Flips {
            line,
            now,
            before,
            p_value: interval::mcnemar(now, before),
        }
    };
    let verdicts = vec![
        flips("ham rejected", Label::Ham, Verdict::Reject),
        flips("ham held or rejected", Label::Ham, Verdict::Hold),
        flips("spam rejected", Label::Spam, Verdict::Reject),
        flips("spam held or rejected", Label::Spam, Verdict::Hold),
    ];
    let roc = assemble::roc(&old_ranked);
    Comparison {
        baseline: baseline.to_owned(),
        measures: Changes(measures),
        verdicts,
        roc,
    }
}

fn change(measure: Measure, difference: Option<Estimate>, new: &Values, old: &Values) -> Option<Change> {
    let difference = difference?;
    let judgement = match (difference.low > 0.0, difference.high < 0.0) {
        (false, false) => Judgement::NotClear,
        (risen, _) if risen == measure.higher_is_better() => Judgement::Better,
        _ => Judgement::Worse,
    };
    Some(Change {
        baseline: old.get(measure)?,
        value: new.get(measure)?,
        difference,
        judgement,
    })
}
