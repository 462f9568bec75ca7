//! The house proper: takes a submission through its stations and gives back a judgement.
//!
//! One direction, and only the limiter and, where a caller names the decision before, the store can wait on the network:
//! policy and model snapshots, signals, what was said before, the quotas, the model's reading, the judge. It must never know how a submission came in (that is for the doors). Start reading
//! in [`Moderator::moderate`].

mod counting;
mod double;
mod epochs;
mod feedback;
mod memo;
mod policies;
mod previous;
mod proxies;
mod reload;
mod report;
mod statistics;
mod status;
mod submission;
mod weighing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::artifact::{Live, LoadedModel};
use crate::clock::Clock;
use crate::comment::digits;
use crate::feedback::Recorder;
use crate::limit::Limiter;
use crate::policy::{self, Classifier, Evidence, Previous, Velocity};
use crate::privacy::Pseudonymizer;
use crate::signals::{self, Signal};
use crate::site::{Effect, FieldSet, SitePolicy, Sites};
use crate::statistics::Statistics;
use crate::telemetry::{Call, Events, Method, Metrics, Traces};
use crate::verdict::{Handling, Verdict};

use counting::{Counted, Inquiry, Measure, Measured};
use double::{Clicks, First};
use memo::Memo;
use proxies::Proxies;
use report::Stopwatch;
use weighing::{Weighing, reading, version};

pub use feedback::{Feedback, FeedbackRefusal, Forget, author_keys_of_all};
pub use statistics::{Asked, Rate, Report, SiteDay};
pub use status::{ModelStatus, Problem, Status};
pub use submission::{Explained, Judgement, Refusal, RequestId, Submission};

/// What a house is built from.
#[derive(Debug)]
pub struct Parts {
    /// Every site's policy.
    pub sites: Arc<Sites>,
    /// The spam model at work, and where others come from.
    pub models: Live,
    /// Who counts.
    pub limiter: Limiter,
    /// Who makes pseudonyms.
    pub pseudonymizer: Pseudonymizer,
    /// Who knows the time.
    pub clock: Clock,
    /// Where decisions are counted.
    pub metrics: Metrics,
    /// Who remembers decisions, if anybody does.
    pub recorder: Option<Recorder>,
    /// How many of them are logged.
    pub events: Events,
    /// Where traced calls are told.
    pub traces: Traces,
    /// Random bytes of this process: they make decision ids unguessable, and unlike those of other processes.
    pub nonce: [u8; 16],
}

/// Judges submissions. One for the whole process; share it behind an `Arc`.
#[derive(Debug)]
pub struct Moderator {
    sites: ArcSwap<Sites>,
    config_refused: ArcSwapOption<String>,
    models: Live,
    limiter: Limiter,
    pseudonymizer: Pseudonymizer,
    clock: Clock,
    metrics: Metrics,
    recorder: Option<Recorder>,
    events: Events,
    traces: Traces,
    proxies: Proxies,
    clicks: Clicks<First>,
    statistics: Statistics,
    nonce: [u8; 16],
    decisions: AtomicU64,
}

