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
        .map(|q| (&*q.name, q.burst, q.interval.as_secs(), q.effect))
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
    let names: Vec<_> = policy.quotas.iter().map(|q| (&*q.name, q.burst, q.shadow)).collect();
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
fn a_key_of_an_earlier_version_is_passed_over() {
    assert!(parse("[limiter]\nredis_debts_max = 5", Path::new("test.toml")).is_ok());
    assert!(!problems("[service]\nredis_debts_max = 5").is_empty());
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
        ("[defaults]\nform_age_min = \"0s\"", "defaults.form_age_min"),
        ("[defaults.links]\nown_hosts = [\"a b\"]", "defaults.links.own_hosts"),
        ("[defaults.history]\nknown_count = 0", "defaults.history.known_count"),
        ("[defaults.history]\nknown_shift = -1.0", "defaults.history.known_shift"),
        ("[defaults.history]\nnew_shift = nan", "defaults.history.new_shift"),
        (
            "[defaults.history]\nnew_account_age = \"1w\"",
            "defaults.history.new_account_age",
        ),
        ("[defaults]\nlanguages = [\"en\", \"en_GB\"]", "defaults.languages"),
        (
            "[defaults.effects]\nlinks_html = \"reject\"",
            "defaults.effects.links_html",
        ),
        ("[site.a.lists.block]\nhosts = [\"com\"]", "site.a.lists.block.hosts"),
        ("[site.a.lists.block]\nhost = [\"x.com\"]", "site.a.lists.block.host:"),
        (
            "[site.a.lists.allow]\nnetworks = [\"10.0.0.1/8\"]",
            "site.a.lists.allow.networks",
        ),
        (
            "[site.a.lists.moderate]\nwords = [\"!\"]",
            "site.a.lists.moderate.words",
        ),
        (
            "[site.a.lists.moderate]\nwords = [\"file:none.txt\"]",
            "site.a.lists.moderate.words",
        ),
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
    for other in [
        "classifier = false",
        "history.known_shift = 0.5",
        "history.previous_labels = false",
        "languages = [\"en\"]",
        "effects.client_program = \"off\"",
    ] {
        assert_ne!(default, site(&format!("[site.a]\n{other}")), "{other}");
    }
    assert_eq!(default.len(), 12);
}

#[test]
fn lists_come_from_files_beside_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let path = dir.path().join("moderato.toml");
    write("words.txt", "\u{feff}# the desk's\r\ncasino\r\n\r\nbuy now\n");
    write("hosts.txt", "spam.example\n");
    let text = "[defaults.lists.moderate]\nwords = [\"file:words.txt\", \"bingo\"]\n\
                [site.a.lists.block]\nhosts = [\"file:hosts.txt\"]\n[site.b]\nclassifier = false\n";
    let load = || parse(text, &path).unwrap();
    let config = load();
    let policy = |config: &super::Config, site: &str| config.sites.get(&SiteId::new(site).unwrap()).unwrap().clone();
    let (a, b) = (policy(&config, "a"), policy(&config, "b"));
    assert_eq!((a.lists.len(), b.lists.len()), (4, 3));
    assert!(a.lists.words.find(" buy now ").is_some());
    assert!(std::sync::Arc::ptr_eq(&b.lists, &policy(&config, "other").lists));
    assert_eq!(config.list_files.len(), 2);
    // What a file holds is part of what judges.
    assert_eq!(policy(&load(), "a").version, a.version);
    write("hosts.txt", "spam.example\npills.example\n");
    assert_ne!(policy(&load(), "a").version, a.version);
}

#[test]
fn every_mistake_of_a_list_is_named_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("moderato.toml");
    let file = |name: &str, text: &[u8]| std::fs::write(dir.path().join(name), text).unwrap();
    file("hosts.txt", b"# good\nspam.example\nhttps://pills.example/x\ncom\n");
    file("nets.txt", b"203.0.113.7/24\n");
    file("words.txt", b"one\ntwo\nthree \xff\n");
    let text = "[site.a.lists.block]\nhosts = [\"file:hosts.txt\"]\nnetworks = [\"file:nets.txt\"]\n\
                [site.a.lists.moderate]\nwords = [\"file:words.txt\", \"file:none.txt\"]\n";
    let Err(ConfigError::Problems { problems, .. }) = parse(text, &path) else {
        panic!("it has mistakes");
    };
    for start in [
        "site.a.lists.block.hosts: hosts.txt, line 3: \"https://pills.example/x\" is more than a host; write pills.example",
        "site.a.lists.block.hosts: hosts.txt, line 4: under \"com\" anybody may register a name; to list them all write *.com",
        "site.a.lists.block.networks: nets.txt, line 1: \"203.0.113.7/24\" has bits behind its prefix; write 203.0.113.0/24",
        "site.a.lists.moderate.words: words.txt, line 3: is not UTF-8",
        "site.a.lists.moderate.words: none.txt: cannot be read",
    ] {
        assert!(
            problems.iter().any(|problem| problem.starts_with(start)),
            "{start}: {problems:#?}"
        );
    }
    assert_eq!(problems.len(), 5, "{problems:#?}");
}
