//! Composes the service from a configuration, and runs it from its start to its end. Start reading in
//! [`Server::run`].

mod models;
mod reload;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::api::grpc::{self, Bounds, Services, StreamBounds};
use crate::api::ops::{self, Ops};
use crate::config::Config;
use crate::limit::RedisState;
use crate::operations::Operations;
use crate::pipeline::Deps;
use crate::transport::{Admission, CallBounds, ConnectionBounds, IdleTimeout, Incoming, Tls, TlsIncoming, serve};

pub use reload::Reload;

/// The interval at which metrics are tidied up.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The interval at which feedback is tidied up.
const TIDY_INTERVAL: Duration = Duration::from_secs(30);

/// The failures of a server between its start and its end.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("listen on {address}: {source}; {remedy} {flag}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: std::io::Error,
        /// The remedy.
        remedy: &'static str,
        /// With which flag.
        flag: &'static str,
    },
    /// The descriptors for reflection cannot be read.
    #[error("set up reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// A task of the server ended before its time.
    #[error("a server task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Bound sockets, before anything is served.
#[derive(Debug)]
pub struct Listeners {
    listeners: Vec<TcpListener>,
    tls: Option<Tls>,
}

impl Listeners {
    /// Binds every address; port 0 takes a free one. `flag` is what sets them, for messages.
    ///
    /// # Errors
    /// Names the first address that cannot be had.
    pub async fn bind(flag: &'static str, addresses: &[SocketAddr]) -> Result<Self, ServerError> {
        let mut listeners = Vec::with_capacity(addresses.len());
        for &address in addresses {
            let listener = TcpListener::bind(address).await.map_err(|source| {
                let remedy = remedy(&source);
                ServerError::Bind {
                    address,
                    source,
                    remedy,
                    flag,
                }
            })?;
            listeners.push(listener);
        }
        Ok(Self { listeners, tls: None })
    }

    /// Speaks TLS on all of them.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<Tls>) -> Self {
        self.tls = tls;
        self
    }

    /// The addresses that they listen on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }
}

fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another process has it: end that one, or take a free one with port 0, as 127.0.0.1:0, in"
        }
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege: choose a higher one with",
        std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address: choose one it has with",
        _ => "choose another address with",
    }
}

/// The whole service, ready to run.
#[derive(Debug)]
pub struct Server {
    /// The pipeline with its dependencies.
    pub deps: Arc<Deps>,
    /// Bounds on the calls in flight.
    pub bounds: Bounds,
    /// Bounds on connections.
    pub connections: ConnectionBounds,
    /// The listeners of gRPC.
    pub grpc: Listeners,
    /// The operators' listeners, with the renderer of the metrics.
    pub ops: Option<(Listeners, PrometheusHandle)>,
    /// Takes a changed configuration over, if it is watched.
    pub reload: Option<Reload>,
    /// The time that calls in flight have to finish at the end.
    pub drain_timeout: Duration,
}

impl Server {
    /// Serves until `shutdown` resolves, then drains: health flips first, and calls under way finish within the drain
    /// timeout. `ready` is called once health is SERVING.
    ///
    /// # Errors
    /// A listener failed. Calls that did not finish in time are cut off, with a warning in the log.
    pub async fn run(self, ready: impl FnOnce(), shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
        let operations = Arc::clone(&self.deps.operations);
        let (reporter, health) = tonic_health::server::health_reporter();
        report(&reporter, ServingStatus::NotServing).await;
        let (stop, stopped) = watch::channel(false);
        let metrics = operations.metrics().transport();
        let admission = Admission::new(self.bounds.calls, grpc::rejections(), metrics.clone());
        let connections = Arc::new(Semaphore::new(
            self.connections.connections_max.min(Semaphore::MAX_PERMITS),
        ));
        let mut listeners = JoinSet::new();
        let grpc = Services::new(&self.deps, self.bounds, &admission, &stopped, health)?;
        for listener in self.grpc.listeners {
            let (grpc, stopped, bounds) = (grpc.clone(), stopped.clone(), self.connections);
            let admission = admission.clone();
            let handlers = move |activity| {
                let services = grpc.of(activity);
                move |request| services.call(request)
            };
            let incoming = Incoming::new(listener, Arc::clone(&connections));
            match self.grpc.tls.clone() {
                None => {
                    let incoming = incoming.map(move |peer| peer.map(|peer| IdleTimeout::new(peer, bounds)));
                    listeners.spawn(serve(incoming, handlers, bounds, admission, stopped))
                }
                Some(tls) => {
                    let incoming = TlsIncoming::new(incoming, tls, bounds.handshake_timeout, metrics.clone());
                    let incoming = incoming.map(move |peer| peer.map(|peer| IdleTimeout::new(peer, bounds)));
                    listeners.spawn(serve(incoming, handlers, bounds, admission, stopped))
                }
            };
        }
        // Watchers end with this function: they are aborted when the set is dropped.
        let mut watchers = JoinSet::new();
        if let Some(reload) = self.reload {
            watchers.spawn(reload.watch(Arc::clone(&operations), self.grpc.tls.clone()));
        }
        if let Some((bound, metrics)) = self.ops {
            for listener in bound.listeners {
                let router = ops::router(Ops {
                    operations: Arc::clone(&operations),
                    metrics: metrics.clone(),
                    stopping: stopped.clone(),
                });
                // It stays open while calls are drained: that is when operators want to look in.
                watchers.spawn(async move {
                    if let Err(error) = axum::serve(listener, router).await {
                        tracing::error!(%error, "the operators' listener ended; gRPC goes on without it");
                    }
                });
            }
            watchers.spawn(upkeep(metrics));
        }
        operations.limiter().connect().await;
        watchers.spawn(watch_redis(Arc::clone(&operations)));
        watchers.spawn(tidy_feedback(Arc::clone(&operations)));
        watchers.spawn(models::follow(Arc::clone(&operations)));
        let has_model = operations.models.current().is_some();
        report(
            &reporter,
            if has_model {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            },
        )
        .await;
        ready();

        tokio::select! {
            () = shutdown => {}
            // A listener that ends by itself takes the others with it: half a service is none.
            Some(ended) = listeners.join_next() => ended?,
        }
        report(&reporter, ServingStatus::NotServing).await;
        tracing::info!("stopping: finishing the calls under way");
        // The receivers are the listeners and what they serve; if none is left, all have ended.
        let _ = stop.send(true);
        let drained = tokio::time::timeout(self.drain_timeout, async {
            while let Some(ended) = listeners.join_next().await {
                ended?;
            }
            Ok(())
        });
        let ended = drained.await.unwrap_or_else(|_| {
            tracing::warn!(drain_timeout = ?self.drain_timeout, "some connections did not close in time and are cut off");
            Ok(())
        });
        if let Some(recorder) = operations.recorder()
            && tokio::time::timeout(self.drain_timeout, recorder.close())
                .await
                .is_err()
        {
            tracing::warn!("the feedback store did not take the last decisions in time: they are not remembered");
        }
        save_statistics(&operations).await;
        ended
    }
}

