//! `moderato evaluate`: measures a model on labeled comments, or the way of training by a published protocol.
//!
//! It glues `train` (reading, folds, fitting), `model` (scoring, explaining) and `eval` (everything said about that).

mod gate;
mod protocols;
mod scoring;

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::builder::NonEmptyStringValueParser;

use self::scoring::Answers;
use super::serve::load_model;
use super::{CommandResult, Exit, Failure, output};
use crate::artifact::SHIPPED;
use crate::eval::budget::Budget;
use crate::eval::report::{Fact, Report};
use crate::eval::{self, Context};
use crate::model::SpamModel;
use crate::report::{self, Color};
use crate::train::corpus::{self, Corpus};
use crate::train::split;

/// Terms shown of each view towards either side.
const TERMS_MAX: usize = 12;

/// `moderato evaluate`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moderato evaluate --data labeled.jsonl                             the shipped model, as text
  moderato evaluate --model mine.moderato --data a.jsonl b.jsonl --format html --out report.html
  moderato evaluate --model new.moderato --baseline old.moderato --data labeled.jsonl
  moderato evaluate --model new.moderato --baseline shipped --data held-out.jsonl --gate  exit 5 if it is worse
  moderato evaluate --data labeled.jsonl --max-ham-rejected 0.001 --min-spam-caught 0.85   exit 5 if missed
  moderato evaluate --folds 5 --data mine.jsonl                       what training on these comments gives
  moderato evaluate --protocol lovo --data train/youtube*.jsonl       a published table, repeated
  moderato evaluate --protocol places --place youtube --data train/*.jsonl   each source judged by who has not seen it

A line of --data is an object with `label` (ham or spam) and `content`, and `author_name`, `source`, `id` where known.
Ham is rejected or held, spam is rejected or caught (rejected or held) at the thresholds of the model; accuracy, MCC and
the like are at probability 0.5. Intervals are at 95 %. A model is measured honestly only on comments that it has not
seen: for the comments that it was trained on, use --folds or --protocol, which train anew without each part in turn.
The text of comments is shown as its shape unless --show-text asks for it.")]
pub(super) struct Args {
    /// Labeled comments, as JSON Lines
    #[arg(long, value_name = "F", required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// The spam model: a file, a model directory or `shipped` [default: shipped]
    #[arg(long, value_name = "F", conflicts_with_all = ["protocol", "folds"])]
    model: Option<PathBuf>,
    /// Compare with this model on the same comments: a file, a model directory or `shipped`
    #[arg(long, value_name = "F", conflicts_with_all = ["protocol", "folds"])]
    baseline: Option<PathBuf>,
    /// Train and test by a published protocol instead of measuring a model
    #[arg(long, value_enum, value_name = "P")]
    protocol: Option<protocols::Name>,
    /// With --protocol places: make one place of all sources that begin so; may be repeated
    #[arg(long, value_name = "PREFIX", requires = "protocol", value_parser = NonEmptyStringValueParser::new())]
    place: Vec<String>,
    /// Train and test by cross-validation over N folds, which near-duplicates never straddle
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100))]
    folds: Option<u32>,
    /// Labeled comments kept out of everything but the certification of each fold's reject threshold [default:
    /// some of the training ham]
    #[arg(long, value_name = "F", num_args = 1.., conflicts_with = "model")]
    certify: Vec<PathBuf>,
    /// Write the folds as JSON Lines (name, train, test: positions of comments from 0) and stop
    #[arg(long, value_name = "F")]
    export_folds: Option<PathBuf>,
    /// Decides folds, training and the resampling of intervals
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How to print the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write the report to a file instead of standard output
    #[arg(long, value_name = "F")]
    out: Option<PathBuf>,
    /// Show the text of the worst errors, not only its shape
    #[arg(long)]
    show_text: bool,
    /// Count bad lines and go on, instead of stopping at the first
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    gate: gate::GateArgs,
    #[command(flatten)]
    budgets: Budgets,
}

/// Quality budgets: exit 5 if one is missed.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Quality budgets (exit 5 if one is missed)")]
struct Budgets {
    /// At most this share of ham rejected
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_ham_rejected: Option<f64>,
    /// At most this share of ham held
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_ham_held: Option<f64>,
    /// At least this share of spam rejected
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_spam_rejected: Option<f64>,
    /// At least this share of spam rejected or held
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_spam_caught: Option<f64>,
    /// At least this MCC at probability 0.5
    #[arg(long, value_name = "MCC", value_parser = share)]
    min_mcc: Option<f64>,
    /// At most this calibration error
    #[arg(long, value_name = "ERROR", value_parser = share)]
    max_calibration_error: Option<f64>,
}

impl Budgets {
    fn stated(&self) -> Vec<(Budget, f64)> {
        let all = [
            (Budget::MaxHamRejected, self.max_ham_rejected),
            (Budget::MaxHamHeld, self.max_ham_held),
            (Budget::MinSpamRejected, self.min_spam_rejected),
            (Budget::MinSpamCaught, self.min_spam_caught),
            (Budget::MinMcc, self.min_mcc),
            (Budget::MaxCalibrationError, self.max_calibration_error),
        ];
        all.into_iter()
            .filter_map(|(budget, limit)| Some((budget, limit?)))
            .collect()
    }
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal.
    Text,
    /// For programs; the field names are stable.
    Json,
    /// One page for people, which needs nothing but itself.
    Html,
}

/// A share as written on the command line, in [0, 1].
fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share from 0 to 1 is needed, for example 0.001".to_owned()),
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> CommandResult {
    let corpus = corpus::read(&args.data, args.skip_bad).map_err(|error| Failure::new(Exit::Data, error))?;
    if corpus.examples.is_empty() {
        let error = anyhow::anyhow!("found no labeled comment in the {} file(s) of --data", args.data.len());
        return Err(Failure::new(Exit::Data, error));
    }
    if args.protocol.is_some() || args.folds.is_some() || args.export_folds.is_some() {
        return protocols::run(args, corpus);
    }
    let model = load(args.model.as_deref())?;
    let groups = split::groups(&corpus.examples);
    let answers = Answers::of_model(&model, &corpus.examples, "scoring");
    let scored = answers.scored(&corpus.examples, &groups);
    let baseline = args.baseline.as_deref().map(|path| load(Some(path))).transpose()?;
    let baseline_answers = baseline.as_ref().map(|model| {
        (
            model.version(),
            Answers::of_model(model, &corpus.examples, "scoring the baseline"),
        )
    });
    let old = baseline_answers
        .as_ref()
        .map(|(version, answers)| (*version, answers.scored(&corpus.examples, &groups)));
    let gate = match (&baseline, &old) {
        (Some(baseline), Some((_, old))) => {
            let held_out = gate::HeldOut {
                models: [baseline, &model],
                scored: [old, &scored],
                seed: args.seed,
                skip_bad: args.skip_bad,
                show_text: args.show_text,
            };
            gate::judge(&args.gate, &held_out)?
        }
        _ => None,
    };
    let named = |path: Option<&PathBuf>| match path {
        Some(path) if path.as_os_str() != SHIPPED => file_name(path),
        _ => "the shipped model".to_owned(),
    };
    let terms = scoring::strongest_terms(&corpus.examples, &groups, |_| Some(&model), TERMS_MAX);
    let mut about = vec![fact(
        "model",
        &format!("{} ({})", named(args.model.as_ref()), model.version()),
    )];
    about.extend(data_facts(&corpus, args));
    let trained_on = trained_on(&model, &corpus);
    if !trained_on.is_empty() {
        output::warn(&format!(
            "the model was trained on {}: these figures flatter it",
            trained_on.join(", ")
        ));
    }
    let report = eval::evaluate(
        &scored,
        Context {
            trained_on,
            title: format!("{} on {}", named(args.model.as_ref()), data_name(&corpus)),
            about,
            thresholds: vec![answers.thresholds[0]],
            baseline: old.as_ref().map(|(version, scored)| {
                (
                    format!("{} ({version})", named(args.baseline.as_ref())),
                    scored.as_slice(),
                )
            }),
            terms,
            gate,
            budgets: args.budgets.stated(),
            places: None,
            show_text: args.show_text,
            seed: args.seed,
        },
    );
    finish(&report, args)
}

/// The files that the model's card names with the same digest.
fn trained_on(model: &SpamModel, corpus: &Corpus) -> Vec<String> {
    let known = |sha256: &str| model.card().data.iter().any(|file| file.sha256 == sha256);
    let files = corpus.files.iter().filter(|file| known(&file.sha256));
    files.map(|file| file.name.clone()).collect()
}

fn load(path: Option<&std::path::Path>) -> Result<SpamModel, Failure> {
    load_model(path)
}

/// Writes the report where it was asked for, and says by the exit code whether the budgets are met.
fn finish(report: &Report, args: &Args) -> CommandResult {
    let unexpected = |error: anyhow::Error| Failure::new(Exit::Unexpected, error);
    let color = if args.out.is_none() && io::stdout().is_terminal() {
        Color::Ansi
    } else {
        Color::Never
    };
    let rendered = match args.format {
        Format::Text => report::text(report, color),
        Format::Json => report::json(report)
            .context("write the report as JSON")
            .map_err(unexpected)?,
        Format::Html => report::html(report),
    };
    match &args.out {
        Some(path) => fs::write(path, rendered.trim_end().to_owned() + "\n")
            .with_context(|| format!("write the report to {}", path.display()))
            .map_err(unexpected)?,
        None => output::line(rendered.trim_end())?,
    }
    let missed: Vec<&str> = report
        .budgets
        .iter()
        .filter(|check| !check.met)
        .map(|check| check.budget.title())
        .collect();
    let failed = report.gate.as_ref().is_some_and(|gate| !gate.passed);
    if failed {
        output::note("the gate failed: this model is worse than the baseline by more than is allowed");
    }
    if !missed.is_empty() {
        output::note(&format!("missed: {}", missed.join(", ")));
    }
    Ok(if failed || !missed.is_empty() {
        Exit::Quality
    } else {
        Exit::Ok
    })
}

/// What a reader of the report needs to repeat it.
fn data_facts(corpus: &Corpus, args: &Args) -> Vec<Fact> {
    let mut facts: Vec<Fact> = file_names(corpus)
        .map(|names| fact("data", &names))
        .into_iter()
        .collect();
    let left_out = |what: &str, n: u64| (n > 0).then(|| fact(what, &n.to_string()));
    facts.extend(left_out(
        "bad lines skipped",
        corpus.files.iter().map(|file| file.n_bad).sum(),
    ));
    facts.extend(left_out(
        "blank comments skipped",
        corpus.files.iter().map(|file| file.n_blank).sum(),
    ));
    facts.push(fact("seed", &args.seed.to_string()));
    facts
}

/// The files by name and digest: the same name may hold other comments tomorrow.
fn file_names(corpus: &Corpus) -> Option<String> {
    let names: Vec<String> = corpus
        .files
        .iter()
        .map(|file| format!("{} ({:.8})", file.name, file.sha256))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn data_name(corpus: &Corpus) -> String {
    match corpus.files.as_slice() {
        [only] => only.name.clone(),
        several => format!("{} files", several.len()),
    }
}

fn fact(name: &str, value: &str) -> Fact {
    Fact {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn file_name(path: &std::path::Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
