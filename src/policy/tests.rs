use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::{Classifier, Evidence, Previous, Said, Velocity, author_message, decide, moderator_message};
use crate::comment::Trust;
use crate::config;
use crate::model::{Assessment, SpamProbability, Thresholds};
use crate::signals::{History, Signal};
use crate::site::{SiteId, SitePolicy};
use crate::verdict::{Handling, QuotaState, ReasonCode, Verdict};

fn policy(text: &str) -> SitePolicy {
    let config = config::parse(text, Path::new("test.toml")).unwrap();
    config.sites.get(&SiteId::new("a").unwrap()).unwrap().as_ref().clone()
}

fn scored(probability: f64, thin: bool) -> Classifier {
    let thresholds = Thresholds {
        hold_at: SpamProbability::new(0.5),
        reject_at: Some(SpamProbability::new(0.99)),
    };
    let probability = SpamProbability::new(probability);
    Classifier::Scored(
        Assessment {
            probability,
            evidence: if thin { 0.1 } else { 0.9 },
            thin,
        },
        thresholds,
    )
}

fn quota(effect: Verdict, exceeded: bool, shadow: bool) -> QuotaState {
    QuotaState {
        name: format!("{effect}").into(),
        limit: 5,
        remaining: if exceeded { 0 } else { 3 },
        retry_after: Duration::from_secs(if exceeded { 12 } else { 0 }),
        reset_after: Duration::from_secs(24),
        exceeded,
        effect,
        shadow,
    }
}

prop_compose! {
    fn any_quota()(effect in 0..3usize, exceeded: bool, shadow: bool) -> QuotaState {
        quota([Verdict::Approve, Verdict::Hold, Verdict::Reject][effect], exceeded, shadow)
    }
}

fn any_velocity() -> impl Strategy<Value = Velocity> {
    prop_oneof![
        Just(Velocity::NotMeasured),
        Just(Velocity::NoAddress),
        Just(Velocity::AddressNotPublic),
        any::<bool>().prop_map(|hold| Velocity::Unknown { hold }),
        proptest::collection::vec(any_quota(), 0..4).prop_map(Velocity::Measured),
    ]
}

fn any_classifier() -> impl Strategy<Value = Classifier> {
    prop_oneof![
        Just(Classifier::Off),
        Just(Classifier::NoText),
        Just(Classifier::Unavailable),
        (0.0..=1.0f64, any::<bool>()).prop_map(|(p, thin)| scored(p, thin)),
    ]
}

/// The codes that `signals` may report.
fn signal_codes() -> Vec<ReasonCode> {
    let by_others = |code: &ReasonCode| {
        [
            "rate_limit.",
            "classifier.",
            "author.trusted",
            "author.known",
            "author.new",
            "previous.",
        ]
        .iter()
        .any(|start| code.as_str().starts_with(start))
    };
    ReasonCode::ALL.into_iter().filter(|code| !by_others(code)).collect()
}

prop_compose! {
    fn any_evidence()(
        trust in 0..4usize,
        codes in proptest::sample::subsequence(signal_codes(), 0..=4),
        velocity in any_velocity(),
        redis_away: bool,
        history in proptest::sample::select(&History::ALL[..]),
        previous in proptest::sample::select(&Previous::ALL[..]),
        classifier in any_classifier(),
    ) -> Evidence {
        let signals = codes.into_iter().map(|code| Signal { code, params: Vec::new() }).collect();
        let trust = [Trust::Anonymous, Trust::Authenticated, Trust::Trusted, Trust::Staff][trust];
        Evidence { trust, signals, velocity, redis_away, history, previous, classifier }
    }
}

