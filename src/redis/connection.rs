//! Opening a connection and sending one command on it.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionInfo, RedisError, TlsCertificates, Value};

/// Opens a connection within `limit`. The library's own response time-out is off: callers have a budget.
pub(super) async fn connect(
    info: ConnectionInfo,
    tls: Option<TlsCertificates>,
    limit: Duration,
) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(limit))
        .set_response_timeout(None);
    let client = match tls {
        Some(tls) => Client::build_with_tls(info, tls)?,
        None => Client::open(info)?,
    };
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Sends one command. The library hands an error of the server over as an answer: it becomes an error here.
pub(super) async fn send(connection: &mut MultiplexedConnection, command: &Cmd) -> Result<Value, RedisError> {
    connection.send_packed_command(command).await?.extract_error()
}
