//! The metrics of connections and of the calls on them, whatever is asked by those.

use metrics::{Counter, Histogram};

/// Counts connections and calls. Clones count together.
#[derive(Debug, Clone)]
pub struct TransportMetrics {
    handshakes_failed: Counter,
    turned_away: Counter,
    call: Histogram,
}

impl TransportMetrics {
    /// Registers them with the recorder of the moment.
    pub(super) fn register() -> Self {
        Self {
            handshakes_failed: metrics::counter!("moderato_tls_handshakes_failed_total"),
            turned_away: metrics::counter!("moderato_turned_away_total"),
            call: metrics::histogram!("moderato_call_seconds"),
        }
    }

    /// Counts a connection that came to nothing: plain text, no certificate or a wrong one, too slow.
    pub fn handshake_failed(&self) {
        self.handshakes_failed.increment(1);
    }

    /// Counts a call that was turned away for overload.
    pub fn turned_away(&self) {
        self.turned_away.increment(1);
    }

    /// Counts a call that was admitted and took `seconds`, waiting for a processor included.
    pub fn called(&self, seconds: f64) {
        self.call.record(seconds);
    }
}
