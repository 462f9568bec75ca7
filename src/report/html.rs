//! The report as one page that needs nothing but itself: style and pictures are inside, nothing is fetched, no script.

use super::charts;
use super::figures::{count, or_dash, percent, percent_range};
use super::markup::{dressed_table, escape, figure, put, section, table};
use super::tables;
use super::text::thresholds;
use crate::eval::interval::Estimate;
use crate::eval::metrics::Measure;
use crate::eval::report::{Report, Slices, VerdictCounts};
use crate::eval::terms::{TermWeight, ViewTerms};

const STYLE: &str = include_str!("page.css");

/// The report as a self-contained HTML page, for screens light and dark and for paper.
pub fn html(report: &Report) -> String {
    let mut page = String::with_capacity(64 * 1024);
    let title = escape(&report.title);
    put(
        &mut page,
        format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><style>{STYLE}</style></head><body>\n"
        ),
    );
    header(&mut page, report);
    page.push_str("<main>");
    promise(&mut page, report);
    if !report.budgets.is_empty() {
        section(
            &mut page,
            "budgets",
            "Budgets",
            "What was asked of this model beforehand.",
            |page| {
                table(page, &tables::budgets(report));
            },
        );
    }
    gate(&mut page, report);
    verdicts(&mut page, report);
    if let Some(places) = &report.places {
        let lead = "Each place was judged by a model that was trained on all others.";
        section(&mut page, "places", "Place by place", lead, |page| {
            table(page, &tables::places(places, &report.verdicts));
        });
    }
    pictures(&mut page, report);
    comparison(&mut page, report);
    section(
        &mut page,
        "measures",
        "Measures",
        "Intervals draw whole groups of near-duplicates again and again; counted shares get at least the exact interval.",
        |page| table(page, &tables::measures(report)),
    );
    section(
        &mut page,
        "slices",
        "Where it is good, and where not",
        "The same comments divided several ways. MCC is shown with its 95 % interval; small parts have wide ones.",
        |page| {
            let floor = whisker_floor(report);
            put(
                page,
                format_args!("<p class=\"lead\">The line beside an MCC runs from {floor:.1} to 1.</p>"),
            );
            report
                .slices
                .iter()
                .for_each(|slices| self::slices(page, slices, floor));
        },
    );
    other_thresholds(&mut page, report);
    terms(&mut page, report);
    worst(&mut page, report);
    put(
        &mut page,
        format_args!(
            "</main><footer>moderato evaluate · {}</footer></body></html>\n",
            report.schema
        ),
    );
    page
}

/// The gate's verdict, and the comments whose verdicts would change.
fn gate(page: &mut String, report: &Report) {
    let Some(gate) = &report.gate else { return };
    let lead = if gate.passed {
        "Passed: nothing is worse than the baseline by more than is allowed."
    } else {
        "Failed: something is worse than the baseline by more than is allowed."
    };
    section(page, "gate", "Gate", lead, |page| {
        table(page, &tables::gate(gate));
        for list in &gate.flips {
            put(page, format_args!("<h3>{}</h3>", escape(&tables::flip_title(list))));
            table(page, &tables::flipped(list));
        }
    });
}

fn header(page: &mut String, report: &Report) {
    put(
        page,
        format_args!(
            "<header><p class=\"brand\">moderato · evaluation</p><h1>{}</h1>",
            escape(&report.title)
        ),
    );
    if let Some(warning) = tables::flattered(report) {
        put(page, format_args!("<p class=\"warning\">{}</p>", escape(&warning)));
    }
    page.push_str("<dl>");
    let comments = format!("{} ham, {} spam", count(report.n_ham), count(report.n_spam));
    let facts = report.about.iter().map(|fact| (fact.name.clone(), fact.value.clone()));
    let thresholds = thresholds(&report.thresholds).into_iter().filter_map(|line| {
        line.split_once(": ")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    });
    for (name, value) in facts.chain([("comments".to_owned(), comments)]).chain(thresholds) {
        let class = if value.chars().count() > 64 { "wide" } else { "fact" };
        put(
            page,
            format_args!(
                "<div class=\"{class}\"><dt>{}</dt><dd>{}</dd></div>",
                escape(&name),
                escape(&value)
            ),
        );
    }
    page.push_str("</dl></header>");
}

