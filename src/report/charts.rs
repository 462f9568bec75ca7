//! The pictures of the page: what each draws in its frame.

use super::figures::{count, percent};
use super::frame::{Frame, Scale};
use crate::eval::metrics::Measure;
use crate::eval::report::{CurvePoint, Report};

const SHARES: [(f64, &str); 5] = [
    (0.0, "0"),
    (0.25, "25 %"),
    (0.5, "50 %"),
    (0.75, "75 %"),
    (1.0, "100 %"),
];
const SMALL_SHARES: [(f64, &str); 5] = [
    (0.0001, "0.01 %"),
    (0.001, "0.1 %"),
    (0.01, "1 %"),
    (0.1, "10 %"),
    (1.0, "100 %"),
];
const ALL: Scale = Scale::Linear { from: 0.0, to: 1.0 };
const RARE: Scale = Scale::Log { from: 0.0001, to: 1.0 };

/// Spam caught by ham blocked, with the model's own verdicts on it.
pub(super) fn roc(report: &Report) -> String {
    let mut frame = Frame::new(
        "ROC curve: spam caught by ham blocked, on a logarithmic axis",
        RARE,
        ALL,
    );
    frame.axes("ham blocked (logarithmic)", &SMALL_SHARES, "spam caught", &SHARES);
    if let Some(comparison) = &report.comparison {
        frame.line("baseline", comparison.roc.iter().map(|point| (point.x, point.y)), true);
    }
    frame.line("spam", report.roc.iter().map(|point| (point.x, point.y)), true);
    let v = &report.verdicts;
    if let (Some(ham), Some(spam)) = (v.ham_rejected, v.spam_rejected) {
        let tip = format!(
            "rejected: {} of spam, {} of ham",
            percent(spam.value),
            percent(ham.value)
        );
        frame.dot("ink", ham.value, spam.value, 4.5, &tip);
        frame.note(ham.value, spam.value - 0.06, "start shift", "rejected");
    }
    if let (Some(held), Some(rejected), Some(spam)) = (v.ham_held, v.ham_rejected, v.spam_rejected_or_held) {
        let ham = held.value + rejected.value;
        let tip = format!(
            "rejected or held: {} of spam, {} of ham",
            percent(spam.value),
            percent(ham)
        );
        frame.dot("ink", ham, spam.value, 4.5, &tip);
        frame.note(ham, spam.value - 0.06, "start shift", "rejected or held");
    }
    frame.end()
}

/// Precision by spam caught.
pub(super) fn precision_recall(report: &Report) -> String {
    // From the highest round floor that the curve keeps above until nearly all spam is caught, so that a good curve is
    // not a line along the top.
    let lowest = report
        .precision_recall
        .iter()
        .filter(|point| point.x > 0.02 && point.x < 0.97)
        .map(|point| point.y);
    let lowest = lowest.fold(1.0, f64::min);
    let floor = [0.95, 0.9, 0.8, 0.6]
        .into_iter()
        .find(|floor| *floor <= lowest)
        .unwrap_or(0.0);
    let ticks: Vec<(f64, String)> = (0..=5)
        .map(|fifth| floor + (1.0 - floor) * f64::from(fifth) / 5.0)
        .map(|tick| (tick, format!("{:.0} %", 100.0 * tick)))
        .collect();
    let ticks: Vec<(f64, &str)> = ticks.iter().map(|(tick, label)| (*tick, label.as_str())).collect();
    let y = Scale::Linear { from: floor, to: 1.0 };
    let mut frame = Frame::new("Precision by spam caught", ALL, y);
    frame.axes("spam caught", &SHARES, "precision", &ticks);
    frame.line(
        "spam",
        report.precision_recall.iter().map(|point| (point.x, point.y)),
        false,
    );
    frame.end()
}

/// The share of spam among comments of each stated probability.
pub(super) fn reliability(report: &Report) -> String {
    let mut frame = Frame::new("Reliability: share of spam by stated probability", ALL, ALL);
    frame.axes("mean spam probability", &SHARES, "share that is spam", &SHARES);
    frame.line("ideal", [(0.0, 0.0), (1.0, 1.0)].into_iter(), false);
    let most = report.reliability.iter().map(|bin| bin.n).max().unwrap_or(1) as f64;
    for bin in &report.reliability {
        let (Some(mean), Some(spam)) = (bin.mean_probability, bin.spam) else {
            continue;
        };
        let tip = format!(
            "{} comments, mean {:.3}, spam {}",
            count(bin.n),
            mean,
            percent(spam.value)
        );
        frame.line("whisker", [(mean, spam.low), (mean, spam.high)].into_iter(), false);
        // The dot's size says how many comments stand behind it.
        frame.dot(
            "ham",
            mean,
            spam.value,
            2.5 + 4.5 * ((bin.n as f64).ln_1p() / most.ln_1p()),
            &tip,
        );
    }
    if let Some(error) = report.measures.get(Measure::CalibrationError) {
        frame.note(0.03, 0.93, "start", &format!("calibration error {:.4}", error.value));
    }
    frame.end()
}

