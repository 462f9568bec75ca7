//! Asks sentinels where the master is.

use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, RedisError, TlsCertificates, Value};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::cause::Cause;
use super::connection::{connect, send};
use super::error::cause;
use super::shared::Shared;

/// The address of the master now, from the first sentinel that answers: all are asked at once, so that a dead one
/// delays nobody. They have the connect time-out for it.
pub(super) async fn master(
    shared: &Shared,
    sentinels: &[ConnectionInfo],
    name: &str,
    master: &ConnectionInfo,
) -> Result<ConnectionInfo, Cause> {
    let limit = shared.settings.connect_timeout;
    let mut asked = JoinSet::new();
    for sentinel in sentinels.iter().cloned() {
        let (tls, name) = (shared.tls.clone(), name.to_owned());
        asked.spawn(async move {
            let answer = timeout(limit, ask(sentinel, tls, limit, &name)).await;
            answer.map_err(|_| Cause::Timeout)?.map_err(|error| cause(&error))
        });
    }
    let mut why = None;
    while let Some(Ok(answer)) = asked.join_next().await {
        match answer.map(|answer| address(&answer)) {
            Ok(Some((host, port))) => return Ok(master.clone().set_addr(with_host(master.addr(), host, port))),
            // One that answers and knows of none says more than those that do not answer.
            Ok(None) => why = Some(Cause::NoMaster),
            Err(cause) => why = why.filter(|why| *why == Cause::NoMaster).or(Some(cause)),
        }
    }
    Err(why.unwrap_or(Cause::NoMaster))
}

async fn ask(
    sentinel: ConnectionInfo,
    tls: Option<TlsCertificates>,
    limit: Duration,
    name: &str,
) -> Result<Value, RedisError> {
    let mut connection = connect(sentinel, tls, limit).await?;
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(name);
    send(&mut connection, &command).await
}

fn address(answer: &Value) -> Option<(String, u16)> {
    let Value::Array(parts) = answer else { return None };
    let [Value::BulkString(host), Value::BulkString(port)] = parts.as_slice() else {
        return None;
    };
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    Some((String::from_utf8(host.clone()).ok()?, port))
}

fn with_host(like: &ConnectionAddr, host: String, port: u16) -> ConnectionAddr {
    match like {
        ConnectionAddr::TcpTls { .. } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        },
        _ => ConnectionAddr::Tcp(host, port),
    }
}
