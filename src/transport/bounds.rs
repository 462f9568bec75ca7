//! Bounds on connections and on the calls of one process.

use std::time::Duration;

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionBounds {
    /// Connections open at once, over all listeners.
    pub connections_max: usize,
    /// The time that a caller may take for the TLS handshake, and again for the HTTP/2 preface.
    pub handshake_timeout: Duration,
    /// The time that a connection may have no call in flight.
    pub idle_timeout: Duration,
    /// Concurrent calls of one connection.
    pub calls_max: u32,
    /// Bytes of a call's headers.
    pub header_list_bytes_max: u32,
    /// The interval of keep-alive pings.
    pub keep_alive_interval: Duration,
    /// The time that the answer to a ping may take.
    pub keep_alive_timeout: Duration,
    /// The age at which a connection is asked to close.
    pub age_max: Duration,
    /// The time that it may take to close after that: no call in flight lasts longer.
    pub close_timeout: Duration,
}

/// Bounds on calls.
#[derive(Debug, Clone, Copy)]
pub struct CallBounds {
    /// Calls in flight at once, waiting ones included.
    pub in_flight_max: usize,
    /// Calls that wait for a processor at once, beyond a burst.
    pub backlog_max: usize,
    /// The time that a call may take, unless its caller's deadline is earlier.
    pub timeout: Duration,
}
