//! The judge: one pure function from evidence and policy to a decision.
//!
//! It must never read a clock, a network or a text. Start reading in [`decide`]; the order of its lines is the order of
//! precedence that the contract promises, and no setting can change it.

mod evidence;
mod history;
mod messages;
mod summary;

use crate::model::{Assessment, Thresholds};
use crate::site::{Effect, Effects, SitePolicy};
use crate::verdict::{Decision, Degraded, Handling, NotEvaluated, QuotaState, Reason, ReasonCode, Verdict};

pub use evidence::{Classifier, Evidence, Previous, Said, Velocity};
pub use messages::{author_message, contribution_message, field, moderator_message};
pub use summary::{Part, PartKind, Summary, summarize};

use crate::comment::Trust;

/// Judges. Every reason that holds is reported, in the order of precedence; the first that applies sets the verdict:
///
/// 1. the form's faults, 2. the hidden field, the block lists and a person's word that it is spam, 3. quotas that
///    reject → reject;
/// 4. an author whom the site trusts or has on its allow list → approve;
/// 5. the classifier, with enough evidence → reject;
/// 6. whatever holds → hold; 7. approve.
///
/// A check that a site has softened from reject to hold takes its place in step 6.
pub fn decide(evidence: &Evidence, policy: &SitePolicy) -> Decision {
    let effects = policy.effects;
    let mut reasons = Vec::new();
    signals(evidence, Stage::Objects, effects, &mut reasons);
    spam_before(evidence.previous, effects, &mut reasons);
    quotas(&evidence.velocity, Verdict::Reject, &mut reasons);
    let vouched = reasons.len();
    if evidence.trust >= Trust::Trusted {
        reasons.push(reason(
            ReasonCode::AuthorTrusted,
            Some(Verdict::Approve),
            Handling::Publish,
        ));
    }
    signals(evidence, Stage::Vouches, effects, &mut reasons);
    ham_before(evidence.previous, &mut reasons);
    classifier(evidence, policy, &mut reasons);
    quotas(&evidence.velocity, Verdict::Hold, &mut reasons);
    quotas(&evidence.velocity, Verdict::Approve, &mut reasons);
    signals(evidence, Stage::Doubts, effects, &mut reasons);

    let (verdict, handling) = verdict(&reasons, vouched);
    let exceeded = quota_states(&evidence.velocity)
        .iter()
        .filter(|quota| quota.exceeded && !quota.shadow);
    Decision {
        verdict,
        handling,
        spam_probability: match evidence.classifier {
            Classifier::Scored(assessment, _) => Some(assessment.probability.get()),
            _ => None,
        },
        retry_after: exceeded.map(|quota| quota.retry_after).max(),
        quotas: quota_states(&evidence.velocity).to_vec(),
        not_evaluated: not_evaluated(evidence),
        degraded: degraded(evidence),
        reasons,
    }
}

/// The verdict, from reasons in order of precedence; those before `vouched` come before trust.
fn verdict(reasons: &[Reason], vouched: usize) -> (Verdict, Handling) {
    let pulls = |wanted: Verdict| move |reason: &&Reason| reason.effect == Some(wanted) && !reason.shadow;
    let (before_trust, from_trust) = reasons.split_at(vouched);
    if let Some(reason) = before_trust.iter().find(pulls(Verdict::Reject)) {
        return (Verdict::Reject, reason.handling);
    }
    let vouches = |reason: &Reason| matches!(reason.code, ReasonCode::AuthorTrusted | ReasonCode::ListAllowed);
    if from_trust.iter().any(vouches) {
        return (Verdict::Approve, Handling::Publish);
    }
    if let Some(reason) = from_trust.iter().find(pulls(Verdict::Reject)) {
        return (Verdict::Reject, reason.handling);
    }
    if reasons.iter().any(|reason| pulls(Verdict::Hold)(&reason)) {
        return (Verdict::Hold, Handling::Queue);
    }
    (Verdict::Approve, Handling::Publish)
}

/// The stages of the order of precedence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Steps 1 and 2.
    Objects,
    /// Step 4.
    Vouches,
    /// Step 6.
    Doubts,
}

