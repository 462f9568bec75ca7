//! The parts of a report: each a small function from scored comments to what is shown.

use std::collections::BTreeMap;

use super::interval;
use super::metrics::{self, CALIBRATION_BINS, Ranked, Step};
use super::report::{
    CurvePoint, HistogramBin, Measures, ReliabilityBin, Slice, Slices, ThresholdsUsed, TradeOff, VerdictCounts,
    Verdicts, WorstError,
};
use super::{Scored, facts, outcomes};
use crate::comment::Label;
use crate::verdict::Verdict;

/// Bins of the histogram.
const HISTOGRAM_BINS: u32 = 40;
/// Worst errors shown of each label.
const WORST_MAX: usize = 12;
/// Characters shown of a worst error.
const TEXT_CHARS_MAX: usize = 220;
/// Parts with less than this are too small to be a row of their own.
const SOURCES_MAX: usize = 60;

/// Counts verdicts against labels.
pub(super) fn verdicts<'a, 'b: 'a>(scored: impl Iterator<Item = &'a Scored<'b>>) -> Verdicts {
    let (mut ham, mut spam) = (VerdictCounts::default(), VerdictCounts::default());
    for item in scored {
        let counts = if item.label == Label::Ham { &mut ham } else { &mut spam };
        counts.add(item.verdict);
        counts.hold_thin += usize::from(item.thin && item.verdict == Verdict::Hold);
    }
    Verdicts::new(ham, spam)
}

/// Divides the comments every way that a report shows.
pub(super) fn slices(scored: &[Scored<'_>], seed: u64) -> Vec<Slices> {
    let link = |item: &Scored<'_>| {
        if facts::has_link(item.text) {
            "with a link"
        } else {
            "without a link"
        }
    };
    let named = |item: &Scored<'_>| if item.named { "author named" } else { "author not known" };
    let thin = |item: &Scored<'_>| if item.thin { "thin evidence" } else { "enough evidence" };
    vec![
        slice("source", scored, seed, |item| item.source.to_owned()),
        slice("length", scored, seed, |item| facts::length(item.text).to_owned()),
        slice("script", scored, seed, |item| facts::script(item.text).to_owned()),
        slice("link", scored, seed, |item| link(item).to_owned()),
        slice("author", scored, seed, |item| named(item).to_owned()),
        slice("evidence", scored, seed, |item| thin(item).to_owned()),
    ]
}

