//! Merges a file over the embedded defaults, key by key; their types are the schema.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// The most that a rate or a burst may be.
pub(super) const RATE_MAX: u32 = 1_000_000;

/// Keys that may be set although the embedded defaults leave them out, with an example of their type.
const OPTIONAL: [(&str, Value); 2] = [("hold_at", Value::Float(0.5)), ("reject_at", Value::Float(0.5))];

/// Keys of earlier versions that mean nothing any more: replicas of both versions may read one file.
const RETIRED: [&str; 1] = ["limiter.redis_debts_max"];

/// The sections, each complete.
#[derive(Debug)]
pub(super) struct Merged<'a> {
    /// The folder of the file, at which relative paths begin.
    pub(super) dir: &'a Path,
    /// Every section of the embedded defaults but `[defaults]`, by name.
    pub(super) sections: BTreeMap<String, Table>,
    pub(super) defaults: Table,
    /// Each site's section, laid over the defaults.
    pub(super) sites: Vec<(String, Table)>,
}

impl Merged<'_> {
    /// The settings that take a restart to change: every key outside `[access]`, `[defaults]` and the sites, but for
    /// one that is about sites.
    pub(super) fn fixed(&self) -> BTreeMap<String, String> {
        let sections = self.sections.iter().filter(|(name, _)| *name != "access");
        let keys = sections.flat_map(|(name, table)| {
            let keys = table.iter().filter(|(key, _)| *key != "allow_unknown_sites");
            keys.map(move |(key, value)| (format!("{name}.{key}"), value.to_string()))
        });
        keys.collect()
    }

    /// Reads one section.
    pub(super) fn section<T: DeserializeOwned>(&self, name: &str, problems: &mut Vec<String>) -> Option<T> {
        section(self.sections.get(name)?, name, problems)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) listen: Vec<String>,
    pub(super) ops_listen: String,
    pub(super) allow_unknown_sites: bool,
    pub(super) message_bytes_max: u64,
    pub(super) in_flight_max: u64,
    pub(super) drain_timeout: String,
    pub(super) reload_interval: String,
    pub(super) log: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Feedback {
    pub(super) retention: String,
    pub(super) label_retention: String,
    pub(super) decisions_max: u64,
    pub(super) bytes_max: u64,
    pub(super) queue_max: u64,
    pub(super) redis: bool,
}

/// Lays `over` on `base`, whose sections and keys are all there are. Unknown keys and wrong types are added to
/// `problems`, each with its path and the nearest key.
pub(super) fn merge<'a>(base: &Table, over: &Table, dir: &'a Path, problems: &mut Vec<String>) -> Merged<'a> {
    let tables = base
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_table()?.clone())));
    let mut sections: BTreeMap<String, Table> = tables.collect();
    for (key, value) in over.iter().filter(|(key, _)| *key != "site") {
        match (sections.get_mut(key), value.as_table()) {
            (Some(section), Some(table)) => overlay(section, table, key, problems),
            (Some(_), None) => problems.push(format!("{key}: must be a section, [{key}]")),
            (None, _) => problems.push(unknown(key, base.keys().map(String::as_str).chain(["site"]))),
        }
    }
    let defaults = sections.remove("defaults").unwrap_or_default();
    let mut sites = Vec::new();
    if over.get("site").is_some_and(|site| !site.is_table()) {
        problems.push("site: must be sections, such as [site.gazette]".to_owned());
    }
    for (name, value) in over.get("site").and_then(Value::as_table).into_iter().flatten() {
        let path = format!("site.{name}");
        let mut site = defaults.clone();
        match value.as_table() {
            Some(table) => overlay(&mut site, table, &path, problems),
            None => problems.push(format!("{path}: must be a section, [{path}]")),
        }
        sites.push((name.clone(), site));
    }
    Merged {
        dir,
        sections,
        defaults,
        sites,
    }
}

/// Lays a table on another that holds every key it may have.
fn overlay(base: &mut Table, over: &Table, path: &str, problems: &mut Vec<String>) {
    for (key, value) in over {
        let path = format!("{path}.{key}");
        let names_quota = path.rsplit('.').nth(1) == Some("quotas");
        let optional = OPTIONAL
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, example)| example.clone());
        let optional = optional.filter(|_| base.contains_key("quotas"));
        match base.get_mut(key) {
            Some(Value::Table(inner)) if value.is_table() => {
                overlay(inner, value.as_table().unwrap_or(&Table::new()), &path, problems);
            }
            Some(old) if same_type(old, value) => match out_of_place(key, old, value) {
                None => *old = value.clone(),
                Some(problem) => problems.push(format!("{path}: {problem}")),
            },
            Some(old) => problems.push(wrong_type(&path, old, value)),
            None if names_quota && value.is_table() => {
                if let Some(quota) = new_quota(value.as_table().unwrap_or(&Table::new()), &path, problems) {
                    base.insert(key.clone(), Value::Table(quota));
                }
            }
            None => match optional {
                Some(example) if same_type(&example, value) => {
                    base.insert(key.clone(), value.clone());
                }
                Some(example) => problems.push(wrong_type(&path, &example, value)),
                None if RETIRED.contains(&path.as_str()) => {}
                None if names_quota => problems.push(format!("{path}: must be a section, [{path}]")),
                None => {
                    let known = base.keys().map(String::as_str);
                    let extra = if base.contains_key("quotas") {
                        &OPTIONAL[..]
                    } else {
                        &[]
                    };
                    problems.push(unknown(&path, known.chain(extra.iter().map(|(name, _)| *name))));
                }
            },
        }
    }
}

