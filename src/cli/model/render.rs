//! Models and versions for people; the structs are the JSON output, too.

use std::fmt::Write as _;

use serde::Serialize;

use crate::artifact::{Diff, Entry, History, ModelDir};
use crate::model::{Card, CardThresholds, Metrics, Promise, SpamModel};

/// The versions of a model directory.
#[derive(Serialize)]
pub(super) struct Listed {
    current: Option<String>,
    versions: Vec<Version>,
    history: Vec<Entry>,
}

/// A version that was current once.
#[derive(Serialize)]
struct Version {
    version: String,
    current: bool,
    /// When it last became current.
    at: String,
    reason: Option<String>,
    name: Option<String>,
    bytes: Option<u64>,
    /// Why it cannot be used, if so.
    problem: Option<String>,
}

impl Listed {
    pub(super) fn new(dir: &ModelDir, history: &History) -> Self {
        let current = history.current();
        let version = |version: &str| {
            let entry = history.entries.iter().rfind(|entry| entry.version == version);
            let loaded = dir.load(version);
            Version {
                version: version.to_owned(),
                current: current == Some(version),
                at: entry.map(|entry| entry.at.clone()).unwrap_or_default(),
                reason: entry.and_then(|entry| entry.reason.clone()),
                bytes: std::fs::metadata(dir.artifact(version)).ok().map(|about| about.len()),
                name: loaded.as_ref().ok().map(|model| model.card().name.clone()),
                problem: loaded.err().map(|error| format!("{:#}", anyhow::Error::new(error))),
            }
        };
        Self {
            current: current.map(str::to_owned),
            versions: history.versions().into_iter().map(version).collect(),
            history: history.entries.clone(),
        }
    }
}

pub(super) fn list(listed: &Listed) -> String {
    if listed.history.is_empty() {
        return "no model was promoted here yet".to_owned();
    }
    let mut text = String::new();
    for version in &listed.versions {
        let mark = if version.current { '*' } else { ' ' };
        let name = version.name.as_deref().unwrap_or("-");
        let size = version.bytes.map_or_else(|| "-".to_owned(), megabytes);
        let problem = version
            .problem
            .as_deref()
            .map(|p| format!("  CANNOT BE USED: {p}"))
            .unwrap_or_default();
        put(
            &mut text,
            format_args!("{mark} {}  {name}  {size}{problem}", version.version),
        );
    }
    text.push('\n');
    for entry in &listed.history {
        let reason = entry
            .reason
            .as_deref()
            .map(|reason| format!("  {reason}"))
            .unwrap_or_default();
        let from = entry.previous.as_deref().unwrap_or("nothing");
        put(
            &mut text,
            format_args!(
                "{}  {:8}  {from} → {}{reason}",
                entry.at,
                entry.action.as_str(),
                entry.version
            ),
        );
    }
    text
}

/// What a model says of itself.
#[derive(Serialize)]
pub(super) struct Shown {
    version: String,
    n_terms: usize,
    card: Card,
}

impl Shown {
    pub(super) fn new(model: &SpamModel) -> Self {
        Self {
            version: model.version().to_owned(),
            n_terms: model.n_terms(),
            card: model.card().clone(),
        }
    }
}

pub(super) fn show(shown: &Shown) -> String {
    let card = &shown.card;
    let mut text = format!("{} ({})\n", shown.version, card.name);
    put(
        &mut text,
        format_args!("  made by     {}{}", card.made_by, made_at(card)),
    );
    let training = &card.training;
    put(
        &mut text,
        format_args!(
            "  learned from {} comments, {} of them spam",
            training.n_examples, training.n_spam
        ),
    );
    for file in &card.data {
        put(
            &mut text,
            format_args!(
                "              {} ({:.8}): {} comments",
                file.name, file.sha256, file.n_examples
            ),
        );
    }
    put(&mut text, format_args!("  terms       {}", shown.n_terms));
    put(&mut text, format_args!("  thresholds  {}", thresholds(card.thresholds)));
    put(
        &mut text,
        format_args!("  promise     {}", promise(card.promise.as_ref())),
    );
    for (name, value) in metrics(&card.metrics) {
        put(&mut text, format_args!("  {name:24} {value:.4}"));
    }
    text
}

