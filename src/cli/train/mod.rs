//! `moderato train`: from labeled comments to a model file, with its report.

use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{CommandResult, Exit, Failure};
use crate::artifact;
use crate::comment::Example;
use crate::eval::threshold::HoldBudget;
use crate::model::DataFile;
use crate::train::corpus::{self, FileSummary, Source};
use crate::train::{self, Hold, Progress, TrainError, TrainParams, Trained};

mod feedback;
mod from;
mod report;

/// `moderato train …`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moderato train --data comments.jsonl --out mine.moderato
  moderato train --data a.jsonl --data b.jsonl --certify readers.jsonl --out mine.moderato --require-promise
  moderato train --data comments.jsonl --out mine.moderato --hold-budget 40/day --expect 6600/day
  moderato train --from mine.moderato --data labels.jsonl --certify readers.jsonl --out next.moderato
  moderato train --from mine.moderato --feedback --data-dir D --certify readers.jsonl --out next.moderato

A line of data: {\"label\": \"spam\" or \"ham\", \"content\": \"…\", \"source\": \"…\"}. At least 20 of each label.")]
pub(super) struct Args {
    /// Labeled comments, JSON Lines; may be given again
    #[arg(long, required_unless_present = "feedback", value_name = "F", num_args = 1..)]
    data: Vec<PathBuf>,
    /// Where to write the model
    #[arg(long, value_name = "M")]
    out: PathBuf,
    /// Go on from this model: --data and --feedback hold only what is new. The new model is written only if it is not
    /// worse than this one
    #[arg(long, value_name = "M")]
    from: Option<PathBuf>,
    /// With --from: evidence loses half of its worth in so many days, by the dates of the labels
    #[arg(long, value_name = "DAYS", requires = "from")]
    half_life: Option<f64>,
    /// With --from or --feedback: of one reviewer's labels of one kind, this many count, the newest
    #[arg(long, value_name = "N", default_value_t = 100)]
    reviewer_cap: usize,
    /// With --from: labeled comments for the comparison alone
    #[arg(long, value_name = "F", num_args = 1.., requires = "from")]
    holdout: Vec<PathBuf>,
    /// With --from: write the model although it is worse, for this reason, which goes into its card
    #[arg(long, value_name = "REASON", requires = "from")]
    force: Option<String>,
    /// Labeled comments that are kept out of everything but the certification of the reject threshold
    #[arg(long, value_name = "F", num_args = 1..)]
    certify: Vec<PathBuf>,
    /// The share of each source's readers in --data that is kept out of learning, to certify the reject threshold on
    /// all of these places
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    certify_share: f64,
    /// Decides folds, clusters, and which comments certify
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Count bad lines and go on
    #[arg(long)]
    skip_bad: bool,
    /// The share of real readers that may be rejected
    #[arg(long, default_value_t = 0.001, value_name = "SHARE")]
    reject_target: f64,
    /// How sure that must be
    #[arg(long, default_value_t = 0.95, value_name = "CONFIDENCE")]
    confidence: f64,
    /// End with code 5 if the data cannot carry that promise
    #[arg(long)]
    require_promise: bool,
    /// The share of real readers' comments that may be held, of comments like the data's; it is taken at its word, and
    /// readers of places that training never saw are held several times as often [default: 0.0018, for their sake]
    #[arg(long, value_name = "SHARE", conflicts_with = "hold_budget")]
    hold_share: Option<f64>,
    /// How many comments the desk can read, as 40/day
    #[arg(long, value_name = "N/day", value_parser = per_day, requires = "expect")]
    hold_budget: Option<f64>,
    /// How many comments are expected, as 6600/day
    #[arg(long, value_name = "N/day", value_parser = per_day, requires = "hold_budget")]
    expect: Option<f64>,
    /// The share of spam among them [default: that of the data]
    #[arg(long, value_name = "SHARE", requires = "hold_budget")]
    spam_share: Option<f64>,
    /// The model's name, for people
    #[arg(long, default_value = "default")]
    name: String,
    /// When it was made, for its card; without it the same data gives the same bytes
    #[arg(long, value_name = "TIME", env = "SOURCE_DATE_EPOCH")]
    made_at: Option<String>,
    /// What the certifying comments are, for its card
    #[arg(long, value_name = "TEXT")]
    holds_for: Option<String>,
    /// How to print the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    feedback: feedback::Args,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// `40/day` as 40.
fn per_day(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix("/day").unwrap_or(text.trim());
    let value: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("{text:?} is not a number a day, as 40/day"))?;
    if value > 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(format!("{text:?} must be above 0"))
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> CommandResult {
    let bar = progress_bar();
    bar.set_message("reading");
    let certify = read(&args.certify, args.skip_bad)?;
    // Going on caps what one reviewer says of all that is new; training anew must not be the way around it.
    let rows = args.feedback.rows(args.from.is_none().then_some(args.reviewer_cap))?;
    let mut data: Vec<Source> = args.data.iter().cloned().map(Source::File).collect();
    let export = rows.map(|rows| {
        data.push(rows.source);
        rows.export
    });
    let mut verdict = None;
    let (mut trained, files) = if let Some(from) = &args.from {
        let outcome = from::learn(args, from, &data, &certify, &bar)?;
        if !outcome.verdict.may_pass() && args.force.is_none() {
            bar.finish_and_clear();
            report::refuse(args, &outcome.verdict)?;
            return Ok(Exit::Quality);
        }
        verdict = Some(outcome.verdict);
        (outcome.trained, outcome.files)
    } else {
        learn(args, &data, &certify.examples, &bar)?
    };
    if args.from.is_none() {
        trained.parts.card.data = files.iter().map(DataFile::from).collect();
    }
    trained.parts.card.certified_on = certify.files.iter().map(DataFile::from).collect();
    bar.set_message("writing");
    if let Some(export) = export {
        // Before the model is there: none may have seen what forgetting does not know of.
        args.feedback.note(export)?;
    }
    let model = artifact::save(&trained.parts, &args.out).map_err(|error| Failure::new(Exit::Unexpected, error))?;
    bar.finish_and_clear();
    report::print(args, &files, &trained, &model, verdict.as_ref())?;
    Ok(if args.require_promise && trained.report.no_promise.is_some() {
        Exit::Quality
    } else {
        Exit::Ok
    })
}

/// Learns from comments in memory.
fn learn(
    args: &Args,
    data: &[Source],
    certify: &[Example],
    bar: &ProgressBar,
) -> Result<(Trained, Vec<FileSummary>), Failure> {
    let data = read_all(data, args.skip_bad)?;
    let params = params(args, || spam_share(&data.files));
    let trained = train::train(&data.examples, certify, &params, &mut |progress| show(bar, progress))
        .map_err(|error| Failure::new(exit_of(&error), error))?;
    Ok((trained, data.files))
}

fn read(paths: &[PathBuf], skip_bad: bool) -> Result<corpus::Corpus, Failure> {
    corpus::read(paths, skip_bad).map_err(|error| Failure::new(Exit::Data, error))
}

fn read_all(sources: &[Source], skip_bad: bool) -> Result<corpus::Corpus, Failure> {
    corpus::read_all(sources, skip_bad).map_err(|error| Failure::new(Exit::Data, error))
}

fn params(args: &Args, spam_share: impl FnOnce() -> f64) -> TrainParams {
    let defaults = TrainParams::default();
    let hold = match (args.hold_budget, args.expect, args.hold_share) {
        (Some(holds_per_day), Some(comments_per_day), _) => Hold::Budget(HoldBudget {
            holds_per_day,
            comments_per_day,
            spam_share: args.spam_share.unwrap_or_else(spam_share),
        }),
        (_, _, Some(share)) => Hold::Share(share),
        _ => defaults.hold,
    };
    TrainParams {
        seed: args.seed,
        reject_target: args.reject_target,
        reject_confidence: args.confidence,
        certify_share: args.certify_share,
        hold,
        name: args.name.clone(),
        made_at: args.made_at.clone(),
        holds_for: args.holds_for.clone(),
        ..defaults
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn spam_share(files: &[FileSummary]) -> f64 {
    let (n, n_spam) = files
        .iter()
        .fold((0, 0), |(n, s), file| (n + file.n_examples, s + file.n_spam));
    n_spam as f64 / (n as f64).max(1.0)
}

const fn exit_of(error: &TrainError) -> Exit {
    match error {
        TrainError::Param(_) => Exit::Usage,
        TrainError::TooFew { .. }
        | TrainError::TooFewGroups { .. }
        | TrainError::Indistinct { .. }
        | TrainError::NoEvidence
        | TrainError::Nothing => Exit::Data,
        TrainError::Fit(_) | TrainError::Parts(_) => Exit::Unexpected,
    }
}

/// A spinner on standard error, if that is a terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_message(match progress {
        Progress::Grouping => "grouping near-duplicates".to_owned(),
        Progress::Reading => "cutting terms".to_owned(),
        Progress::Clusters => "finding clusters".to_owned(),
        Progress::Fold { number, of } => format!("fold {number} of {of}"),
        Progress::Fusing => "fusing the views".to_owned(),
        Progress::Refining => "correcting the terms' weights".to_owned(),
        Progress::Views => "fitting the views".to_owned(),
        Progress::Thresholds => "choosing thresholds".to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_teaches_nothing_is_the_data_s_fault() {
        use crate::comment::Label;
        let label = Label::Ham;
        for error in [
            TrainError::TooFew { label, n: 3 },
            TrainError::TooFewGroups { label, n: 25 },
            TrainError::Indistinct { n: 50 },
        ] {
            assert_eq!(exit_of(&error), Exit::Data, "{error}");
        }
    }

    #[test]
    fn rates_a_day() {
        assert_eq!(per_day("40/day"), Ok(40.0));
        assert_eq!(per_day("6600"), Ok(6600.0));
        assert!(per_day("0/day").is_err());
        assert!(per_day("many").is_err());
    }
}
