//! `train --from`: goes on from a model, and compares the new one with it before anything is written.

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{Args, exit_of, params, read, show, spam_share};
use crate::artifact;
use crate::cli::{Exit, Failure};
use crate::comment::Example;
use crate::eval::gate::{self, Breach, Tolerance};
use crate::eval::metrics::Measure;
use crate::eval::report::{Report, ThresholdsUsed};
use crate::eval::{self, Context, Scored};
use crate::model::{DataFile, SpamModel, SpamProbability};
use crate::train::corpus::{Corpus, FileSummary};
use crate::train::{self, Resume, Resumed, Trained, split};

/// What going on gave.
pub(super) struct Outcome {
    pub(super) trained: Trained,
    pub(super) files: Vec<FileSummary>,
    pub(super) verdict: Verdict,
}

/// What the comparison with the model that was gone on from says.
pub(super) struct Verdict {
    /// What was compared on, with the comparison and what is worse in it than may be.
    compared: Vec<(&'static str, Report, Vec<Breach>)>,
    /// Comments that did not count: floods of a reviewer, or of a text.
    n_capped: usize,
    decay: f64,
}

/// Goes on from the model at `args.from`.
pub(super) fn learn(
    args: &Args,
    from: &std::path::Path,
    certify: &Corpus,
    bar: &ProgressBar,
) -> Result<Outcome, Failure> {
    let (old, version) = artifact::load_parts(from).map_err(|error| Failure::new(Exit::Data, error))?;
    let data = read(&args.data, args.skip_bad)?;
    let held_out = read(&args.holdout, args.skip_bad)?;
    let params = params(args, || Ok(spam_share(&data.files)))?;
    let resume = Resume {
        parts: &old,
        version: &version,
        half_life_days: args.half_life,
        reviewer_cap: args.reviewer_cap,
        choose_hold: args.hold_share.is_some() || args.hold_budget.is_some(),
    };
    let mut resumed = train::train_from(resume, &data.examples, &certify.examples, &params, &mut |progress| {
        show(bar, progress);
    })
    .map_err(|error| Failure::new(exit_of(&error), error))?;
    let unexpected = |error| Failure::new(Exit::Unexpected, anyhow::Error::new(error));
    let current = artifact::load(from).map_err(|error| Failure::new(Exit::Data, error))?;
    let evidence = resumed.trained.parts.evidence.take();
    let new = resumed.trained.model().map_err(unexpected)?;
    resumed.trained.parts.evidence = evidence;
    bar.set_message("comparing with the model that was gone on from");
    let verdict = compare(
        &resumed,
        &data.examples,
        &held_out.examples,
        &certify.examples,
        &current,
        &new,
        args.seed,
    );
    let card = &mut resumed.trained.parts.card;
    card.data = old.card.data;
    card.data.extend(data.files.iter().map(DataFile::from));
    if let Some(from) = card.from.as_mut().filter(|_| !verdict.may_pass()) {
        from.forced.clone_from(&args.force);
    }
    Ok(Outcome {
        trained: resumed.trained,
        files: data.files,
        verdict,
    })
}

/// Both models on the newest comments, on what was held out for this, and on what certifies.
fn compare(
    resumed: &Resumed,
    data: &[Example],
    held_out: &[Example],
    certify: &[Example],
    current: &SpamModel,
    new: &SpamModel,
    seed: u64,
) -> Verdict {
    let newest: Vec<&Example> = resumed.used.iter().map(|&i| &data[i]).collect();
    let unseen = |i: usize| SpamProbability::from_log_odds(resumed.out_of_fold[i]).get();
    let mut sets = vec![("the new comments", newest, true)];
    sets.push(("what was held out", held_out.iter().collect(), false));
    sets.push(("what certifies", certify.iter().collect(), false));
    let compared = sets
        .into_iter()
        .filter(|(_, examples, _)| !examples.is_empty())
        .map(|(name, examples, by_others)| {
            let before = scored(&examples, current, None);
            let after = scored(&examples, new, by_others.then_some(&unseen as &dyn Fn(usize) -> f64));
            let context = Context {
                title: name.to_owned(),
                thresholds: vec![thresholds(new)],
                baseline: Some((current.version().to_owned(), &before)),
                seed,
                ..Context::default()
            };
            let report = eval::evaluate(&after, context);
            let breaches = gate::judge(&report, &Tolerance::default());
            (name, report, breaches)
        })
        .collect();
    Verdict {
        compared,
        n_capped: data.len() - resumed.used.len(),
        decay: resumed.decay,
    }
}

fn thresholds(model: &SpamModel) -> ThresholdsUsed {
    let thresholds = model.thresholds();
    ThresholdsUsed {
        hold_at: thresholds.hold_at.get(),
        reject_at: thresholds.reject_at.map(SpamProbability::get),
    }
}

/// The model's answers; what it has learnt from is judged by models that have not.
fn scored<'a>(examples: &[&'a Example], model: &SpamModel, unseen: Option<&dyn Fn(usize) -> f64>) -> Vec<Scored<'a>> {
    let owned: Vec<Example> = examples.iter().map(|example| (*example).clone()).collect();
    let groups = split::groups(&owned);
    let one = |(i, (example, group)): (usize, (&&'a Example, usize))| {
        let assessment = model.assess_example(example);
        let probability = unseen.map_or(assessment.probability.get(), |unseen| unseen(i));
        Scored {
            id: example.id.as_deref(),
            label: example.label,
            source: &example.source,
            text: example.content.expose(),
            named: example.author_name.is_some(),
            probability,
            thin: assessment.thin,
            verdict: eval::verdict(probability, assessment.thin, thresholds(model)),
            group: u32::try_from(group).unwrap_or(u32::MAX),
        }
    };
    examples.iter().zip(groups).enumerate().map(one).collect()
}

