//! Keeps the routes of a cluster: asks any node that answers who has which slots, at the start and whenever a node is
//! away or says that keys have moved.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ConnectionAddr, ConnectionInfo, RedisError, Value};
use tokio::time::{sleep, timeout};

use super::board::Board;
use super::error::cause;
use super::node::{Node, Place, connect, send};
use super::routes::{Range, Routes, slot};
use crate::limit::{Cause, key};

/// Between two looks at the cluster at least; with its fail-over time it bounds how long a dead shard stays local.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest pause while something is away.
const PAUSE_AWAY: Duration = Duration::from_millis(400);

/// Follows the cluster for as long as the limiter lives.
pub(super) async fn follow(board: Arc<Board>, seeds: Vec<ConnectionInfo>) {
    let mut changes = board.shared.changed.subscribe();
    loop {
        match ranges(&board, &seeds).await {
            Ok(ranges) => apply(&board, &seeds[0], &ranges),
            Err(cause) => board.lost(cause),
        }
        sleep(PAUSE).await;
        if board.all_up() {
            // The sender lives in `board`: this only returns on news.
            let _ = changes.changed().await;
        } else {
            let _ = timeout(PAUSE_AWAY, changes.changed()).await;
        }
    }
}

/// Asks the nodes that are up, then all others. One that knows of no slots was reset or never joined: another may know.
async fn ranges(board: &Board, seeds: &[ConnectionInfo]) -> Result<Vec<Range>, Cause> {
    let limit = board.shared.settings.connect_timeout;
    for node in &board.routes().nodes {
        if let (Some(connection), Place::At(info)) = (node.connection(), node.place())
            && let Ok(Ok(ranges)) = timeout(limit, ask(connection, info)).await
            && !ranges.is_empty()
        {
            return Ok(ranges);
        }
    }
    let mut last = Cause::ClusterDown;
    for info in seeds {
        let asked = async {
            let connection = connect(info.clone(), board.shared.tls.clone(), limit).await?;
            ask(connection, info).await
        };
        match timeout(limit, asked).await {
            Ok(Ok(ranges)) if !ranges.is_empty() => return Ok(ranges),
            Ok(Ok(_)) => last = Cause::ClusterDown,
            Ok(Err(error)) => last = cause(&error),
            Err(_) => last = Cause::Timeout,
        }
    }
    Err(last)
}

async fn ask(mut connection: MultiplexedConnection, info: &ConnectionInfo) -> Result<Vec<Range>, RedisError> {
    let slots = send(&mut connection, redis::cmd("CLUSTER").arg("SLOTS")).await?;
    let asked = match info.addr() {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.as_str(),
        _ => "",
    };
    Ok(read(&slots, asked))
}

/// Reads `CLUSTER SLOTS`: `[[first, last, [host, port, id, …], replica, …], …]`. What is not so is left out. A node that
/// does not know its own host leaves it empty: then it is the one that was asked.
fn read(slots: &Value, asked: &str) -> Vec<Range> {
    let number = |value: &Value| match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    };
    let range = |range: &Value| {
        let Value::Array(range) = range else { return None };
        let [first, last, Value::Array(master), ..] = range.as_slice() else {
            return None;
        };
        let [host, port, ..] = master.as_slice() else {
            return None;
        };
        let host = match host {
            Value::BulkString(host) if !host.is_empty() => String::from_utf8(host.clone()).ok()?,
            _ => asked.to_owned(),
        };
        Some(Range {
            first: number(first)?,
            last: number(last)?,
            master: (host, number(port)?),
        })
    };
    match slots {
        Value::Array(slots) => slots.iter().filter_map(range).collect(),
        _ => Vec::new(),
    }
}

/// Puts new routes up, with the nodes that are known already.
fn apply(board: &Board, seed: &ConnectionInfo, ranges: &[Range]) {
    let old = board.routes();
    let routes = Routes::cluster(ranges, |(host, port)| {
        let owns = |n: u32| {
            let slot = slot(&key::probe(n));
            ranges
                .iter()
                .any(|r| r.master == (host.clone(), *port) && (r.first..=r.last).contains(&slot))
        };
        let info = seed.clone().set_addr(match seed.addr() {
            ConnectionAddr::TcpTls { .. } => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: false,
                tls_params: None,
            },
            _ => ConnectionAddr::Tcp(host.clone(), *port),
        });
        let known = old.nodes.iter().find(|node| {
            matches!(node.place(), Place::At(known) if known.addr() == info.addr()) && owns(node.probe_number())
        });
        known.cloned().unwrap_or_else(|| {
            // One slot in 16,384 is the least that a node can have: some number below this is in it, almost surely.
            let probe = (0..1_000_000).find(|n| owns(*n)).unwrap_or(0);
            Arc::new(Node::start(Arc::clone(&board.shared), Place::At(info), probe))
        })
    });
    board.found(routes);
}

#[cfg(test)]
mod tests {
    use super::{Range, read};
    use redis::Value::{self, Array, BulkString, Int};

    #[test]
    fn slots_are_read_and_nonsense_is_left_out() {
        let node = |host: &str| Array(vec![BulkString(host.into()), Int(7), BulkString(b"id".to_vec())]);
        let slots = Array(vec![
            Array(vec![Int(0), Int(99), node("h"), node("replica")]),
            Array(vec![Int(100), Int(200), node("")]),
            Array(vec![Int(-1), Int(99), node("h")]),
            Value::Nil,
        ]);
        let range = |first, last, host: &str| Range {
            first,
            last,
            master: (host.to_owned(), 7),
        };
        assert_eq!(read(&slots, "asked"), [range(0, 99, "h"), range(100, 200, "asked")]);
        assert_eq!(read(&Value::Okay, "asked"), []);
    }
}
