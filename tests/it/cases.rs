//! The golden cases of `tests/cases`: text files that an editor can read and extend.

use std::fs;
use std::path::Path;
use std::time::Duration;

use moderato::comment::Trust;
use moderato::config;
use moderato::model::{Assessment, SpamProbability, Thresholds};
use moderato::policy::{Classifier, Evidence, Previous, Said, Velocity, decide};
use moderato::signals::{History, Signal};
use moderato::site::{SiteId, SitePolicy};
use moderato::verdict::{QuotaState, ReasonCode};

#[test]
fn golden_cases() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut n = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            for case in fs::read_to_string(&path).unwrap().split("\n# ") {
                run(case.trim_start_matches("# ").trim(), &path.display().to_string());
                n += 1;
            }
        }
    }
    assert!(n >= 28, "only {n} cases were found");
}

fn run(case: &str, file: &str) {
    let title = case.lines().next().unwrap();
    let (known, expected) = case
        .split_once("\n=>\n")
        .unwrap_or_else(|| panic!("{file}: {title}: no line `=>`"));
    let known: Vec<_> = known
        .lines()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(pair)
        .collect();
    let policy = policy(&known);
    let decision = decide(&evidence(&known, &policy), &policy);
    for line in expected.lines().filter(|line| !line.trim().is_empty()) {
        let (key, value) = pair(line);
        let found = match key {
            "verdict" => decision.verdict.as_str().to_owned(),
            "handling" => decision.handling.as_str().to_owned(),
            "reasons" => join(decision.reasons.iter().map(|reason| reason.code.as_str())),
            "not_evaluated" => join(decision.not_evaluated.iter().map(|code| code.as_str())),
            "degraded" => join(decision.degraded.iter().map(|code| code.as_str())),
            other => panic!("{file}: {title}: nothing is called {other:?}"),
        };
        assert_eq!(found, value, "{file}: {title}: {key}");
    }
    let said: Vec<_> = expected.lines().map(|line| pair(line).0).collect();
    assert!(
        said.contains(&"not_evaluated") || decision.not_evaluated.is_empty(),
        "{file}: {title}: not_evaluated"
    );
    assert!(
        said.contains(&"degraded") || decision.degraded.is_empty(),
        "{file}: {title}: degraded"
    );
}

pub(crate) fn pair(line: &str) -> (&str, &str) {
    let (key, value) = line.split_once(':').unwrap_or((line, ""));
    (key.trim(), value.trim())
}

fn join<'a>(codes: impl Iterator<Item = &'a str>) -> String {
    codes.collect::<Vec<_>>().join(", ")
}

fn policy(known: &[(&str, &str)]) -> SitePolicy {
    let settings: Vec<_> = known
        .iter()
        .filter(|(key, _)| *key == "site")
        .map(|(_, value)| format!("[site.a]\n{value}"))
        .collect();
    let config = config::parse(&settings.join("\n"), Path::new("case")).unwrap();
    config.sites.get(&SiteId::new("a").unwrap()).unwrap().as_ref().clone()
}

fn evidence(known: &[(&str, &str)], policy: &SitePolicy) -> Evidence {
    let mut evidence = Evidence {
        trust: Trust::Anonymous,
        signals: Vec::new(),
        velocity: Velocity::NotMeasured,
        redis_away: false,
        history: History::Unremarkable,
        previous: Previous::NotNamed,
        classifier: Classifier::Off,
    };
    let mut quotas = Vec::new();
    for &(key, value) in known {
        match (key, value) {
            ("site", _) => {}
            ("trust", _) => evidence.trust = trust(value),
            ("form", codes) => evidence.signals.extend(codes.split(", ").map(signal)),
            ("honeypot", "filled") => evidence.signals.push(signal("honeypot.filled")),
            ("quotas", "redis-away") => evidence.redis_away = true,
            ("quotas", "unknown-hold") => {
                evidence.redis_away = true;
                evidence.velocity = Velocity::Unknown { hold: true };
            }
            ("quotas", "unknown-ignore") => {
                evidence.redis_away = true;
                evidence.velocity = Velocity::Unknown { hold: false };
            }
            ("quotas", "no-address") => evidence.velocity = Velocity::NoAddress,
            ("quotas", "address-not-public") => evidence.velocity = Velocity::AddressNotPublic,
            ("history", "known") => evidence.history = History::Known,
            ("history", "new") => evidence.history = History::New,
            ("previous", said) => evidence.previous = previous(said),
            ("classifier", "off") => evidence.classifier = Classifier::Off,
            ("classifier", "no-text") => evidence.classifier = Classifier::NoText,
            ("classifier", "unavailable") => evidence.classifier = Classifier::Unavailable,
            ("probability", number) => evidence.classifier = scored(number),
            (key, state) => {
                let name = key
                    .strip_prefix("quota ")
                    .unwrap_or_else(|| panic!("{key}: {state}: not understood"));
                quotas.push(quota(name, state, policy));
            }
        }
    }
    if !quotas.is_empty() {
        evidence.velocity = Velocity::Measured(quotas);
    }
    evidence
}

fn previous(words: &str) -> Previous {
    match words {
        "ham" => Previous::Unchanged(Said::Ham),
        "spam" => Previous::Unchanged(Said::Spam),
        "ham, changed" => Previous::Changed(Said::Ham),
        "spam, changed" => Previous::Changed(Said::Spam),
        "unlabeled" => Previous::Unlabeled,
        "unknown" => Previous::Unknown,
        "store-away" => Previous::StoreAway,
        other => panic!("previous: {other}"),
    }
}

fn trust(word: &str) -> Trust {
    match word {
        "anonymous" => Trust::Anonymous,
        "authenticated" => Trust::Authenticated,
        "trusted" => Trust::Trusted,
        "staff" => Trust::Staff,
        other => panic!("trust: {other}"),
    }
}

fn signal(code: &str) -> Signal {
    let found = ReasonCode::ALL.into_iter().find(|known| known.as_str() == code);
    Signal {
        code: found.unwrap_or_else(|| panic!("no such code: {code}")),
        params: Vec::new(),
    }
}

fn scored(text: &str) -> Classifier {
    let (number, thin) = text
        .strip_suffix(" thin")
        .map_or((text, false), |number| (number, true));
    let probability = SpamProbability::new(number.parse().unwrap());
    let thresholds = Thresholds {
        hold_at: SpamProbability::new(0.5),
        reject_at: Some(SpamProbability::new(0.99)),
    };
    Classifier::Scored(
        Assessment {
            probability,
            evidence: if thin { 0.1 } else { 0.9 },
            thin,
        },
        thresholds,
    )
}

fn quota(name: &str, state: &str, policy: &SitePolicy) -> QuotaState {
    let quota = policy
        .quotas
        .iter()
        .find(|quota| &*quota.name == name)
        .unwrap_or_else(|| panic!("no quota {name}"));
    let (exceeded, shadow) = match state {
        "left" => (false, false),
        "exceeded" => (true, false),
        "shadow-exceeded" => (true, true),
        other => panic!("quota {name}: {other}: not understood"),
    };
    QuotaState {
        name: name.into(),
        limit: quota.burst,
        remaining: u32::from(!exceeded),
        retry_after: if exceeded { quota.interval } else { Duration::ZERO },
        reset_after: quota.interval,
        exceeded,
        effect: quota.effect,
        shadow,
    }
}
