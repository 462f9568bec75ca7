//! `[pressure]`: what one process takes on, and when it gives up on a caller.

use std::num::NonZero;
use std::time::Duration;

use serde::Deserialize;

use super::raw::{self, Merged};

/// The section, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    /// Calls that wait for a processor at once, beyond a burst.
    pub backlog_max: usize,
    /// The longest time that one call may take.
    pub call_timeout: Duration,
    /// Items of one stream under way at once.
    pub stream_in_flight_max: usize,
    /// The longest time that a stream may send nothing.
    pub stream_idle_timeout: Duration,
    /// The longest duration of a stream.
    pub stream_age_max: Duration,
    /// Connections open at once.
    pub connections_max: usize,
    /// Calls of one connection under way at once.
    pub calls_per_connection_max: u32,
    /// Bytes of a call's metadata.
    pub header_list_bytes_max: u32,
    /// The longest time that a connection may take to begin.
    pub handshake_timeout: Duration,
    /// The longest time that a connection may have no call in flight.
    pub idle_timeout: Duration,
    /// The interval at which a connection is asked whether it is still there.
    pub keep_alive_interval: Duration,
    /// The longest time that it may take to answer that.
    pub keep_alive_timeout: Duration,
    /// The moment at which a connection is asked to close.
    pub connection_age_max: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    backlog_max: u64,
    call_timeout: String,
    stream_in_flight_max: u64,
    stream_idle_timeout: String,
    stream_age_max: String,
    connections_max: u64,
    calls_per_connection_max: u64,
    header_list_bytes_max: u64,
    handshake_timeout: String,
    idle_timeout: String,
    keep_alive_interval: String,
    keep_alive_timeout: String,
    connection_age_max: String,
}

/// Checks the section. Every mistake is added to `problems`.
pub(super) fn resolve(merged: &Merged<'_>, problems: &mut Vec<String>) -> Option<Pressure> {
    let raw: Raw = merged.section("pressure", problems)?;
    let mut number = |key: &str, value: u64, least: u64| {
        if value < least {
            problems.push(format!("pressure.{key}: is {value}; at least {least} is needed"));
        }
        // No more than any of these could mean.
        u32::try_from(value).unwrap_or(u32::MAX)
    };
    let backlog_max = match number("backlog_max", raw.backlog_max, 0) {
        0 => 2 * std::thread::available_parallelism().map_or(1, NonZero::get),
        max => max as usize,
    };
    let stream_in_flight_max = number("stream_in_flight_max", raw.stream_in_flight_max, 1) as usize;
    let connections_max = number("connections_max", raw.connections_max, 1) as usize;
    let calls_per_connection_max = number("calls_per_connection_max", raw.calls_per_connection_max, 1);
    // Below that a usual call's metadata does not fit.
    let header_list_bytes_max = number("header_list_bytes_max", raw.header_list_bytes_max, 1024);
    let mut time = |key: &str, text: &str| raw::duration(&format!("pressure.{key}"), text, problems);
    // All are read before the first that is missing ends this.
    let times = [
        time("call_timeout", &raw.call_timeout),
        time("stream_idle_timeout", &raw.stream_idle_timeout),
        time("stream_age_max", &raw.stream_age_max),
        time("handshake_timeout", &raw.handshake_timeout),
        time("idle_timeout", &raw.idle_timeout),
        time("keep_alive_interval", &raw.keep_alive_interval),
        time("keep_alive_timeout", &raw.keep_alive_timeout),
        time("connection_age_max", &raw.connection_age_max),
    ];
    let [
        call_timeout,
        stream_idle_timeout,
        stream_age_max,
        handshake_timeout,
        idle_timeout,
        keep_alive_interval,
        keep_alive_timeout,
        connection_age_max,
    ] = times;
    Some(Pressure {
        backlog_max,
        call_timeout: call_timeout?,
        stream_in_flight_max,
        stream_idle_timeout: stream_idle_timeout?,
        stream_age_max: stream_age_max?,
        connections_max,
        calls_per_connection_max,
        header_list_bytes_max,
        handshake_timeout: handshake_timeout?,
        idle_timeout: idle_timeout?,
        keep_alive_interval: keep_alive_interval?,
        keep_alive_timeout: keep_alive_timeout?,
        connection_age_max: connection_age_max?,
    })
}