impl Verdict {
    /// Is the new model nowhere worse than may be?
    pub(super) fn may_pass(&self) -> bool {
        self.compared.iter().all(|(_, _, breaches)| breaches.is_empty())
    }

    /// The comparison, for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.n_capped > 0 {
            lines.push(format!(
                "{} comments did not count: copies of one text, or more labels of one kind from one reviewer than --reviewer-cap",
                self.n_capped
            ));
        }
        if self.decay < 1.0 {
            lines.push(format!(
                "the old evidence counts for {:.1} % of what it did",
                100.0 * self.decay
            ));
        }
        for (name, report, breaches) in &self.compared {
            lines.push(format!(
                "compared on {name}: {} ham, {} spam",
                report.n_ham, report.n_spam
            ));
            let Some(comparison) = &report.comparison else { continue };
            for (measure, change) in &comparison.measures.0 {
                if let Some(change) = change.filter(|_| matches!(measure, Measure::Mcc | Measure::CalibrationError)) {
                    lines.push(format!(
                        "  {}: {:.4}, was {:.4} (difference {:+.4} to {:+.4})",
                        measure.title(),
                        change.value,
                        change.baseline,
                        change.difference.low,
                        change.difference.high
                    ));
                }
            }
            for flips in &comparison.verdicts {
                lines.push(format!(
                    "  {}: {} more now, {} no longer",
                    flips.line, flips.now, flips.before
                ));
            }
            lines.extend(breaches.iter().map(|breach| format!("  WORSE: {breach}")));
        }
        lines
    }

    /// The comparison, for programs.
    pub(super) fn to_json(&self) -> Value {
        let sets = self.compared.iter().map(|(name, report, breaches)| {
            json!({
                "on": name,
                "n_ham": report.n_ham,
                "n_spam": report.n_spam,
                "comparison": report.comparison,
                "worse": breaches,
            })
        });
        json!({
            "passed": self.may_pass(),
            "n_capped": self.n_capped,
            "decay": self.decay,
            "tolerance": Tolerance::default(),
            "compared": sets.collect::<Vec<_>>(),
        })
    }
}
