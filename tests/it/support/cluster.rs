//! A Redis cluster of three masters and three replicas, and a master with a replica and a sentinel.

use std::process::{Command, Stdio};

use super::eventually::eventually;
use super::redis::{RedisServer, free_port};

/// Three masters, each with a replica.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<RedisServer>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let mut servers = Vec::new();
        for _ in 0..6 {
            let bus = free_port().to_string();
            let args = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                "500",
            ];
            let coverage = [
                "--cluster-require-full-coverage",
                "no",
                "--repl-diskless-sync-delay",
                "0",
            ];
            servers.push(RedisServer::start_with(&[&args[..], &coverage].concat()).await);
        }
        let nodes: Vec<String> = servers
            .iter()
            .map(|server| format!("127.0.0.1:{}", server.port))
            .collect();
        let created = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&nodes)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| {
                panic!("cannot start redis-cli ({error}); install it: apt-get install redis-tools")
            });
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        eventually("the cluster stands", async || {
            servers.iter().all(|server| {
                let info: String = server.ask(&["CLUSTER", "INFO"]).unwrap_or_default();
                let link: String = server.ask(&["INFO", "replication"]).unwrap_or_default();
                let linked = link.contains("role:master") || link.contains("master_link_status:up");
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:6") && linked
            })
        })
        .await;
        Self { servers }
    }

    pub(crate) fn url(&self) -> String {
        // Two of the six are enough to find the others.
        format!(
            "redis+cluster://127.0.0.1:{},127.0.0.1:{}",
            self.servers[0].port, self.servers[4].port
        )
    }

    /// The number of a server that is a master now.
    pub(crate) fn masters(&self) -> Vec<usize> {
        let is_master = |i: &usize| {
            let role: redis::RedisResult<String> = self.servers[*i].ask(&["INFO", "replication"]);
            role.is_ok_and(|role| role.contains("role:master"))
        };
        (0..self.servers.len()).filter(is_master).collect()
    }
}

/// A master, a replica of it, and a sentinel that watches them under the name `main`.
pub(crate) struct Watched {
    pub(crate) master: RedisServer,
    pub(crate) replica: RedisServer,
    pub(crate) sentinel: RedisServer,
}

impl Watched {
    pub(crate) async fn start() -> Self {
        let quick = ["--repl-diskless-sync-delay", "0"];
        let master = RedisServer::start_with(&quick).await;
        let port = master.port.to_string();
        let replica = RedisServer::start_with(&[&quick[..], &["--replicaof", "127.0.0.1", &port]].concat()).await;
        let sentinel = RedisServer::start_sentinel(&format!(
            "sentinel monitor main 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 3000\n"
        ))
        .await;
        eventually("the sentinel knows the replica", async || {
            let info: String = sentinel.ask(&["INFO", "sentinel"]).unwrap_or_default();
            let link: String = replica.ask(&["INFO", "replication"]).unwrap_or_default();
            info.contains("slaves=1") && link.contains("master_link_status:up")
        })
        .await;
        Self {
            master,
            replica,
            sentinel,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/main", self.sentinel.port)
    }
}
