//! `train --from`: goes on from a model, and compares the new one with it before anything is written.

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{Args, exit_of, params, read, read_all, show, spam_share};
use crate::artifact;
use crate::cli::{Exit, Failure};
use crate::comment::Example;
use crate::eval::gate::{self, Gate, Promised, Set, Tolerances};
use crate::eval::report::ThresholdsUsed;
use crate::eval::{self, Scored};
use crate::model::{DataFile, SpamModel, SpamProbability};
use crate::train::corpus::{Corpus, FileSummary, Source};
use crate::train::{self, Resume, Resumed, Trained, split};

/// What going on gave.
pub(super) struct Continued {
    pub(super) trained: Trained,
    pub(super) files: Vec<FileSummary>,
    pub(super) verdict: Verdict,
}

/// What the comparison with the model that was gone on from says.
pub(super) struct Verdict {
    gate: Gate,
    /// Comments that did not count: floods of a reviewer, or of a text.
    n_capped: usize,
    decay: f64,
}

/// Goes on from the model at `args.from`.
pub(super) fn learn(
    args: &Args,
    from: &std::path::Path,
    data: &[Source],
    certify: &Corpus,
    bar: &ProgressBar,
) -> Result<Continued, Failure> {
    let (old, version) = artifact::load_parts(from).map_err(|error| Failure::new(Exit::Data, error))?;
    let data = read_all(data, args.skip_bad)?;
    let held_out = read(&args.holdout, args.skip_bad)?;
    let params = params(args, || spam_share(&data.files));
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
    Ok(Continued {
        trained: resumed.trained,
        files: data.files,
        verdict,
    })
}

/// Both models on the new comments, on what was held out for this, and on what certifies.
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
    let unseen: Option<&dyn Fn(usize) -> f64> = Some(&unseen);
    let answers: Vec<_> = [
        ("new", newest, unseen),
        ("held out", held_out.iter().collect(), None),
        ("certifying", certify.iter().collect(), None),
    ]
    .into_iter()
    .filter(|(_, examples, _)| !examples.is_empty())
    .map(|(name, examples, unseen)| {
        let (old, new) = (scored(&examples, current, None), scored(&examples, new, unseen));
        (name, old, new)
    })
    .collect();
    let sets: Vec<Set<'_>> = answers.iter().map(|(name, old, new)| Set { name, new, old }).collect();
    Verdict {
        gate: gate::judge(
            &sets,
            [promised(current), promised(new)],
            &Tolerances::default(),
            seed,
            false,
        ),
        n_capped: data.len() - resumed.used.len(),
        decay: resumed.decay,
    }
}

fn promised(model: &SpamModel) -> Option<Promised> {
    model.card().promise.as_ref().map(|promise| Promised {
        target: promise.target,
        confidence: promise.confidence,
    })
}

fn thresholds(model: &SpamModel) -> ThresholdsUsed {
    let thresholds = model.thresholds();
    ThresholdsUsed {
        hold_at: thresholds.hold_at.get(),
        reject_at: thresholds.reject_at.map(SpamProbability::get),
    }
}

/// The model's answers; what it has learned from is judged by models that have not.
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
    pub(super) const fn may_pass(&self) -> bool {
        self.gate.passed
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
        lines.push("compared with the model that was gone on from:".to_owned());
        let percent = |share: Option<f64>| share.map_or("none".to_owned(), |share| format!("{:.2} %", 100.0 * share));
        for check in &self.gate.checks {
            let outcome = match check.outcome {
                gate::Outcome::Passed => "",
                gate::Outcome::NotCertain => " (too few comments to be sure)",
                gate::Outcome::Failed => " WORSE than tolerated",
            };
            lines.push(format!(
                "  {} ({}): {}, was {}{outcome}",
                check.criterion.title(),
                check.set,
                percent(check.value),
                percent(check.baseline)
            ));
        }
        for list in &self.gate.flips {
            lines.push(format!("  {} ({}): {}", list.kind, list.set, list.n));
        }
        lines
    }

    /// The comparison, for programs.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "passed": self.gate.passed,
            "n_capped": self.n_capped,
            "decay": self.decay,
            "tolerances": Tolerances::default(),
            "checks": self.gate.checks,
            "flips": self.gate.flips,
        })
    }
}
