//! One event for each decision, made from the decision itself. It names the site, what was decided and why; never a
//! text, a name or an address.

use std::sync::OnceLock;
use std::time::Duration;

use super::submission::{Judgment, Submission};
use crate::clock::{Clock, Timestamp};
use crate::site::SiteId;
use crate::telemetry::{Call, Events, Judged};
use crate::verdict::{Decision, Verdict};

/// Writes the event, if it is among those that are wanted.
pub(super) fn decided(events: &Events, submission: &Submission, judgment: &Judgment, took: Duration) {
    let decision = &judgment.decision;
    if !events.wants(decision.verdict != Verdict::Approve, &judgment.decision_id) {
        return;
    }
    tracing::info!(
        site = submission.site.as_str(),
        decision_id = judgment.decision_id,
        verdict = decision.verdict.as_str(),
        handling = decision.handling.as_str(),
        reasons = joined(decision.reasons.iter().map(|reason| reason.code.as_str())),
        probability = decision.spam_probability.map(|p| (p * 100.0).round() / 100.0),
        quotas_exceeded = joined(exceeded(decision)),
        not_evaluated = joined(decision.not_evaluated.iter().map(|what| what.as_str())),
        degraded = joined(decision.degraded.iter().map(|what| what.as_str())),
        replayed = judgment.replayed,
        model_version = judgment.model_version,
        policy_version = judgment.policy_version,
        trace_id = submission.call.as_ref().map(Call::trace_id),
        took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "judged"
    );
}

/// Tells the span of a traced call.
pub(super) fn traced(call: &Call, site: &SiteId, judgment: &Judgment, stopwatch: &Stopwatch<'_>) {
    call.judged(&Judged {
        site,
        decision_id: &judgment.decision_id,
        decision: &judgment.decision,
        model_version: &judgment.model_version,
        policy_version: &judgment.policy_version,
        replayed: judgment.replayed,
        scored: stopwatch.scored.get().copied(),
        counted: stopwatch.counted.get().copied(),
    });
}

/// The time that the stations of a traced call took.
pub(super) struct Stopwatch<'a> {
    /// Only for those who look on: the clock costs more than most stations.
    clock: Option<&'a Clock>,
    scored: OnceLock<Took>,
    counted: OnceLock<Took>,
}

/// The beginning and the end of a station.
type Took = (Timestamp, Timestamp);

impl<'a> Stopwatch<'a> {
    /// One that runs if the submission's call is traced.
    pub(super) fn of(submission: &Submission, clock: &'a Clock) -> Self {
        Self {
            clock: submission.call.as_ref().map(|_| clock),
            scored: OnceLock::new(),
            counted: OnceLock::new(),
        }
    }

    /// Now, if it runs.
    pub(super) fn mark(&self) -> Option<Timestamp> {
        self.clock.map(Clock::now)
    }

    /// Notes that the text was scored since `from`.
    pub(super) fn scored(&self, from: Option<Timestamp>) {
        self.note(&self.scored, from);
    }

    /// Notes that the quotas were counted since `from`.
    pub(super) fn counted(&self, from: Option<Timestamp>) {
        self.note(&self.counted, from);
    }

    fn note(&self, station: &OnceLock<Took>, from: Option<Timestamp>) {
        if let Some(took) = from.zip(self.mark()) {
            let _ = station.set(took);
        }
    }
}

fn exceeded(decision: &Decision) -> impl Iterator<Item = &str> {
    let over = decision.quotas.iter().filter(|quota| quota.exceeded);
    over.map(|quota| &*quota.name)
}

fn joined<'a>(codes: impl Iterator<Item = &'a str>) -> String {
    codes.collect::<Vec<_>>().join(",")
}
