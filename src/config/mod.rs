//! Configuration: what the file, the environment and the flags say, checked and resolved.
//!
//! The embedded `default.toml` is the reference: it names every key, and its types are the schema that a file is held
//! against. Start reading in [`load`]. This room never keeps a secret in anything that can be printed.

mod access;
mod feedback;
mod history;
mod limiter;
mod lists;
mod pressure;
mod raw;
mod resolved;
mod secrets;
mod sites;
mod source;
mod telemetry;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::site::Sites;

pub use access::{AccessConfig, key_entry};
pub use feedback::FeedbackConfig;
pub use limiter::LimiterConfig;
pub use pressure::Pressure;
pub use resolved::Resolved;
pub use secrets::{PseudonymKey, kept_key, new_caller_key, new_key, nonce, previous_pseudonym_key, pseudonym_key};
pub use source::{Loaded, Seen, Source};
pub use telemetry::{OPS_LISTEN_DEFAULT, TelemetryConfig, ops_address};
pub use tls::TlsFiles;

/// The embedded defaults, with a comment on every key.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// The whole configuration of `serve`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The addresses that gRPC listens on.
    pub listen: Vec<SocketAddr>,
    /// The address of the operators' listener, if there is one.
    pub ops_listen: Option<SocketAddr>,
    /// The largest message that is read, in bytes.
    pub message_bytes_max: usize,
    /// Calls under way at once.
    pub in_flight_max: usize,
    /// The time that calls in flight have to finish at the end.
    pub drain_timeout: Duration,
    /// The interval at which the files are looked at for changes.
    pub reload_interval: Duration,
    /// The settings that a running service keeps until it is started again: their keys and values.
    pub fixed: BTreeMap<String, String>,
    /// The log filter.
    pub log: String,
    /// Bounds on calls and connections.
    pub pressure: Pressure,
    /// The settings of logs, metrics and traces.
    pub telemetry: TelemetryConfig,
    /// Every setting with its resolved value.
    pub resolved: Resolved,
    /// The limiter's bounds.
    pub limiter: LimiterConfig,
    /// The access rules.
    pub access: AccessConfig,
    /// The bounds on what is remembered.
    pub feedback: FeedbackConfig,
    /// Every site's policy, and its callers.
    pub sites: Sites,
    /// The files that lists were read from: whoever watches the configuration for changes watches them too.
    pub list_files: BTreeSet<PathBuf>,
}

impl Config {
    /// Listens here instead.
    pub fn set_listen(&mut self, listen: Vec<SocketAddr>) {
        self.sites.callers.admin_without_key = access::all_loopback(&listen);
        self.listen = listen;
    }

    /// Refuses to let strangers call. Flags may change what is listened on, so this is asked once they are in.
    ///
    /// # Errors
    /// Names the addresses, and what would protect them.
    pub fn protected(&self) -> Result<(), ConfigError> {
        access::protected(&self.listen, &self.access, &self.sites)
    }
}

/// The reason why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the configuration file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("the configuration {path} is not TOML: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The place and the problem.
        message: String,
    },
    /// It is TOML, with mistakes.
    #[error("the configuration {path} has {} mistake(s):\n  {}", problems.len(), problems.join("\n  "))]
    Problems {
        /// The file.
        path: PathBuf,
        /// Every mistake, each with the path of its key and the remedy.
        problems: Vec<String>,
    },
    /// Strangers could call.
    #[error(
        "{addresses} can be reached from other machines, and {missing}; or listen on 127.0.0.1 alone; or, if that is as it \
         should be, say so with --serve-unprotected-beyond-loopback or access.serve_unprotected_beyond_loopback = true"
    )]
    Unprotected {
        /// The addresses.
        addresses: String,
        /// The missing part, and the way to have it.
        missing: &'static str,
    },
    /// No day of the calendar.
    #[error("{0:?} is not a day, such as 2027-12-31")]
    Day(String),
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
    let dir = path.parent().unwrap_or(Path::new(""));
    let merged = raw::merge(&base, &over, dir, &mut problems);
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

/// Checks the merged table. Every mistake is added to `problems`: no part waits for another to be right.
fn resolve(merged: &raw::Merged<'_>, path: &Path, problems: &mut Vec<String>) -> Option<Config> {
    let service: Option<raw::Service> = merged.section("service", problems);
    let limiter = limiter::resolve(merged, problems);
    let allow_unknown_sites = service.as_ref().is_none_or(|service| service.allow_unknown_sites);
    let mut lists = lists::Compiler::new(path);
    let mut sites = sites::resolve(merged, allow_unknown_sites, &mut lists, problems);
    let access = access::resolve(merged, sites.as_mut(), problems);
    let feedback = feedback::resolve(merged, problems);
    let pressure = pressure::resolve(merged, problems);
    let telemetry = telemetry::resolve(merged, problems);
    let service = service?;
    let listen = addresses(&service.listen, problems);
    let ops_listen = telemetry::ops_address(&service.ops_listen).unwrap_or_else(|problem| {
        problems.push(format!("service.ops_listen: {problem}"));
        None
    });
    let drain_timeout = raw::duration("service.drain_timeout", &service.drain_timeout, problems);
    let reload_interval = raw::duration("service.reload_interval", &service.reload_interval, problems);
    let message_bytes_max = raw::at_least_one("service.message_bytes_max", service.message_bytes_max, problems);
    let in_flight_max = raw::at_least_one("service.in_flight_max", service.in_flight_max, problems);
    let mut config = Config {
        listen: Vec::new(),
        ops_listen,
        telemetry: telemetry?,
        message_bytes_max,
        in_flight_max,
        drain_timeout: drain_timeout?,
        reload_interval: reload_interval?,
        fixed: merged.fixed(),
        log: service.log,
        pressure: pressure?,
        limiter: limiter?,
        access: access?,
        feedback: feedback?,
        resolved: sites.as_ref().map(|sites| Resolved::new(merged, sites))?,
        sites: sites?,
        list_files: lists.files(),
    };
    config.set_listen(listen);
    Some(config)
}

fn addresses(texts: &[String], problems: &mut Vec<String>) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for text in texts {
        match text.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => problems.push(format!(
                "service.listen: {text:?} is not an address with a port, such as \"127.0.0.1:50051\""
            )),
        }
    }
    if texts.is_empty() {
        problems.push("service.listen: is empty; name at least one address".to_owned());
    }
    addresses
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
