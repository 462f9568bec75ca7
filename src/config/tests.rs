use std::path::Path;
use std::time::Duration;

use super::{ConfigError, parse};
use crate::comment::Trust;
use crate::site::{Effect, Field, SiteId};
use crate::verdict::Verdict;

fn problems(text: &str) -> Vec<String> {
    match parse(text, Path::new("test.toml")) {
        Err(ConfigError::Problems { problems, .. }) => problems,
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn the_embedded_defaults_are_the_contract() {
    let config = parse("", Path::new("(embedded)")).unwrap();
    assert_eq!(config.listen[0].to_string(), "127.0.0.1:50051");
    let policy = config.sites.get(&SiteId::new("any").unwrap()).unwrap();
    let quotas: Vec<_> = policy
        .quotas
        .iter()
        .map(|q| (q.name.as_str(), q.burst, q.interval.as_secs(), q.effect))
        .collect();
    assert_eq!(
        quotas,
        [
            ("minute", 5, 12, Verdict::Reject),
            ("hour", 15, 120, Verdict::Hold),
            ("day", 40, 864, Verdict::Hold)
        ]
    );
    let anonymous = policy.required.of(Trust::Anonymous);
    assert!(anonymous.has(Field::AuthorName) && anonymous.has(Field::AuthorEmail) && !anonymous.has(Field::AuthorUrl));
    assert!(!policy.required.of(Trust::Authenticated).has(Field::AuthorEmail));
    assert_eq!(policy.lengths.content_bytes_max, 65_525);
}

#[test]
fn a_site_overrides_what_differs() {
    let text = r#"
        [service]
        allow_unknown_sites = false
        [defaults]
        ipv6_prefix = 56
        [site.gazette]
        required.anonymous = ["content"]
        effects.classifier_spam = "hold"
        reject_at = 1
        [site.gazette.quotas]
        minute = { burst = 3 }
        week = { burst = 100, grants = 100, per = "7d", effect = "hold", shadow = true }
        hour = { effect = "off" }
    "#;
    let config = parse(text, Path::new("test.toml")).unwrap();
    assert!(config.sites.get(&SiteId::new("other").unwrap()).is_none());
    let policy = config.sites.get(&SiteId::new("gazette").unwrap()).unwrap();
    assert_eq!(policy.ipv6_prefix, 56);
    assert_eq!(policy.reject_at, Some(1.0));
    assert_eq!(policy.effects.classifier_spam, Effect::Pull(Verdict::Hold));
    assert!(!policy.required.of(Trust::Anonymous).has(Field::AuthorName));
    let names: Vec<_> = policy
        .quotas
        .iter()
        .map(|q| (q.name.as_str(), q.burst, q.shadow))
        .collect();
    assert_eq!(names, [("minute", 3, false), ("day", 40, false), ("week", 100, true)]);
    assert_eq!(policy.quotas[0].interval, Duration::from_secs(12));
}

#[test]
fn every_mistake_at_once_with_path_and_remedy() {
    let found = problems(
        "[service]\nlistn = []\n[site.gazette]\nredis_away = 3\n[site.gazette.quotas.minute]\nbrst = 3\n[sites]\n",
    );
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(
        found
            .iter()
            .any(|p| p.starts_with("service.listn:") && p.contains("`listen`")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|p| p.starts_with("site.gazette.redis_away:") && p.contains("must be a string"))
    );
    assert!(
        found
            .iter()
            .any(|p| p.starts_with("site.gazette.quotas.minute.brst:") && p.contains("`burst`"))
    );
    assert!(found.iter().any(|p| p.starts_with("sites:") && p.contains("`site`")));
}

#[test]
fn values_are_checked() {
    let cases = [
        ("[service]\nlisten = [\"localhost\"]", "service.listen"),
        ("[service]\nmessage_bytes_max = 0", "service.message_bytes_max"),
        ("[service]\ndrain_timeout = \"soon\"", "service.drain_timeout"),
        ("[defaults]\nhold_at = 0.9\nreject_at = 0.8", "defaults.hold_at"),
        ("[limiter]\nredis_local_share = 0", "limiter.redis_local_share"),
        (
            "[limiter]\nredis_tls_cert_file = \"c.pem\"",
            "limiter.redis_tls_cert_file",
        ),
        ("[defaults]\nreject_at = 1.5", "defaults.reject_at"),
        ("[defaults]\nipv6_prefix = 8", "defaults.ipv6_prefix"),
        (
            "[defaults.effects]\nclassifier_unsure = \"reject\"",
            "defaults.effects.classifier_unsure",
        ),
        ("[defaults.effects]\nform = \"never\"", "defaults.effects.form"),
        (
            "[defaults.effects]\nclassifier_spam = \"off\"",
            "defaults.effects.classifier_spam",
        ),
        (
            "[defaults.required]\nanonymous = [\"phone\"]",
            "defaults.required.anonymous",
        ),
        ("[defaults.quotas.minute]\nburst = 0", "defaults.quotas.minute"),
        ("[site.\"The Gazette\"]\nclassifier = false", "site.The Gazette"),
    ];
    for (text, key) in cases {
        let found = problems(text);
        assert!(found.len() == 1 && found[0].starts_with(key), "{text}: {found:?}");
    }
}

#[test]
fn equal_settings_have_one_version() {
    let site = |text: &str| {
        let config = parse(text, Path::new("test.toml")).unwrap();
        config.sites.get(&SiteId::new("a").unwrap()).unwrap().version.clone()
    };
    let default = site("");
    assert_eq!(default, site("[site.a]\nclassifier = true"));
    assert_ne!(default, site("[site.a]\nclassifier = false"));
    assert_eq!(default.len(), 12);
}