proptest! {
    #[test]
    fn more_spam_probability_never_softens(evidence in any_evidence(), a in 0.0..=1.0f64, b in 0.0..=1.0f64, thin: bool) {
        let policy = policy("");
        let at = |p| decide(&Evidence { classifier: scored(p, thin), ..evidence.clone() }, &policy).verdict;
        prop_assert!(at(a.min(b)) <= at(a.max(b)));
    }

    #[test]
    fn trust_never_sharpens(evidence in any_evidence()) {
        let policy = policy("");
        let trusted = Evidence { trust: Trust::Trusted, ..evidence.clone() };
        let anonymous = Evidence { trust: Trust::Anonymous, ..evidence };
        prop_assert!(decide(&trusted, &policy).verdict <= decide(&anonymous, &policy).verdict);
    }

    #[test]
    fn being_known_never_sharpens_and_being_new_never_rejects(evidence in any_evidence()) {
        let policy = policy("");
        let of = |history| decide(&Evidence { history, ..evidence.clone() }, &policy).verdict;
        let plain = of(History::Unremarkable);
        prop_assert!(of(History::Known) <= plain);
        prop_assert!(of(History::New) >= plain);
        prop_assert_eq!(of(History::New) == Verdict::Reject, plain == Verdict::Reject);
    }

    #[test]
    fn a_persons_approval_outweighs_the_classifier_alone(evidence in any_evidence()) {
        let policy = policy("");
        let approved = Evidence { previous: Previous::Unchanged(Said::Ham), ..evidence };
        let unread = Evidence { classifier: Classifier::Off, ..approved.clone() };
        prop_assert_eq!(decide(&approved, &policy).verdict, decide(&unread, &policy).verdict);
    }

    #[test]
    fn a_persons_word_on_another_text_binds_nobody(evidence in any_evidence()) {
        let policy = policy("");
        let of = |previous| {
            let decision = decide(&Evidence { previous, ..evidence.clone() }, &policy);
            (decision.verdict, decision.handling)
        };
        for previous in [Previous::Changed(Said::Ham), Previous::Changed(Said::Spam), Previous::Unlabeled] {
            prop_assert_eq!(of(previous), of(Previous::NotNamed));
        }
    }

    #[test]
    fn being_let_through_never_sharpens(evidence in any_evidence()) {
        let policy = policy("");
        let mut allowed = evidence.clone();
        allowed.signals.push(Signal { code: ReasonCode::ListAllowed, params: Vec::new() });
        prop_assert!(decide(&allowed, &policy).verdict <= decide(&evidence, &policy).verdict);
    }

    #[test]
    fn a_doubt_by_itself_holds_and_never_rejects(code in proptest::sample::select(signal_codes())) {
        use ReasonCode as R;
        let evidence = Evidence {
            trust: Trust::Anonymous,
            signals: vec![Signal { code, params: Vec::new() }],
            velocity: Velocity::NotMeasured,
            redis_away: false,
            history: History::Unremarkable,
            previous: Previous::NotNamed,
            classifier: scored(0.1, false),
        };
        let expected = match code {
            R::ListAllowed | R::LinksHtml | R::ReferrerForeign => Verdict::Approve,
            R::HoneypotFilled | R::ListBlocked => Verdict::Reject,
            code if code.is_of_form() => Verdict::Reject,
            _ => Verdict::Hold,
        };
        prop_assert_eq!(decide(&evidence, &policy("")).verdict, expected);
    }

    #[test]
    fn thin_evidence_never_rejects_by_itself(evidence in any_evidence(), p in 0.0..=1.0f64) {
        let evidence = Evidence { signals: Vec::new(), velocity: Velocity::NotMeasured, previous: Previous::NotNamed, classifier: scored(p, true), ..evidence };
        prop_assert!(decide(&evidence, &policy("")).verdict < Verdict::Reject);
    }

    #[test]
    fn a_verdict_has_a_reason_and_a_handling_that_fits(evidence in any_evidence()) {
        let decision = decide(&evidence, &policy(""));
        let pulls = decision.reasons.iter().any(|reason| reason.effect == Some(decision.verdict) && !reason.shadow);
        prop_assert!(pulls || decision.verdict == Verdict::Approve);
        let fits = match decision.handling {
            Handling::Publish => Verdict::Approve,
            Handling::Queue => Verdict::Hold,
            Handling::ReturnToAuthor | Handling::RetryLater | Handling::Quarantine => Verdict::Reject,
        };
        prop_assert_eq!(fits, decision.verdict);
    }

    #[test]
    fn what_is_only_watched_changes_nothing(evidence in any_evidence(), watched in any_quota()) {
        let policy = policy("");
        let watched = QuotaState { shadow: true, ..watched };
        let with = match &evidence.velocity {
            Velocity::Measured(quotas) => {
                let quotas = quotas.iter().cloned().chain([watched]).collect();
                Evidence { velocity: Velocity::Measured(quotas), ..evidence.clone() }
            }
            _ => evidence.clone(),
        };
        let (a, b) = (decide(&evidence, &policy), decide(&with, &policy));
        prop_assert_eq!((a.verdict, a.handling, a.retry_after), (b.verdict, b.handling, b.retry_after));
    }

    #[test]
    fn authors_learn_nothing_that_trains_a_spammer(evidence in any_evidence()) {
        let decision = decide(&evidence, &policy(""));
        for reason in decision.reasons {
            let message = author_message(&reason, decision.handling).to_lowercase();
            let waits = message.contains("awaiting");
            prop_assert!(!waits || matches!(decision.handling, Handling::Queue | Handling::Quarantine));
            for word in ["spam", "probab", "link", "list", "block", "model", "hidden", "honeypot", "score", "classif"] {
                prop_assert!(!message.contains(word), "{message}");
            }
            prop_assert!(!moderator_message(&reason).is_empty());
        }
    }
}