/// The meaning of a signal's code: its stage, its effect, and the handling of a comment that it rejects.
fn meaning(code: ReasonCode, effects: Effects) -> (Stage, Effect, Handling) {
    use ReasonCode as R;
    let doubt = |effect| (Stage::Doubts, effect, Handling::Queue);
    match code {
        R::HoneypotFilled => (Stage::Objects, effects.honeypot, Handling::Quarantine),
        R::ListBlocked => (Stage::Objects, effects.list_blocked, Handling::Quarantine),
        R::AuthorEmailDisposable => (Stage::Objects, effects.disposable_email, Handling::Quarantine),
        R::ListAllowed => (Stage::Vouches, Effect::Pull(Verdict::Approve), Handling::Publish),
        R::ListModerated => doubt(effects.list_moderated),
        R::LinksTooMany => doubt(effects.links_too_many),
        R::LinksBbcode => doubt(effects.links_bbcode),
        R::LinksHtml => doubt(effects.links_html),
        R::ContentOnlyLink => doubt(effects.content_only_link),
        R::FormTooFast => doubt(effects.form_too_fast),
        R::ClientProgram => doubt(effects.client_program),
        R::LanguageUnexpected => doubt(effects.language_unexpected),
        R::ReferrerForeign => doubt(effects.referrer_foreign),
        R::KindPingback | R::KindTrackback => doubt(effects.pingback),
        R::AuthorNameMissing
        | R::AuthorNameTooLong
        | R::AuthorEmailMissing
        | R::AuthorEmailInvalid
        | R::AuthorEmailTooLong
        | R::AuthorUrlMissing
        | R::AuthorUrlInvalid
        | R::AuthorUrlTooLong
        | R::ContentMissing
        | R::ContentTooLong => (Stage::Objects, effects.form, Handling::ReturnToAuthor),
        // These are the judge's own: no signal has them.
        R::PreviousSpamByPerson
        | R::PreviousApprovedByPerson
        | R::RateLimitExceeded
        | R::RateLimitWouldExceed
        | R::RateLimitUnavailable
        | R::AuthorTrusted
        | R::AuthorKnown
        | R::AuthorNew
        | R::ClassifierSpam
        | R::ClassifierUnsure
        | R::ClassifierThinEvidence
        | R::ClassifierUnavailable => (Stage::Doubts, Effect::Off, Handling::Queue),
    }
}

/// The signals of one stage.
fn signals(evidence: &Evidence, at: Stage, effects: Effects, reasons: &mut Vec<Reason>) {
    for signal in &evidence.signals {
        let (stage, effect, handling) = meaning(signal.code, effects);
        if let (true, Effect::Pull(verdict)) = (stage == at, effect) {
            let params = signal.params.clone();
            // A page elsewhere says nothing for the comment, so its reason does not pull towards approving it.
            let is_told_only = signal.code == ReasonCode::ReferrerForeign && verdict == Verdict::Approve;
            reasons.push(Reason {
                params,
                ..reason(signal.code, Some(verdict).filter(|_| !is_told_only), handling)
            });
        }
    }
}

/// Step 2: a person has called the comment spam. If it was changed since, that is told and binds nobody.
fn spam_before(previous: Previous, effects: Effects, reasons: &mut Vec<Reason>) {
    let code = ReasonCode::PreviousSpamByPerson;
    match (previous, effects.previous_spam) {
        (Previous::Unchanged(Said::Spam), Effect::Pull(verdict)) => {
            reasons.push(reason(code, Some(verdict), Handling::Quarantine));
        }
        (Previous::Changed(Said::Spam), Effect::Pull(_)) => reasons.push(reason(code, None, Handling::Publish)),
        _ => {}
    }
}

/// Before step 5: a person has approved the comment, which outweighs the classifier and nothing else. If it was changed
/// since, that is told and binds nobody.
fn ham_before(previous: Previous, reasons: &mut Vec<Reason>) {
    let effect = match previous {
        Previous::Unchanged(Said::Ham) => Some(Verdict::Approve),
        Previous::Changed(Said::Ham) => None,
        _ => return,
    };
    reasons.push(reason(ReasonCode::PreviousApprovedByPerson, effect, Handling::Publish));
}

/// Step 3 for quotas that reject, step 6 for those that hold. Quotas that are only watched follow at the end of theirs.
fn quotas(velocity: &Velocity, effect: Verdict, reasons: &mut Vec<Reason>) {
    if let (Velocity::Unknown { hold: true }, Verdict::Hold) = (velocity, effect) {
        reasons.push(reason(
            ReasonCode::RateLimitUnavailable,
            Some(Verdict::Hold),
            Handling::Queue,
        ));
    }
    for quota in quota_states(velocity)
        .iter()
        .filter(|quota| quota.exceeded && quota.effect == effect)
    {
        let code = if quota.shadow {
            ReasonCode::RateLimitWouldExceed
        } else {
            ReasonCode::RateLimitExceeded
        };
        let handling = if effect == Verdict::Reject {
            Handling::RetryLater
        } else {
            Handling::Queue
        };
        let params = vec![
            ("quota", quota.name.to_string()),
            ("limit", quota.limit.to_string()),
            ("retry_after_s", seconds_up(quota.retry_after).to_string()),
        ];
        let effect = if quota.shadow { None } else { Some(effect) };
        reasons.push(Reason {
            params,
            shadow: quota.shadow,
            ..reason(code, effect, handling)
        });
    }
}

