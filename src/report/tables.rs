//! The tables of a report, once, as cells: the terminal aligns them, the page dresses them.

use super::figures::{count, difference, or_dash, p_value, percent, percent_range, probability, range, value};
use crate::eval::budget::BudgetCheck;
use crate::eval::compare::{Change, Comparison, Flips, Judgement};
use crate::eval::flips::{FlipList, Flipped};
use crate::eval::gate::{self, Check, Gate};
use crate::eval::interval::Estimate;
use crate::eval::metrics::Measure;
use crate::eval::report::{Place, Places, Report, Slice, Slices, TradeOff, VerdictCounts, Verdicts, WorstError};

/// A table of cells. The first column is text, the others are numbers unless `text_columns` says so.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    /// Columns aligned as text, besides the first.
    pub(super) text_columns: Vec<usize>,
}

/// The promise in four lines: what becomes of spam and of readers.
pub(super) fn outcomes(report: &Report) -> Table {
    let v = &report.verdicts;
    let row = |name: &str, k: usize, n: usize, estimate| {
        let share = or_dash(estimate, |e: Estimate| percent(e.value));
        vec![
            name.to_owned(),
            share,
            or_dash(estimate, percent_range),
            format!("{} of {}", count(k), count(n)),
        ]
    };
    Table {
        head: vec!["at the thresholds", "share", "95 % interval", "comments"],
        rows: vec![
            row("spam rejected", v.spam.reject, v.spam.total(), v.spam_rejected),
            row(
                "spam rejected or held",
                v.spam.reject + v.spam.hold,
                v.spam.total(),
                v.spam_rejected_or_held,
            ),
            row("ham held", v.ham.hold, v.ham.total(), v.ham_held),
            row("ham rejected", v.ham.reject, v.ham.total(), v.ham_rejected),
        ],
        ..Table::default()
    }
}

/// The confusion matrix at the thresholds.
pub(super) fn confusion(report: &Report) -> Table {
    let row = |name: &str, counts: &VerdictCounts| {
        let numbers = [
            counts.approve,
            counts.hold,
            counts.reject,
            counts.hold_thin,
            counts.total(),
        ];
        std::iter::once(name.to_owned())
            .chain(numbers.into_iter().map(count))
            .collect()
    };
    Table {
        head: vec!["label", "approved", "held", "rejected", "held for thin evidence", "all"],
        rows: vec![row("ham", &report.verdicts.ham), row("spam", &report.verdicts.spam)],
        ..Table::default()
    }
}

/// Every measure with its interval.
pub(super) fn measures(report: &Report) -> Table {
    let row = |(measure, estimate): &(Measure, Option<Estimate>)| {
        let shown = or_dash(*estimate, |e| value(*measure, e.value));
        vec![title(*measure), shown, or_dash(*estimate, |e| range(*measure, e))]
    };
    Table {
        head: vec!["measure", "value", "95 % interval"],
        rows: report.measures.0.iter().map(row).collect(),
        ..Table::default()
    }
}

fn title(measure: Measure) -> String {
    match measure {
        Measure::Accuracy | Measure::SpamCaught | Measure::HamBlocked | Measure::Precision | Measure::Mcc => {
            format!("{}, p ≥ 0.5", measure.title())
        }
        Measure::CalibrationError => format!("{}, 15 bins", measure.title()),
        _ => measure.title().to_owned(),
    }
}

/// Budgets, met and missed.
pub(super) fn budgets(report: &Report) -> Table {
    let row = |check: &BudgetCheck| {
        let verdict = if check.met { "met" } else { "missed" };
        vec![
            check.budget.title().to_owned(),
            format!("{}", check.limit),
            or_dash(check.value, |value| format!("{value:.5}")),
            verdict.to_owned(),
        ]
    };
    Table {
        head: vec!["budget", "limit", "measured", ""],
        rows: report.budgets.iter().map(row).collect(),
        text_columns: vec![3],
    }
}

/// Place by place, below them the worst one and all comments.
pub(super) fn places(places: &Places, all: &Verdicts) -> Table {
    let row = |name: String, v: &Verdicts| {
        let share = |estimate: Option<Estimate>| or_dash(estimate, |e| percent(e.value));
        vec![
            name,
            count(v.ham.total()),
            share(v.ham_rejected),
            share(v.ham_held),
            count(v.spam.total()),
            share(v.spam_rejected_or_held),
            share(v.spam_rejected),
        ]
    };
    let mut rows: Vec<Vec<String>> = places
        .rows
        .iter()
        .map(|place| row(place.name.clone(), &place.verdicts))
        .collect();
    let is_worst = |place: &&Place| Some(&place.name) == places.worst.as_ref();
    let worst = places.rows.iter().find(is_worst);
    rows.extend(worst.map(|place| row(format!("worst: {}", place.name), &place.verdicts)));
    rows.push(row("all".to_owned(), all));
    Table {
        head: vec![
            "place",
            "readers",
            "rejected",
            "held",
            "spam",
            "spam rejected or held",
            "spam rejected",
        ],
        rows,
        ..Table::default()
    }
}

/// One way of dividing the comments.
pub(super) fn slices(slices: &Slices) -> Table {
    let row = |slice: &Slice| {
        let v = &slice.verdicts;
        let share = |estimate: Option<Estimate>| or_dash(estimate, |e| percent(e.value));
        let measure = |measure| or_dash(slice.measures.get(measure), |e| format!("{:.3}", e.value));
        let mcc = slice.measures.get(Measure::Mcc);
        vec![
            slice.name.clone(),
            count(v.ham.total()),
            count(v.spam.total()),
            share(v.spam_rejected),
            share(v.spam_rejected_or_held),
            share(v.ham_held),
            share(v.ham_rejected),
            or_dash(mcc, |e| format!("{:.3} ({:.3} – {:.3})", e.value, e.low, e.high)),
            measure(Measure::RocAuc),
            measure(Measure::CalibrationError),
        ]
    };
    Table {
        head: vec![
            slices.by,
            "ham",
            "spam",
            "spam rejected",
            "… or held",
            "ham held",
            "ham rejected",
            "MCC",
            "ROC-AUC",
            "calibration error",
        ],
        rows: slices.rows.iter().map(row).collect(),
        ..Table::default()
    }
}

