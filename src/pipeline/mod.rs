//! Takes a submission through the stations of judging, in one direction: snapshots of policy and model, signals, what
//! was said before, quotas, score, the judge, the record.
//!
//! Only the limiter and, where a caller names the decision before, the store can wait on the network. It must never
//! know by which protocol a submission came. Start reading at [`moderate`].

mod deps;
mod duplicate;
mod events;
mod evidence;
mod key_rotation;
mod measured;
mod previous;
mod proxies;
mod quota;
mod replay;
mod scoring;
mod subject;
mod submission;

use std::sync::Arc;
use std::time::Duration;

use crate::artifact::LoadedModel;
use crate::clock::Timestamp;
use crate::comment::digits;
use crate::feedback::{Enqueued, UnredactedDecision};
use crate::operations::{Operations, unredacted};
use crate::policy::{self, Classifier, Evidence, Previous, Velocity};
use crate::record::{Cause, DecisionId, Judged};
use crate::signals::{self, Signal};
use crate::site::{Effect, FieldSet, SitePolicy};
use crate::verdict::{Decision, Degraded, Handling, Reason, Verdict};

use events::Stopwatch;
use measured::Measured;
use quota::QuotaQuery;
use replay::ReplayRecord;
use scoring::{ScoringInput, neutral_hosts, reading};
use subject::{QuotaScope, QuotaSubject};

pub use deps::Deps;
pub use submission::{Explained, Judgment, Refusal, RequestId, Submission};

/// Judges one comment. Redis may take as long as `patience`, if that is less than its budget: its absence is then a
/// fact like any other.
///
/// # Errors
/// The calling program's mistakes; an author's mistakes are part of the judgment.
pub async fn moderate(deps: &Deps, submission: &Submission, patience: Duration) -> Result<Judgment, Refusal> {
    let operations = &*deps.operations;
    let now = operations.clock().now();
    submission.refuse_the_future(now)?;
    let policy = &*policy_of(operations, submission)?;
    // One snapshot from beginning to end: another model may be promoted while this call runs.
    let model = operations.models.current();
    let mut signals = signals::collect(&submission.comment, policy, FieldSet::default());
    let subject = if returned_to_author(&signals, policy) {
        // Nobody spends a quota on a form that has to be mended first.
        QuotaSubject::NotMeasured
    } else {
        QuotaSubject::of(&operations.pseudonymizer, submission, policy)
    };
    proxies::watch(&deps.proxies, operations, submission, policy, subject);
    let duplicate_key = duplicate::key(&operations.pseudonymizer, submission);
    let stopwatch = Stopwatch::of(submission, operations.clock());
    let scoring = ScoringInput {
        submission,
        policy,
        model: model.as_deref(),
        decision_id: deps.next_decision_id(),
        scope: subject.scope(),
        now,
        previous: previous::look_up(deps, submission, policy, now, patience).await,
        stopwatch: &stopwatch,
    };
    let query = QuotaQuery {
        submission,
        policy,
        subject,
        now,
        patience,
    };
    let measured = evidence::measure_once(deps, duplicate_key, (&query, &scoring), &mut signals).await?;
    let mut judgment = judge(submission, policy, model.as_deref(), signals, measured);
    if let (Some(key), Handling::RetryLater | Handling::ReturnToAuthor) = (duplicate_key, judgment.decision.handling) {
        // Sending it again is what its author was asked for.
        deps.duplicates.forget(key);
    }
    if let Some(call) = &submission.call {
        events::traced(call, &submission.site, &judgment, &stopwatch);
    }
    if !submission.dry_run {
        record(deps, submission, policy, &mut judgment, now);
    }
    Ok(judgment)
}

/// Judges one comment without limits: nothing is counted, nothing remembered. Fields that are `unknown` are not asked
/// for: what a collection did not keep was not left empty.
///
/// # Errors
/// As [`moderate`].
pub fn check(deps: &Deps, submission: &Submission, unknown: FieldSet) -> Result<Judgment, Refusal> {
    let operations = &*deps.operations;
    let now = operations.clock().now();
    submission.refuse_the_future(now)?;
    let policy = &*policy_of(operations, submission)?;
    let model = operations.models.current();
    let scoring = ScoringInput {
        submission,
        policy,
        model: model.as_deref(),
        decision_id: [0; 16],
        scope: QuotaScope::NotMeasured,
        now,
        previous: Previous::NotNamed,
        stopwatch: &Stopwatch::of(submission, operations.clock()),
    };
    let measured = Measured {
        velocity: Velocity::NotMeasured,
        redis_away: false,
        record: scoring.score(),
        replayed: false,
    };
    let signals = signals::collect(&submission.comment, policy, unknown);
    Ok(judge(submission, policy, model.as_deref(), signals, measured))
}

