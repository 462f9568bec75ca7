//! The sections that judge comments: `[defaults]` and `[site.<id>]`, resolved to complete policies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Table;

use super::history::RawHistory;
use super::lists::{Compiler, RawLists};
use super::raw::{self, Merged};
use crate::comment::LanguageTag;
use crate::site::{
    Callers, Effect, Effects, Field, FieldSet, Keep, Lengths, LinkPolicy, Quota, RedisAway, Required, SiteId,
    SitePolicy, Sites,
};
use crate::text::Hosts;
use crate::verdict::Verdict;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    classifier: bool,
    hold_at: Option<f64>,
    reject_at: Option<f64>,
    judge_private_addresses: bool,
    ipv4_prefix: u64,
    ipv6_prefix: u64,
    redis_away: String,
    keep: String,
    author_history: bool,
    form_age_min: String,
    languages: Vec<String>,
    holds_per_day: u64,
    required: RawRequired,
    lengths: RawLengths,
    links: RawLinks,
    history: RawHistory,
    lists: RawLists,
    effects: RawEffects,
    quotas: BTreeMap<String, RawQuota>,
    /// Read by `access`: who may call is no part of how is judged.
    #[serde(rename = "keys")]
    _keys: Vec<toml::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequired {
    anonymous: Vec<String>,
    authenticated: Vec<String>,
    trusted: Vec<String>,
    staff: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLengths {
    author_name_chars_max: usize,
    author_email_chars_max: usize,
    author_url_chars_max: usize,
    content_bytes_max: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLinks {
    max: usize,
    own_hosts: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEffects {
    form: String,
    honeypot: String,
    list_blocked: String,
    list_moderated: String,
    disposable_email: String,
    previous_spam: String,
    links_too_many: String,
    links_bbcode: String,
    links_html: String,
    content_only_link: String,
    form_too_fast: String,
    client_program: String,
    language_unexpected: String,
    referrer_foreign: String,
    pingback: String,
    classifier_spam: String,
    classifier_unsure: String,
    classifier_thin_evidence: String,
    classifier_unavailable: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuota {
    burst: u64,
    grants: u64,
    per: String,
    effect: String,
    shadow: bool,
}

/// Resolves every site. `None` only if something is wrong, which `problems` then says.
pub(super) fn resolve(
    merged: &Merged<'_>,
    allow_unknown: bool,
    lists: &mut Compiler<'_>,
    problems: &mut Vec<String>,
) -> Option<Sites> {
    let before = problems.len();
    let defaults = policy(&merged.defaults, "defaults", lists, problems).map(Arc::new);
    let mut named = BTreeMap::new();
    for (name, table) in &merged.sites {
        let path = format!("site.{name}");
        match SiteId::new(name) {
            Ok(id) => {
                let mut of_site = Vec::new();
                if let Some(policy) = policy(table, &path, lists, &mut of_site) {
                    named.insert(id, Arc::new(policy));
                }
                // What is wrong with what it inherits has been said.
                of_site.retain(|problem| !problems[before..].contains(&problem.replacen(&path, "defaults", 1)));
                problems.append(&mut of_site);
            }
            Err(error) => problems.push(format!("{path}: the site's name {error}")),
        }
    }
    let defaults = defaults?;
    Some(Sites {
        named,
        unnamed: allow_unknown.then_some(defaults),
        callers: Callers::default(),
    })
}

fn policy(table: &Table, path: &str, lists: &mut Compiler<'_>, problems: &mut Vec<String>) -> Option<SitePolicy> {
    let raw: RawPolicy = raw::section(table, path, problems)?;
    let before = problems.len();
    let key = |name: &str| format!("{path}.{name}");
    thresholds(&raw, path, problems);
    let ipv4_prefix = in_range(&key("ipv4_prefix"), raw.ipv4_prefix, 8, 32, problems);
    let ipv6_prefix = in_range(&key("ipv6_prefix"), raw.ipv6_prefix, 16, 128, problems);
    let redis_away = match raw.redis_away.as_str() {
        "local" => RedisAway::Local,
        "hold" => RedisAway::Hold,
        "ignore" => RedisAway::Ignore,
        other => {
            problems.push(format!(
                "{}: {other:?} is not one of \"local\", \"hold\", \"ignore\"",
                key("redis_away")
            ));
            RedisAway::Local
        }
    };
    let keep = match raw.keep.as_str() {
        "features" => Keep::Features,
        "text" => Keep::Text,
        "nothing" => Keep::Nothing,
        other => {
            problems.push(format!(
                "{}: {other:?} is not one of \"features\", \"text\", \"nothing\"",
                key("keep")
            ));
            Keep::Nothing
        }
    };
    let lists = lists.compile(&raw.lists, path, problems);
    let form_age_min = raw::duration(&key("form_age_min"), &raw.form_age_min, problems).unwrap_or_default();
    for host in &raw.links.own_hosts {
        if Hosts::new(std::slice::from_ref(host)) == Hosts::default() {
            let what = "is not a host; write it like gazette.example";
            problems.push(format!("{}: {host:?} {what}", key("links.own_hosts")));
        }
    }
    let policy = SitePolicy {
        version: version(table, lists.digest),
        form_age_min,
        languages: languages(&key("languages"), &raw.languages, problems),
        links: LinkPolicy {
            max: raw.links.max,
            own_hosts: Hosts::new(&raw.links.own_hosts),
        },
        history: raw.history.resolve(&key("history"), problems),
        lists,
        classifier: raw.classifier,
        hold_at: raw.hold_at,
        reject_at: raw.reject_at,
        judge_private_addresses: raw.judge_private_addresses,
        ipv4_prefix,
        ipv6_prefix,
        redis_away,
        holds_per_day: (raw.holds_per_day > 0).then_some(raw.holds_per_day),
        keep,
        author_history: raw.author_history,
        required: Required {
            anonymous: fields(&key("required.anonymous"), &raw.required.anonymous, problems),
            authenticated: fields(&key("required.authenticated"), &raw.required.authenticated, problems),
            trusted: fields(&key("required.trusted"), &raw.required.trusted, problems),
            staff: fields(&key("required.staff"), &raw.required.staff, problems),
        },
        lengths: Lengths {
            author_name_chars_max: raw.lengths.author_name_chars_max,
            author_email_chars_max: raw.lengths.author_email_chars_max,
            author_url_chars_max: raw.lengths.author_url_chars_max,
            content_bytes_max: raw.lengths.content_bytes_max,
        },
        effects: effects(&raw.effects, &key("effects"), problems),
        quotas: quotas(&raw.quotas, &key("quotas"), problems),
    };
    (problems.len() == before).then_some(policy)
}

fn thresholds(raw: &RawPolicy, path: &str, problems: &mut Vec<String>) {
    for (name, value) in [("hold_at", raw.hold_at), ("reject_at", raw.reject_at)] {
        if value.is_some_and(|p| !(p > 0.0 && p <= 1.0)) {
            problems.push(format!("{path}.{name}: must be above 0 and at most 1"));
        }
    }
    if let (Some(hold_at), Some(reject_at)) = (raw.hold_at, raw.reject_at)
        && hold_at > reject_at
    {
        problems.push(format!(
            "{path}.hold_at: {hold_at} is above reject_at {reject_at}; hold before rejecting"
        ));
    }
}

fn in_range(key: &str, value: u64, min: u8, max: u8, problems: &mut Vec<String>) -> u8 {
    let within = u8::try_from(value).ok().filter(|value| (min..=max).contains(value));
    within.unwrap_or_else(|| {
        problems.push(format!("{key}: {value} is not between {min} and {max}"));
        max
    })
}

fn fields(key: &str, names: &[String], problems: &mut Vec<String>) -> FieldSet {
    let field = |name: &String| {
        let found = Field::ALL.into_iter().find(|field| field.as_str() == name);
        if found.is_none() {
            let all = Field::ALL.map(Field::as_str).join(", ");
            problems.push(format!("{key}: {name:?} is not a field; there are {all}"));
        }
        found
    };
    names.iter().filter_map(field).collect()
}

fn languages(key: &str, tags: &[String], problems: &mut Vec<String>) -> Vec<LanguageTag> {
    let tag = |text: &String| {
        LanguageTag::new(text)
            .map_err(|error| problems.push(format!("{key}: {text:?} {error}")))
            .ok()
    };
    tags.iter().filter_map(tag).collect()
}

fn effect(key: &str, text: &str, at_most: Verdict, problems: &mut Vec<String>) -> Effect {
    let verdict = match text {
        "off" => return Effect::Off,
        "approve" => Verdict::Approve,
        "hold" => Verdict::Hold,
        "reject" => Verdict::Reject,
        other => {
            problems.push(format!(
                "{key}: {other:?} is not one of \"reject\", \"hold\", \"approve\", \"off\""
            ));
            return Effect::Off;
        }
    };
    if verdict > at_most {
        problems.push(format!(
            "{key}: {text:?} is sharper than this check may be; at most \"{at_most}\""
        ));
    }
    Effect::Pull(verdict)
}

fn effects(raw: &RawEffects, path: &str, problems: &mut Vec<String>) -> Effects {
    let mut one = |name: &str, text: &str, at_most| effect(&format!("{path}.{name}"), text, at_most, problems);
    let effects = Effects {
        form: one("form", &raw.form, Verdict::Reject),
        honeypot: one("honeypot", &raw.honeypot, Verdict::Reject),
        list_blocked: one("list_blocked", &raw.list_blocked, Verdict::Reject),
        list_moderated: one("list_moderated", &raw.list_moderated, Verdict::Hold),
        disposable_email: one("disposable_email", &raw.disposable_email, Verdict::Reject),
        previous_spam: one("previous_spam", &raw.previous_spam, Verdict::Reject),
        links_too_many: one("links_too_many", &raw.links_too_many, Verdict::Hold),
        links_bbcode: one("links_bbcode", &raw.links_bbcode, Verdict::Hold),
        links_html: one("links_html", &raw.links_html, Verdict::Hold),
        content_only_link: one("content_only_link", &raw.content_only_link, Verdict::Hold),
        form_too_fast: one("form_too_fast", &raw.form_too_fast, Verdict::Hold),
        client_program: one("client_program", &raw.client_program, Verdict::Hold),
        language_unexpected: one("language_unexpected", &raw.language_unexpected, Verdict::Hold),
        referrer_foreign: one("referrer_foreign", &raw.referrer_foreign, Verdict::Hold),
        pingback: one("pingback", &raw.pingback, Verdict::Hold),
        classifier_spam: one("classifier_spam", &raw.classifier_spam, Verdict::Reject),
        classifier_unsure: one("classifier_unsure", &raw.classifier_unsure, Verdict::Hold),
        classifier_thin_evidence: one("classifier_thin_evidence", &raw.classifier_thin_evidence, Verdict::Hold),
        classifier_unavailable: one("classifier_unavailable", &raw.classifier_unavailable, Verdict::Hold),
    };
    // More spam must never fare better: whoever softens the sharper check softens the milder one with it.
    for (name, sharper) in [
        ("classifier_spam", effects.classifier_spam),
        ("classifier_thin_evidence", effects.classifier_thin_evidence),
    ] {
        if strength(sharper) < strength(effects.classifier_unsure).min(Verdict::Hold) {
            problems.push(format!(
                "{path}.{name}: is milder than classifier_unsure; soften that as well"
            ));
        }
    }
    effects
}

/// The strength of an effect; a check that is off does nothing, like one that only reports.
const fn strength(effect: Effect) -> Verdict {
    match effect {
        Effect::Off => Verdict::Approve,
        Effect::Pull(verdict) => verdict,
    }
}

fn quotas(raw: &BTreeMap<String, RawQuota>, path: &str, problems: &mut Vec<String>) -> Vec<Quota> {
    let mut quotas = Vec::new();
    for (name, raw) in raw {
        let key = format!("{path}.{name}");
        let named =
            !name.is_empty() && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !named {
            problems.push(format!("{key}: a quota's name is 1 to 32 letters, digits and '_'"));
        }
        let number = |number: u64| u32::try_from(number).ok().filter(|n| (1..=raw::RATE_MAX).contains(n));
        let (Some(burst), Some(grants)) = (number(raw.burst), number(raw.grants)) else {
            problems.push(format!("{key}: burst and grants are between 1 and {}", raw::RATE_MAX));
            continue;
        };
        let Some(per) = raw::duration(&format!("{key}.per"), &raw.per, problems) else {
            continue;
        };
        if raw.effect == "approve" {
            problems.push(format!(
                "{key}.effect: \"approve\" would still stop the other quotas; to only watch this one, set shadow = true"
            ));
            continue;
        }
        let Effect::Pull(effect) = effect(&format!("{key}.effect"), &raw.effect, Verdict::Reject, problems) else {
            continue;
        };
        // Rounded up to whole microseconds: never more than was promised.
        let micros = u64::try_from(per.as_micros())
            .unwrap_or(u64::MAX)
            .div_ceil(u64::from(grants));
        let interval = Duration::from_micros(micros);
        if interval.saturating_mul(burst) > Duration::from_secs(366 * 86_400) {
            problems.push(format!(
                "{key}: takes longer than a year to fill up; lower burst or per"
            ));
        }
        quotas.push(Quota {
            name: name.as_str().into(),
            burst,
            interval,
            effect,
            shadow: raw.shadow,
        });
    }
    quotas.sort_by(|a, b| a.interval.cmp(&b.interval).then_with(|| a.name.cmp(&b.name)));
    if quotas.len() > 8 {
        problems.push(format!(
            "{path}: {} quotas; at most 8 are kept for one author",
            quotas.len()
        ));
    }
    quotas
}

/// The start of the digest of a policy's settings and of what its lists hold. TOML tables are sorted, so equal settings
/// give equal text.
fn version(table: &Table, lists: [u8; 8]) -> String {
    // Who may call does not change how is judged.
    let mut table = table.clone();
    table.remove("keys");
    let digest = Sha256::new()
        .chain_update(table.to_string())
        .chain_update(lists)
        .finalize();
    hex::encode(&digest[..6])
}
