//! The configuration as it came out: every key of every section and of every site, with nothing left to be looked up.

use toml::{Table, Value};

use super::raw::Merged;
use crate::site::{SiteId, Sites};

/// Every setting with its resolved value, for people and programs. Nothing in it is secret: of a caller's key it tells
/// whose it is and when it expires.
#[derive(Debug, Clone, Default)]
pub struct Resolved(Table);

impl Resolved {
    /// Resolves this configuration for these sites.
    pub(super) fn new(merged: &Merged<'_>, sites: &Sites) -> Self {
        let mut all: Table = merged
            .sections
            .clone()
            .into_iter()
            .map(|(name, table)| (name, Value::Table(table)))
            .collect();
        if let Some(Value::Table(access)) = all.get_mut("access") {
            hide(access, "admin_keys");
        }
        let site = |table: &Table, version: &str| {
            let mut table = table.clone();
            hide(&mut table, "keys");
            table.insert("policy_version".to_owned(), Value::String(version.to_owned()));
            Value::Table(table)
        };
        if let Some(unnamed) = &sites.unnamed {
            all.insert("defaults".to_owned(), site(&merged.defaults, &unnamed.version));
        }
        let named = merged.sites.iter().filter_map(|(name, table)| {
            let policy = sites.named.get(&SiteId::new(name).ok()?)?;
            Some((name.clone(), site(table, &policy.version)))
        });
        all.insert("site".to_owned(), Value::Table(named.collect()));
        Self(all)
    }

    /// Names these thresholds for the sites that have none of their own.
    pub fn set_thresholds(&mut self, hold_at: f64, reject_at: Option<f64>) {
        let thresholds = [("hold_at", Some(hold_at)), ("reject_at", reject_at)];
        let fill = |site: &mut Value| {
            for (key, value) in thresholds {
                if let (Some(site), Some(value)) = (site.as_table_mut(), value) {
                    site.entry(key).or_insert(Value::Float(value));
                }
            }
        };
        if let Some(defaults) = self.0.get_mut("defaults") {
            fill(defaults);
        }
        let sites = self.0.get_mut("site").and_then(Value::as_table_mut);
        sites.into_iter().flatten().for_each(|(_, site)| fill(site));
    }

    /// As TOML.
    pub fn to_toml(&self) -> String {
        self.0.to_string()
    }

    /// As JSON.
    pub fn to_json(&self) -> serde_json::Value {
        // Tables with text keys and finite numbers: there is nothing in it that JSON cannot say.
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

/// Takes the hashes out of a list of keys.
fn hide(table: &mut Table, list: &str) {
    let entries = table.get_mut(list).and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten().filter_map(Value::as_table_mut) {
        entry.remove("hash");
        if let Some(expires) = entry.get_mut("expires") {
            *expires = Value::String(expires.to_string());
        }
    }
}