pub(super) fn diff(diff: &Diff) -> String {
    let [a, b] = &diff.cards;
    let mut text = format!(
        "{} ({})  →  {} ({})\n",
        diff.versions[0], a.name, diff.versions[1], b.name
    );
    if diff.versions[0] == diff.versions[1] {
        text.push_str("the same model\n");
        return text;
    }
    let mut row = |name: &str, a: String, b: String| {
        let same = if a == b { "  (same)" } else { "" };
        put(&mut text, format_args!("  {name:24} {a}  →  {b}{same}"));
    };
    row("size", megabytes(diff.bytes[0]), megabytes(diff.bytes[1]));
    row("thresholds", thresholds(a.thresholds), thresholds(b.thresholds));
    row("promise", promise(a.promise.as_ref()), promise(b.promise.as_ref()));
    let comments = |card: &Card| format!("{} ({} spam)", card.training.n_examples, card.training.n_spam);
    row("comments learned from", comments(a), comments(b));
    row("made by", a.made_by.clone(), b.made_by.clone());
    for ((name, old), (_, new)) in metrics(&a.metrics).into_iter().zip(metrics(&b.metrics)) {
        row(name, format!("{old:.4}"), format!("{new:.4}"));
    }
    for (sign, from, other) in [('-', a, b), ('+', b, a)] {
        for file in from.data.iter().filter(|file| !other.data.contains(file)) {
            put(
                &mut text,
                format_args!(
                    "  {sign} {} ({:.8}): {} comments",
                    file.name, file.sha256, file.n_examples
                ),
            );
        }
    }
    let terms = &diff.terms;
    put(
        &mut text,
        format_args!(
            "  terms: {} as before, {} changed ({} of them to the other side), {} gone, {} new",
            terms.same, terms.changed, terms.turned, terms.removed, terms.added
        ),
    );
    text.push_str("  strongest changes, by the terms' hashes, in log-odds towards spam:\n");
    let weight = |weight: Option<f32>| weight.map_or_else(|| "–".to_owned(), |w| format!("{w:+.2}"));
    for change in &diff.strongest {
        let [old, new] = change.weights.map(weight);
        put(&mut text, format_args!("    {}  {old:>7}  →  {new:>7}", change.hash));
    }
    text
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

fn made_at(card: &Card) -> String {
    card.made_at.as_ref().map(|at| format!(", {at}")).unwrap_or_default()
}

fn thresholds(thresholds: CardThresholds) -> String {
    let reject = thresholds
        .reject_at
        .map_or_else(|| "never rejects".to_owned(), |at| format!("reject at {at:.4}"));
    format!("hold at {:.4}, {reject}", thresholds.hold_at)
}

fn promise(promise: Option<&Promise>) -> String {
    promise.map_or_else(
        || "none".to_owned(),
        |p| {
            format!(
                "at most {} of readers rejected, {:.0} % sure ({} of {} missed)",
                p.target,
                100.0 * p.confidence,
                p.missed,
                p.support
            )
        },
    )
}

fn metrics(metrics: &Metrics) -> [(&'static str, f64); 7] {
    let Metrics {
        mcc,
        brier,
        calibration_error,
        spam_rejected,
        spam_rejected_or_held,
        ham_held,
        ham_rejected,
    } = *metrics;
    [
        ("MCC", mcc),
        ("Brier score", brier),
        ("calibration error", calibration_error),
        ("spam rejected", spam_rejected),
        ("spam rejected or held", spam_rejected_or_held),
        ("ham held", ham_held),
        ("ham rejected", ham_rejected),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