/// Steps 5 and 6.
fn classifier(evidence: &Evidence, policy: &SitePolicy, reasons: &mut Vec<Reason>) {
    let effects = policy.effects;
    if let Classifier::Scored(..) = evidence.classifier {
        reasons.extend(history::reason(evidence.history, &policy.history));
    }
    // A person knew better: what the classifier would have done is reported, and has no effect.
    let at_most = if evidence.previous == Previous::Unchanged(Said::Ham) {
        Verdict::Approve
    } else {
        Verdict::Reject
    };
    let mut push = |code, effect, handling, params| {
        if let Effect::Pull(verdict) = effect {
            reasons.push(Reason {
                params,
                ..reason(code, Some(verdict.min(at_most)), handling)
            });
        }
    };
    match &evidence.classifier {
        Classifier::Off | Classifier::NoText => {}
        Classifier::Unavailable => {
            push(
                ReasonCode::ClassifierUnavailable,
                effects.classifier_unavailable,
                Handling::Queue,
                Vec::new(),
            );
        }
        Classifier::Scored(assessment, thresholds) => {
            let thresholds = &history::in_force(thresholds, evidence.history, &policy.history);
            let would_reject = effects.classifier_spam == Effect::Pull(Verdict::Reject);
            match band(assessment, thresholds) {
                Band::Clear => {}
                Band::Unsure => push(
                    ReasonCode::ClassifierUnsure,
                    effects.classifier_unsure,
                    Handling::Queue,
                    numbers(assessment, thresholds),
                ),
                // What thin evidence forbids is a reject; where the site does not reject there is nothing to forbid.
                Band::Spam if assessment.thin && would_reject => push(
                    ReasonCode::ClassifierThinEvidence,
                    effects.classifier_thin_evidence,
                    Handling::Queue,
                    numbers(assessment, thresholds),
                ),
                Band::Spam => push(
                    ReasonCode::ClassifierSpam,
                    effects.classifier_spam,
                    Handling::Quarantine,
                    numbers(assessment, thresholds),
                ),
            }
        }
    }
}

/// The band that a probability lies in.
enum Band {
    Clear,
    Unsure,
    Spam,
}

fn band(assessment: &Assessment, thresholds: &Thresholds) -> Band {
    if thresholds
        .reject_at
        .is_some_and(|reject_at| assessment.probability >= reject_at)
    {
        Band::Spam
    } else if assessment.probability >= thresholds.hold_at {
        Band::Unsure
    } else {
        Band::Clear
    }
}

fn numbers(assessment: &Assessment, thresholds: &Thresholds) -> Vec<(&'static str, String)> {
    let mut numbers = vec![
        ("probability", format!("{:.4}", assessment.probability.get())),
        ("hold_at", format!("{:.4}", thresholds.hold_at.get())),
        ("evidence", format!("{:.2}", assessment.evidence)),
    ];
    if let Some(reject_at) = thresholds.reject_at {
        numbers.push(("reject_at", format!("{:.4}", reject_at.get())));
    }
    numbers
}

fn reason(code: ReasonCode, effect: Option<Verdict>, handling: Handling) -> Reason {
    Reason {
        code,
        effect,
        handling,
        params: Vec::new(),
        shadow: false,
    }
}

fn quota_states(velocity: &Velocity) -> &[QuotaState] {
    match velocity {
        Velocity::Measured(quotas) => quotas,
        _ => &[],
    }
}

fn not_evaluated(evidence: &Evidence) -> Vec<NotEvaluated> {
    let velocity = match evidence.velocity {
        Velocity::NoAddress => Some(NotEvaluated::NoAddress),
        Velocity::AddressNotPublic => Some(NotEvaluated::AddressNotPublic),
        _ => None,
    };
    let text = matches!(evidence.classifier, Classifier::NoText).then_some(NotEvaluated::NoText);
    let previous = matches!(evidence.previous, Previous::Unknown).then_some(NotEvaluated::PreviousUnknown);
    velocity.into_iter().chain(text).chain(previous).collect()
}

fn degraded(evidence: &Evidence) -> Vec<Degraded> {
    let model = matches!(evidence.classifier, Classifier::Unavailable);
    let redis = evidence.redis_away.then_some(Degraded::Redis);
    let store = matches!(evidence.previous, Previous::StoreAway).then_some(Degraded::Feedback);
    let model = model.then_some(Degraded::Model);
    redis.into_iter().chain(model).chain(store).collect()
}

/// Whole seconds, rounded up: whoever waits that long is not refused again.
fn seconds_up(duration: std::time::Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
