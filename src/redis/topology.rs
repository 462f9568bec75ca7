//! Follows the topology of a cluster: asks any node that answers for the slots, at the start and whenever a node is
//! away or says that keys have moved.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ConnectionAddr, ConnectionInfo, RedisError, Value};
use tokio::time::{sleep, timeout};

use super::call::Probe;
use super::cause::Cause;
use super::connection::{connect, send};
use super::error::cause;
use super::node::{Endpoint, Node};
use super::router::Router;
use super::slots::{SlotRange, SlotTable, slot};

/// The pause between two questions at least; with the cluster's fail-over time it bounds how long a dead shard is
/// missed.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest pause while something is away.
const PAUSE_AWAY: Duration = Duration::from_millis(400);

/// Follows the cluster for as long as the client lives.
pub(super) async fn follow(router: Arc<Router>, seeds: Vec<ConnectionInfo>) {
    let mut changes = router.shared.changed.subscribe();
    loop {
        match ranges(&router, &seeds).await {
            Ok(ranges) => apply(&router, &seeds[0], &ranges),
            Err(cause) => router.lost(cause),
        }
        sleep(PAUSE).await;
        if router.all_up() {
            // The sender lives in `router`: this only returns on a change.
            let _ = changes.changed().await;
        } else {
            let _ = timeout(PAUSE_AWAY, changes.changed()).await;
        }
    }
}

/// Asks the nodes that are up, then the seeds. One that knows of no slots was reset or never joined: another may know.
async fn ranges(router: &Router, seeds: &[ConnectionInfo]) -> Result<Vec<SlotRange>, Cause> {
    let limit = router.shared.settings.connect_timeout;
    for node in &router.slots().nodes {
        if let (Some(connection), Endpoint::Fixed(info)) = (node.connection(), node.endpoint())
            && let Ok(Ok(ranges)) = timeout(limit, ask(connection, info)).await
            && !ranges.is_empty()
        {
            return Ok(ranges);
        }
    }
    let mut last = Cause::ClusterDown;
    for info in seeds {
        let asked = async {
            let connection = connect(info.clone(), router.shared.tls.clone(), limit).await?;
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

async fn ask(mut connection: MultiplexedConnection, info: &ConnectionInfo) -> Result<Vec<SlotRange>, RedisError> {
    let slots = send(&mut connection, redis::cmd("CLUSTER").arg("SLOTS")).await?;
    let asked = match info.addr() {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.as_str(),
        _ => "",
    };
    Ok(read(&slots, asked))
}

/// Reads `CLUSTER SLOTS`: `[[first, last, [host, port, id, …], replica, …], …]`. What is not so is left out. A node
/// that does not know its own host leaves it empty: then it is the one that was asked.
fn read(slots: &Value, asked: &str) -> Vec<SlotRange> {
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
        Some(SlotRange {
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

/// Puts a new table into place, which keeps the nodes that are known already.
fn apply(router: &Router, seed: &ConnectionInfo, ranges: &[SlotRange]) {
    let old = router.slots();
    let slots = SlotTable::cluster(ranges, |(host, port)| {
        let owns = |n: u32| {
            let slot = slot(&Probe::key(n));
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
            matches!(node.endpoint(), Endpoint::Fixed(known) if known.addr() == info.addr())
                && owns(node.probe_number())
        });
        known.cloned().unwrap_or_else(|| {
            // One slot in 16,384 is the least that a node can have: some number below this is in it, almost surely.
            let probe = (0..1_000_000).find(|n| owns(*n)).unwrap_or(0);
            Arc::new(Node::start(Arc::clone(&router.shared), Endpoint::Fixed(info), probe))
        })
    });
    router.replace(slots);
}

#[cfg(test)]
mod tests {
    use super::{SlotRange, read};
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
        let range = |first, last, host: &str| SlotRange {
            first,
            last,
            master: (host.to_owned(), 7),
        };
        assert_eq!(read(&slots, "asked"), [range(0, 99, "h"), range(100, 200, "asked")]);
        assert_eq!(read(&Value::Okay, "asked"), []);
    }
}
