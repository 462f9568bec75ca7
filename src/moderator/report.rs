//! One event for each decision, made from the decision itself. It names the site, what was decided and why; never a
//! text, a name or an address.

use crate::moderator::Judgement;
use crate::site::SiteId;
use crate::verdict::Verdict;

/// Writes the event: at `debug` for an approval, which is the most of them, and at `info` for what a person may ask
/// about.
pub(super) fn decided(site: &SiteId, judgement: &Judgement) {
    let decision = &judgement.decision;
    let probability = decision.spam_probability.map(|p| (p * 100.0).round() / 100.0);
    if decision.verdict == Verdict::Approve {
        tracing::debug!(
            site = site.as_str(),
            decision_id = judgement.decision_id,
            probability,
            "approved"
        );
        return;
    }
    let reasons: Vec<_> = decision.reasons.iter().map(|reason| reason.code.as_str()).collect();
    tracing::info!(
        site = site.as_str(),
        decision_id = judgement.decision_id,
        verdict = decision.verdict.as_str(),
        handling = decision.handling.as_str(),
        reasons = reasons.join(","),
        probability,
        degraded = !decision.degraded.is_empty(),
        replayed = judgement.replayed,
        model_version = judgement.model_version,
        policy_version = judgement.policy_version,
        "objected"
    );
}