fn policy_of(operations: &Operations, submission: &Submission) -> Result<Arc<SitePolicy>, Refusal> {
    let policy = operations.policies.of(&submission.site);
    policy.ok_or_else(|| Refusal::UnknownSite(submission.site.clone()))
}

/// Puts the evidence before the judge.
fn judge(
    submission: &Submission,
    policy: &SitePolicy,
    model: Option<&LoadedModel>,
    signals: Vec<Signal>,
    measured: Measured,
) -> Judgment {
    let Measured {
        velocity,
        redis_away,
        record,
        replayed,
    } = measured;
    let evidence = Evidence {
        trust: submission.comment.author.trust,
        signals,
        velocity,
        redis_away,
        history: record.history,
        previous: record.previous,
        classifier: record.classifier,
    };
    judgment(submission, policy, model, &evidence, record, replayed)
}

/// Remembers, counts and logs a decision.
fn record(deps: &Deps, submission: &Submission, policy: &SitePolicy, judgment: &mut Judgment, now: Timestamp) {
    let operations = &*deps.operations;
    let replayed = judgment.replayed;
    if !replayed {
        remember(operations, submission, policy, judgment, now);
    }
    let took = operations.clock().now().since(now);
    let decision = &judgment.decision;
    operations
        .metrics()
        .decided(&submission.site, decision, replayed, took.as_secs_f64());
    let at = submission.of_the_past(now).unwrap_or(now);
    operations.count(&submission.site, decision, replayed, (at, now));
    events::decided(&deps.events, submission, judgment, took);
}

/// Hands a decision to the store, if there is one. Never waits.
fn remember(
    operations: &Operations,
    submission: &Submission,
    policy: &SitePolicy,
    judgment: &mut Judgment,
    now: Timestamp,
) {
    let Some(recorder) = operations.recorder() else { return };
    let Some(id) = DecisionId::parse(&judgment.decision_id) else {
        return;
    };
    let judged = judged(&judgment.decision, &judgment.model_version, &judgment.policy_version);
    let Submission { site, comment, .. } = submission;
    let decision = UnredactedDecision {
        submitted_at: submission.of_the_past(now),
        ..unredacted(
            &operations.pseudonymizer,
            (id, site),
            policy,
            comment,
            Some(judged),
            now,
        )
    };
    let degraded = &mut judgment.decision.degraded;
    if recorder.remember(decision) == Enqueued::Dropped && !degraded.contains(&Degraded::Feedback) {
        degraded.push(Degraded::Feedback);
    }
    operations.metrics().feedback_dropped(recorder.n_dropped());
}

fn judged(decision: &Decision, model_version: &str, policy_version: &str) -> Judged {
    let cause = |reason: &Reason| Cause {
        code: reason.code.as_str().to_owned(),
        effect: reason.effect,
        message: policy::moderator_message(reason),
        shadow: reason.shadow,
    };
    Judged {
        verdict: decision.verdict,
        causes: decision.reasons.iter().map(cause).collect(),
        spam_probability: decision.spam_probability,
        model_version: model_version.to_owned(),
        policy_version: policy_version.to_owned(),
    }
}

fn judgment(
    submission: &Submission,
    policy: &SitePolicy,
    model: Option<&LoadedModel>,
    evidence: &Evidence,
    record: ReplayRecord,
    replayed: bool,
) -> Judgment {
    let decision = policy::decide(evidence, policy);
    let scored = matches!(evidence.classifier, Classifier::Scored(..));
    // What another model said before cannot be explained by this one.
    let explanation = (submission.explain && scored)
        .then_some(model)
        .flatten()
        .filter(|loaded| loaded.model.version() == record.model_version)
        .map(|loaded| {
            let hosts = neutral_hosts(&submission.comment, policy);
            let reading = reading(&submission.comment, &hosts);
            let explanation = loaded.model.explain(&reading);
            let summary = policy::summarize(&explanation, &reading);
            Explained { explanation, summary }
        });
    Judgment {
        decision_id: if submission.dry_run {
            String::new()
        } else {
            digits(&record.decision_id)
        },
        decision,
        model_version: if scored { record.model_version } else { String::new() },
        policy_version: policy.version.clone(),
        replayed,
        explanation,
    }
}

/// True if the form goes back to its author.
fn returned_to_author(signals: &[Signal], policy: &SitePolicy) -> bool {
    policy.effects.form == Effect::Pull(Verdict::Reject) && signals.iter().any(|signal| signal.code.is_of_form())
}
