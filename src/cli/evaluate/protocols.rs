//! The protocols: train without a part, test on it, in turn, and pool the answers.

use std::fmt::Write as _;
use std::fs;

use anyhow::Context as _;

use super::scoring::{self, Answers};
use super::{Args, TERMS_MAX, data_facts, data_name, fact, file_names, finish};
use crate::cli::{CommandResult, Exit, Failure, output};
use crate::comment::{Example, Label, Origin};
use crate::eval::protocol::{self, Fold, Protocol};
use crate::eval::{self, Context};
use crate::model::SpamModel;
use crate::train::corpus::{self, Corpus};
use crate::train::{self, TrainParams, split};

/// Folds of `publication`, unless --folds says otherwise.
const PUBLICATION_FOLDS: u32 = 5;
/// The sources of the collection that the first three protocols divide; other sources are left out of them.
const VIDEOS: &str = "youtube";

/// A published protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Name {
    /// Train on four videos, test on the fifth, pooled over five
    Lovo,
    /// Each video by itself: the first 70 % of each label train, the rest test
    Chrono,
    /// As chrono, with the videos that are stored newest first turned round
    OldestFirst,
    /// Five folds over everything, stratified by label and source; near-duplicates stay together
    Publication,
    /// Each source left out in turn and judged by a model trained on all others; see --place
    Places,
}

/// Runs a protocol, or cross-validation.
pub(super) fn run(args: &Args, mut corpus: Corpus) -> CommandResult {
    if !args.place.is_empty() && args.protocol != Some(Name::Places) {
        let error = anyhow::anyhow!("--place is for --protocol places alone");
        return Err(Failure::new(Exit::Usage, error));
    }
    let folds = folds(args, &mut corpus)?;
    if let Some(path) = &args.export_folds {
        return export(path, &folds);
    }
    let certify = corpus::read(&args.certify, args.skip_bad).map_err(|error| Failure::new(Exit::Data, error))?;
    let Trained {
        models,
        answers,
        tested,
    } = train_each(&folds, &corpus.examples, &certify.examples, args)?;
    let places = (args.protocol == Some(Name::Places)).then_some(args.place.as_slice());
    let all_groups = split::groups(&corpus.examples);
    let groups: Vec<usize> = tested.iter().map(|&at| all_groups[at]).collect();
    let scored = answers.scored(tested.iter().map(|&at| &corpus.examples[at]), &groups);
    let mut answering = vec![None; corpus.examples.len()];
    for (fold, model) in folds.iter().zip(&models) {
        fold.test.iter().for_each(|&at| answering[at] = Some(model));
    }
    let terms = scoring::strongest_terms(&corpus.examples, &all_groups, |at| answering[at], TERMS_MAX);
    let title = match args.protocol {
        Some(Name::Lovo) => format!("lovo: each of {} sources left out in turn", folds.len()),
        Some(Name::Chrono) => format!("chrono: the last 30 % of each of {} sources", folds.len()),
        Some(Name::OldestFirst) => format!("oldest-first: the newest 30 % of each of {} sources", folds.len()),
        Some(Name::Publication) => format!("publication: {} folds over {}", folds.len(), data_name(&corpus)),
        Some(Name::Places) => format!("places: each of {} places left out in turn", folds.len()),
        None => format!("{} folds over {}", folds.len(), data_name(&corpus)),
    };
    let mut about = vec![fact(
        "models",
        &format!("{}, trained anew without what each is tested on", folds.len()),
    )];
    let n_written = corpus.examples.len() - tested.len();
    if places.is_some() && n_written > 0 {
        about.push(fact(
            "written comments, trained on and never tested",
            &n_written.to_string(),
        ));
    }
    about.extend(data_facts(&corpus, args));
    about.extend(file_names(&certify).map(|names| fact("thresholds certified on", &names)));
    let report = eval::evaluate(
        &scored,
        Context {
            title,
            about,
            trained_on: Vec::new(),
            thresholds: answers.thresholds.clone(),
            baseline: None,
            terms,
            gate: None,
            budgets: args.budgets.stated(),
            places,
            show_text: args.show_text,
            seed: args.seed,
        },
    );
    finish(&report, args)
}