fn slice(by: &'static str, scored: &[Scored<'_>], seed: u64, name: impl Fn(&Scored<'_>) -> String) -> Slices {
    let mut parts: BTreeMap<String, Vec<&Scored<'_>>> = BTreeMap::new();
    for item in scored {
        parts.entry(name(item)).or_default().push(item);
    }
    let mut parts: Vec<(String, Vec<&Scored<'_>>)> = parts.into_iter().collect();
    match by {
        "length" => parts.sort_by_key(|(name, _)| facts::LENGTHS.iter().position(|known| known == name)),
        "script" => parts.sort_by_key(|(_, part)| std::cmp::Reverse(part.len())),
        _ => {}
    }
    let row = |(name, part): (String, Vec<&Scored<'_>>)| {
        let measures = Measures(interval::estimates(&Ranked::new(&outcomes(part.iter().copied())), seed));
        Slice {
            name,
            verdicts: verdicts(part.into_iter()),
            measures,
        }
    };
    // A file that names a source a comment would make a page without end.
    Slices {
        by,
        rows: parts.into_iter().take(SOURCES_MAX).map(row).collect(),
    }
}

/// The share of spam among comments of each stated probability.
pub(super) fn reliability(scored: &[Scored<'_>]) -> Vec<ReliabilityBin> {
    let mut bins = [(0_usize, 0_usize, 0.0_f64); CALIBRATION_BINS];
    for item in scored {
        let (n, spam, sum) = &mut bins[metrics::calibration_bin(item.probability)];
        *n += 1;
        *spam += usize::from(item.label == Label::Spam);
        *sum += item.probability;
    }
    let edge = |bin: usize| bin as f64 / CALIBRATION_BINS as f64;
    let row = |(bin, (n, spam, sum)): (usize, (usize, usize, f64))| ReliabilityBin {
        from: edge(bin),
        to: edge(bin + 1),
        n,
        mean_probability: (n > 0).then(|| sum / n as f64),
        spam: interval::Estimate::share(spam, n),
    };
    bins.into_iter().enumerate().map(row).collect()
}

/// Counts by probability and label.
pub(super) fn histogram(scored: &[Scored<'_>]) -> Vec<HistogramBin> {
    let edge = |bin: u32| f64::from(bin) / f64::from(HISTOGRAM_BINS);
    let mut bins: Vec<HistogramBin> = (0..HISTOGRAM_BINS)
        .map(|bin| HistogramBin {
            from: edge(bin),
            to: edge(bin + 1),
            ham: 0,
            spam: 0,
        })
        .collect();
    for item in scored {
        // The first bin that ends above it; certainty belongs to the last.
        let at = bins
            .partition_point(|bin| bin.to <= item.probability)
            .min(bins.len() - 1);
        match item.label {
            Label::Ham => bins[at].ham += 1,
            Label::Spam => bins[at].spam += 1,
        }
    }
    bins
}

/// Spam caught by ham blocked, thinned to what a picture can show on a logarithmic axis.
pub(super) fn roc(ranked: &Ranked) -> Vec<CurvePoint> {
    let steps = ranked.steps();
    let Some(all) = both_labels(&steps) else {
        return Vec::new();
    };
    let point = |step: &Step| CurvePoint {
        x: step.ham as f64 / all.ham as f64,
        y: step.spam as f64 / all.spam as f64,
        threshold: step.threshold,
    };
    thin_out(steps.iter().map(point), |a, b| {
        (a.x.max(1e-6).log10() - b.x.max(1e-6).log10()).abs() > 0.02 || (a.y - b.y).abs() > 0.004
    })
}

/// Precision by spam caught, thinned likewise.
pub(super) fn precision_recall(ranked: &Ranked) -> Vec<CurvePoint> {
    let steps = ranked.steps();
    let Some(all) = both_labels(&steps) else {
        return Vec::new();
    };
    let point = |step: &Step| CurvePoint {
        x: step.spam as f64 / all.spam as f64,
        y: step.spam as f64 / (step.spam + step.ham) as f64,
        threshold: step.threshold,
    };
    thin_out(steps.iter().map(point), |a, b| {
        (a.x - b.x).abs() > 0.004 || (a.y - b.y).abs() > 0.004
    })
}

fn both_labels(steps: &[Step]) -> Option<Step> {
    steps.last().copied().filter(|all| all.ham > 0 && all.spam > 0)
}

fn thin_out(
    points: impl Iterator<Item = CurvePoint>,
    far: impl Fn(&CurvePoint, &CurvePoint) -> bool,
) -> Vec<CurvePoint> {
    let mut kept: Vec<CurvePoint> = Vec::new();
    let mut last = None;
    for point in points {
        if kept.last().is_none_or(|previous| far(previous, &point)) {
            kept.push(point);
        }
        last = Some(point);
    }
    // A curve ends where everything is stopped.
    if last != kept.last().copied() {
        kept.extend(last);
    }
    kept
}

/// The effect of round thresholds, and of the model's own.
pub(super) fn trade_off(ranked: &Ranked, own: &[ThresholdsUsed]) -> Vec<TradeOff> {
    let round = [
        0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999,
    ];
    let mut thresholds: Vec<(f64, Option<&'static str>)> =
        round.into_iter().map(|threshold| (threshold, None)).collect();
    if let [only] = own {
        thresholds.push((only.hold_at, Some("hold_at")));
        thresholds.extend(only.reject_at.map(|reject_at| (reject_at, Some("reject_at"))));
    }
    thresholds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let steps = ranked.steps();
    let all = steps.last().copied().unwrap_or_default();
    let share = |k: usize, n: usize| (n > 0).then(|| k as f64 / n as f64);
    let row = |(threshold, role): (f64, Option<&'static str>)| {
        let reached = steps.partition_point(|step| step.threshold >= threshold);
        let Step { spam, ham, .. } = reached.checked_sub(1).map(|last| steps[last]).unwrap_or_default();
        TradeOff {
            threshold,
            spam,
            spam_caught: share(spam, all.spam),
            ham,
            ham_blocked: share(ham, all.ham),
            precision: share(spam, spam + ham),
            role,
        }
    };
    thresholds.into_iter().map(row).collect()
}

/// A text as its shape, or as it is if that was asked for.
pub(super) fn text_shown(text: &str, as_it_is: bool) -> String {
    if as_it_is {
        facts::one_line(text, TEXT_CHARS_MAX)
    } else {
        facts::shape(text, TEXT_CHARS_MAX)
    }
}

/// The comments of a label that the model got most wrong, one of each group of near-duplicates.
pub(super) fn worst(scored: &[Scored<'_>], label: Label, show_text: bool) -> Vec<WorstError> {
    let wrongness = |item: &Scored<'_>| {
        if label == Label::Ham {
            item.probability
        } else {
            1.0 - item.probability
        }
    };
    let mut wrong: Vec<(usize, &Scored<'_>)> = scored
        .iter()
        .enumerate()
        .filter(|(_, item)| {
            item.label == label
                && (wrongness(item) >= 0.5 || (item.verdict > Verdict::Approve) == (label == Label::Ham))
        })
        .collect();
    wrong.sort_by(|a, b| wrongness(b.1).total_cmp(&wrongness(a.1)));
    let mut copies: BTreeMap<u32, usize> = BTreeMap::new();
    for (_, item) in &wrong {
        *copies.entry(item.group).or_default() += 1;
    }
    let mut shown = Vec::new();
    for (index, item) in wrong {
        // Taken out once shown, so that the group's other members are passed over.
        let Some(copies) = copies.remove(&item.group) else {
            continue;
        };
        shown.push(WorstError {
            id: item.id.map(str::to_owned),
            position: index + 1,
            source: item.source.to_owned(),
            probability: item.probability,
            verdict: item.verdict.as_str(),
            copies,
            text: text_shown(item.text, show_text),
        });
        if shown.len() == WORST_MAX {
            break;
        }
    }
    shown
}