/// The warning that the model was trained on what it is measured on, if it was.
pub(super) fn flattered(report: &Report) -> Option<String> {
    (!report.trained_on.is_empty()).then(|| {
        format!(
            "The model was trained on {}: it knows these comments, and every figure below flatters it. Measure it on others, \
             or train anew without each part in turn (--folds, --protocol).",
            report.trained_on.join(", ")
        )
    })
}

/// The effect of other thresholds.
pub(super) fn trade_off(report: &Report) -> Table {
    let row = |point: &TradeOff| {
        vec![
            probability(point.threshold),
            or_dash(point.spam_caught, percent),
            or_dash(point.ham_blocked, percent),
            count(point.ham),
            or_dash(point.precision, percent),
            point.role.unwrap_or_default().to_owned(),
        ]
    };
    Table {
        head: vec![
            "from probability",
            "spam stopped",
            "ham stopped",
            "ham comments",
            "precision",
            "",
        ],
        rows: report.trade_off.iter().map(row).collect(),
        text_columns: vec![5],
    }
}

/// Each measure against the baseline's.
pub(super) fn comparison(comparison: &Comparison) -> Table {
    let row = |(measure, change): &(Measure, Option<Change>)| {
        let change = (*change)?;
        let judgement = match change.judgement {
            Judgement::Better => "better",
            Judgement::Worse => "worse",
            Judgement::NotClear => "not clear",
        };
        let [low, high] = [change.difference.low, change.difference.high].map(|end| difference(*measure, end));
        Some(vec![
            title(*measure),
            value(*measure, change.baseline),
            value(*measure, change.value),
            difference(*measure, change.difference.value),
            format!("{low} to {high}"),
            judgement.to_owned(),
        ])
    };
    Table {
        head: vec!["measure", "baseline", "this", "difference", "95 % interval", ""],
        rows: comparison.measures.0.iter().filter_map(row).collect(),
        text_columns: vec![5],
    }
}

/// Comments whose verdict crossed a line between the two models.
pub(super) fn flips(comparison: &Comparison) -> Table {
    let row = |flips: &Flips| {
        vec![
            flips.line.to_owned(),
            count(flips.now),
            count(flips.before),
            p_value(flips.p_value),
        ]
    };
    Table {
        head: vec!["verdict", "only with this", "only with the baseline", "McNemar p"],
        rows: comparison.verdicts.iter().map(row).collect(),
        ..Table::default()
    }
}

/// The worst errors of a label.
pub(super) fn worst(errors: &[WorstError]) -> Table {
    let row = |error: &WorstError| {
        let place = error.id.clone().unwrap_or_else(|| format!("#{}", error.position));
        let copies = if error.copies > 1 {
            format!(" ×{}", error.copies)
        } else {
            String::new()
        };
        vec![
            format!("{place}{copies}"),
            error.source.clone(),
            probability(error.probability),
            error.verdict.to_owned(),
            error.text.clone(),
        ]
    };
    Table {
        head: vec!["comment", "source", "probability", "verdict", "text"],
        rows: errors.iter().map(row).collect(),
        text_columns: vec![1, 3, 4],
    }
}

/// Every criterion of the gate.
pub(super) fn gate(gate: &Gate) -> Table {
    let row = |check: &Check| {
        let share = |value: Option<f64>| or_dash(value, |share| format!("{:.3} %", 100.0 * share));
        let range = |e: Estimate| {
            format!(
                "{:+.3} % ({:+.3} to {:+.3})",
                100.0 * e.value,
                100.0 * e.low,
                100.0 * e.high
            )
        };
        let outcome = match check.outcome {
            gate::Outcome::Passed => "passed",
            gate::Outcome::NotCertain => "passed, too few comments to be sure",
            gate::Outcome::Failed => "failed",
        };
        vec![
            check.criterion.title().to_owned(),
            check.set.clone(),
            share(check.baseline),
            share(check.value),
            or_dash(check.difference, range),
            share(check.tolerance),
            outcome.to_owned(),
        ]
    };
    Table {
        head: vec![
            "criterion",
            "comments",
            "baseline",
            "this",
            "difference, 95 %",
            "allowed",
            "",
        ],
        rows: gate.checks.iter().map(row).collect(),
        text_columns: vec![1, 6],
    }
}

/// The title of a list of flips.
pub(super) fn flip_title(list: &FlipList) -> String {
    format!(
        "{} ({}): {} comments in {} groups",
        list.kind,
        list.set,
        count(list.n),
        count(list.n_groups)
    )
}

/// The comments with the strongest change.
pub(super) fn flipped(list: &FlipList) -> Table {
    let row = |item: &Flipped| {
        vec![
            item.id.clone().unwrap_or_else(|| format!("#{}", item.position)),
            item.source.clone(),
            item.verdicts.join(" → "),
            item.probabilities.map(probability).join(" → "),
            item.text.clone(),
        ]
    };
    Table {
        head: vec!["comment", "source", "verdict", "probability", "text"],
        rows: list.strongest.iter().map(row).collect(),
        text_columns: vec![1, 2, 3, 4],
    }
}