/// Four numbers that a desk decides by, in large type.
fn promise(page: &mut String, report: &Report) {
    let v = &report.verdicts;
    let tiles = [
        ("spam", "spam rejected", v.spam_rejected, v.spam.reject),
        (
            "spam",
            "spam rejected or held",
            v.spam_rejected_or_held,
            v.spam.reject + v.spam.hold,
        ),
        ("ham", "readers held", v.ham_held, v.ham.hold),
        ("ham", "readers rejected", v.ham_rejected, v.ham.reject),
    ];
    page.push_str("<section class=\"tiles\">");
    for (class, name, estimate, n) in tiles {
        let share = or_dash(estimate, |e: Estimate| percent(e.value));
        let interval = or_dash(estimate, percent_range);
        put(
            page,
            format_args!(
                "<div class=\"tile {class}\"><p class=\"name\">{name}</p><p class=\"big\">{share}</p>\
                 <p class=\"small\">{} comments<br>95 %: {interval}</p></div>",
                count(n)
            ),
        );
    }
    page.push_str("</section>");
}

fn verdicts(page: &mut String, report: &Report) {
    let lead = "What the classifier alone says at its thresholds, against what people said.";
    section(page, "verdicts", "Verdicts", lead, |page| {
        for (label, counts) in [("ham", &report.verdicts.ham), ("spam", &report.verdicts.spam)] {
            bar(page, label, counts);
        }
        table(page, &tables::confusion(report));
    });
}

/// One label's verdicts as a bar.
fn bar(page: &mut String, label: &str, counts: &VerdictCounts) {
    let all = counts.total();
    if all == 0 {
        return;
    }
    put(
        page,
        format_args!("<div class=\"verdicts\"><span class=\"label\">{label}</span><div class=\"stack\">"),
    );
    for (class, word, n) in [
        ("approve", "approved", counts.approve),
        ("hold", "held", counts.hold),
        ("reject", "rejected", counts.reject),
    ] {
        if n == 0 {
            continue;
        }
        let share = n as f64 / all as f64;
        // A part too narrow for its words says them on hover.
        let words = if share > 0.12 {
            format!("{word} {}", percent(share))
        } else {
            String::new()
        };
        put(
            page,
            format_args!(
                "<span class=\"{class}\" style=\"flex-grow:{share:.6}\" title=\"{word}: {} ({})\">{words}</span>",
                count(n),
                percent(share)
            ),
        );
    }
    page.push_str("</div></div>");
}

fn pictures(page: &mut String, report: &Report) {
    page.push_str("<section id=\"pictures\"><h2>Pictures</h2><div class=\"charts\">");
    let baseline = if report.comparison.is_some() {
        " The dashed curve is the baseline."
    } else {
        ""
    };
    if !report.roc.is_empty() {
        let roc = format!(
            "How much spam is caught for the ham that is blocked. The dots are this model's verdicts.{baseline}"
        );
        figure(page, "ROC", &roc, &charts::roc(report));
        figure(
            page,
            "Precision and recall",
            "How much of what is stopped is spam.",
            &charts::precision_recall(report),
        );
    }
    let reliability =
        "On the diagonal, a stated probability means what it says. Bars are 95 % intervals, large dots many comments.";
    figure(page, "Reliability", reliability, &charts::reliability(report));
    let histogram = "<b class=\"spam\">Spam</b> above the line, <b class=\"ham\">ham</b> below it.";
    figure(page, "Probabilities", histogram, &charts::histogram(report));
    page.push_str("</div></section>");
}