/// A quota of a new name has nothing to start from but `shadow`: it must say everything else.
fn new_quota(given: &Table, path: &str, problems: &mut Vec<String>) -> Option<Table> {
    let example: Table = "burst = 0\ngrants = 0\nper = \"1d\"\neffect = \"hold\"\nshadow = false"
        .parse()
        .ok()?;
    let before = problems.len();
    let mut quota = example.clone();
    overlay(&mut quota, given, path, problems);
    for key in example
        .keys()
        .filter(|key| *key != "shadow" && !given.contains_key(*key))
    {
        problems.push(format!("{path}.{key}: is missing, and a new quota must say it"));
    }
    (problems.len() == before).then_some(quota)
}

/// The problem of a value of the right type, if there is one: nothing here is negative, and a list holds one kind of
/// thing.
fn out_of_place(key: &str, old: &Value, given: &Value) -> Option<String> {
    if given.as_integer().is_some_and(|number| number < 0) || given.as_float().is_some_and(|number| number < 0.0) {
        return Some(format!("is {given}, and must not be negative"));
    }
    // Lists of keys say better what is wrong with an entry; all other lists are of texts.
    let wrong = |item: &&Value| !key.ends_with("keys") && !item.is_str();
    let wrong = given.as_array().and_then(|items| items.iter().find(wrong))?;
    let example = old
        .as_array()
        .and_then(|items| items.first())
        .map(|item| format!(", such as {item}"));
    Some(format!(
        "holds a {}, and must hold strings{}",
        wrong.type_str(),
        example.unwrap_or_default()
    ))
}

/// Whole numbers pass where fractions are asked for.
fn same_type(expected: &Value, given: &Value) -> bool {
    expected.same_type(given) || (expected.is_float() && given.is_integer())
}

fn wrong_type(path: &str, expected: &Value, given: &Value) -> String {
    format!(
        "{path}: is a {}, and must be a {}, such as {expected}",
        given.type_str(),
        expected.type_str()
    )
}

pub(super) fn unknown<'a>(path: &str, known: impl Iterator<Item = &'a str>) -> String {
    let key = path.rsplit('.').next().unwrap_or(path);
    let nearest = known
        .map(|name| (strsim::damerau_levenshtein(key, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().div_ceil(2));
    match nearest {
        Some((_, name)) => format!("{path}: there is no such key; did you mean `{name}`?"),
        None => format!("{path}: there is no such key; `moderato serve --print-default-config` lists them all"),
    }
}

/// Reads a section whose keys and types are right already; what is left is a missing key or a number out of range.
pub(super) fn section<T: DeserializeOwned>(table: &Table, path: &str, problems: &mut Vec<String>) -> Option<T> {
    match table.clone().try_into() {
        Ok(section) => Some(section),
        Err(error) => {
            problems.push(format!("{path}: {}", error.message().trim()));
            None
        }
    }
}

/// A number above zero.
pub(super) fn at_least_one(path: &str, value: u64, problems: &mut Vec<String>) -> usize {
    if value == 0 {
        problems.push(format!("{path}: is 0; at least 1 is needed"));
    }
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A duration such as `20ms`, `10s`, `1m`, `1h` or `1d`: above zero, at most 366 days.
pub(super) fn duration(path: &str, text: &str, problems: &mut Vec<String>) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let micros_each: Option<u64> = match unit {
        "us" => Some(1),
        "ms" => Some(1_000),
        "s" => Some(1_000_000),
        "m" => Some(60_000_000),
        "h" => Some(3_600_000_000),
        "d" => Some(86_400_000_000),
        _ => None,
    };
    let micros = number
        .parse::<u64>()
        .ok()
        .zip(micros_each)
        .and_then(|(n, each)| n.checked_mul(each));
    match micros {
        Some(micros) if micros > 0 && micros <= 366 * 86_400_000_000 => Some(Duration::from_micros(micros)),
        _ => {
            problems.push(format!(
                "{path}: {text:?} is not a duration; write a whole number and us, ms, s, m, h or d"
            ));
            None
        }
    }
}