impl Moderator {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            sites,
            models,
            limiter,
            pseudonymizer,
            clock,
            metrics,
            recorder,
            events,
            traces,
            nonce,
        } = parts;
        let now = clock.now();
        let house = Self {
            sites: ArcSwap::new(sites),
            config_refused: ArcSwapOption::empty(),
            models,
            limiter,
            pseudonymizer,
            clock,
            metrics,
            recorder,
            events,
            traces,
            nonce,
            proxies: Proxies::default(),
            clicks: Clicks::default(),
            statistics: Statistics::new(now),
            decisions: AtomicU64::new(0),
        };
        house.show_model();
        house
    }

    /// The model at work, as of now.
    pub fn model(&self) -> Option<Arc<LoadedModel>> {
        self.models.current()
    }

    /// Why another model is not at work, if one was refused.
    pub fn last_reload_error(&self) -> Option<Arc<String>> {
        self.models.last_error()
    }

    /// The limiter, for its state.
    pub const fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// Who remembers decisions, for its upkeep and its end.
    pub const fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// The clock that decisions are dated by.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The metrics, for what happens beside decisions.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Judges one comment. Redis may take as long as `patience`, if that is less than its budget: its absence is then a
    /// fact like any other.
    ///
    /// # Errors
    /// The calling program's mistakes; an author's mistakes are part of the judgement.
    pub async fn moderate(&self, submission: &Submission, patience: Duration) -> Result<Judgement, Refusal> {
        let started = self.clock.now();
        submission.refuse_the_future(started)?;
        let policy = &*self.policy(&submission.site)?;
        // One snapshot from beginning to end: another model may be promoted while this call runs.
        let model = self.models.current();
        let mut signals = signals::collect(&submission.comment, policy, FieldSet::default());
        let counted = if returned_to_author(&signals, policy) {
            // Nobody spends a quota on a form that has to be mended first.
            Counted::NotMeasured
        } else {
            Self::counted(&self.pseudonymizer, submission, policy)
        };
        self.watch_address(submission, policy, counted);
        let click = self.click(submission);
        let stopwatch = Stopwatch::of(submission, &self.clock);
        let previous = self.previous(submission, policy, started, patience).await;
        let weighing = Weighing {
            submission,
            policy,
            model: model.as_deref(),
            decision_id: self.next_decision_id(),
            measure: counted.measure(),
            now: started,
            previous,
            stopwatch: &stopwatch,
        };
        let inquiry = Inquiry {
            submission,
            policy,
            counted,
            weighing: &weighing,
            now: started,
            patience,
        };
        let Measured {
            velocity,
            redis_away,
            memo,
            replayed,
        } = self.measure_once(click, &inquiry, &mut signals).await?;
        let evidence = Evidence {
            trust: submission.comment.author.trust,
            signals,
            velocity,
            redis_away,
            history: memo.history,
            previous: memo.previous,
            classifier: memo.classifier,
        };
        let mut judgement = judgement(submission, policy, model.as_deref(), &evidence, memo, replayed);
        if let (Some(key), Handling::RetryLater | Handling::ReturnToAuthor) = (click, judgement.decision.handling) {
            // Sending it again is what its author was asked for.
            self.clicks.forget(key);
        }
        if let Some(call) = &submission.call {
            report::traced(call, &submission.site, &judgement, &stopwatch);
        }
        if !submission.dry_run {
            if !replayed {
                self.remember(submission, policy, &mut judgement, started);
            }
            let took = self.clock.now().since(started);
            self.metrics
                .decided(&submission.site, &judgement.decision, replayed, took.as_secs_f64());
            self.count(submission, &judgement, started);
            report::decided(&self.events, submission, &judgement, took);
        }
        Ok(judgement)
    }

    /// Judges one comment without limits: nothing is counted, nothing remembered. Fields that are `unknown` are not
    /// asked for: what a collection did not keep was not left empty.
    ///
    /// # Errors
    /// As [`Moderator::moderate`].
    pub fn check(&self, submission: &Submission, unknown: FieldSet) -> Result<Judgement, Refusal> {
        let now = self.clock.now();
        submission.refuse_the_future(now)?;
        let policy = &*self.policy(&submission.site)?;
        let model = self.models.current();
        let weighing = Weighing {
            submission,
            policy,
            model: model.as_deref(),
            decision_id: [0; 16],
            measure: Measure::NotMeasured,
            now,
            previous: Previous::NotNamed,
            stopwatch: &Stopwatch::of(submission, &self.clock),
        };
        let memo = weighing.memo();
        let evidence = Evidence {
            trust: submission.comment.author.trust,
            signals: signals::collect(&submission.comment, policy, unknown),
            velocity: Velocity::NotMeasured,
            redis_away: false,
            history: memo.history,
            previous: memo.previous,
            classifier: memo.classifier,
        };
        Ok(judgement(submission, policy, model.as_deref(), &evidence, memo, false))
    }

    /// A call begins; `None` if it is not traced. `parent` is the caller's `traceparent`.
    pub fn trace(&self, method: Method, parent: Option<&str>) -> Option<Call> {
        self.traces.begin(method, parent, || self.clock.now())
    }

    /// An item of a traced stream begins.
    pub fn trace_item(&self, stream: &Call) -> Call {
        stream.item(self.clock.now())
    }

    /// A traced call has ended with this gRPC status code.
    pub fn traced(&self, call: &Call, method: Method, code: i32) {
        call.end(method, code, self.clock.now());
    }

    fn model_version(&self) -> String {
        version(self.models.current().as_deref())
    }

    fn next_decision_id(&self) -> [u8; 16] {
        self.pseudonymizer
            .decision(&self.nonce, self.decisions.fetch_add(1, Ordering::Relaxed))
    }
}

fn judgement(
    submission: &Submission,
    policy: &SitePolicy,
    model: Option<&LoadedModel>,
    evidence: &Evidence,
    memo: Memo,
    replayed: bool,
) -> Judgement {
    let decision = policy::decide(evidence, policy);
    let scored = matches!(evidence.classifier, Classifier::Scored(..));
    // What another model said before cannot be explained by this one.
    let explanation = (submission.explain && scored)
        .then_some(model)
        .flatten()
        .filter(|loaded| loaded.model.version() == memo.model_version)
        .map(|loaded| {
            let reading = reading(&submission.comment);
            let explanation = loaded.model.explain(&reading);
            let summary = policy::summarize(&explanation, &reading);
            Explained { explanation, summary }
        });
    Judgement {
        decision_id: if submission.dry_run {
            String::new()
        } else {
            digits(&memo.decision_id)
        },
        decision,
        model_version: if scored { memo.model_version } else { String::new() },
        policy_version: policy.version.clone(),
        replayed,
        explanation,
    }
}

/// Whether the form goes back to its author.
fn returned_to_author(signals: &[Signal], policy: &SitePolicy) -> bool {
    policy.effects.form == Effect::Pull(Verdict::Reject) && signals.iter().any(|signal| signal.code.is_of_form())
}
