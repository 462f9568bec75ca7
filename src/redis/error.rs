//! Errors: those of the settings, and the failures of calls, read from the library's errors. Those errors' own texts
//! stop here, for they may quote keys and arguments.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::cause::Cause;

/// Settings of a Redis that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// The URL cannot be read, or does not fit the other settings.
    #[error("read the Redis URL {url}: {problem}")]
    Url {
        /// The URL without user and password.
        url: String,
        /// The mistake, and the form that is right.
        problem: &'static str,
    },
    /// A certificate for TLS to Redis, or its key, cannot be read.
    #[error("read the {whose} certificate for TLS to Redis; certificates and key must be PEM, the key unencrypted")]
    Certificate {
        /// The owner: the authority or the client.
        whose: &'static str,
    },
}

/// A call without an answer, by the reason and by whether it may have run all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The call was not sent, or refused before it ran.
    NotRun(Cause),
    /// The call may have run.
    InDoubt(Cause),
    /// The keys live elsewhere now, or are on their way; it was not run.
    Moved,
    /// Too many calls are in flight; it was not sent.
    Shed,
}

/// Reads an error of a call or of a connection attempt.
pub(super) fn failure(error: &RedisError) -> Failure {
    let code = error.code().unwrap_or_default();
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        // Nobody serves this slot as far as that node knows; it goes on with its own.
        ErrorKind::Server(ServerErrorKind::ClusterDown) if detail.contains("slot not served") => Failure::Moved,
        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::TryAgain) => Failure::Moved,
        ErrorKind::Server(kind) => Failure::NotRun(server(kind, code, detail)),
        ErrorKind::Extension => Failure::NotRun(extension(code)),
        ErrorKind::AuthenticationFailed => Failure::NotRun(Cause::WrongPassword),
        ErrorKind::Parse | ErrorKind::RESP3NotSupported => Failure::InDoubt(Cause::NotRedis),
        ErrorKind::Io => Failure::InDoubt(io_cause(error)),
        _ => Failure::InDoubt(Cause::Unexpected),
    }
}

/// The cause alone, where doubt does not matter.
pub(super) fn cause(error: &RedisError) -> Cause {
    match failure(error) {
        Failure::NotRun(cause) | Failure::InDoubt(cause) => cause,
        Failure::Moved => Cause::WrongKind,
        Failure::Shed => Cause::Unexpected,
    }
}

fn server(kind: ServerErrorKind, code: &str, detail: &str) -> Cause {
    match kind {
        ServerErrorKind::BusyLoading => Cause::Loading,
        ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown => Cause::ReadOnly,
        ServerErrorKind::NoPerm => Cause::NoPermission,
        ServerErrorKind::ClusterDown => Cause::ClusterDown,
        ServerErrorKind::CrossSlot => Cause::WrongKind,
        ServerErrorKind::ResponseError => response(detail),
        _ => extension(code),
    }
}

/// Redis before 7 wraps the error of a command inside a script into an `ERR` that quotes it.
fn response(detail: &str) -> Cause {
    let quoted = [
        ("OOM ", Cause::Full),
        ("READONLY ", Cause::ReadOnly),
        ("MISCONF ", Cause::CannotSave),
        ("NOPERM ", Cause::NoPermission),
        ("can't run this command", Cause::NoPermission),
        ("max number of clients", Cause::TooManyClients),
        ("DB index is out of range", Cause::NoDatabase),
        ("SELECT is not allowed in cluster", Cause::NoDatabase),
        ("cluster support disabled", Cause::WrongKind),
        ("invalid password", Cause::WrongPassword),
        ("AUTH", Cause::WrongPassword),
    ];
    quoted
        .iter()
        .find(|(text, _)| detail.contains(text))
        .map_or(Cause::Unexpected, |(_, cause)| *cause)
}

fn extension(code: &str) -> Cause {
    match code {
        "OOM" => Cause::Full,
        "MISCONF" | "NOREPLICAS" => Cause::CannotSave,
        "NOAUTH" | "WRONGPASS" => Cause::WrongPassword,
        "BUSY" => Cause::Busy,
        "LOADING" => Cause::Loading,
        _ => Cause::Unexpected,
    }
}

fn io_cause(error: &RedisError) -> Cause {
    if error.is_timeout() {
        return Cause::Timeout;
    }
    if error.is_connection_refusal() {
        return Cause::Refused;
    }
    // The library wraps the system's error twice.
    let wrapped = error
        .source()
        .and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let kind = wrapped
        .and_then(|wrapped| wrapped.downcast_ref::<io::Error>())
        .map(io::Error::kind);
    match kind {
        // What rustls finds wrong with the other side comes as invalid data.
        Some(io::ErrorKind::InvalidData) => Cause::Tls,
        _ if error.is_connection_dropped() => Cause::Cut,
        // Among them a name that does not resolve, which has no kind of its own.
        _ => Cause::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, failure};
    use crate::redis::Cause;

    fn said(line: &str) -> Failure {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        failure(&value.extract_error().unwrap_err())
    }

    #[test]
    fn one_slot_that_nobody_serves_is_not_a_node_that_is_down() {
        assert_eq!(said("CLUSTERDOWN Hash slot not served"), Failure::Moved);
        let down = Failure::NotRun(Cause::ClusterDown);
        assert_eq!(said("CLUSTERDOWN The cluster is down"), down);
        assert_eq!(
            said("CLUSTERDOWN The cluster is down and only accepts read commands"),
            down
        );
        assert_eq!(said("MOVED 1 127.0.0.1:7"), Failure::Moved);
    }
}