#[test]
fn a_softened_check_holds_but_does_not_reject() {
    let evidence = Evidence {
        trust: Trust::Anonymous,
        signals: vec![Signal {
            code: ReasonCode::AuthorEmailMissing,
            params: Vec::new(),
        }],
        velocity: Velocity::NotMeasured,
        redis_away: false,
        history: History::Unremarkable,
        previous: Previous::NotNamed,
        classifier: scored(0.1, false),
    };
    let softened = |how: &str| decide(&evidence, &policy(&format!("[site.a.effects]\nform = {how:?}")));
    assert_eq!(softened("reject").verdict, Verdict::Reject);
    assert_eq!(
        (softened("hold").verdict, softened("hold").handling),
        (Verdict::Hold, Handling::Queue)
    );
    assert_eq!(
        (softened("approve").verdict, softened("approve").reasons.len()),
        (Verdict::Approve, 1)
    );
    assert!(softened("off").reasons.is_empty());
}

#[test]
fn softening_one_check_does_not_soften_another() {
    let evidence = Evidence {
        trust: Trust::Anonymous,
        signals: vec![Signal {
            code: ReasonCode::AuthorEmailMissing,
            params: Vec::new(),
        }],
        velocity: Velocity::NotMeasured,
        redis_away: false,
        history: History::Unremarkable,
        previous: Previous::NotNamed,
        classifier: scored(0.999, false),
    };
    let decision = decide(&evidence, &policy("[site.a.effects]\nform = \"hold\""));
    assert_eq!(
        (decision.verdict, decision.handling),
        (Verdict::Reject, Handling::Quarantine)
    );
}

#[test]
fn the_longest_wait_is_reported() {
    let quotas = vec![
        quota(Verdict::Reject, true, false),
        QuotaState {
            retry_after: Duration::from_secs(900),
            ..quota(Verdict::Hold, true, false)
        },
        QuotaState {
            retry_after: Duration::from_secs(9_999),
            ..quota(Verdict::Hold, true, true)
        },
    ];
    let evidence = Evidence {
        trust: Trust::Anonymous,
        signals: Vec::new(),
        velocity: Velocity::Measured(quotas),
        redis_away: false,
        history: History::Unremarkable,
        previous: Previous::NotNamed,
        classifier: Classifier::Off,
    };
    assert_eq!(
        decide(&evidence, &policy("")).retry_after,
        Some(Duration::from_secs(900))
    );
}
