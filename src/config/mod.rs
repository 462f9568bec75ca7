//! Configuration: what the file, the environment and the flags say, checked and resolved.
//!
//! The embedded `default.toml` is the reference: it names every key, and its types are the schema that a file is held
//! against. Start reading in [`load`]. This room never keeps a secret in anything that can be printed.

mod feedback;
mod lists;
mod raw;
mod secrets;
mod sites;
mod telemetry;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::site::Sites;

pub use feedback::FeedbackConfig;
pub use secrets::{PseudonymKey, kept_key, new_key, nonce, previous_pseudonym_key, pseudonym_key};
pub use telemetry::{OPS_LISTEN_DEFAULT, TelemetryConfig, ops_address};

/// The embedded defaults, with a comment on every key.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// The whole configuration of `serve`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where gRPC listens.
    pub listen: Vec<SocketAddr>,
    /// Where operators look in, if anywhere.
    pub ops_listen: Option<SocketAddr>,
    /// The largest message that is read, in bytes.
    pub message_bytes_max: usize,
    /// Calls under way at once.
    pub in_flight_max: usize,
    /// How long calls may take to finish at the end.
    pub drain_timeout: Duration,
    /// The log filter.
    pub log: String,
    /// What is told of each decision.
    pub telemetry: TelemetryConfig,
    /// The limiter's bounds.
    pub limiter: LimiterConfig,
    /// The bounds on what is remembered.
    pub feedback: FeedbackConfig,
    /// Every site's policy.
    pub sites: Sites,
    /// The files that lists were read from: whoever watches the configuration for changes watches them too.
    pub list_files: BTreeSet<PathBuf>,
}

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
    /// Authors whose grants of an outage are written back.
    pub redis_debts_max: usize,
    /// PEM file of the authorities that sign Redis' certificate.
    pub redis_tls_ca_file: Option<PathBuf>,
    /// PEM files of our own certificate and its key.
    pub redis_tls_identity_files: Option<(PathBuf, PathBuf)>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the configuration file {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("the configuration {path} is not TOML: {message}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        message: String,
    },
    /// It is TOML, with mistakes.
    #[error("the configuration {path} has {} mistake(s):\n  {}", problems.len(), problems.join("\n  "))]
    Problems {
        /// Which file.
        path: PathBuf,
        /// Every mistake, each with the path of its key and the remedy.
        problems: Vec<String>,
    },
    /// A secret is missing or malformed.
    #[error("{0}")]
    Secret(String),
}

/// The configuration of the embedded defaults, overlaid with `file` if there is one.
///
/// # Errors
/// Every mistake of the file at once.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    let Some(path) = file else {
        return parse("", Path::new("(embedded)"));
    };
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, path)
}

/// As [`load`], from text; `path` is for messages.
///
/// # Errors
/// Every mistake of the text at once.
pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let syntax = |error: toml::de::Error| ConfigError::Syntax {
        path: path.to_owned(),
        message: error.to_string(),
    };
    let base: toml::Table = DEFAULT_TOML.parse().map_err(syntax)?;
    let over: toml::Table = text.parse().map_err(syntax)?;
    let mut problems = Vec::new();
    let merged = raw::merge(&base, &over, &mut problems);
    // Also where keys were wrong: what is said of the values belongs to the same answer.
    let config = resolve(&merged, path, &mut problems);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(ConfigError::Problems {
            path: path.to_owned(),
            problems,
        }),
    }
}

/// Checks the merged table. Every mistake is added to `problems`.
fn resolve(merged: &raw::Merged, path: &Path, problems: &mut Vec<String>) -> Option<Config> {
    let service: raw::Service = merged.section("service", problems)?;
    let telemetry = telemetry::resolve(merged, problems)?;
    let limiter: raw::Limiter = merged.section("limiter", problems)?;
    let mut lists = lists::Compiler::new(path);
    let sites = sites::resolve(merged, service.allow_unknown_sites, &mut lists, problems);
    let feedback = feedback::resolve(merged, problems);
    let mut listen = Vec::new();
    for address in &service.listen {
        match address.parse() {
            Ok(address) => listen.push(address),
            Err(_) => problems.push(format!(
                "service.listen: {address:?} is not an address with a port, such as \"127.0.0.1:50051\""
            )),
        }
    }
    if service.listen.is_empty() {
        problems.push("service.listen: is empty; name at least one address".to_owned());
    }
    let ops_listen = telemetry::ops_address(&service.ops_listen).unwrap_or_else(|problem| {
        problems.push(format!("service.ops_listen: {problem}"));
        None
    });
    let mut at_least_one = |key: &str, value: u64| {
        if value == 0 {
            problems.push(format!("{key}: is 0; at least 1 is needed"));
        }
        usize::try_from(value).unwrap_or(usize::MAX)
    };
    let config = Config {
        listen,
        message_bytes_max: at_least_one("service.message_bytes_max", service.message_bytes_max),
        in_flight_max: at_least_one("service.in_flight_max", service.in_flight_max),
        drain_timeout: Duration::ZERO,
        log: service.log,
        ops_listen,
        telemetry,
        limiter: LimiterConfig {
            subjects_max: at_least_one("limiter.subjects_max", limiter.subjects_max),
            request_bytes_max: at_least_one("limiter.request_bytes_max", limiter.request_bytes_max),
            redis_budget: Duration::ZERO,
            redis_in_flight_max: at_least_one("limiter.redis_in_flight_max", limiter.redis_in_flight_max),
            redis_connect_timeout: Duration::ZERO,
            redis_local_share: limiter.redis_local_share,
            redis_debts_max: usize::try_from(limiter.redis_debts_max).unwrap_or(usize::MAX),
            redis_tls_ca_file: file(&limiter.redis_tls_ca_file),
            redis_tls_identity_files: file(&limiter.redis_tls_cert_file).zip(file(&limiter.redis_tls_key_file)),
        },
        feedback: feedback?,
        sites: sites?,
        list_files: lists.files(),
    };
    let drain_timeout = raw::duration("service.drain_timeout", &service.drain_timeout, problems)?;
    let redis_budget = raw::duration("limiter.redis_budget", &limiter.redis_budget, problems)?;
    let connect = raw::duration(
        "limiter.redis_connect_timeout",
        &limiter.redis_connect_timeout,
        problems,
    )?;
    if !(limiter.redis_local_share > 0.0 && limiter.redis_local_share <= 1.0) {
        problems.push(format!(
            "limiter.redis_local_share: {} is not above 0 and at most 1; to ignore quotas while Redis is away, set \
             defaults.redis_away = \"ignore\"",
            limiter.redis_local_share
        ));
    }
    if limiter.redis_tls_cert_file.is_empty() != limiter.redis_tls_key_file.is_empty() {
        problems.push("limiter.redis_tls_cert_file and redis_tls_key_file: name both or neither".to_owned());
    }
    Some(Config {
        drain_timeout,
        limiter: LimiterConfig {
            redis_budget,
            redis_connect_timeout: connect,
            ..config.limiter
        },
        ..config
    })
}

/// A duration such as `90d`, from the command line; `what` is for the message.
///
/// # Errors
/// Says what is wrong with it.
pub fn duration(what: &str, text: &str) -> Result<Duration, String> {
    let mut problems = Vec::new();
    raw::duration(what, text, &mut problems).ok_or_else(|| problems.concat())
}

/// A path, where one is given.
fn file(path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests;
