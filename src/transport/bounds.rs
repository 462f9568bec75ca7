//! Bounds on connections and on the calls of one process.

use std::time::Duration;

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionBounds {
    /// Connections open at once, over all listeners.
    pub connections_max: usize,
    /// How long a caller may take to open the conversation.
    pub handshake_timeout: Duration,
    /// How long a connection may have no call under way.
    pub idle_timeout: Duration,
    /// Calls of one connection under way at once.
    pub calls_max: u32,
    /// Bytes of a call's metadata.
    pub header_list_bytes_max: u32,
    /// How often a connection is asked whether it is still there.
    pub keep_alive_interval: Duration,
    /// How long it may take to answer that.
    pub keep_alive_timeout: Duration,
    /// When a connection is asked to close.
    pub age_max: Duration,
    /// How long it may go on after that: no call that has begun lasts longer.
    pub close_timeout: Duration,
}

/// Bounds on calls.
#[derive(Debug, Clone, Copy)]
pub struct CallBounds {
    /// Calls under way at once, waiting ones included.
    pub in_flight_max: usize,
    /// Calls that wait for a processor at once, beyond a burst.
    pub backlog_max: usize,
    /// How long a call may take, unless its caller is less patient.
    pub timeout: Duration,
}