/// Counts by probability: spam above the line, ham below it, logarithmic.
pub(super) fn histogram(report: &Report) -> String {
    let most = report
        .histogram
        .iter()
        .map(|bin| bin.ham.max(bin.spam))
        .max()
        .unwrap_or(1)
        .max(10) as f64;
    let height = |n: usize| (n as f64 + 1.0).log10() / (most + 1.0).log10();
    let decades: Vec<usize> = (1..7)
        .map(|power| 10_usize.pow(power))
        .take_while(|&n| n as f64 <= most)
        .collect();
    let labels: Vec<(usize, String)> = decades.iter().map(|&n| (n, count(n))).collect();
    let above = labels.iter().map(|(n, label)| (height(*n), label.as_str()));
    let below = labels.iter().map(|(n, label)| (-height(*n), label.as_str()));
    let ticks: Vec<(f64, &str)> = above.chain(below).chain([(0.0, "0")]).collect();
    let y = Scale::Linear { from: -1.05, to: 1.05 };
    let mut frame = Frame::new("Comments by probability and label, logarithmic counts", ALL, y);
    let x_ticks = [(0.0, "0"), (0.25, "0.25"), (0.5, "0.5"), (0.75, "0.75"), (1.0, "1")];
    frame.axes("spam probability", &x_ticks, "comments (logarithmic)", &ticks);
    for bin in &report.histogram {
        for (class, n, side) in [("spam", bin.spam, 1.0), ("ham", bin.ham, -1.0)] {
            if n == 0 {
                continue;
            }
            let (left, base) = frame.at(bin.from, 0.0);
            let (right, tip) = frame.at(bin.to, side * height(n));
            let (top, tall, wide) = (tip.min(base), (tip - base).abs(), right - left - 1.0);
            let (from, to, n) = (bin.from, bin.to, count(n));
            frame.add(format_args!(
                "<rect class=\"fill {class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{tall:.1}\">\
                 <title>{n} {class}, probability {from:.3} to {to:.3}</title></rect>"
            ));
        }
    }
    frame.thresholds(&report.thresholds);
    frame.end()
}

/// Both kinds of error by threshold.
pub(super) fn trade_off(report: &Report) -> String {
    let x = Scale::Logit {
        from: 0.005,
        to: 0.9995,
    };
    let mut frame = Frame::new("Errors by threshold: ham stopped and spam let through", x, RARE);
    let x_ticks = [
        (0.01, "0.01"),
        (0.1, "0.1"),
        (0.5, "0.5"),
        (0.9, "0.9"),
        (0.99, "0.99"),
        (0.999, "0.999"),
    ];
    frame.axes(
        "threshold on the spam probability (log-odds)",
        &x_ticks,
        "comments on the wrong side",
        &SMALL_SHARES,
    );
    let inside = |point: &&CurvePoint| point.threshold > 0.004 && point.threshold < 0.9996;
    frame.line(
        "ham",
        report.roc.iter().filter(inside).map(|point| (point.threshold, point.x)),
        false,
    );
    frame.line(
        "spam",
        report
            .roc
            .iter()
            .filter(inside)
            .map(|point| (point.threshold, 1.0 - point.y)),
        false,
    );
    frame.thresholds(&report.thresholds);
    frame.end()
}

/// A value with its interval on a line from `from` to 1, small enough for a table cell.
pub(super) fn whisker(value: f64, low: f64, high: f64, from: f64) -> String {
    let place = |v: f64| 3.0 + 94.0 * ((v - from) / (1.0 - from)).clamp(0.0, 1.0);
    format!(
        "<svg class=\"whisker\" viewBox=\"0 0 100 14\" aria-hidden=\"true\"><path class=\"grid\" d=\"M3 7H97\"/>\
         <path class=\"bar\" d=\"M{:.1} 7H{:.1}\"/><circle cx=\"{:.1}\" cy=\"7\" r=\"3\"/></svg>",
        place(low),
        place(high),
        place(value)
    )
}
