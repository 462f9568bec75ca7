//! `[limiter]`: the bounds of the limiter, and how it reaches Redis.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::file;
use super::raw::{self, Merged};

/// The limiter's bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct LimiterConfig {
    /// Authors remembered in memory.
    pub subjects_max: usize,
    /// Bytes for remembered request ids.
    pub request_bytes_max: usize,
    /// The longest that Redis may take for one call.
    pub redis_budget: Duration,
    /// Calls that wait for one Redis process at once.
    pub redis_in_flight_max: usize,
    /// The longest that one attempt to connect may take.
    pub redis_connect_timeout: Duration,
    /// The part of each quota that one process grants alone, above 0 and at most 1.
    pub redis_local_share: f64,
    /// PEM file of the authorities that sign Redis' certificate.
    pub redis_tls_ca_file: Option<PathBuf>,
    /// PEM files of our own certificate and its key.
    pub redis_tls_identity_files: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimiter {
    subjects_max: u64,
    request_bytes_max: u64,
    redis_budget: String,
    redis_in_flight_max: u64,
    redis_connect_timeout: String,
    redis_local_share: f64,
    redis_tls_ca_file: String,
    redis_tls_cert_file: String,
    redis_tls_key_file: String,
}

/// Reads the section.
pub(super) fn resolve(merged: &Merged<'_>, problems: &mut Vec<String>) -> Option<LimiterConfig> {
    let raw: RawLimiter = merged.section("limiter", problems)?;
    let mut at_least_one = |key: &str, value| raw::at_least_one(&format!("limiter.{key}"), value, problems);
    let subjects_max = at_least_one("subjects_max", raw.subjects_max);
    let request_bytes_max = at_least_one("request_bytes_max", raw.request_bytes_max);
    let redis_in_flight_max = at_least_one("redis_in_flight_max", raw.redis_in_flight_max);
    let mut duration = |key: &str, text: &str| raw::duration(&format!("limiter.{key}"), text, problems);
    let redis_budget = duration("redis_budget", &raw.redis_budget);
    let redis_connect_timeout = duration("redis_connect_timeout", &raw.redis_connect_timeout);
    if !(raw.redis_local_share > 0.0 && raw.redis_local_share <= 1.0) {
        problems.push(format!(
            "limiter.redis_local_share: {} is not above 0 and at most 1; to ignore quotas while Redis is away, set \
             defaults.redis_away = \"ignore\"",
            raw.redis_local_share
        ));
    }
    if raw.redis_tls_cert_file.is_empty() != raw.redis_tls_key_file.is_empty() {
        problems.push("limiter.redis_tls_cert_file and redis_tls_key_file: name both or neither".to_owned());
    }
    Some(LimiterConfig {
        subjects_max,
        request_bytes_max,
        redis_budget: redis_budget?,
        redis_in_flight_max,
        redis_connect_timeout: redis_connect_timeout?,
        redis_local_share: raw.redis_local_share,
        redis_tls_ca_file: file(&raw.redis_tls_ca_file),
        redis_tls_identity_files: file(&raw.redis_tls_cert_file).zip(file(&raw.redis_tls_key_file)),
    })
}
