//! Lets models answer for labeled comments, on every core, with progress for a person who waits.

use std::panic::resume_unwind;
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

use crate::comment::Example;
use crate::eval::report::ThresholdsUsed;
use crate::eval::terms::{Tally, ViewTerms};
use crate::eval::{self, Scored};
use crate::model::{Assessment, Reading, SpamModel};

/// Comments explained for the table of strongest terms: explaining costs more than scoring, and more of them no longer
/// change which terms are strongest.
const EXPLAINED_MAX: usize = 4_000;

/// What models said of comments.
pub(super) struct Answers {
    /// One for each comment: what was said, and by which model.
    answers: Vec<(Assessment, usize)>,
    /// The thresholds of each model.
    pub(super) thresholds: Vec<ThresholdsUsed>,
}

impl Answers {
    /// One model on all comments.
    pub(super) fn of_model(model: &SpamModel, examples: &[Example], doing: &str) -> Self {
        let mut answers = Self::new();
        let all: Vec<&Example> = examples.iter().collect();
        let bar = progress(examples.len(), doing);
        answers.add(model, &all, &bar);
        bar.finish_and_clear();
        answers
    }

    /// None yet.
    pub(super) const fn new() -> Self {
        Self {
            answers: Vec::new(),
            thresholds: Vec::new(),
        }
    }

    /// Another model, on the comments that follow.
    pub(super) fn add(&mut self, model: &SpamModel, examples: &[&Example], bar: &ProgressBar) {
        let nth = self.thresholds.len();
        let thresholds = model.thresholds();
        self.thresholds.push(ThresholdsUsed {
            hold_at: thresholds.hold_at.get(),
            reject_at: thresholds.reject_at.map(crate::model::SpamProbability::get),
        });
        self.answers.extend(
            assess(model, examples, bar)
                .into_iter()
                .map(|assessment| (assessment, nth)),
        );
    }

    /// The answers beside their comments, in the order in which they were given.
    pub(super) fn scored<'a>(
        &self,
        examples: impl IntoIterator<Item = &'a Example>,
        groups: &[usize],
    ) -> Vec<Scored<'a>> {
        let beside = examples.into_iter().zip(&self.answers).zip(groups);
        beside
            .map(|((example, (assessment, nth)), &group)| {
                let probability = assessment.probability.get();
                Scored {
                    id: example.id.as_deref(),
                    label: example.label,
                    source: &example.source,
                    text: example.content.expose(),
                    named: example.author_name.is_some(),
                    probability,
                    thin: assessment.thin,
                    verdict: eval::verdict(probability, assessment.thin, self.thresholds[*nth]),
                    group: u32::try_from(group).unwrap_or(u32::MAX),
                }
            })
            .collect()
    }
}

/// Assesses comments in parallel; the answers are in the order of the comments.
fn assess(model: &SpamModel, examples: &[&Example], bar: &ProgressBar) -> Vec<Assessment> {
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let part = examples.len().div_ceil(workers).max(1);
    thread::scope(|scope| {
        let assess_part = |part: &[&Example]| -> Vec<Assessment> {
            let answer = |example: &&Example| {
                bar.inc(1);
                model.assess_example(example)
            };
            part.iter().map(answer).collect()
        };
        let parts: Vec<_> = examples
            .chunks(part)
            .map(|part| scope.spawn(move || assess_part(part)))
            .collect();
        // A panic is a bug in scoring: it must not end as fewer answers than comments.
        let answers = parts
            .into_iter()
            .map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)));
        answers.flatten().collect()
    })
}

/// Explains comments, evenly chosen if there are many, and adds up what each term did. `model` says which model answers
/// for the comment at a position.
pub(super) fn strongest_terms<'m>(
    examples: &[Example],
    groups: &[usize],
    model: impl Fn(usize) -> Option<&'m SpamModel>,
    n_terms: usize,
) -> Vec<ViewTerms> {
    let step = examples.len().div_ceil(EXPLAINED_MAX).max(1);
    let bar = progress(examples.len().div_ceil(step), "explaining");
    let mut tally = Tally::default();
    for at in (0..examples.len()).step_by(step) {
        let Some(model) = model(at) else { continue };
        let group = u32::try_from(groups[at]).unwrap_or(u32::MAX);
        for contribution in model.explain(&Reading::from(&examples[at])).contributions {
            tally.add(contribution.view, &contribution.term, contribution.log_odds, group);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    tally.strongest(n_terms)
}

/// A progress bar on standard error, if that is a terminal.
pub(super) fn progress(n: usize, doing: &str) -> ProgressBar {
    let bar = ProgressBar::new(n as u64).with_message(doing.to_owned());
    match ProgressStyle::with_template("{msg:24} {wide_bar} {human_pos}/{human_len} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