fn comparison(page: &mut String, report: &Report) {
    let Some(comparison) = &report.comparison else { return };
    let title = format!("Against {}", escape(&comparison.baseline));
    let lead = "Both models on the same comments. A difference is clear if its whole interval is on one side of zero.";
    section(page, "comparison", &title, lead, |page| {
        table(page, &tables::comparison(comparison));
        table(page, &tables::flips(comparison));
    });
}

fn other_thresholds(page: &mut String, report: &Report) {
    let lead = "What would be stopped (held or rejected) from each spam probability on.";
    section(page, "thresholds", "Other thresholds", lead, |page| {
        page.push_str("<div class=\"beside\">");
        if !report.roc.is_empty() {
            let errors = "<b class=\"ham\">Ham</b> that is stopped and <b class=\"spam\">spam</b> that is let through, \
                          by threshold.";
            figure(page, "Errors by threshold", errors, &charts::trade_off(report));
        }
        table(page, &tables::trade_off(report));
        page.push_str("</div>");
    });
}

/// The start of the lines beside the slices' MCC: a round number below most intervals.
fn whisker_floor(report: &Report) -> f64 {
    let rows = report.slices.iter().flat_map(|slices| &slices.rows);
    let lowest = rows
        .filter_map(|slice| slice.measures.get(Measure::Mcc))
        .map(|mcc| mcc.low)
        .fold(0.9, f64::min);
    (10.0 * lowest).floor().max(0.0) / 10.0
}

fn slices(page: &mut String, slices: &Slices, floor: f64) {
    let shown = tables::slices(slices);
    dressed_table(page, "slices", &shown, |row, column| {
        let mcc = (column == 7)
            .then(|| slices.rows.get(row)?.measures.get(Measure::Mcc))
            .flatten()?;
        Some(format!(
            "{} {:.3}",
            charts::whisker(mcc.value, mcc.low, mcc.high, floor),
            mcc.value
        ))
    });
}

fn terms(page: &mut String, report: &Report) {
    if report.terms.is_empty() {
        return;
    }
    let lead = "What moved these comments most, in log-odds summed over all of them, view by view. Only what at least \
                three different texts share is shown.";
    section(page, "terms", "Terms that weighed most", lead, |page| {
        page.push_str("<div class=\"views\">");
        for view in &report.terms {
            put(
                page,
                format_args!(
                    "<div class=\"view\"><h3>{}</h3><div class=\"sides\">",
                    escape(&view.view)
                ),
            );
            side(page, "spam", &view.spam, heaviest(view));
            side(page, "ham", &view.ham, heaviest(view));
            page.push_str("</div></div>");
        }
        page.push_str("</div>");
    });
}

fn heaviest(view: &ViewTerms) -> f64 {
    view.spam
        .iter()
        .chain(&view.ham)
        .map(|weight| weight.total_log_odds.abs())
        .fold(f64::MIN_POSITIVE, f64::max)
}

fn side(page: &mut String, class: &str, weights: &[TermWeight], heaviest: f64) {
    put(page, format_args!("<ol class=\"{class}\">"));
    for weight in weights {
        let width = 100.0 * weight.total_log_odds.abs() / heaviest;
        put(
            page,
            format_args!(
                "<li style=\"--w:{width:.1}%\"><code>{}</code><span>{:+.0} · {}×</span></li>",
                escape(&weight.term),
                weight.total_log_odds,
                count(weight.n)
            ),
        );
    }
    page.push_str("</ol>");
}

fn worst(page: &mut String, report: &Report) {
    let sides = [
        ("worst-ham", "Ham that looks most like spam", &report.worst_ham),
        ("worst-spam", "Spam that looks most like ham", &report.worst_spam),
    ];
    for (id, title, errors) in sides {
        if !errors.is_empty() {
            let lead = "One of each group of near-duplicates. Labels can be wrong too: read these first.";
            section(page, id, title, lead, |page| table(page, &tables::worst(errors)));
        }
    }
}
