//! A connection to Redis, wherever it is: one process, the master that sentinels name, or a cluster. It is made when it
//! is first needed and made again after it broke; nothing is tried twice.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, Pipeline, RedisError, RedisFuture,
    TlsCertificates, Value,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::deployment::Deployment;
use crate::feedback::FeedbackError;

/// A connection; cloning shares it.
#[derive(Clone)]
pub(super) enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(connection) => connection.req_packed_commands(cmd, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(cmd, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

/// Where Redis is, and the connection while there is one.
pub(super) struct Place {
    pub(super) deployment: Deployment,
    pub(super) tls: Option<TlsCertificates>,
    pub(super) connect_timeout: Duration,
    pub(super) answer_timeout: Duration,
    pub(super) link: Mutex<Option<Link>>,
}

impl Place {
    /// Asks; a connection that broke is given up.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut Link) -> Result<T, RedisError>,
    ) -> Result<T, FeedbackError> {
        let mut link = self.link().await?;
        let result = match timeout(self.answer_timeout, question(&mut link)).await {
            Ok(result) => result.map_err(|error| (problem(&error), is_broken(&error))),
            Err(_) => Err((format!("no answer within {:?}", self.answer_timeout), true)),
        };
        match result {
            Ok(answer) => Ok(answer),
            Err((problem, broken)) => {
                if broken {
                    self.link.lock().await.take();
                }
                Err(FeedbackError::Redis { problem })
            }
        }
    }

    async fn link(&self) -> Result<Link, FeedbackError> {
        let mut link = self.link.lock().await;
        if let Some(link) = &*link {
            return Ok(link.clone());
        }
        let fresh = match timeout(3 * self.connect_timeout, self.connect()).await {
            Ok(result) => result.map_err(|error| problem(&error)),
            Err(_) => Err("it does not answer to an attempt to connect".to_owned()),
        };
        let fresh = fresh.map_err(|problem| FeedbackError::Redis { problem })?;
        Ok(link.insert(fresh).clone())
    }

    async fn connect(&self) -> Result<Link, RedisError> {
        match &self.deployment {
            Deployment::Single(info) => self.one(info.clone()).await.map(Link::One),
            Deployment::Sentinel {
                sentinels,
                name,
                master,
            } => self.master(sentinels, name, master).await.map(Link::One),
            Deployment::Cluster { seeds } => {
                let mut builder = redis::cluster::ClusterClientBuilder::new(seeds.clone())
                    .connection_timeout(self.connect_timeout)
                    .response_timeout(self.answer_timeout);
                if let Some(tls) = &self.tls {
                    builder = builder.certs(tls.clone());
                }
                builder.build()?.get_async_connection().await.map(Link::Cluster)
            }
        }
    }

    async fn one(&self, info: ConnectionInfo) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(None);
        let client = match &self.tls {
            Some(tls) => Client::build_with_tls(info, tls.clone())?,
            None => Client::open(info)?,
        };
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Where the first sentinel that answers says the master is.
    async fn master(
        &self,
        sentinels: &[ConnectionInfo],
        name: &str,
        master: &ConnectionInfo,
    ) -> Result<MultiplexedConnection, RedisError> {
        let mut last = RedisError::from((ErrorKind::Client, "no sentinel knows the master"));
        for sentinel in sentinels {
            let mut asked = match self.one(sentinel.clone()).await {
                Ok(connection) => connection,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            let mut command = redis::cmd("SENTINEL");
            command.arg("get-master-addr-by-name").arg(name);
            let found: Result<Option<(String, u16)>, RedisError> = command.query_async(&mut asked).await;
            match found {
                Ok(Some((host, port))) => {
                    let place = match master.addr() {
                        ConnectionAddr::TcpTls { .. } => ConnectionAddr::TcpTls {
                            host,
                            port,
                            insecure: false,
                            tls_params: None,
                        },
                        _ => ConnectionAddr::Tcp(host, port),
                    };
                    return self.one(master.clone().set_addr(place)).await;
                }
                Ok(None) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// What kind of failure: Redis' code, or the library's words. Redis' sentence may quote what it was sent.
fn problem(error: &RedisError) -> String {
    match error.code() {
        Some(code) => format!("it answers {code}"),
        None => format!("{:?}", error.kind()),
    }
}

/// After such an error the connection is of no use, or leads to the wrong process.
fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || error.is_timeout() || error.code() == Some("READONLY")
}