/// The bounds on calls and connections of a configuration.
pub fn bounds(config: &Config) -> (Bounds, ConnectionBounds) {
    let pressure = config.pressure;
    let bounds = Bounds {
        message_bytes_max: config.message_bytes_max,
        calls: CallBounds {
            in_flight_max: config.in_flight_max,
            backlog_max: pressure.backlog_max,
            timeout: pressure.call_timeout,
        },
        streams: StreamBounds {
            in_flight_max: pressure.stream_in_flight_max,
            idle_timeout: pressure.stream_idle_timeout,
            age_max: pressure.stream_age_max,
        },
    };
    let connections = ConnectionBounds {
        connections_max: pressure.connections_max,
        handshake_timeout: pressure.handshake_timeout,
        idle_timeout: pressure.idle_timeout,
        calls_max: pressure.calls_per_connection_max,
        header_list_bytes_max: pressure.header_list_bytes_max,
        keep_alive_interval: pressure.keep_alive_interval,
        keep_alive_timeout: pressure.keep_alive_timeout,
        age_max: pressure.connection_age_max,
        close_timeout: pressure.stream_age_max.max(pressure.call_timeout),
    };
    (bounds, connections)
}

async fn report(reporter: &HealthReporter, status: ServingStatus) {
    for service in grpc::SERVICES.into_iter().chain([""]) {
        reporter.set_service_status(service, status).await;
    }
}

/// Histograms keep every value until they are looked at; this looks, whether anybody scrapes or not.
async fn upkeep(metrics: PrometheusHandle) {
    let mut tick = tokio::time::interval(UPKEEP_INTERVAL);
    loop {
        tick.tick().await;
        metrics.run_upkeep();
    }
}

/// Lets what is too old be forgotten, and makes durable what is not yet.
async fn tidy_feedback(operations: Arc<Operations>) {
    let mut tick = tokio::time::interval(TIDY_INTERVAL);
    loop {
        tick.tick().await;
        if let Err(error) = operations.tidy_feedback().await {
            tracing::warn!("the feedback store could not be tidied: failed to {error}");
        }
        save_statistics(&operations).await;
    }
}

/// Writes down what was counted, if there is a place for it.
async fn save_statistics(operations: &Arc<Operations>) {
    let operations = Arc::clone(operations);
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || operations.save_statistics()).await {
        tracing::warn!("the statistics could not be written: failed to {error}");
    }
}

/// Says once, at each change, that Redis came or went.
async fn watch_redis(operations: Arc<Operations>) {
    let Some(mut states) = operations.limiter().states() else {
        return;
    };
    let mut changed = false;
    loop {
        let state = *states.borrow_and_update();
        operations.metrics().redis(state == RedisState::Up, changed);
        match state {
            RedisState::Up => tracing::info!("Redis counts the quotas"),
            RedisState::Partly { cause } => tracing::warn!(
                cause = cause.code(),
                "a part of the Redis cluster is away, and this process counts its authors alone: {cause}"
            ),
            RedisState::Away { cause } => tracing::warn!(
                cause = cause.code(),
                "Redis is away, and this process counts the quotas alone: {cause}"
            ),
        }
        if states.changed().await.is_err() {
            return;
        }
        changed = true;
    }
}
