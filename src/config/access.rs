//! `[access]` and the lists of keys: who may call. A key itself never stands in a configuration, only its hash.

use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;
use toml::value::Datetime;
use toml::{Table, Value};

use super::raw::{self, Merged};
use super::tls::TlsFiles;
use super::{ConfigError, file};
use crate::clock::Timestamp;
use crate::site::{CallerKey, Callers, KeyHash, Opens, SiteId, Sites};

/// The parts of a key's entry, with an example of each.
const ENTRY: [(&str, &str); 4] = [
    ("hash", "\"sha256:…\", as `moderato key new --site ID` prints it"),
    ("name", "\"the gazette's backend\""),
    ("expires", "2027-12-31, without quotes: the key's last day, UTC"),
    ("calls_per_second", "100: a whole number above 0"),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccess {
    tls_cert_file: String,
    tls_key_file: String,
    tls_client_ca_file: String,
    /// Read from the table itself, in which days are still days.
    #[serde(rename = "admin_keys")]
    _admin_keys: Vec<Value>,
    caller_calls_per_second: u64,
    serve_unprotected_beyond_loopback: bool,
}

/// The access rules apart from the keys, which are part of [`Sites`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessConfig {
    /// The files that TLS is made from; `None` is plain text.
    pub tls: Option<TlsFiles>,
    /// Listen also where strangers may be, although nothing keeps them out.
    pub serve_unprotected_beyond_loopback: bool,
}

/// Reads the section and every site's keys; the keys go into `sites`.
pub(super) fn resolve(
    merged: &Merged<'_>,
    sites: Option<&mut Sites>,
    problems: &mut Vec<String>,
) -> Option<AccessConfig> {
    let raw: RawAccess = merged.section("access", problems)?;
    let of = |table: &Table, list: &str| table.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
    let admin = merged
        .sections
        .get("access")
        .map(|access| of(access, "admin_keys"))
        .unwrap_or_default();
    let admin = keys(&admin, "access.admin_keys", problems);
    let mut entries: Vec<(Opens, CallerKey)> = admin.into_iter().map(|key| (Opens::Admin, key)).collect();
    let defaults = of(&merged.defaults, "keys");
    let unnamed = keys(&defaults, "defaults.keys", problems);
    for (name, table) in &merged.sites {
        let own = of(table, "keys");
        // What is wrong with inherited keys has been said.
        let keys = if own == defaults {
            unnamed.clone()
        } else {
            keys(&own, &format!("site.{name}.keys"), problems)
        };
        if let Ok(site) = SiteId::new(name) {
            entries.extend(keys.into_iter().map(|key| (Opens::Site(site.clone()), key)));
        }
    }
    let rate = u32::try_from(raw.caller_calls_per_second)
        .ok()
        .filter(|rate| *rate <= raw::RATE_MAX);
    if rate.is_none() {
        problems.push(format!(
            "access.caller_calls_per_second: is more than {}; 0 is no limit",
            raw::RATE_MAX
        ));
    }
    if let Some(sites) = sites {
        if sites.unnamed.is_some() {
            entries.extend(unnamed.into_iter().map(|key| (Opens::Unnamed, key)));
        }
        sites.callers = Callers::new(entries);
        sites.callers.calls_per_second = rate.unwrap_or(0);
    }
    Some(AccessConfig {
        tls: tls(&raw, merged.dir, problems),
        serve_unprotected_beyond_loopback: raw.serve_unprotected_beyond_loopback,
    })
}

fn tls(raw: &RawAccess, dir: &Path, problems: &mut Vec<String>) -> Option<TlsFiles> {
    // A path that is whole already stays as it is.
    let file = |path: &str| file(path).map(|path| dir.join(path));
    let (cert, key) = (file(&raw.tls_cert_file), file(&raw.tls_key_file));
    let client_ca = file(&raw.tls_client_ca_file);
    if cert.is_some() != key.is_some() {
        problems.push("access.tls_cert_file and tls_key_file: name both or neither".to_owned());
    } else if cert.is_none() && client_ca.is_some() {
        problems.push("access.tls_client_ca_file: needs tls_cert_file and tls_key_file, too".to_owned());
    }
    Some(TlsFiles {
        cert: cert?,
        key: key?,
        client_ca,
    })
}

/// Reads a list of keys.
fn keys(entries: &[Value], path: &str, problems: &mut Vec<String>) -> Vec<CallerKey> {
    let mut keys: Vec<CallerKey> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Some(entry) = entry.as_table() else {
            problems.push(format!(
                "{path}: must be an entry such as {{ hash = \"sha256:…\" }}: `moderato key new --site ID` prints one"
            ));
            continue;
        };
        if let Some(key) = key(entry, &path, problems) {
            if keys.iter().any(|other| other.hash == key.hash) {
                problems.push(format!("{path}: the same key stands here twice; take one away"));
            }
            keys.push(key);
        }
    }
    keys
}

