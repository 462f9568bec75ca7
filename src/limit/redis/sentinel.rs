//! Asks sentinels where the master is.

use redis::{ConnectionAddr, ConnectionInfo, Value};
use tokio::time::timeout;

use super::Shared;
use super::error::cause;
use super::node::{connect, send};
use crate::limit::Cause;

/// The address of the master now, from the first sentinel that knows. Each has the connect time-out to itself.
pub(super) async fn master(
    shared: &Shared,
    sentinels: &[ConnectionInfo],
    name: &str,
    master: &ConnectionInfo,
) -> Result<ConnectionInfo, Cause> {
    let limit = shared.settings.connect_timeout;
    let mut last = Cause::NoMaster;
    for sentinel in sentinels {
        let asked = async {
            let mut connection = connect(sentinel.clone(), shared.tls.clone(), limit).await?;
            let mut command = redis::cmd("SENTINEL");
            command.arg("get-master-addr-by-name").arg(name);
            send(&mut connection, &command).await
        };
        match timeout(limit, asked).await {
            Ok(Ok(answer)) => match address(&answer) {
                Some((host, port)) => return Ok(master.clone().set_addr(place(master.addr(), host, port))),
                None => last = Cause::NoMaster,
            },
            Ok(Err(error)) => last = cause(&error),
            Err(_) => last = Cause::Timeout,
        }
    }
    Err(last)
}

fn address(answer: &Value) -> Option<(String, u16)> {
    let Value::Array(parts) = answer else { return None };
    let [Value::BulkString(host), Value::BulkString(port)] = parts.as_slice() else {
        return None;
    };
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    Some((String::from_utf8(host.clone()).ok()?, port))
}

fn place(like: &ConnectionAddr, host: String, port: u16) -> ConnectionAddr {
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
