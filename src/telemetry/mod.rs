//! Logs, metrics and traces. Logs are structured, to standard error, readable on a terminal and JSON everywhere else.
//!
//! No event may hold a name, an e-mail address, a network address or a comment's text; a test sends canaries through
//! every listener at the finest level and looks for them.

mod catalog;
mod events;
mod metrics;
mod rpc;
mod traces;
mod transport;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

pub use catalog::{CATALOG, Kind, Metric};
pub use events::Events;
pub use metrics::{DENIALS, Metrics, RedisCalls};
pub use rpc::Method;
pub use traces::{Call, Judged, Traces, TracesError};
use tracing_subscriber::util::TryInitError;
pub use transport::TransportMetrics;

/// The reason why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("the log filter {filter:?} cannot be read ({message}); try \"info\" or \"info,moderato=debug\"")]
    Filter {
        /// The configured filter.
        filter: String,
        /// The problem.
        message: String,
    },
    /// Logs were set up before.
    #[error(transparent)]
    Twice(#[from] TryInitError),
}

/// Logs that can begin.
#[derive(Debug)]
pub struct Logs {
    filter: EnvFilter,
}

/// Reads the filter. A bare level is for moderato alone; other crates then speak at `warn` at most: what they log is
/// not ours to vouch for.
///
/// # Errors
/// The filter is malformed.
pub fn prepare(filter: &str) -> Result<Logs, TelemetryError> {
    let parsed = EnvFilter::try_new(libraries_quiet(filter));
    parsed
        .map(|filter| Logs { filter })
        .map_err(|error| TelemetryError::Filter {
            filter: filter.to_owned(),
            message: error.to_string(),
        })
}

impl Logs {
    /// Sends logs to standard error from now on.
    ///
    /// # Errors
    /// It was done before.
    pub fn start(self) -> Result<(), TelemetryError> {
        let builder = tracing_subscriber::fmt()
            .with_env_filter(self.filter)
            .with_writer(std::io::stderr);
        if std::io::stderr().is_terminal() {
            builder.finish().try_init()?;
        } else {
            builder
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_ansi(false)
                .finish()
                .try_init()?;
        }
        Ok(())
    }
}

/// A bare level is meant for moderato; what other crates say of connections and frames may hold what readers wrote.
fn libraries_quiet(filter: &str) -> String {
    let bare = !filter.contains(['=', ',']);
    if bare {
        format!("warn,moderato={filter}")
    } else {
        filter.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::libraries_quiet;

    #[test]
    fn a_bare_level_is_ours_alone() {
        assert_eq!(libraries_quiet("trace"), "warn,moderato=trace");
        assert_eq!(libraries_quiet("info,h2=debug"), "info,h2=debug");
    }
}