fn key(entry: &Table, path: &str, problems: &mut Vec<String>) -> Option<CallerKey> {
    let before = problems.len();
    for name in entry.keys().filter(|name| ENTRY.iter().all(|(known, _)| known != name)) {
        problems.push(raw::unknown(
            &format!("{path}.{name}"),
            ENTRY.iter().map(|(known, _)| *known),
        ));
    }
    let hash = entry.get("hash").and_then(Value::as_str).and_then(KeyHash::parse);
    if hash.is_none() {
        problems.push(wrong(path, 0));
    }
    let name = entry.get("name").map_or(Some(""), Value::as_str);
    if name.is_none() {
        problems.push(wrong(path, 1));
    }
    let expires = entry
        .get("expires")
        .map(|value| value.as_datetime().and_then(end_of_day));
    if expires == Some(None) {
        problems.push(wrong(path, 2));
    }
    let rate = entry.get("calls_per_second").map(|value| {
        let rate = value.as_integer().and_then(|rate| u32::try_from(rate).ok());
        rate.filter(|rate| (1..=raw::RATE_MAX).contains(rate))
    });
    if rate == Some(None) {
        problems.push(wrong(path, 3));
    }
    if problems.len() > before {
        return None;
    }
    Some(CallerKey {
        hash: hash?,
        name: name?.to_owned(),
        expires: expires.flatten(),
        calls_per_second: rate.flatten(),
    })
}

/// A key's entry, as it stands in a list of keys.
///
/// # Errors
/// The day is not one.
pub fn key_entry(hash: KeyHash, name: Option<&str>, expires: Option<&str>) -> Result<String, ConfigError> {
    let mut entry = Table::new();
    entry.insert("hash".to_owned(), Value::String(hash.to_string()));
    if let Some(name) = name {
        entry.insert("name".to_owned(), Value::String(name.to_owned()));
    }
    if let Some(day) = expires {
        let parsed = day.parse::<Datetime>().ok().filter(|day| end_of_day(day).is_some());
        let parsed = parsed.ok_or_else(|| ConfigError::Day(day.to_owned()))?;
        entry.insert("expires".to_owned(), Value::Datetime(parsed));
    }
    Ok(Value::Table(entry).to_string())
}

/// The value is not quoted: somebody may have put the key itself there.
fn wrong(path: &str, part: usize) -> String {
    let (name, example) = ENTRY[part];
    format!("{path}.{name}: must be {example}")
}

/// The first moment after a day, in UTC.
fn end_of_day(day: &Datetime) -> Option<Timestamp> {
    let (Some(date), None, None) = (day.date, day.time, day.offset) else {
        return None;
    };
    let month = time::Month::try_from(date.month).ok()?;
    let date = time::Date::from_calendar_date(i32::from(date.year), month, date.day).ok()?;
    let seconds = date.next_day()?.midnight().assume_utc().unix_timestamp();
    Some(Timestamp::from_micros(
        u64::try_from(seconds).ok()?.checked_mul(1_000_000)?,
    ))
}

/// Returns true if nobody but this machine can reach all these addresses.
pub(super) fn all_loopback(listen: &[SocketAddr]) -> bool {
    listen.iter().all(|address| address.ip().to_canonical().is_loopback())
}

/// Refuses to let strangers call, unless told to in so many words.
pub(super) fn protected(listen: &[SocketAddr], access: &AccessConfig, sites: &Sites) -> Result<(), ConfigError> {
    let beyond: Vec<_> = listen.iter().filter(|address| !all_loopback(&[**address])).collect();
    if beyond.is_empty() || access.serve_unprotected_beyond_loopback {
        return Ok(());
    }
    let certificates = access.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let missing = match (access.tls.is_some(), certificates || sites.callers.key_needed()) {
        (true, true) => return Ok(()),
        (true, false) => {
            "whoever reaches it may call: give callers keys (`moderato key new --site ID`) or certificates \
                          (access.tls_client_ca_file)"
        }
        (false, true) => {
            "keys and readers' names, addresses and comments go there in plain text: set access.tls_cert_file \
                          and tls_key_file"
        }
        (false, false) => {
            "whoever reaches it may call and read along: set access.tls_cert_file and tls_key_file, and give \
                           callers keys (`moderato key new --site ID`) or certificates (access.tls_client_ca_file)"
        }
    };
    let addresses: Vec<_> = beyond.iter().map(ToString::to_string).collect();
    Err(ConfigError::Unprotected {
        addresses: addresses.join(", "),
        missing,
    })
}
