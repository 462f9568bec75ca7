//! The settings of logs, metrics, traces and the operators' listener.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::raw::Merged;
use super::secrets::variable;

/// The default address of the operators' listener: a loopback address, and the port that exporters of metrics use.
pub const OPS_LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// The variable that OpenTelemetry gives to the address of a collector.
const OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The settings of logs, metrics and traces.
#[derive(Debug, Clone, PartialEq)]
pub struct TelemetryConfig {
    /// The share of objections that are logged, from 0 to 1.
    pub log_objections: f64,
    /// The share of approvals that are logged, from 0 to 1.
    pub log_approvals: f64,
    /// The collector that traces go to, if any.
    pub otlp_endpoint: Option<String>,
    /// The share of calls that are traced where the caller does not say, from 0 to 1.
    pub traces_share: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    log_objections: f64,
    log_approvals: f64,
    otlp_endpoint: String,
    traces_share: f64,
}

/// Checks the section.
pub(super) fn resolve(merged: &Merged<'_>, problems: &mut Vec<String>) -> Option<TelemetryConfig> {
    let Raw {
        log_objections,
        log_approvals,
        otlp_endpoint,
        traces_share,
    } = merged.section("telemetry", problems)?;
    let mut share = |key: &str, share: f64| {
        if !(0.0..=1.0).contains(&share) {
            problems.push(format!("telemetry.{key}: {share} is not a share from 0.0 to 1.0"));
        }
        share
    };
    Some(TelemetryConfig {
        log_objections: share("log_objections", log_objections),
        log_approvals: share("log_approvals", log_approvals),
        traces_share: share("traces_share", traces_share),
        otlp_endpoint: endpoint(otlp_endpoint, problems),
    })
}

/// The collector that traces go to: the environment's, else the file's.
fn endpoint(file: String, problems: &mut Vec<String>) -> Option<String> {
    let (name, endpoint) = match variable(OTLP_ENDPOINT) {
        Some(endpoint) => (OTLP_ENDPOINT, endpoint),
        None => ("telemetry.otlp_endpoint", file),
    };
    if endpoint.is_empty() {
        return None;
    }
    if !(endpoint.starts_with("http://") || endpoint.starts_with("https://")) {
        problems.push(format!(
            "{name}: {endpoint:?} is not a URL with http:// or https://, such as \"http://127.0.0.1:4317\""
        ));
    }
    Some(endpoint)
}

/// Reads where operators look in: an address with a port, or `none`.
///
/// # Errors
/// Says what it should have been.
pub fn ops_address(text: &str) -> Result<Option<SocketAddr>, String> {
    match text {
        "none" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| {
            format!("{text:?} is not an address with a port, such as \"127.0.0.1:9464\", and not \"none\"")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{OPS_LISTEN_DEFAULT, ops_address};

    #[test]
    fn the_default_is_the_one_that_is_documented() {
        let config = crate::config::parse("", std::path::Path::new("-")).unwrap();
        assert_eq!(config.ops_listen, Some(OPS_LISTEN_DEFAULT));
    }

    #[test]
    fn nowhere_has_to_be_said() {
        assert_eq!(ops_address("none"), Ok(None));
        assert_eq!(ops_address("[::1]:0"), Ok(Some("[::1]:0".parse().unwrap())));
        for bad in ["", "9464", "localhost", "127.0.0.1"] {
            assert!(ops_address(bad).unwrap_err().contains("none"), "{bad}");
        }
    }
}