/// The folds of the protocol, or of cross-validation.
fn folds(args: &Args, corpus: &mut Corpus) -> Result<Vec<Fold>, Failure> {
    let by_source = match args.protocol {
        Some(Name::Lovo) => Protocol::Lovo,
        Some(Name::Chrono) => Protocol::Chrono,
        Some(Name::OldestFirst) => Protocol::OldestFirst,
        Some(Name::Places) => return by_place(args, corpus),
        Some(Name::Publication) | None => {
            let n_folds = args.folds.unwrap_or(PUBLICATION_FOLDS) as usize;
            let assignment = split::group_folds(&corpus.examples, n_folds, args.seed);
            return Ok(protocol::from_assignment(&assignment, n_folds));
        }
    };
    keep_videos(corpus);
    let comments: Vec<(&str, Label)> = corpus
        .examples
        .iter()
        .map(|example| (example.source.as_str(), example.label))
        .collect();
    Ok(protocol::by_source(by_source, &comments))
}

/// The folds of `places`. One place alone leaves nothing to train on, unless there are written comments.
fn by_place(args: &Args, corpus: &Corpus) -> Result<Vec<Fold>, Failure> {
    let comments: Vec<(&str, Origin)> = corpus
        .examples
        .iter()
        .map(|example| (example.source.as_str(), example.origin))
        .collect();
    let folds = protocol::by_place(&comments, &args.place);
    if folds.is_empty() || folds.iter().any(|fold| fold.train.is_empty()) {
        let n = folds.len();
        let error = anyhow::anyhow!("found {n} place(s) in --data: give comments of at least two (`source`)");
        return Err(Failure::new(Exit::Data, error));
    }
    Ok(folds)
}

/// Leaves out what is not of the video collection, if any of it is there.
fn keep_videos(corpus: &mut Corpus) {
    let before = corpus.examples.len();
    if corpus.examples.iter().any(|example| example.source.starts_with(VIDEOS)) {
        corpus.examples.retain(|example| example.source.starts_with(VIDEOS));
    }
    let left_out = before - corpus.examples.len();
    if left_out > 0 {
        output::note(&format!(
            "left out {left_out} comments whose source is not a video of the collection"
        ));
    }
}

/// The models of a protocol's folds and what they said.
struct Trained {
    /// One model a fold, for the strongest terms; none of `places`, whose report goes without them.
    models: Vec<SpamModel>,
    /// What they said of the comments that they were tested on.
    answers: Answers,
    /// Positions of those comments.
    tested: Vec<usize>,
}

/// Trains a model for each fold and lets it answer for what it did not see. One after the other: a fit silences
/// standard error for a moment (linfa prints) and others wait for it, so that two at a time would gain little.
fn train_each(folds: &[Fold], examples: &[Example], certify: &[Example], args: &Args) -> Result<Trained, Failure> {
    let mut trained = Trained {
        models: Vec::new(),
        answers: Answers::new(),
        tested: Vec::new(),
    };
    let bar = scoring::progress(folds.len(), "training");
    bar.tick();
    for fold in folds {
        let learn: Vec<Example> = fold.train.iter().map(|&at| examples[at].clone()).collect();
        let model = fit(&learn, certify, args.seed)
            .with_context(|| format!("train for {}", fold.name))
            .map_err(|error| Failure::new(Exit::Data, error))?;
        let test: Vec<&Example> = fold.test.iter().map(|&at| &examples[at]).collect();
        trained.answers.add(&model, &test, &indicatif::ProgressBar::hidden());
        trained.tested.extend(&fold.test);
        // There may be as many places as a collection has sources: their models together may not fit in memory.
        if args.protocol != Some(Name::Places) {
            trained.models.push(model);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(trained)
}

fn fit(learn: &[Example], certify: &[Example], seed: u64) -> anyhow::Result<SpamModel> {
    let params = TrainParams {
        seed,
        ..TrainParams::default()
    };
    Ok(train::train(learn, certify, &params, &mut |_| {})?.model()?)
}

/// Writes folds as JSON Lines, so that other classifiers can be measured on the same ones.
fn export(path: &std::path::Path, folds: &[Fold]) -> CommandResult {
    let mut lines = String::new();
    for fold in folds {
        let line = serde_json::json!({ "name": fold.name, "train": fold.train, "test": fold.test });
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{line}");
    }
    fs::write(path, lines)
        .with_context(|| format!("write the folds to {}", path.display()))
        .map_err(|error| Failure::new(Exit::Unexpected, error))?;
    Ok(Exit::Ok)
}
